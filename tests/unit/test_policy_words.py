"""What is said of policies has words in both languages, with the same blanks, for everything that can be said."""

import ast
import re
import string
from pathlib import Path

import pytest

from dispatch.book import CAUSES, CHANNELS, PROMISES, ROLES
from dispatch.choosing import AREA_METRES
from dispatch.policy_words import WORDS, lasting, reason, said
from pingan.hours import WEEKDAYS

ROOT = Path(__file__).parents[2]
TEMPLATES = sorted((ROOT / "dashboards/console/templates").glob("polic*.html"))


def blanks(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


@pytest.mark.parametrize("key", list(WORDS))
def test_both_languages_say_the_same(key: str) -> None:
    words = WORDS[key]
    assert all(words.get(language) for language in ("zh", "en"))
    assert blanks(words["zh"]) == blanks(words["en"])


def test_every_name_has_its_words() -> None:
    wanted = {f"cause_{cause}" for cause in CAUSES} | {f"channel_{channel}" for channel in CHANNELS}
    wanted |= {f"role_{role}" for roles in ROLES.values() for role in roles} | {f"day_{day}" for day in WEEKDAYS}
    wanted |= {f"level_{digits}" for digits in (*AREA_METRES, 0)} | {*PROMISES}
    assert wanted <= {*WORDS}


def test_every_fault_has_words_for_what_it_gives() -> None:
    found = []
    for node in ast.walk(ast.parse((ROOT / "dispatch/book.py").read_text(encoding="utf-8"))):
        named = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("Fault", "fault")
        if named and isinstance(node.args[0], ast.Constant):  # type: ignore[attr-defined]
            found.append(node.args[0].value)  # type: ignore[attr-defined]
        if isinstance(node, ast.Yield) and isinstance(node.value, ast.Tuple):
            found.append(node.value.elts[0].value)  # type: ignore[attr-defined]
    assert {"no_steps", "never_reached", "unseen_missing", "unknown_policy"} <= {*found}
    assert {*found} <= {*WORDS}


def test_every_reason_has_words() -> None:
    text = "".join((ROOT / "dispatch" / name).read_text(encoding="utf-8") for name in ("choosing.py", "dry_run.py"))
    reasons = set(re.findall(r'return "(\w+)"|f"(\w+):|append\("(\w+)"\)', text))
    names = {name for found in reasons for name in found if name}
    names |= {"contact_of_home", "has_key", "quiet_hours", "no_number", "no_step", "stands_in", "going_to"}
    assert {"metres", "area", "off_rota", "not_trained", "attended_before"} <= names
    assert {f"why_{name}" for name in names} <= {*WORDS}


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_every_phrase_of_a_page_has_words(template: Path) -> None:
    assert {*re.findall(r"say\('(\w+)'(?! ~)", template.read_text(encoding="utf-8"))} <= {*WORDS}


def test_how_they_sound() -> None:
    assert reason("metres:350", "en") == "350 m away"
    assert reason("area:9", "zh") == "在同一乡/镇/街道"
    assert reason("stands_in:王强", "zh") == "代 王强 值班"
    assert [lasting(seconds, "en") for seconds in (20, 60, 90, 120, 3_600, 5_400, 14_400)] == [
        "20 s", "60 s", "90 s", "2 min", "1 h", "90 min", "4 h",
    ]  # fmt: skip
    assert said("a_word_of_tomorrow", "en") == "word of tomorrow"
