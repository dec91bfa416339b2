"""The command line speaks two languages, and says plainly what it lacks."""

import string
from pathlib import Path

import pytest

from device_sim.access import AccessError, read_access
from device_sim.cli import main
from device_sim.words import words


def fields(sentence: str) -> set[str | None]:
    return {name for _, name, _, _ in string.Formatter().parse(sentence) if name}


@pytest.mark.parametrize("word", words())
def test_both_languages_say_the_same(word: str) -> None:
    english, chinese = words()[word]
    assert english
    assert chinese
    assert fields(english) == fields(chinese)


@pytest.mark.parametrize("body", ["", "[]", '{"mqtt": {}}', '{"mqtt": {"host": "x", "port": "y"}}'])
def test_a_file_that_is_no_access_file(tmp_path: Path, body: str) -> None:
    path = tmp_path / "access.json"
    path.write_text(body)
    with pytest.raises(AccessError, match=r"access\.json"):
        read_access(path)


def test_no_simulator_is_said_plainly(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "access.json"
    path.write_text('{"mqtt": {"host": "127.0.0.1", "port": 1}, "simulator": "http://127.0.0.1:9"}')
    assert main(["phones", "--access", str(path)]) == 1
    assert "127.0.0.1:9" in capsys.readouterr().err
    assert main(["press", "--home", "H001", "--access", str(tmp_path / "none.json")]) == 1
    assert "none.json" in capsys.readouterr().err
