"""What the figures' page says of numbers: never rounded up, never scaled out of proportion."""

from datetime import date, timedelta
from typing import Any

import pytest

from dashboards.console.figures import percent, seconds, size
from dashboards.console.figures_chart import HEIGHT, chart
from dashboards.console.language import say, words
from dispatch.figures import LEVELS, MEASURES
from ingest.codecs import Reason, Refusal, Remark
from pingan.log import GROUPS

EN = say("en")


@pytest.mark.parametrize(
    ("within", "of", "text"),
    [(9846, 10000, "98.4 %"), (9999, 10000, "99.9 %"), (5, 5, "100.0 %"), (197, 200, "98.5 %"), (0, 7, "0.0 %")],
)
def test_a_level_that_is_nearly_kept_does_not_look_kept(within: int, of: int, text: str) -> None:
    assert percent(EN, {"within": within, "of": of}) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "–"), (0.0042, "0.00 s"), (0.25, "0.25 s"), (9.94, "9.9 s"), (48.6, "48 s"), (125, "2 min 5 s")],
)
def test_durations_in_words(value: float | None, text: str) -> None:
    assert seconds(EN, value) == text


def test_sizes_in_words() -> None:
    assert [size(EN, count) for count in (7, 2048, 3 << 20, 5 << 30)] == ["7 B", "2.0 KiB", "3.0 MiB", "5.0 GiB"]


def day(number: int, soon: int = 0, slow: int = 0, late: int = 0, ringing: int = 0) -> dict[str, Any]:
    return {"day": date(2026, 3, 1) + timedelta(days=number), "incidents": soon + slow + late + ringing,
            "answered_60": soon, "answered_180": soon + slow, "late": late, "ringing": ringing}  # fmt: skip


def test_a_bar_is_as_high_as_its_day_and_its_parts_stand_on_each_other() -> None:
    drawn = chart([day(0, 5, 2, 1, 2), day(1), day(2, 20)])
    first = [bar for bar in drawn.bars if bar.x == drawn.bars[0].x]
    assert [bar.kind for bar in first] == ["soon", "slow", "late", "ringing"]
    assert sum(bar.height for bar in first) == pytest.approx(HEIGHT / 2)
    for below, above in zip([None, *first], first, strict=False):
        assert above.y + above.height == pytest.approx(below.y if below else drawn.base)
    assert drawn.bars[-1].height == HEIGHT
    assert drawn.lines == [(10, drawn.base - HEIGHT / 2), (20, drawn.base - HEIGHT)]


@pytest.mark.parametrize("days", [0, 1, 30, 366])
def test_a_chart_of_nothing_and_one_of_a_year(days: int) -> None:
    drawn = chart([day(number) for number in range(days)])
    assert (drawn.bars, drawn.lines) == ([], [])
    assert len(drawn.labels) <= 6


@pytest.mark.parametrize("language", ["zh", "en"])
def test_every_name_of_the_figures_has_a_word(language: str) -> None:
    names = {f"figures.{name}" for name in (*(level.name for level in LEVELS), *MEASURES)}
    names |= {f"rejected.{reason}" for reason in (*Reason, *Remark, *Refusal)}
    names |= {f"log.{log}" for log in GROUPS} | {f"reader.{group}" for groups in GROUPS.values() for group in groups}
    assert not names - words(language).keys()
