"""A disk that is full: who works is not taken for dead because it cannot say so."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from pingan.process import State


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 256 KiB."""
    where = tmp_path / "disk"
    where.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(where)]
    told = subprocess.run(mount, capture_output=True, text=True, check=False)
    if told.returncode != 0:
        pytest.skip(f"a small disk can be mounted by root only: {told.stderr.strip()}")
    try:
        yield where
    finally:
        subprocess.run(["umount", str(where)], check=True)


def fill(disk: Path) -> None:
    with (disk / "everything").open("wb", buffering=0) as file:
        for size in (65_536, 4_096, 1):
            try:
                while True:
                    file.write(bytes(size))
            except OSError:
                continue


def test_a_process_goes_on_saying_how_it_is(small_disk: Path) -> None:
    state = State("urgent", small_disk)
    state.expect("log")
    state.write()
    fill(small_disk)
    path = small_disk / "run/urgent.json"
    before = json.loads(path.read_text(encoding="utf-8"))
    state.waiting("log", "cannot read the log: the disk is full")
    told = json.loads(path.read_text(encoding="utf-8"))
    assert told["at_monotonic"] > before["at_monotonic"]
    assert told["detail"] == "cannot read the log: the disk is full"
    state.well("log")
    assert json.loads(path.read_text(encoding="utf-8"))["state"] == "ready"
    assert [one.name for one in path.parent.iterdir()] == ["urgent.json"], "nothing unfinished is left"
    (small_disk / "everything").unlink()
    state.write()
    assert not path.read_text(encoding="utf-8").endswith(" "), "with room again it is replaced and not overwritten"
