"""Recordings read into readings, from small files of the same shape as the data folder's."""

import base64
import gzip
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy
import pytest

from device_sim import recordings
from device_sim.household.life import CHINA

START = datetime(2025, 3, 1, tzinfo=UTC)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    homes, falls = tmp_path / "homes", tmp_path / "falls"
    (homes / "single_residents").mkdir(parents=True)
    falls.mkdir()
    with gzip.open(homes / "tihm_activity.csv.gz", "wt") as file:
        file.write("id,t,location\na,2019-05-14 15:35:31,hallway\nb,2019-05-14 15:36:00,lounge\n")
        file.write("a,2019-05-15 15:35:00,front-door\na,2019-05-15 15:36:00,kitchen\n")
    (homes / "single_residents" / "houseA.sensors").write_text("1203898814\t163\t24\n1203932021\t1\t5\n")
    (homes / "single_residents" / "houseA.sensor_names").write_text("24\tHall-Bedroom door\n5\tPIR bath\n")
    (homes / "casas_home_30days.txt").write_text(
        "2011-06-15 01:03:39.14962 Bedroom Bedroom ON Sleep\n2011-06-15 01:03:40.284526 Bedroom Bedroom OFF Sleep\n"
        "2011-06-15 02:00:00.5 OutsideDoor Entry OFF Step_Out\n"
    )
    numpy.savez(falls / "accel_50hz.npz", acc=numpy.arange(360 * 3, dtype=numpy.int16).reshape(360, 3))
    (falls / "index.csv").write_text(
        "dataset,position,subject,activity,trial,fall,older,native_hz,offset,n\n"
        "weda,wrist,1,F01,R01,True,False,50.0,0,150\nweda,wrist,1,D01,R01,False,False,50.0,150,210\n"
    )
    return tmp_path


def test_a_tihm_home(data: Path) -> None:
    day = recordings.tihm(data, "a", 1)
    assert (day.start, day.length) == (datetime(2019, 5, 14, 15, 35, tzinfo=CHINA), timedelta(days=1))
    assert [(r.kind, r.value, r.sensor) for r in day.readings] == [("motion", True, "hallway")]
    assert [r.kind for r in recordings.tihm(data, "a", 2).readings] == ["motion", "door", "motion"]


def test_a_single_residents_house(data: Path) -> None:
    readings = recordings.single_resident(data, "A", 1).readings
    assert [(r.kind, r.value) for r in readings] == [("door", "open"), ("door", "closed"), ("motion", True)]
    assert readings[1].at - readings[0].at == timedelta(seconds=163)
    assert readings[0].at == datetime(2008, 2, 25, 0, 20, 14, tzinfo=CHINA)


def test_the_casas_home(data: Path) -> None:
    assert [(r.kind, r.value) for r in recordings.casas(data, 1).readings] == [("motion", True), ("door", "closed")]


def test_fall_trials_keep_every_sample(data: Path) -> None:
    both = recordings.falls(data, "weda", 10, None, START)
    assert [r.at - START for r in both.readings[:4]] == [timedelta(seconds=s) for s in (0, 1, 2, 63)]
    assert [r.ready.total_seconds() for r in both.readings[:4]] == [1, 1, 1, 1]
    assert both.readings[-1].ready.total_seconds() == 0.2, "each is said when it is over"
    samples = b"".join(base64.b64decode(r.more["samples"]) for r in both.readings)
    assert samples == numpy.arange(360 * 3, dtype="<i2").tobytes()
    assert {(r.more["rate_hz"], r.more["range_g"], r.more["position"]) for r in both.readings} == {(50, 4, "wrist")}
    assert len(recordings.falls(data, "weda", 10, "falls", START).readings) == 3


def test_one_trial_by_its_name(data: Path) -> None:
    one = recordings.trial(data, "weda-wrist-1-D01-R01", START)
    assert one.length == timedelta(seconds=4.2 + 60)
    assert base64.b64decode(one.readings[0].more["samples"])[:2] == (150 * 3).to_bytes(2, "little")
    with pytest.raises(recordings.RecordingError, match="no trial"):
        recordings.trial(data, "weda-wrist-1-D01-R02", START)


def test_a_recording_can_be_moved(data: Path) -> None:
    home = recordings.tihm(data, "a", 2)
    moved = home.moved_to(START)
    assert [r.at - START for r in moved.readings] == [r.at - home.start for r in home.readings]


def test_what_is_not_there_is_said(data: Path) -> None:
    with pytest.raises(recordings.RecordingError, match="no home zzz"):
        recordings.tihm(data, "zzz", 1)
    with pytest.raises(recordings.RecordingError, match="houseB"):
        recordings.single_resident(data, "B", 1)
