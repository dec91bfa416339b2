"""Only what has changed is a movement."""

import pytest

from ingest.codecs import Heard
from ingest.families import decode
from ingest.repeats import Repeats

RECEIVED_MS = 1_790_000_000_000


def kinds(repeats: Repeats, payload: bytes, device: str = "door") -> list[str]:
    heard = decode(f"gw/g1/zigbee2mqtt/{device}", payload, RECEIVED_MS)
    assert isinstance(heard, Heard)
    return [repeats.marked(reading).kind for reading in heard.readings]


@pytest.mark.parametrize(
    ("one", "other", "kind"),
    [
        (b'{"contact":true}', b'{"contact":false}', "door"),
        (b'{"pressure":true}', b'{"pressure":false}', "bed"),
    ],
)
def test_a_state_that_is_repeated_is_no_movement(one: bytes, other: bytes, kind: str) -> None:
    repeats = Repeats()
    told = [kinds(repeats, payload) for payload in (one, one, one, other, other, one)]
    still = f"{kind}_still"
    assert told == [[kind], [still], [still], [kind], [still], [kind]]


def test_devices_and_their_parts_are_told_apart() -> None:
    repeats = Repeats()
    assert kinds(repeats, b'{"contact_l1":true,"contact_l2":true}') == ["door", "door"]
    assert kinds(repeats, b'{"contact_l1":true,"contact_l2":false}') == ["door_still", "door"]
    assert kinds(repeats, b'{"contact_l1":true}', "another") == ["door"]


def test_a_movement_that_is_reported_again_is_one_again() -> None:
    repeats = Repeats()
    assert [kinds(repeats, b'{"occupancy":true,"temperature":20}') for _ in range(2)] == [["motion", "temperature"]] * 2
    assert len(repeats) == 0


def test_memory_is_bounded_and_what_is_forgotten_is_a_movement() -> None:
    repeats = Repeats(most=2)
    for number in range(5):
        assert kinds(repeats, b'{"contact":true}', f"door {number}") == ["door"]
    assert len(repeats) == 2
    assert kinds(repeats, b'{"contact":true}', "door 4") == ["door_still"]
    assert kinds(repeats, b'{"contact":true}', "door 0") == ["door"]
