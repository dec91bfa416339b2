"""`pingan codec try` as an engineer runs it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ingest.codecs import Reason, Remark
from ingest.try_words import ADVICE

REPOSITORY = Path(__file__).parents[2]
PRESS = '{"id":"e1","kind":"sos","boot":"b1","seq":7,"at":"2026-09-21T14:13:19Z"}'


def run(*arguments: str, given: bytes = b"", language: str = "en") -> tuple[int, str, str]:
    done = subprocess.run(
        [sys.executable, "-m", "pingan", "codec", "try", *arguments],
        cwd=REPOSITORY,
        env=os.environ | {"PINGAN_LANGUAGE": language, "PYTHONUTF8": "1"},
        input=given,
        capture_output=True,
        timeout=60,
    )
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def test_a_message_is_shown_as_what_it_becomes() -> None:
    code, out, _ = run("pingan/v1/H001-hub/up/alarm", PRESS)
    head, _, shown = out.partition("\n")
    assert (code, head) == (0, "pingan/v1/H001-hub/up/alarm: 0 readings, 1 alarms")
    (event,) = json.loads(shown)["events"]
    assert (event["device"], event["id"], event["kind"]) == ("H001-hub", "e1", "sos")


def test_each_line_of_a_file_is_tried_and_one_refused_is_told(tmp_path: Path) -> None:
    lines = [
        b'gw/g1/zigbee2mqtt/living room {"contact":false,"linkquality":80}',
        json.dumps({"topic": "gw/g1/zigbee2mqtt/bath", "payload": {"action": "emergency"}}).encode(),
        json.dumps({"topic": "gw/g1/zigbee2mqtt/bath/availability", "payload": "offline"}).encode(),
        b"",
        b"gw/g1/zigbee2mqtt/bridge/info {}",
        b'gw/g1/knx/hall {"contact":false}',
        b'gw/g1/zigbee2mqtt/hall {"contact":"\xff"}',
    ]
    file = tmp_path / "said.txt"
    file.write_bytes(b"\n".join(lines))
    code, out, _ = run(str(file))
    assert code == 1
    heads = [line for line in out.splitlines() if line.startswith("gw/")]
    assert heads[0] == "gw/g1/zigbee2mqtt/living room: 2 readings, 0 alarms"
    assert heads[1] == "gw/g1/zigbee2mqtt/bath: 1 readings, 1 alarms"
    assert heads[2] == "gw/g1/zigbee2mqtt/bath/availability: 1 readings, 0 alarms"
    assert heads[3] == "gw/g1/zigbee2mqtt/bridge/info: taken, and there is nothing in it for us"
    assert heads[4].startswith("gw/g1/knx/hall: refused, unknown_family: there are chirpstack, zigbee2mqtt")
    assert heads[5].startswith("gw/g1/zigbee2mqtt/hall: refused, not_utf8: byte 12")
    assert out.count("what to do:") == 2


def test_a_plain_button_rings_when_it_is_registered_as_one_and_in_chinese() -> None:
    message = b'gw/g1/zigbee2mqtt/knob {"action":"single","battery":"full"}\n'
    code, out, _ = run("-", given=message, language="zh")
    assert code == 0
    assert "1 条数据，0 个报警" in out
    assert "未说明种类的报警" in out
    assert "注意 field_left_out：battery" in out
    code, out, _ = run("-", "--as", "button", given=message)
    assert (code, '"kind": "sos"' in out) == (0, True)


@pytest.mark.parametrize("given", [b"topic-alone\n", b'{"topic":1}\n'])
def test_what_is_no_message_is_named_by_its_line(given: bytes) -> None:
    code, _, error = run("-", given=b"\n" + given)
    assert (code, error) == (1, "pingan codec: line 2 is no message: “topic payload” or JSON\n")


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    code, _, error = run(str(tmp_path / "none"))
    assert (code, "none cannot be read: No such file" in error) == (1, True)


def test_every_reason_and_remark_has_its_advice() -> None:
    assert ADVICE.keys() == {*Reason, *Remark}
