"""Event codes: each has one meaning, and what is unknown rings."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerting.detectors.conditions import FAULTS
from ingest.codecs import Refusal
from ingest.sos_access import event_codes
from ingest.sos_access.event_codes import TABLE, UNKNOWN, Matter, Meaning, meaning
from ingest.sos_access.protocol import STATUSES, Status
from pingan.messages import RINGING

PAGE = (Path(__file__).parents[2] / "docs/sos-access.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("code", "restore", "expected"),
    [
        ("PA", False, Meaning(Matter.RINGS, "sos", True)),
        ("pa ", False, Meaning(Matter.RINGS, "sos", True)),
        ("PA", True, Meaning(Matter.RINGS, "sos", False)),
        ("PR", False, Meaning(Matter.RINGS, "sos", False)),
        ("PR", True, Meaning(Matter.RINGS, "sos", False)),
        ("FA", False, Meaning(Matter.RINGS, "smoke", True)),
        ("FALL", False, Meaning(Matter.RINGS, "fall", True)),
        ("162", False, Meaning(Matter.RINGS, "co", True)),
        ("1110", False, Meaning(Matter.RINGS, "smoke", True)),
        ("E154", False, Meaning(Matter.RINGS, "water", True)),
        ("R151", False, Meaning(Matter.RINGS, "gas", False)),
        ("3301", False, Meaning(Matter.MAINS, "mains", False)),
        ("6301", False, Meaning(Matter.MAINS, "mains", True)),
        ("AT", False, Meaning(Matter.MAINS, "mains", True)),
        ("AT", True, Meaning(Matter.MAINS, "mains", False)),
        ("YR", False, Meaning(Matter.BATTERY, "battery_low", False)),
        ("TA", False, Meaning(Matter.FAULT, "tamper", True)),
        ("RX", False, Meaning(Matter.TEST, "sos", True)),
        ("RP", False, Meaning(Matter.LIFE, "life", True)),
        ("BA", False, Meaning(Matter.RINGS, UNKNOWN, True, known=False)),
        ("BA", True, Meaning(Matter.RINGS, UNKNOWN, False, known=False)),
    ],
)
def test_what_a_code_says(code: str, restore: bool, expected: Meaning) -> None:
    assert meaning(code, restore=restore) == expected


def test_what_rings_is_a_kind_of_ours_and_no_code_is_in_two_rows() -> None:
    rings = {row.name for row in TABLE.values() if row.matter is Matter.RINGS}
    assert rings == RINGING
    assert {row.name for row in TABLE.values() if row.matter is Matter.FAULT} - {"sensor_battery"} <= FAULTS.keys()
    assert all(code == code.upper() for code in TABLE)
    tables = (event_codes._RINGING, event_codes._TECHNICAL, event_codes._RESTORES, event_codes._TECHNICAL_RESTORES)
    written = [code for table in tables for codes in table.values() for code in codes.split()]
    assert sorted(written) == sorted(TABLE), "a code that is written into a second row would vanish from the first"


@given(st.text(max_size=25), st.booleans())
def test_any_text_has_a_meaning_and_what_is_unknown_rings(code: str, restore: bool) -> None:
    found = meaning(code, restore=restore)
    assert found.known or found.matter is Matter.RINGS
    if restore:
        assert not found.holds


def test_the_page_lists_every_code() -> None:
    table = PAGE[PAGE.index("| it becomes | codes |") :].split("\n\n")[0]
    told = {
        code: row for row, codes in re.findall(r"^\| (.+?) \| ([A-Z0-9 ]+) \|$", table, re.M) for code in codes.split()
    }
    assert told.keys() == TABLE.keys()
    for code, row in told.items():
        if TABLE[code].matter is Matter.RINGS or (TABLE[code].matter is Matter.FAULT and TABLE[code].holds):
            assert f"`{TABLE[code].name}`" in row, code


def test_the_page_lists_every_answer_and_reason() -> None:
    rows = re.findall(r"^\| (\d+) \| `(\w+)` \|.*\|([^|]*)\|$", PAGE, re.M)
    assert {(int(number), info) for number, info, _ in rows} == {(status.value, status.name) for status in Status}
    for number, _, reasons in rows:
        assert set(re.findall(r"`(\w+)`", reasons)) == {
            str(reason) for reason, status in STATUSES.items() if status == int(number)
        }
    for reason in Refusal:
        assert f"`{reason}`" in PAGE
