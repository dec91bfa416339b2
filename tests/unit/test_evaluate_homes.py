"""Homes walked through in the order of time, and collapses from restored snapshots."""

import gzip
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from alerting.detectors import DAY_MS, HOUR_MS, Finding, Heard, Now
from alerting.detectors.table import DETECTORS
from alerting.evaluate import everything, homes, movements
from alerting.evaluate.command import main
from alerting.evaluate.homes import Plan, Silence, figures_of, walk
from alerting.evaluate.movements import CHINA, BadRecording, Home
from pingan.clock import to_ms
from tests.detector_versions import TenMinutes
from tests.evaluate_support import FIRST_DAY, write_homes

FIXED = Plan(ceiling_hours=10, version="fixed-1", tick_ms=600_000)
"""The rule that can be told by eye: so many hours, always."""
DAYS = 18


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> list[Home]:
    path = write_homes(tmp_path_factory.mktemp("homes") / "activity.csv.gz", DAYS)
    return movements.activity(path).homes


def hour_of(at_ms: int) -> int:
    return datetime.fromtimestamp(at_ms / 1000, CHINA).hour


def test_a_silence_is_found_after_the_hours_and_only_once(two: list[Home]) -> None:
    walked = walk(two, Plan(ceiling_hours=7.5, version="fixed-1", tick_ms=600_000, collapses_an_hour=0))
    raised = [one for one in walked.raised if one.alarm.home == "a"]
    assert {one.alarm.kind for one in raised} == {"inactivity"}
    # Every night is longer than 7.5 hours; nothing by day is.
    assert len(raised) == DAYS - 1
    assert {hour_of(one.raised_ms) for one in raised} <= {5, 6}
    found = figures_of(two, walked, FIXED)
    nights_after_learning = DAYS - 1 - homes.LEARNING_DAYS
    assert found["by_home"] == {"a": nights_after_learning, "b": nights_after_learning}
    months = sum(home.end_ms - home.begin_ms - 14 * DAY_MS for home in two) / DAY_MS / homes.MONTH_DAYS
    assert found["fa_per_home_month"] == pytest.approx(2 * nights_after_learning / months)


def test_a_collapse_is_found_after_the_hours_from_any_hour(two: list[Home]) -> None:
    walked = walk(two, FIXED)
    fell = walked.collapses
    assert {one.home for one in fell} == {"a", "b"}
    assert sorted(one.hour for one in fell if one.home == "a") == list(range(7, 23)), (
        "each hour in which somebody moves"
    )
    assert all(one.hours is not None and 10 <= one.hours <= 10.35 for one in fell)
    assert all(one.at_ms >= home.begin_ms + 14 * DAY_MS for home in two for one in fell if one.home == home.name)
    found = figures_of(two, walked, FIXED)["collapses"]
    assert found["never_raised"] == 0
    assert found["count"] == 32
    assert found["by_hour"][8]["count"] == 2


@pytest.mark.parametrize("version", DETECTORS["inactivity"])
def test_a_collapse_leaves_no_trace_in_the_home_that_goes_on(two: list[Home], version: str) -> None:
    plan = replace(FIXED, version=version)
    with_them, without = (walk(two, replace(plan, collapses_an_hour=count)) for count in (1, 0))
    assert len(with_them.collapses) == 32
    assert homes.listed(with_them) == homes.listed(without)
    assert not without.collapses


def test_what_never_rings_counts_as_the_whole_patience(two: list[Home]) -> None:
    walked = walk(two, Plan(ceiling_hours=60, version="fixed-1", tick_ms=600_000))
    found = figures_of(two, walked, FIXED)["collapses"]
    assert found["never_raised"] == 1
    assert found["mean"] == homes.PATIENCE_HOURS


def test_it_is_the_same_every_time(two: list[Home]) -> None:
    first, again = (walk(two, FIXED) for _ in range(2))
    assert homes.listed(first) == homes.listed(again)
    assert first.collapses == again.collapses


class OffTheClock(TenMinutes):
    """Says of whatever did not come at the time of the tick before."""

    kinds = None

    def on_reading(self, heard: Heard, now: Now) -> list[Finding]:
        return [] if heard.received_ms == now.at_ms else [self._finding(heard.kind, "off_the_clock", now)]


def test_all_homes_are_heard_by_one_clock_however_long_its_steps_are(two: list[Home]) -> None:
    """The second home begins within a step of it, as on a platform: how long a silence was is told by these times."""
    plan = Plan(tick_ms=HOUR_MS, collapses_an_hour=0)
    walked = walk(two, plan, {"inactivity": {"off-1": OffTheClock}})
    assert len({home.begin_ms % HOUR_MS for home in two}) == 2
    assert walked.raised == []


def test_nobody_collapses_as_they_go_out(two: list[Home]) -> None:
    for home in two:
        for place in homes.chosen(home, FIXED):
            assert home.movements[place].sensor != "front-door"


class Ears:
    """Knows of an area of which nobody at all has been heard for longer than any night lasts."""

    def __init__(self) -> None:
        self.last_ms: int | None = None

    def heard(self, device: str, now_ms: int) -> None:
        self.last_ms = now_ms

    def deaf(self, now_ms: int, heard_ms: int | None = None) -> tuple[str, ...]:
        return (homes.AREA,) if self.last_ms is not None and now_ms - self.last_ms > 9.5 * HOUR_MS else ()


def test_what_is_silent_together_is_counted_apart(two: list[Home]) -> None:
    silence = Silence(to_ms(FIRST_DAY.replace(tzinfo=CHINA) + timedelta(days=15, hours=12)), 30)
    plan = Plan(ceiling_hours=10, version="fixed-1", tick_ms=600_000, collapses_an_hour=0, silence=silence)
    found = homes.silent_together(walk(two, plan, coverage=Ears()), silence)
    assert (found["person"], found["areas"]) == (0, 1)
    assert 8.5 < found["known_after_hours"] <= 9.5
    assert found["deaf_hours"] == pytest.approx(30 - found["known_after_hours"], abs=1)
    assert found["during"] == {}
    without = homes.silent_together(walk(two, plan), silence)
    assert (without["person"], without["areas"], without["known_after_hours"]) == (2, 0, None)
    assert without["during"] == {"inactivity": 2}, "what was never said leaves no gap in the sequence"


def test_a_home_is_read_with_what_its_sensors_are(tmp_path: Path) -> None:
    path = tmp_path / "activity.csv"
    path.write_text(
        "id,t,location\nx,2026-01-05 08:00:00,kitchen\nx,2026-01-05 07:00:00,front-door\n"
        "x,not a time,kitchen\nx,2026-01-05 09:00:00,\n,2026-01-05 09:00:00,kitchen\n"
    )
    found = movements.activity(path)
    (home,) = found.homes
    assert [(one.kind, one.value, one.sensor) for one in home.movements] == [
        ("door", "open", "front-door"),
        ("motion", True, "kitchen"),
    ]
    assert home.begin_ms == to_ms(datetime(2026, 1, 5, 7, tzinfo=CHINA))
    assert len(found.said) == 3
    assert all(one.startswith("1 rows left out: ") for one in found.said)


def read(path: Path, rows: str) -> movements.Homes:
    path.write_text("ID, t,location\n" + rows, encoding="utf-8")
    return movements.activity(path)


def test_homes_whose_names_look_alike_in_a_topic_stay_two(tmp_path: Path) -> None:
    found = read(tmp_path / "a.csv", "张三,2026-01-05,x\n李四,2026-01-06,x\n李四,2026-01-05,x\n--,2026-01-05,x\n")
    assert {home.name: len(home.movements) for home in found.homes} == {"--": 1, "---2": 1, "---3": 2}


def test_a_night_stays_a_night_whatever_the_zone(tmp_path: Path) -> None:
    zoned = "x,2026-01-05 02:00:00+01:00,hall\nx,2026-07-05T02:00:00Z,hall\nx,2026-03-05 02:00:00,hall\n"
    found = read(tmp_path / "a.csv", zoned)
    assert [hour_of(one.at_ms) for one in found.homes[0].movements] == [2, 2, 2]
    assert [one for one in found.said if one.startswith("2 times have a zone")]


def test_a_clock_that_was_never_set_makes_no_home_of_decades(tmp_path: Path) -> None:
    rows = "x,2000-01-01 00:00:05,hall\nx,1970-01-01 00:00:00,hall\nx,9999-12-31 00:00:00,hall\n"
    found = read(tmp_path / "a.csv", rows + "x,2026-01-05 08:00:00,hall\nx,2026-01-06 08:00:00,hall\n")
    (home,) = found.homes
    assert home.begin_ms == to_ms(datetime(2026, 1, 5, 8, tzinfo=CHINA))
    assert found.said == [
        "2 rows left out: t is not within 1990 and 2099",
        "x: 1 rows left out: more than 365 days from the others",
    ]


def test_homes_of_other_years_are_walked_apart(tmp_path: Path, two: list[Home]) -> None:
    later = write_homes(tmp_path / "later.csv.gz", DAYS, homes=("c",), begin=FIRST_DAY + timedelta(days=20_000))
    (third,) = movements.activity(later).homes
    assert homes.together([third, *two]) == [two, [third]]
    walked = homes.Walked()
    for part in homes.together([third, *two]):
        walked.add(walk(part, replace(FIXED, collapses_an_hour=0)))
    found = figures_of([*two, third], walked, FIXED)
    alone = figures_of([third], walk([third], replace(FIXED, collapses_an_hour=0)), FIXED)
    assert found["by_home"]["c"] == alone["by_home"]["c"]
    assert found["months_by_home"]["c"] == alone["home_months"]


def test_months_of_which_nothing_was_recorded_thin_no_false_alerts(two: list[Home]) -> None:
    first, _ = two
    until_ms = homes.LEARNING_DAYS * DAY_MS + first.begin_ms
    assert homes.watched_ms(first) == first.end_ms - until_ms
    months_later = tuple(one._replace(said_ms=one.said_ms + 90 * DAY_MS, at_ms=one.at_ms + 90 * DAY_MS)
                         for one in first.movements)  # fmt: skip
    gap = replace(first, movements=first.movements + months_later)
    both = first.end_ms - until_ms + first.end_ms - first.movements[0].at_ms
    assert homes.watched_ms(gap) == both + homes.GAP_DAYS * DAY_MS


def test_other_sets_are_read_as_the_simulator_reads_them(tmp_path: Path) -> None:
    (tmp_path / "houseA.sensors").write_text("1203898814\t163\t24\n1203932021\t1\t5\n1203932030\t9\t6\n")
    (tmp_path / "houseA.sensor_names").write_text("24\tHall-Bedroom door\n5\tPIR bath\n6\tbed mat\n")
    (house,) = movements.single_residents(tmp_path).homes
    assert [(one.kind, one.value) for one in house.movements] == [
        ("door", "open"), ("door", "closed"), ("motion", True), ("bed", True), ("bed", False),
    ]  # fmt: skip
    casas = tmp_path / "casas.txt"
    casas.write_text(
        "2011-06-15 01:03:39.14962 Bedroom Bedroom ON Sleep\n2011-06-15 01:03:40.284526 Bedroom Bedroom OFF Sleep\n"
        "2011-06-15 02:00:00.5 OutsideDoor Entry OFF Step_Out\n"
    )
    (home,) = movements.casas(casas).homes
    assert [(one.kind, one.value) for one in home.movements] == [("motion", True), ("door", "closed")]


def _absent(path: Path) -> None: ...


def _no_gzip(path: Path) -> None:
    path.write_bytes(b"id,t,location\n")


def _torn(path: Path) -> None:
    path.write_bytes(gzip.compress(b"id,t,location\na,2026-01-05,b\n" * 99)[:40])


def _damaged(path: Path) -> None:
    packed = bytearray(gzip.compress(b"id,t,location\n" + b"".join(b"a,2026-01-05,%d\n" % at for at in range(99))))
    packed[30] ^= 255
    path.write_bytes(packed)


def _no_column(path: Path) -> None:
    path.write_bytes(gzip.compress(b"home,t\n"))


def _empty(path: Path) -> None:
    path.write_bytes(gzip.compress(b"id,t,location\n"))


@pytest.mark.parametrize("spoil", [_absent, _no_gzip, _torn, _damaged, _no_column, _empty])
def test_a_file_that_is_none_ends_with_one_clear_line(
    tmp_path: Path, spoil: Callable[[Path], None], capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "activity.csv.gz"
    spoil(path)
    assert main(["homes", "--activity", str(path)]) == 1
    out, error = capsys.readouterr()
    assert out == ""
    assert len(error.splitlines()) == 1
    assert str(path) in error
    with pytest.raises(BadRecording):
        movements.activity(path)


@pytest.mark.parametrize(
    ("names", "sensors"),
    [("3 no tab\n", "1203898814\t2\t3\n"), ("3\thall\n", "99999999999999999\t2\t3\n"), ("3\thall\n", "5\t2\t3\n"),
     ("3\thall\n", "\n")],
)  # fmt: skip
def test_a_house_that_is_none_ends_with_one_clear_line(
    tmp_path: Path, names: str, sensors: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "houseX.sensor_names").write_text(names)
    (tmp_path / "houseX.sensors").write_text(sensors)
    assert main(["homes", "--houses", str(tmp_path)]) == 1
    assert len(capsys.readouterr().err.splitlines()) == 1


@pytest.mark.parametrize(
    "asked", ["--detector learned-9", "--tick-seconds 0.0001", "--collapses-an-hour -1", "--seed -1"]
)
def test_what_cannot_be_walked_is_not_understood(tmp_path: Path, asked: str) -> None:
    with pytest.raises(SystemExit) as refused:
        main(["homes", "--activity", str(tmp_path), *asked.split()])
    assert refused.value.code == 2


def test_a_silence_when_nothing_was_recorded_shows_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_homes(tmp_path / "activity.csv.gz", 1)
    assert main(["homes", "--activity", str(path), "--silence-all-hours", "5", "--at", "2030-01-01"]) == 1
    assert "nothing is recorded" in capsys.readouterr().err


def test_the_command_prints_figures_and_lists_alarms(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_homes(tmp_path / "activity.csv.gz", 16, homes=("a",))
    files = tmp_path / "found.json", tmp_path / "alarms.json"
    asked = [
        "homes", "--activity", str(path), "--detector", "fixed-1", "--ceiling-hours", "7.5", "--tick-seconds", "600",
        "--out", str(files[0]), "--alarms", str(files[1]),
    ]  # fmt: skip
    assert main(asked) == 0
    printed = capsys.readouterr().out
    found, alarms = (json.loads(file.read_text()) for file in files)
    assert "| 1 | " in printed
    assert found["alarms"] == {"inactivity": len(alarms)} == {"inactivity": 15}
    assert main([*asked, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == found
    page = (Path(__file__).parents[2] / "docs" / "evaluate.md").read_text(encoding="utf-8")
    assert [name for name in (*found, *found["collapses"]) if f"`{name}`" not in page] == []
    assert main(["homes", "--activity", str(path), "--homes", "zzz"]) == 1


def test_the_table_is_written_between_its_marks_and_nowhere_else(tmp_path: Path, two: list[Home]) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"# Above\n\n{everything.BEGIN}\nof before\n{everything.END}\n\nbelow\n")
    part = everything.silent("tihm", two, replace(FIXED, collapses_an_hour=0), lambda some: Ears())
    everything.Page(page).write([part])
    text = page.read_text()
    assert text.startswith(f"# Above\n\n{everything.BEGIN}\n\n### ")
    assert text.endswith(f"|\n\n{everything.END}\n\nbelow\n")
    assert "of before" not in text
    assert json.loads((tmp_path / "page.json").read_text())["tihm/fixed-1, 10 h"]["homes"] == 2
    everything.Page(page).write([part])
    assert page.read_text() == text, "written again it is the same"


def test_a_page_without_a_place_is_said_before_anything_is_measured(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "page.md").write_text("# Above\n")
    assert everything.main([str(tmp_path), "--page", str(tmp_path / "page.md")], lambda some: Ears()) == 1
    assert everything.BEGIN in capsys.readouterr().err
