"""Fall trials through the production contract, and what is said of files that are not what they should be."""

import base64
import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from alerting.detectors import Finding, Now
from alerting.evaluate import falls, report, training, trials, wearing
from alerting.evaluate.command import main
from alerting.evaluate.playing import Placed, readings
from alerting.evaluate.training import Exam
from alerting.evaluate.trials import BadRecording, Trial
from alerting.evaluate.wearing import BEGIN_MS, Sensor
from alerting.evaluate.words import say
from alerting.falls import signal
from tests.evaluate_support import COLUMNS, AnyHit, HardHit, fallen, still, with_fall, write_falls

HIT_AT = 4.3
A_FALL = ({"fall": True, "activity": "F01"}, still(12, hit_g=8, at=HIT_AT))
SOFT = ({"fall": True, "activity": "F02", "subject": "U02"}, still(12, hit_g=2.5, at=HIT_AT))
WALK = ({"older": True, "subject": "U21"}, still(30.5))
CLAP = ({"activity": "D02", "older": True, "subject": "U22"}, still(20, hit_g=3.5, at=10))


def read(folder: Path, *some: Any, columns: Any = COLUMNS) -> trials.Trials:
    return trials.read(*write_falls(folder, some, columns))


def said(trial: Trial, sensor: Sensor | None = None) -> list[Placed]:
    burst = wearing.bursts(trial, sensor or Sensor())
    end_ms = BEGIN_MS + round(1000 * trial.seconds)
    return list(readings(trial.named.home, "w", burst, BEGIN_MS, end_ms, 90_000, 1_000))


def test_a_trial_becomes_what_a_watch_would_have_said(tmp_path: Path) -> None:
    _, walk = read(tmp_path, A_FALL, WALK).trials
    first, second, *_, last = [one.reading for one in said(walk)]
    assert (first.kind, first.seq, first.at_ms) == ("status", 1, BEGIN_MS), "a heartbeat as it is switched on"
    assert (second.kind, second.seq, second.at_ms, second.boot) == ("accel", 2, BEGIN_MS, "recording")
    assert second.value["range_g"] == 4
    assert second.value["rate_hz"] == 50
    assert second.value["position"] == "wrist"
    bursts = [one for one in said(walk) if one.reading.kind == "accel"]
    samples = b"".join(base64.b64decode(one.reading.value["samples"]) for one in bursts)
    assert samples == walk.samples.astype("<i2").tobytes()
    assert len(bursts) == 31
    assert bursts[0].said_ms == BEGIN_MS + 1_000, "said when it is over"
    assert (bursts[-1].said_ms, last.at_ms) == (BEGIN_MS + 30_500, BEGIN_MS + 30_000)
    assert [one.reading.seq for one in said(walk)] == list(range(1, 33))


def test_a_lesser_sensor_is_clipped_first_and_says_so(tmp_path: Path) -> None:
    (fall,) = read(tmp_path, A_FALL).trials
    bursts = [one.reading.value for one in said(fall, Sensor(clip_g=2, rate_hz=25)) if one.reading.kind == "accel"]
    assert {(value["range_g"], value["rate_hz"]) for value in bursts} == {(2, 25)}
    samples = np.frombuffer(b"".join(base64.b64decode(value["samples"]) for value in bursts), "<i2")
    assert samples.max() < 4000
    assert len(samples) == 3 * 12 * 25
    (whole,) = [trials.as_measured(fall, 16, None)]
    assert whole[2] == 4, "no sensor measures more than it did"


def test_what_detection_says_of_a_trial_in_time(tmp_path: Path) -> None:
    fall, soft, walk, clap = read(tmp_path, A_FALL, SOFT, WALK, CLAP).trials
    outcomes = falls.assess([fall, soft, walk, clap], Sensor(), with_fall(HardHit), with_fall(AnyHit))
    kinds = [[one.alarm.kind for one in outcome.raised] for outcome in outcomes]
    assert kinds == [["fall_suspected", "fall"], ["fall_suspected", "withdrawn"], [], ["fall_suspected", "fall"]]
    spoke, settled = outcomes[0].spoke, outcomes[0].settled
    assert spoke is not None
    assert settled is not None
    # The burst with the impact is over at 5 s; five seconds after the tick before it the second look is taken.
    assert (spoke.raised_ms, settled.raised_ms) == (BEGIN_MS + 5_000, BEGIN_MS + 9_000)
    assert wearing.impact_ms(fall) == BEGIN_MS + 4_300
    assert [outcome.scores for outcome in outcomes] == [(0.5,), (2.5 / 16,), (), (3.5 / 16,)]


def test_the_figures_of_a_set(tmp_path: Path) -> None:
    some = read(tmp_path, A_FALL, SOFT, WALK, CLAP).trials
    rows = falls.table_of(falls.assess(some, Sensor(), with_fall(HardHit), with_fall(AnyHit)))
    everybody, younger, older = rows
    assert [row["age"] for row in rows] == ["all", "younger", "older"]
    assert (everybody["se"], everybody["sp"], everybody["f1"], everybody["se_suspected"]) == (0.5, 0.5, 0.5, 1.0)
    assert (older["falls"], older["daily"], younger["daily"]) == (0, 2, 0)
    assert everybody["false_alarms"] == 1
    assert everybody["daily_hours"] == pytest.approx(50.5 / 3600)
    assert everybody["fa_per_hour_poisson"][0] < everybody["fa_per_hour"] < everybody["fa_per_hour_poisson"][1]
    assert everybody["fa_per_person_week"] == pytest.approx(168 * everybody["fa_per_hour"])
    assert everybody["impact_to_suspected_s"]["median"] == pytest.approx(0.7)
    assert everybody["impact_to_settled_s"]["median"] == pytest.approx(4.7)
    assert everybody["se_at_1_fa_per_hour"] == 0.5, "a minute of daily activity allows no false alarm"
    assert (everybody["unsettled"], everybody["settled_late"]) == (0, 0)


def test_an_alarm_before_the_fall_has_not_found_it(tmp_path: Path) -> None:
    twice = still(30, hit_g=8, at=20)
    twice[2 * 50] = (0, 0, 7000)
    index, npz = write_falls(tmp_path, [({"fall": True, "activity": "F01"}, twice)])
    times = tmp_path / "weda_fall_timestamps.csv"
    times.write_text("filename,start_time,end_time\nF01/U01_R01,18.5,21.5\n")
    assert trials.beside(index) == times
    (trial,) = trials.read(index, npz, times).trials
    (outcome,) = falls.assess([trial], Sensor(), with_fall(HardHit), None)
    assert len([one for one in outcome.raised if one.alarm.kind == "fall"]) == 2
    assert [one.raised_ms for one in outcome.rung] == [BEGIN_MS + 25_000]
    assert trial.impact_s == 20


def test_what_was_said_before_the_impact_makes_no_latency_shorter(tmp_path: Path) -> None:
    early = still(30, hit_g=8, at=20)
    early[2 * 50] = (0, 0, 7000)
    some = read(tmp_path, ({"fall": True, "activity": "F01"}, early), A_FALL).trials
    row, _ = falls.table_of(falls.assess(some, Sensor(), with_fall(HardHit), None))
    assert (row["se_suspected"], row["spoke_before_impact"]) == (1.0, 1)
    assert row["impact_to_suspected_s"]["count"] == 1
    assert row["impact_to_suspected_s"]["mean"] == pytest.approx(0.7)


def test_the_ages_and_places_add_up(tmp_path: Path) -> None:
    """And every figure of JSON has its name in the page that explains it."""
    someone = ({"older": "", "subject": "U09", "position": "waist"}, still(8, hit_g=4, at=3))
    rows = falls.table_of(
        falls.assess(read(tmp_path, A_FALL, SOFT, WALK, CLAP, someone).trials, Sensor(), with_fall(HardHit), None)
    )
    of = {(row["position"], row["age"]): row for row in rows}
    assert set(of) == {("waist", "all"), ("wrist", "all"), ("wrist", "younger"), ("wrist", "older")}
    for figure in ("falls", "daily", "false_alarms", "daily_hours", "asked_in_vain", "subjects"):
        assert of["wrist", "all"][figure] == sum(of["wrist", age][figure] for age in ("younger", "older"))
    page = (Path(__file__).parents[2] / "docs" / "evaluate.md").read_text(encoding="utf-8")
    assert [name for name in rows[0] if f"`{name}`" not in page] == []


class Failing(HardHit):
    def on_deadline(self, now: Now) -> list[Finding]:
        raise ZeroDivisionError


def test_a_detector_that_fails_is_told_and_counted(tmp_path: Path) -> None:
    outcomes = falls.assess(read(tmp_path, A_FALL, WALK).trials, Sensor(), with_fall(Failing), None)
    ((what, count),) = falls.failures_of(outcomes).items()
    assert (what.endswith("ZeroDivisionError"), count) == (True, 1)
    assert report.failures({what: count}) == [say("failed", what=what, count=1)]


@pytest.mark.parametrize("name", ["01", "1", "1.0"])
def test_a_number_and_its_text_are_one_person(tmp_path: Path, name: str) -> None:
    (trial,) = read(tmp_path, ({"dataset": "UMAFall", "subject": name}, still(2))).trials
    assert training.seen([trial]) == 1


def test_nobody_is_in_two_folds(tmp_path: Path) -> None:
    people = [({"subject": f"U{n % 7}", "trial": f"R{n}", "older": n % 7 > 4}, still(1)) for n in range(40)]
    both = [({**named, "position": "waist"}, samples) for named, samples in people]
    some = read(tmp_path, *people, *both).trials
    parts = falls.folds(some, 3)
    assert sorted(place for part in parts for place in part) == list(range(80))
    seen = [{falls.person(some[place]) for place in part} for part in parts]
    assert sum(len(part) for part in seen) == 7
    assert parts == falls.folds(some, 3)


def test_no_model_is_taught_by_those_whom_it_judges(tmp_path: Path) -> None:
    people = [({"subject": f"U{n % 7}", "trial": f"R{n}", "fall": n % 2 == 0}, still(1)) for n in range(28)]
    worn = [({**named, "position": "waist"}, samples) for named, samples in people]
    some = read(tmp_path, *people, *worn).trials
    waist = [trial for trial in some if trial.named.position == "waist"]
    tasks = training.by_folds([Exam(some), Exam(waist, Sensor(clip_g=2))], some, 3, seed=0)
    assert len(tasks) == 3
    recordings = trials.for_training(some)
    for task in tasks:
        taught = {recordings.trials[row].person for row in task.train or ()}
        judged = {"/".join(falls.person(trial)) for test in task.tests for trial in test.trials}
        assert taught | judged == {f"weda/U{n}" for n in range(7)}
        assert not taught & judged
        assert {falls.person(trial) for trial in task.tests[0].trials} == {
            falls.person(trial) for trial in task.tests[1].trials
        }
    assert sum(len(task.tests[0].trials) for task in tasks) == len(some)
    assert sum(len(task.tests[1].trials) for task in tasks) == len(waist)
    assert (recordings.samples(3) == some[3].samples).all()


def test_whoever_taught_the_shipped_model_is_told_loudly(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    known = ({"fall": True, "activity": "F01"}, fallen())
    index, npz = write_falls(tmp_path, [known, ({"subject": "somebody", "activity": "D01"}, still(8))])
    alarms = tmp_path / "alarms.json"
    asked = ["falls", "--index", str(index), "--npz", str(npz), "--alarms", str(alarms)]
    assert main(asked) == 0
    printed = capsys.readouterr().out
    assert say("seen", count=1) in printed
    listed = json.loads(alarms.read_text())
    assert main([*asked, "--json", "--jobs", "2"]) == 0
    row, younger = json.loads(capsys.readouterr().out)["sets"]
    assert younger == row | {"age": "younger"}, "the only age has a row of its own for programs"
    assert printed.count("| weda | wrist |") == 1, "and none for people, who see the same above"
    assert (row["subjects"], row["falls"], row["daily"], row["sp"]) == (2, 1, 1, 1.0)
    assert row["se"] == ("fall" in {one["kind"] for one in listed})
    assert json.loads(alarms.read_text()) == listed, "by two processes as by one"


@pytest.mark.parametrize(
    ("leave_out", "line"),
    [
        ("older", "ages are not told apart"),
        ("subject", "each trial counts as somebody else's"),
        ("position", "where the sensor sits is unknown"),
        ("native_hz", "50 Hz"),
    ],
)
def test_an_optional_column_that_is_missing_is_said(tmp_path: Path, leave_out: str, line: str) -> None:
    found = read(tmp_path, A_FALL, WALK, columns=[name for name in COLUMNS if name != leave_out])
    assert len(found.trials) == 2
    assert any(line in one for one in found.said)


def test_a_set_that_is_not_known_measures_what_its_samples_show(tmp_path: Path) -> None:
    found = read(tmp_path, ({"dataset": "another"}, still(10, hit_g=7.5, at=3)), WALK)
    assert [trial.range_g for trial in found.trials] == [8, 4]
    assert any("another wrist" in one for one in found.said)


@pytest.mark.parametrize(
    ("named", "reason"),
    [
        ({"fall": "perhaps"}, "fall is neither"),
        ({"offset": -1}, "outside of the file"),
        ({"n": 10**9}, "outside of the file"),
        ({"offset": "x"}, "is no number"),
        ({"native_hz": "nan"}, "makes no sense"),
        ({"offset": "0.5"}, "is no number"),
        ({"n": "inf"}, "is no number"),
        ({"n": ""}, "is no number"),
        ({"range_g": "nan"}, "range_g is not within"),
        ({"range_g": "-4"}, "range_g is not within"),
    ],
)
def test_a_bad_row_is_left_out_with_its_reason(tmp_path: Path, named: dict[str, Any], reason: str) -> None:
    columns = (*COLUMNS, "range_g")
    found = read(tmp_path, (named, still(2)), WALK, columns=columns)
    assert len(found.trials) == 1
    assert any(one.startswith("1 rows left out") and reason in one for one in found.said)
    with pytest.raises(BadRecording, match="no trial can be read"):
        read(tmp_path, (named, still(2)), columns=columns)


@pytest.mark.parametrize("yes", ["True", "true", "1", "yes", "1.0", " T "])
def test_what_other_tools_write_is_read(tmp_path: Path, yes: str) -> None:
    """True in their words, whole numbers of a column that had gaps, the names of the columns, compressed."""
    index, npz = write_falls(tmp_path, [({"fall": yes, "offset": "0.0", "n": "100.0"}, still(2))])
    index.write_bytes(gzip.compress(index.read_bytes().replace(b"fall,", b" Fall ,")))
    (trial,) = trials.read(index, npz).trials
    assert (trial.fall, len(trial.samples)) == (True, 100)


def test_a_place_that_the_protocol_does_not_know_keeps_its_name(tmp_path: Path) -> None:
    found = read(tmp_path, ({"position": "Thigh"}, still(2)), ({"position": "chest"}, still(2)), WALK)
    assert [trial.named.position for trial in found.trials] == ["thigh", "chest", "wrist"]
    assert sum("judged as unknown" in one for one in found.said) == 2
    rows = falls.table_of(falls.assess(found.trials, Sensor(), with_fall(HardHit), None))
    assert {row["position"]: row["daily"] for row in rows} == {"thigh": 1, "chest": 1, "wrist": 1}
    burst = next(one.reading for one in said(found.trials[0]) if one.reading.kind == "accel")
    assert signal.decode(burst.value).position == "unknown"


def test_a_row_may_say_how_far_its_sensor_measures(tmp_path: Path) -> None:
    found = read(tmp_path, ({"range_g": 16}, still(2)), ({"range_g": 2}, still(2)), WALK, columns=(*COLUMNS, "range_g"))
    assert [trial.range_g for trial in found.trials] == [16, 2, 4]


def test_times_of_a_fall_that_make_no_sense_are_said(tmp_path: Path) -> None:
    index, npz = write_falls(tmp_path, [A_FALL])
    times = tmp_path / "times.csv"
    for begin, end in (("nan", "3"), ("3", "inf"), ("4", "2"), ("", "2")):
        times.write_text(f"filename,start_time,end_time\nF01/U01_R01,{begin},{end}\n")
        with pytest.raises(BadRecording, match=r"times\.csv cannot be read"):
            trials.read(index, npz, times)


def test_the_figures_do_not_hang_on_how_the_work_was_parted(tmp_path: Path) -> None:
    chance = np.random.default_rng(1)
    some = [
        ({"fall": bool(number % 2), "subject": f"U{number // 3}"}, still(4, hit_g=chance.uniform(1, 6), at=1))
        for number in range(18)
    ]
    outcomes = falls.assess(read(tmp_path, *some).trials, Sensor(), with_fall(HardHit), with_fall(AnyHit))
    assert falls.table_of(outcomes[::-1]) == falls.table_of(outcomes)


@pytest.mark.parametrize(
    "asked",
    [
        "--rate-hz 0.3", "--rate-hz 1000", "--rate-hz nan", "--clip-g 0.001", "--folds 1", "--folds 2 --seed -1",
    ],
)  # fmt: skip
def test_what_no_sensor_or_training_can_do_is_not_understood(
    tmp_path: Path, asked: str, capsys: pytest.CaptureFixture[str]
) -> None:
    index, npz = write_falls(tmp_path, [A_FALL])
    with pytest.raises(SystemExit) as refused:
        main(["falls", "--index", str(index), "--npz", str(npz), *asked.split()])
    assert refused.value.code == 2
    assert "pingan evaluate falls: error: argument --" in capsys.readouterr().err


@pytest.mark.parametrize("fall", [True, False])
def test_a_training_that_lacks_a_class_ends_with_one_line(
    tmp_path: Path, fall: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    of_one_kind = [({"fall": fall, "subject": f"U{number}"}, still(4)) for number in range(4)]
    index, npz = write_falls(tmp_path, of_one_kind)
    for how in (["--folds", "2"], ["--train-index", str(index)]):
        assert main(["falls", "--index", str(index), "--npz", str(npz), *how]) == 1
        assert "a model needs falls and other trials" in capsys.readouterr().err


def test_where_nothing_can_be_written_is_said_before_anything_is_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    nowhere = tmp_path / "no" / "found.json"
    assert main(["falls", "--index", "absent.csv", "--npz", "absent.npz", "--out", str(nowhere)]) == 1
    assert str(nowhere) in capsys.readouterr().err


def _no_index(index: Path, npz: Path) -> None:
    index.unlink()


def _no_column(index: Path, npz: Path) -> None:
    index.write_text("dataset,position\nweda,wrist\n")


def _no_npz(index: Path, npz: Path) -> None:
    npz.write_bytes(b"PK\x03\x04 torn off")


def _floats(index: Path, npz: Path) -> None:
    np.savez(npz, acc=np.zeros((600, 3)))


def _flat(index: Path, npz: Path) -> None:
    np.savez(npz, acc=np.zeros(600, np.int16))


def _others(index: Path, npz: Path) -> None:
    np.savez(npz, x=np.zeros(3), y=np.zeros(3))


@pytest.mark.parametrize("spoil", [_no_index, _no_column, _no_npz, _floats, _flat, _others])
def test_a_file_that_is_none_ends_with_one_clear_line(
    tmp_path: Path, spoil: Callable[[Path, Path], None], capsys: pytest.CaptureFixture[str]
) -> None:
    index, npz = write_falls(tmp_path, [A_FALL])
    spoil(index, npz)
    assert main(["falls", "--index", str(index), "--npz", str(npz)]) == 1
    out, error = capsys.readouterr()
    assert out == ""
    assert len(error.splitlines()) == 1
    assert str(tmp_path) in error


def test_every_alarm_can_be_listed(tmp_path: Path) -> None:
    outcomes = falls.assess(read(tmp_path, A_FALL).trials, Sensor(), with_fall(HardHit), None)
    listed = json.loads(json.dumps(falls.listed(outcomes)))
    assert [one["kind"] for one in listed] == ["fall_suspected", "fall"]
    assert {one["home"] for one in listed} == {"weda-wrist-U01-F01-R01"}
