"""The native codec: real frames with what they mean, and whatever else bytes can be."""

import base64
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.codecs import Decoded, Reason, Rejected, Remarked
from ingest.codecs.native import LIST_READINGS_MAX, decode
from ingest.codecs.strict import PAYLOAD_BYTES_MAX
from pingan.messages import Event, Reading, encode
from pingan.messages import decode as decode_message

FRAMES = sorted((Path(__file__).parents[1] / "frames" / "native").glob("*.json"))
RECEIVED_MS = 1_790_000_000_000
ALARM, READING, STATUS = (f"pingan/v1/H001-hub/up/{channel}" for channel in ("alarm", "reading", "status"))


def shape(decoded: Decoded) -> Any:
    if isinstance(decoded, Rejected):
        return {"rejected": decoded.reason, **({"id": decoded.id} if decoded.id else {})}
    if isinstance(decoded, Remarked):
        return {"remark": decoded.remark, "detail": decoded.detail, "taken": shape(decoded.taken)}
    return msgspec.to_builtins(decoded)


@pytest.mark.parametrize("path", FRAMES, ids=lambda path: path.stem)
def test_a_frame_means_what_its_file_says(path: Path) -> None:
    frame = json.loads(path.read_text(encoding="utf-8"))
    payload = base64.b64decode(frame["payload_base64"]) if "payload_base64" in frame else frame["payload"].encode()
    assert shape(decode(frame["topic"], payload, frame["received_ms"])) == frame["expect"]


def test_every_reason_has_a_frame_or_a_test() -> None:
    shown: set[str | None] = set()
    for path in FRAMES:
        expect = json.loads(path.read_text(encoding="utf-8"))["expect"]
        if isinstance(expect, dict):
            shown.add(expect.get("rejected"))
    of_gateways = {Reason.UNKNOWN_FAMILY, Reason.RETAINED_ALARM, Reason.FLOOD}
    assert {*Reason} - shown == {Reason.TOO_LARGE, Reason.TOO_MANY} | of_gateways


def test_what_is_larger_than_the_limit_is_refused_unread() -> None:
    decoded = decode(READING, b"x" * (PAYLOAD_BYTES_MAX + 1), RECEIVED_MS)
    assert isinstance(decoded, Rejected)
    assert decoded.reason is Reason.TOO_LARGE


@pytest.mark.parametrize("count", [LIST_READINGS_MAX + 1, 5 * LIST_READINGS_MAX])
def test_a_list_holds_so_many_readings_at_most(count: int) -> None:
    one = '{"boot":"b","seq":1,"at":"2026-01-01T00:00:00Z","kind":"m"}'
    payload = f"[{','.join([one] * count)}]".encode()
    decoded = decode(READING, payload[:PAYLOAD_BYTES_MAX], RECEIVED_MS)
    assert isinstance(decoded, Rejected)
    assert decoded.reason is Reason.TOO_MANY


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("battery_percent", '"full"'),
        ("location", "7"),
        ("confidence", "2"),
        ("attempt", "0"),
        ("test", '"yes"'),
        ("boot", "5"),
        ("seq", "-1"),
        ("at", '"noon"'),
        ("at", "null"),
    ],
)
def test_an_alarm_rings_whatever_is_wrong_with_an_ornament(field: str, value: str) -> None:
    fields = {"id": '"e1"', "kind": '"sos"', "boot": '"b"', "seq": "1", "at": '"2026-09-21T14:13:19Z"'} | {field: value}
    payload = "{" + ",".join(f'"{name}":{given}' for name, given in fields.items()) + "}"
    decoded = decode(ALARM, payload.encode(), RECEIVED_MS)
    assert isinstance(decoded, Remarked)
    assert isinstance(decoded.taken, Event)
    assert (decoded.taken.id, decoded.taken.kind, decoded.taken.test) == ("e1", "sos", False)
    assert field in decoded.detail


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
names = st.sampled_from(
    [
        "id",
        "boot",
        "seq",
        "at",
        "kind",
        "value",
        "sensor",
        "test",
        "attempt",
        "location",
        "confidence",
        "faults",
        "battery_percent",
        "rate_hz",
        "range_g",
        "position",
        "samples",
        "mains",
        "rssi_dbm",
        "firmware",
        "other",
    ]
)
plausible = st.one_of(
    st.sampled_from(
        ["sos", "b1", "motion", "accel", "heart_rate", "2026-09-21T14:13:19Z", "0001-01-01T00:00:00+12:00"]
    ),
    st.sampled_from(["9999-12-31T23:59:59-12:00", "1969-12-31T23:59:59.999999Z", "\ud800", "\0", "e1", 1, 0, 2**63]),
    json_values,
)
objects = st.dictionaries(names, plausible)
payloads = st.one_of(
    st.binary(max_size=200),
    objects.map(lambda value: json.dumps(value).encode()),
    st.lists(objects, max_size=3).map(lambda value: json.dumps(value).encode()),
    st.builds(lambda value, cut: json.dumps(value).encode()[:cut], objects, st.integers(0, 200)),
    st.builds(
        lambda value, at, noise: (
            (whole := json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass"))[:at] + noise + whole[at:]
        ),
        objects,
        st.integers(0, 100),
        st.binary(max_size=3),
    ),
)
topics = st.sampled_from([ALARM, READING, STATUS]) | st.text(max_size=30)


@given(topics, payloads, st.integers(0, 4_000_000_000_000))
def test_no_bytes_raise_and_what_is_taken_can_be_carried(topic: str, payload: bytes, received_ms: int) -> None:
    decoded = decode(topic, payload, received_ms)
    if isinstance(decoded, Rejected):
        assert decoded.reason in Reason
        assert decoded.detail
        return
    taken = decoded.taken if isinstance(decoded, Remarked) else decoded
    for message in [taken] if isinstance(taken, Event) else taken:
        carried = decode_message(encode(message))
        assert carried == message
        assert "\0" not in encode(message).decode()
        assert b"\\u0000" not in encode(message).replace(b"\\\\", b"")


@given(
    st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**53) + 1, 2**53 - 1) | st.text() | st.booleans()
)
def test_a_value_arrives_as_it_was_sent(value: Any) -> None:
    payload = json.dumps({"boot": "b", "seq": 1, "at": "2026-09-21T14:13:19Z", "kind": "thing", "value": value})
    decoded = decode(READING, payload.encode("utf-8", "surrogatepass"), RECEIVED_MS)
    if isinstance(value, str) and ("\0" in value):
        assert isinstance(decoded, Rejected)
        return
    assert isinstance(decoded, Remarked)
    assert isinstance(decoded.taken, list)
    (reading,) = decoded.taken
    assert isinstance(reading, Reading)
    assert reading.value == value
