"""Every reading behind a gateway is one of its own, and a repeat by a family that numbers stays a repeat."""

from hypothesis import given
from hypothesis import strategies as st

from ingest.codecs import Heard
from ingest.families import decode
from ingest.levels import Levels
from ingest.numbering import Numbering
from pingan.messages import Event, Reading

AT_MS = 1_790_000_000_000
BUTTON = "gw/g/zigbee2mqtt/button"


def events(numbering: Numbering, payload: bytes, received_ms: int = AT_MS, topic: str = BUTTON) -> list[Event]:
    found = decode(topic, payload, received_ms)
    assert isinstance(found, Heard), found
    apart = numbering.told_apart(found)
    ids = {event.id for event in (*apart.events, *apart.unnamed)}
    assert {level.event_id for level in apart.levels} - {None} <= ids
    return [*apart.events, *apart.unnamed]


def heard(topic: str, payload: bytes, received_ms: int) -> list[Reading]:
    found = decode(topic, payload, received_ms)
    assert isinstance(found, Heard), found
    return found.readings


@given(st.lists(st.tuples(st.sampled_from(["a", "b", "a/availability"]), st.integers(0, 3)), max_size=200))
def test_however_many_come_in_a_millisecond_none_is_taken_for_another(said: list[tuple[str, int]]) -> None:
    numbering, at_ms, numbers = Numbering(), 1_790_000_000_000, []
    for name, later in said:
        at_ms += later
        payload = b'{"state":"online"}' if "/" in name else b'{"temperature":20,"humidity":40,"battery":9}'
        for reading in heard(f"gw/g/zigbee2mqtt/{name}", payload, at_ms):
            numbered = numbering.numbered(reading)
            numbers.append((numbered.device, numbered.seq))
            assert numbered.received_ms == at_ms
    assert len(set(numbers)) == len(numbers)


def test_an_uplink_that_comes_twice_is_one() -> None:
    numbering = Numbering()
    topic = "gw/g/chirpstack/application/1/device/24e124535b316056/event/up"
    payload = b'{"time":"2026-03-01T08:00:00Z","fCnt":7,"deduplicationId":"d","object":{"temperature":20.5}}'
    first = [numbering.numbered(one) for one in heard(topic, payload, 1_790_000_000_000)]
    again = [numbering.numbered(one) for one in heard(topic, payload, 1_790_000_009_000)]
    assert [(one.device, one.seq) for one in first] == [(one.device, one.seq) for one in again]


def test_no_more_devices_are_remembered_than_may() -> None:
    numbering = Numbering(devices_max=10)
    for number in range(1_000):
        for reading in heard(f"gw/g/zigbee2mqtt/d{number}", b'{"temperature":20}', 1_790_000_000_000):
            numbering.numbered(reading)
    assert len(numbering) == 10


@given(st.lists(st.tuples(st.sampled_from(["emergency", "single"]), st.booleans(), st.integers(0, 2)), max_size=100))
def test_however_many_presses_come_in_a_millisecond_each_is_one(said: list[tuple[str, bool, int]]) -> None:
    numbering, at_ms, ids = Numbering(), AT_MS, []
    for action, smoke, later in said:
        at_ms += later
        payload = b'{"action":"%s","smoke":%s}' % (action.encode(), b"true" if smoke else b"false")
        ids += [event.id for event in events(numbering, payload, at_ms)]
    assert len(set(ids)) == len(ids)


def test_what_is_over_and_begins_again_in_a_millisecond_is_another_event() -> None:
    numbering, levels, told = Numbering(), Levels(), []
    for payload in (b'{"smoke":true}', b'{"smoke":true}', b'{"smoke":false}', b'{"smoke":true}'):
        found = decode("gw/g/zigbee2mqtt/smoke", payload, AT_MS)
        assert isinstance(found, Heard), found
        news = levels.news(numbering.told_apart(found))
        for event in news:
            levels.told(event)
        told += [event.id for event in news]
    assert len(told) == len(set(told)) == 2


def test_a_press_that_its_family_names_keeps_its_name() -> None:
    numbering = Numbering()
    topic = "gw/g/chirpstack/application/1/device/24e124535b316056/event/up"
    payload = b'{"time":"2026-03-01T08:00:00Z","fCnt":7,"deduplicationId":"d","object":{"Alarm":1}}'
    first, again = (events(numbering, payload, AT_MS + later, topic) for later in (0, 9_000))
    assert [event.id for event in first] == [event.id for event in again] == ["sos-d-0"]
