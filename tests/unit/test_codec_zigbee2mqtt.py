"""zigbee2mqtt: every model that its own definitions describe, and whatever else a message can be."""

import gzip
import json
import re
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.codecs import Heard, Reason, Rejected, Remark
from ingest.codecs.gathering import MESSAGES_MAX
from ingest.codecs.strict import PAYLOAD_BYTES_MAX
from ingest.codecs.zigbee2mqtt import FAULTS, STATUS, _rows, decode
from pingan.messages import decode as decode_message
from pingan.messages import encode
from tests import npm

FRAMES = Path(__file__).parents[1] / "frames" / "zigbee2mqtt"
RECEIVED_MS = 1_790_000_000_000
HEADER, *MODELS = map(json.loads, gzip.decompress((FRAMES / "models.jsonl.gz").read_bytes()).splitlines())

ALARMS = {
    r"sos|sos_alarm": "sos",
    r"smoke|smoke_alarm_\d|heat": "smoke",
    r"gas|gas_alarm_\d": "gas",
    r"carbon_monoxide|carbon_monoxide_alarm_\d": "co",
    r"(active_)?water_leak(_alarm)?(_\d|_both_zones|_(zone|wire)_\d)?|water|water_sensor": "water",
    r"(input|channel)_\d+_leak_detect(_\d+)?": "water",
}
"""Fields whose other value is an alarm, and of what: said here once more, so that the codec's table cannot lose one."""
ALARM_WORDS = {
    ("fall_down_status", "fall"): "fall",
    ("fall_down_status", "maybe_fall"): "fall",
    ("fall_status", "fall_alarm"): "fall",
    ("fall_status", "fall_warning"): "fall",
    ("smoke_state", "alarm"): "smoke",
    ("gas_sensor_state", "alarm"): "gas",
    ("co_state", "alarm"): "co",
    ("water_leakage_state", "water_leakage_yes"): "water",
    ("halo_alert_state", "smoke"): "smoke",
    ("halo_alert_state", "pre_smoke"): "smoke",
    ("halo_alert_state", "interconnect_smoke"): "smoke",
    ("halo_alert_state", "carbon_monoxide"): "co",
    ("halo_alert_state", "interconnect_carbon_monoxide"): "co",
    ("link_available", "smoke_active"): "smoke",
    ("link_available", "heat_active"): "smoke",
    ("link_available", "co_active"): "co",
    ("link_available", "gas_active"): "gas",
}


def heard(state: dict[str, Any] | bytes, rest: str = "厨房/sensor") -> Heard:
    payload = state if isinstance(state, bytes) else json.dumps(state).encode()
    decoded = decode("g1", rest, payload, RECEIVED_MS)
    assert isinstance(decoded, Heard), decoded
    return decoded


def kinds(message: Heard) -> list[str]:
    return [event.kind for event in message.events]


def value(message: Heard, kind: str) -> Any:
    (found,) = [reading.value for reading in message.readings if reading.kind == kind]
    return found


def expected_alarm(field: str, other: Any) -> str | None:
    if field == "action":
        return "sos" if re.search("sos|emergency|panic", other) else None
    # A counter of gas or of water has no other value; a switch that is called so is set and not heard.
    if isinstance(other, bool) or other in ("ON", "Leak"):
        return next((kind for names, kind in ALARMS.items() if re.fullmatch(names, field)), None)
    return ALARM_WORDS.get((field, other))


def states(model: dict[str, Any]) -> Iterator[tuple[str, Any, dict[str, Any]]]:
    for field, others in model["others"].items():
        for other in others:
            yield field, other, model["normal"] | {field: other}


def test_every_model_of_the_file_is_read() -> None:
    assert HEADER["license"] == "MIT"
    assert len(MODELS) == HEADER["held"] > 900
    assert all(model["normal"] for model in MODELS)


def test_every_model_s_alarms_ring_and_at_rest_none_does() -> None:
    rung: Counter[str] = Counter()
    for model in MODELS:
        rest = heard(model["normal"] | {"linkquality": 80})
        assert kinds(rest) == [], model
        assert rest.remarks == (), model
        assert value(rest, "status")["linkquality"] == 80
        for field, other, state in states(model):
            alarm = expected_alarm(field, other)
            message = heard(state)
            assert message.remarks == (), (model["model"], field, other)
            assert kinds(message) == ([alarm] if alarm else []), (model["model"], field, other)
            rung[alarm or "none"] += 1
    assert rung["sos"] >= 20
    assert rung["fall"] == 4
    assert min(rung[kind] for kind in ("smoke", "gas", "co", "water")) >= 18


def test_every_model_s_doors_and_movements_are_readings() -> None:
    seen: Counter[str] = Counter()
    for model in MODELS:
        for field, other, state in states(model):
            if field == "contact":
                before, after = ("open", "closed") if other in (True, "ON") else ("closed", "open")
                assert value(heard(model["normal"]), "door") == before, model
                assert value(heard(state), "door") == after
            elif field in ("occupancy", "presence") and not isinstance(other, str):
                kind = {"occupancy": "motion", "presence": "occupancy"}[field]
                readings = [reading.value for reading in heard(state).readings if reading.kind == kind]
                assert True in readings, model
            seen[field] += 1
    assert seen["contact"] > 100
    assert seen["occupancy"] > 180
    assert seen["presence"] > 50


def test_what_the_table_leaves_alone_is_listed() -> None:
    """Each line is a field that we know of and make nothing of; a new one must be looked at."""
    left: Counter[str] = Counter(
        field
        for model in MODELS
        for field in model["normal"]
        if not _rows(field)[0] and field not in STATUS and field not in FAULTS and field not in ("action", "test")
    )
    lines = [f"{count} {field}" for field, count in sorted(left.items(), key=lambda pair: (-pair[1], pair[0]))]
    assert lines == (FRAMES / "left_alone.txt").read_text(encoding="utf-8").splitlines()


def test_the_frames_are_what_the_package_describes() -> None:
    modules = npm.need("zigbee-herdsman-converters")
    generator = Path(__file__).parents[1] / "tools" / "zigbee2mqtt_frames.mjs"
    made = subprocess.run(["node", str(generator), str(modules)], capture_output=True, check=True, text=True).stdout
    assert [json.loads(line) for line in made.splitlines()] == [HEADER, *MODELS]


@pytest.mark.parametrize(
    ("state", "rings"),
    [
        ({"action": "emergency"}, ["sos"]),
        ({"action": "panic", "action_group": 1}, ["sos"]),
        ({"action": "sos", "battery": "full", "temperature": "hot"}, ["sos"]),
        ({"smoke": True, "carbon_monoxide": True}, ["smoke", "co"]),
        ({"gas": 12.5}, []),  # a meter's
        ({"smoke": None}, []),
        ({"action": "fall"}, []),  # a cube that fell, not a person
        ({"action": ""}, []),
        ({"action": None}, []),
        ({"state": "ON"}, []),
    ],
)
def test_what_rings(state: dict[str, Any], rings: list[str]) -> None:
    assert kinds(heard(state)) == rings


@pytest.mark.parametrize(
    ("action", "is_press"),
    [
        *((press, True) for press in ("single", "double", "hold", "on", "1_single", "button_2_hold")),
        *((none, False) for none in ("release", "brightness_stop", "hold-release", "arm_all_zones")),
    ],
)
def test_a_press_of_a_plain_button_is_left_to_the_register(action: str, is_press: bool) -> None:
    message = heard({"action": action, "battery": 77})
    assert message.events == []
    assert [(event.kind, event.battery_percent) for event in message.unnamed] == ([("", 77)] if is_press else [])
    assert value(message, "button") == action


def test_what_holds_is_a_level_and_what_is_pressed_is_none() -> None:
    message = heard({"smoke": True, "gas": False, "sos": True, "action": "emergency", "alarm_1": True})
    ids = {event.kind: event.id for event in message.events}
    assert {(level.field, level.event_id) for level in message.levels} == {
        ("smoke/smoke", ids["smoke"]),
        ("gas/gas", None),
        ("alarm_1/alarm", message.unnamed[0].id),
    }


def test_a_detector_under_test_says_so() -> None:
    assert [event.test for event in heard({"smoke": True, "test": True}).events] == [True]
    assert [event.test for event in heard({"action": "sos", "test": True}).events] == [False]


def test_a_fall_that_is_doubtful_rings_with_half_a_confidence() -> None:
    assert [event.confidence for event in heard({"fall_down_status": "maybe_fall"}).events] == [0.5]
    assert [event.confidence for event in heard({"fall_down_status": "fall"}).events] == [None]


@pytest.mark.parametrize(
    ("state", "status"),
    [
        (
            {"battery": 97, "voltage": 3000, "linkquality": 80},
            {"battery_percent": 97, "voltage": 3000, "linkquality": 80},
        ),
        ({"battery_low": True, "battery_state": "high"}, {"battery_low": True}),
        ({"tamper": False}, {"faults": []}),
        ({"tamper": True, "fault": True, "trouble": False}, {"faults": ["fault", "tamper"]}),
    ],
)
def test_what_is_told_of_the_device_itself_is_one_status(state: dict[str, Any], status: dict[str, Any]) -> None:
    assert value(heard(state), "status") == status


def test_parts_of_a_device_are_told_apart() -> None:
    message = heard({"contact_l1": False, "contact_l2": True, "water_leak_zone_1": True, "carbon_monoxide_2": True})
    assert [(reading.kind, reading.value, reading.sensor) for reading in message.readings] == [
        ("door", "open", "l1"),
        ("door", "closed", "l2"),
        ("water", True, "zone_1"),
        ("co", True, "2"),
    ]
    assert kinds(message) == ["water", "co"]


@pytest.mark.parametrize("field", ["sos", "smoke", "alarm"])
def test_one_message_is_no_flood_of_alarms(field: str) -> None:
    """Fields may be numbered without end: a quarter of a megabyte of them rang sixteen thousand times."""
    parts = {f"{field}_a{letter}{number}": True for letter in "abcdefghijklmnopqrstuvwxyz" for number in range(100)}
    message = heard({"action": "emergency"} | parts | {"contact": False})
    assert message.events[0].kind == "sos", "the press is there, whatever else is said"
    assert len(message.events) + len(message.unnamed) == MESSAGES_MAX
    assert len(message.readings) == MESSAGES_MAX
    given = [level for level in message.levels if level.event_id is not None]
    assert {level.event_id for level in given} <= {event.id for event in (*message.events, *message.unnamed)}
    assert [remark for remark, _ in message.remarks] == [Remark.FIELD_LEFT_OUT]


@pytest.mark.parametrize(
    ("seen", "at_ms"),
    [
        (RECEIVED_MS - 5_000, RECEIVED_MS - 5_000),
        ("2026-09-21T14:13:15.000Z", RECEIVED_MS - 5_000),
        ("2026-09-21T22:13:15+08:00", RECEIVED_MS - 5_000),
        ("2026-09-21T14:13:15", RECEIVED_MS),  # of which place?
        (RECEIVED_MS + 5_000, RECEIVED_MS),
        (5, RECEIVED_MS),
        ("noon", RECEIVED_MS),
        (True, RECEIVED_MS),
    ],
)
def test_when_it_was_seen(seen: Any, at_ms: int) -> None:
    message = heard({"action": "sos", "last_seen": seen})
    assert {message.events[0].at_ms, message.readings[0].at_ms, message.events[0].device_at_ms} == {at_ms}


@pytest.mark.parametrize("payload", [b"online", b'{"state":"online"}'])
def test_availability_is_the_gateway_s_word(payload: bytes) -> None:
    for rest, device in (("厨房/sensor/availability", "g1/厨房/sensor"), ("bridge/state", "g1")):
        (reading,) = heard(payload, rest).readings
        assert (reading.device, reading.kind, reading.value) == (device, "availability", True)
    assert value(heard(payload.replace(b"online", b"offline"), "a/availability"), "availability") is False


@pytest.mark.parametrize(
    ("rest", "payload"),
    [("bridge/devices", b"[" * 9), ("bridge/state", b""), ("a", b""), ("a/set", b'{"state":"ON"}'), ("a/get", b"x")],
)
def test_of_these_nothing_is_to_be_said(rest: str, payload: bytes) -> None:
    assert heard(payload, rest) == Heard([], [])


@pytest.mark.parametrize(
    ("rest", "payload", "reason"),
    [
        ("a", b"x" * (PAYLOAD_BYTES_MAX + 1), Reason.TOO_LARGE),
        ("a", b'{"action":"\xff"}', Reason.NOT_UTF8),
        ("a", b"emergency", Reason.NOT_JSON),
        ("a", b'{"action":"sos"', Reason.NOT_JSON),
        ("a", b"[" * 100_000, Reason.TOO_DEEP),
        ("a", b'{"action":"sos","action":"on"}', Reason.DUPLICATE_FIELD),
        ("a", b'{"action":"sos\\u0000"}', Reason.FORBIDDEN_CHARACTER),
        ("a", b"[1]", Reason.WRONG_TYPE),
        ("a/availability", b'{"state":"maybe"}', Reason.WRONG_TYPE),
        ("a/availability", b"\xff", Reason.NOT_UTF8),
        ("bridge/state", b"7", Reason.WRONG_TYPE),
        ("a" * 257, b"{}", Reason.UNKNOWN_TOPIC),
        ("", b"{}", Reason.UNKNOWN_TOPIC),
    ],
)
def test_what_is_refused(rest: str, payload: bytes, reason: Reason) -> None:
    decoded = decode("g1", rest, payload, RECEIVED_MS)
    assert isinstance(decoded, Rejected)
    assert (decoded.reason, bool(decoded.detail)) == (reason, True)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
fields = st.sampled_from(
    ["smoke", "action", "battery", "tamper", "contact", "temperature_l1", "last_seen", "test", "gas", "fall_status"]
) | st.text(max_size=12)


@given(
    st.dictionaries(fields, json_values | st.sampled_from([True, "sos", "ON", 50]), max_size=8), st.integers(0, 2**42)
)
def test_whatever_a_state_holds_what_is_taken_can_be_carried(state: dict[str, Any], received_ms: int) -> None:
    decoded = decode("g1", "a", json.dumps(state).encode(), received_ms)
    if isinstance(decoded, Rejected):
        assert decoded.reason in Reason
        return
    for message in [*decoded.readings, *decoded.events, *decoded.unnamed]:
        assert decode_message(encode(message)) == message
    if state.get("smoke") is True:
        assert "smoke" in kinds(decoded)
    nonsense = [field for field in ("battery", "temperature_l1") if isinstance(state.get(field), list | dict | bool)]
    assert bool(nonsense) <= (Remark.FIELD_LEFT_OUT in dict(decoded.remarks))


@given(st.text(max_size=30), st.binary(max_size=60))
def test_no_bytes_raise(rest: str, payload: bytes) -> None:
    assert isinstance(decode("g1", rest, payload, RECEIVED_MS), Heard | Rejected)
