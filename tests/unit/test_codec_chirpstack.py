"""ChirpStack: what the vendors' published decoders make of their uplinks, and whatever else an event can be."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.codecs import Heard, Reason, Rejected, Remark
from ingest.codecs.chirpstack import decode
from ingest.codecs.strict import PAYLOAD_BYTES_MAX
from pingan.messages import decode as decode_message
from pingan.messages import encode

FRAMES = [
    (path.stem, frame)
    for path in sorted((Path(__file__).parents[1] / "frames" / "chirpstack").glob("*.json"))
    for frame in json.loads(path.read_text(encoding="utf-8"))
]
RECEIVED_MS = 1_790_000_000_000
AT_MS = RECEIVED_MS - 700
DEVICE = "application/0b9f0c0e-5c1b-4c0f-9c63-6a1d0c8f7a11/device/24E124535B316C67"
UPLINK: dict[str, Any] = {
    "deduplicationId": "3ac7e3c4-4401-4b8d-9386-a5c902f9202d",
    "time": "2026-09-21T14:13:19.300123456+00:00",
    "deviceInfo": {"applicationName": "homes", "deviceName": "pendant 1", "devEui": "24e124535b316c67", "tags": {}},
    "devAddr": "00189440",
    "adr": True,
    "dr": 1,
    "fCnt": 4,
    "fPort": 85,
    "confirmed": False,
    "data": "AXVh/y4B",
    "rxInfo": [{"gatewayId": "0016c001f153a14c", "rssi": -103, "snr": -2.5}, {"rssi": -48, "snr": 9.0}],
    "txInfo": {"frequency": 868100000},
}


def heard(said: dict[str, Any] | bytes, event: str = "up") -> Heard:
    payload = said if isinstance(said, bytes) else json.dumps(said).encode()
    decoded = decode("lora1", f"{DEVICE}/event/{event}", payload, RECEIVED_MS)
    assert isinstance(decoded, Heard), decoded
    return decoded


def uplink(decoded: dict[str, Any], **other: Any) -> Heard:
    return heard(UPLINK | {"object": decoded} | other)


@pytest.mark.parametrize("frame", [pytest.param(frame, id=f"{vendor} {frame['model']}") for vendor, frame in FRAMES])
def test_a_vendor_s_uplink_means_what_its_file_says(frame: dict[str, Any]) -> None:
    message = uplink(frame["object"], fPort=frame["fPort"])
    readings = {reading.kind: reading.value for reading in message.readings}
    assert {**readings["status"]}.items() >= {"rssi_dbm": -48, "snr_db": 9.0}.items()
    own = {name: value for name, value in readings["status"].items() if name not in ("rssi_dbm", "snr_db")}
    found = readings | {"status": own} if own else {kind: value for kind, value in readings.items() if kind != "status"}
    assert found == frame["readings"]
    assert [event.kind for event in message.events] == frame["events"]
    assert len(message.unnamed) == frame["unnamed"]
    assert [level.field for level in message.levels if level.event_id] == frame["holds"]
    assert [level.field for level in message.levels if not level.event_id] == frame["over"]
    assert message.remarks == ()
    for event in message.events:
        assert (event.device, event.family, event.at_ms) == ("lora1/24e124535b316c67", "chirpstack", AT_MS)
        assert event.location == frame["readings"].get("location")


def test_an_uplink_that_comes_twice_is_the_same_press_and_the_same_readings() -> None:
    press = {"Alarm": "TRUE"}
    first, again = uplink(press), uplink(press)
    assert first == again
    later = uplink(press, deduplicationId="another", time="2026-09-21T14:13:19.900+00:00")
    assert first.events[0].id != later.events[0].id
    assert first.readings[0].seq < later.readings[0].seq


@pytest.mark.parametrize("without", [("deduplicationId",), ("time",), ("deduplicationId", "time")])
def test_a_press_needs_neither_a_name_nor_a_time(without: tuple[str, ...]) -> None:
    said = {name: value for name, value in UPLINK.items() if name not in without} | {"object": {"sosFlag": 1}}
    assert [event.kind for event in heard(said).events] == ["sos"]


@pytest.mark.parametrize(
    "time", ["noon", 7, None, "2026-09-21T14:13:19", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z"]
)
def test_a_time_that_is_none_is_left_out_and_the_press_rings(time: Any) -> None:
    message = uplink({"ALARM_status": "TRUE"}, time=time)
    assert [(event.kind, event.at_ms) for event in message.events] == [("sos", RECEIVED_MS)]
    assert message.remarks == ((Remark.FIELD_LEFT_OUT, "time"),)


def test_nonsense_beside_an_alarm_silences_nothing() -> None:
    message = uplink({"sosFlag": True, "latitude": "north", "longitude": 400, "battery": "full"}, rxInfo=7, fPort=[1])
    assert [event.kind for event in message.events] == ["sos"]
    assert message.remarks == ((Remark.FIELD_LEFT_OUT, "latitude, battery"),)


def test_bytes_that_nobody_took_apart_are_told() -> None:
    for decoded in ({}, None, []):
        ((remark, _),) = heard(UPLINK | {"object": decoded}).remarks
        assert remark is Remark.UNKNOWN_KIND
    assert uplink({"foo": 1, "bar": {"baz": True}}).remarks == ((Remark.UNKNOWN_KIND, "bar.baz, foo"),)
    assert heard(UPLINK | {"data": "", "object": None}).remarks == ()
    failed = {"time": UPLINK["time"], "level": "ERROR", "code": "UPLINK_CODEC", "description": "x is not a function"}
    ((remark, detail),) = heard(failed, "log").remarks
    assert (remark, "x is not a function" in detail) == (Remark.FIELD_LEFT_OUT, True)


@pytest.mark.parametrize(
    ("said", "status"),
    [
        ({"margin": 7, "batteryLevel": 44.5}, {"battery_percent": 44.5}),
        ({"margin": 7, "externalPowerSource": True, "batteryLevel": 0}, {"mains": True}),
        ({"margin": 7, "batteryLevelUnavailable": True, "batteryLevel": 0}, None),
    ],
)
def test_the_network_s_own_report_of_a_device(said: dict[str, Any], status: dict[str, Any] | None) -> None:
    message = heard({"time": UPLINK["time"], **said}, "status")
    assert [reading.value for reading in message.readings] == ([status] if status else [])


def test_where_the_network_thinks_that_it_is() -> None:
    place = {"latitude": 31.2, "longitude": 121.5, "altitude": 4.0, "source": "GEO_RESOLVER_TDOA", "accuracy": 60}
    (reading,) = heard({"time": UPLINK["time"], "location": place}, "location").readings
    assert (reading.kind, reading.value) == ("location", {"lat": 31.2, "lon": 121.5, "accuracy_m": 60})
    assert heard({"location": 7}, "location").remarks == ((Remark.FIELD_LEFT_OUT, "location"),)


@pytest.mark.parametrize("end", ["event/join", "event/ack", "event/txack", "event/integration", "command/down"])
def test_of_these_nothing_is_to_be_said(end: str) -> None:
    assert decode("lora1", f"{DEVICE}/{end}", b"anything", RECEIVED_MS) == Heard([], [])


@pytest.mark.parametrize(
    ("rest", "payload", "reason"),
    [
        (f"{DEVICE}/event/up", b"x" * (PAYLOAD_BYTES_MAX + 1), Reason.TOO_LARGE),
        (f"{DEVICE}/event/up", b'{"time":"\xff"}', Reason.NOT_UTF8),
        (f"{DEVICE}/event/up", b"\x0a\x24protobuf", Reason.NOT_JSON),
        (f"{DEVICE}/event/up", b'{"fCnt":1,"fCnt":2}', Reason.DUPLICATE_FIELD),
        (f"{DEVICE}/event/up", b'{"a":"\\u0000"}', Reason.FORBIDDEN_CHARACTER),
        (f"{DEVICE}/event/up", b"[" * 100_000, Reason.TOO_DEEP),
        (f"{DEVICE}/event/up", b"[]", Reason.WRONG_TYPE),
        ("application/1/device/xyz/event/up", b"{}", Reason.UNKNOWN_TOPIC),
        ("gateway/0016c001f153a14c/event/up", b"{}", Reason.UNKNOWN_TOPIC),
    ],
)
def test_what_is_refused(rest: str, payload: bytes, reason: Reason) -> None:
    decoded = decode("lora1", rest, payload, RECEIVED_MS)
    assert isinstance(decoded, Rejected)
    assert (decoded.reason, bool(decoded.detail)) == (reason, True)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
fields = st.sampled_from(["sosFlag", "latitude", "longitude", "status", "temperatureBoard", "battery", "tamper_status"])
measurements = st.fixed_dictionaries({"measurementId": json_values, "measurementValue": json_values})
messages = st.fixed_dictionaries({"messages": st.lists(st.lists(measurements | json_values, max_size=2), max_size=2)})
objects = st.dictionaries(fields | st.text(max_size=8), json_values, max_size=6) | messages
outer = st.sampled_from(["time", "deduplicationId", "rxInfo", "fPort", "data", "location", "batteryLevel"])


@given(st.sampled_from(["up", "status", "location", "log"]), objects, st.dictionaries(outer, json_values, max_size=4))
def test_whatever_an_event_holds_what_is_taken_can_be_carried(
    event: str, decoded: dict[str, Any], other: dict[str, Any]
) -> None:
    taken = decode(
        "g", f"{DEVICE}/event/{event}", json.dumps(UPLINK | {"object": decoded} | other).encode(), RECEIVED_MS
    )
    if isinstance(taken, Rejected):
        assert taken.reason in Reason
        return
    for message in [*taken.readings, *taken.events, *taken.unnamed]:
        assert decode_message(encode(message)) == message
        assert 0 <= message.seq < 2**53
