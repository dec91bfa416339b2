"""Nothing is refused without words for it, in both languages, with the same blanks."""

import ast
import string
from pathlib import Path

import pytest

from care.words import WORDS

CARE = Path(__file__).parents[2] / "care"


def _blanks(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


@pytest.mark.parametrize("key", list(WORDS))
def test_both_languages_say_the_same(key: str) -> None:
    chinese, english = WORDS[key]
    assert chinese
    assert english
    assert _blanks(chinese) == _blanks(english)


def _refusals() -> dict[str, set[str]]:
    """Each reason that the source raises by name, with the values that it gives."""
    found: dict[str, set[str]] = {}
    for path in CARE.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
                continue
            if node.func.id in ("Refusal", "AccountError") and isinstance(node.args[0], ast.Constant):
                given = {keyword.arg for keyword in node.keywords if keyword.arg}
                found[str(node.args[0].value)] = given
    return found


@pytest.mark.parametrize(("reason", "given"), list(_refusals().items()))
def test_every_reason_has_words_whose_blanks_are_filled(reason: str, given: set[str]) -> None:
    assert _blanks(WORDS[reason][0]) <= given


def test_the_check_sees_the_reasons() -> None:
    assert {"required", "phone_short", "rank_taken", "account_exists"} <= set(_refusals())
