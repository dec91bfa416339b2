"""The simulator's own encoders, against the protocol page."""

import base64
import json
import struct
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device_sim.wire import protocol
from device_sim.wire.lean import _Receiver, connect_packet, publish_packet

AT = datetime(2025, 3, 1, 16, 0, 0, 123_456, tzinfo=timezone(timedelta(hours=8)))


def test_topics() -> None:
    assert protocol.up("H001-button", "alarm") == "pingan/v1/H001-button/up/alarm"
    assert protocol.down("H001-button") == "pingan/v1/H001-button/down/#"


def test_an_alarm() -> None:
    body = protocol.alarm(event_id="e", boot="b", seq=3, at=AT, kind="sos", attempt=2, battery_percent=91)
    assert json.loads(body) == {
        "id": "e", "boot": "b", "seq": 3, "at": "2025-03-01T08:00:00.123Z",
        "kind": "sos", "attempt": 2, "battery_percent": 91,
    }  # fmt: skip
    assert json.loads(protocol.alarm(event_id="e", boot="b", seq=3, at=AT, kind="sos", attempt=1, test=True))["test"]


def test_a_reading_and_a_status() -> None:
    reading = json.loads(protocol.reading(boot="b", seq=1, at=AT, kind="door", value="open", sensor="entrance_door"))
    assert (reading["kind"], reading["value"], reading["sensor"]) == ("door", "open", "entrance_door")
    status = json.loads(
        protocol.status(boot="b", seq=2, at=AT, battery_percent=None, mains=False, rssi_dbm=-70, faults=["tamper"])
    )
    assert status["mains"] is False
    assert status["faults"] == ["tamper"]
    assert "battery_percent" not in status


def test_a_naive_time_is_refused() -> None:
    with pytest.raises(ValueError, match="naive"):
        protocol.timestamp(datetime(2025, 3, 1))  # noqa: DTZ001 - that is the point


def test_what_is_no_json_is_refused() -> None:
    with pytest.raises(ValueError, match="JSON"):
        protocol.reading(boot="b", seq=1, at=AT, kind="temperature", value=float("nan"))


G = st.floats(-50, 50)


@given(st.lists(st.tuples(G, G, G), max_size=20), st.sampled_from([2, 4, 8, 16]))
def test_samples_are_counts_clipped_to_the_range(samples: list[tuple[float, float, float]], range_g: int) -> None:
    fields = protocol.accel_fields(samples, rate_hz=50, range_g=range_g, position="wrist")
    values = [value for (value,) in struct.iter_unpack("<h", base64.b64decode(fields["samples"]))]
    axes = [axis for sample in samples for axis in sample]
    assert len(values) == len(axes)
    for value, axis in zip(values, axes, strict=True):
        assert value / 2000 == pytest.approx(max(-range_g, min(range_g, axis)), abs=0.0003)


@given(st.binary(max_size=200))
def test_what_comes_down_never_breaks_a_device(body: bytes) -> None:
    decoded = protocol.decode(body)
    assert decoded is None or isinstance(decoded, dict)


@given(st.integers(0, 400), st.integers(1, 65_535))
def test_lean_packets_have_the_right_length(size: int, packet_id: int) -> None:
    packet = publish_packet(b"a/b", packet_id, b"x" * size)
    length, shift, position = 0, 0, 1
    while True:
        digit = packet[position]
        length |= (digit & 0x7F) << shift
        position, shift = position + 1, shift + 7
        if not digit & 0x80:
            break
    assert len(packet) == position + length
    assert packet[position : position + 7] == b"\x00\x03a/b" + struct.pack(">H", packet_id)


def test_a_lean_connect() -> None:
    assert connect_packet("c", "u", "p")[2:] == b"\x00\x04MQTT\x04\xc2\x00\x3c\x00\x01c\x00\x01u\x00\x01p"


class Noted:
    """Notes what the receiver of a lean publisher tells."""

    def __init__(self) -> None:
        self.told: list[tuple[str, int]] = []

    def accepted(self, code: int) -> None:
        self.told.append(("accepted", code))

    def acknowledged(self, packet_id: int) -> None:
        self.told.append(("acknowledged", packet_id))


@given(st.lists(st.integers(1, 65_535), max_size=20), st.data())
def test_the_lean_receiver_reads_packets_cut_anywhere(ids: list[int], data: st.DataObject) -> None:
    stream = b"\x20\x02\x00\x00" + b"".join(b"\x40\x02" + struct.pack(">H", n) + b"\xd0\x00" for n in ids)
    noted = Noted()
    receiver = _Receiver(noted)  # type: ignore[arg-type]
    while stream:
        cut = data.draw(st.integers(1, len(stream)))
        receiver.data_received(stream[:cut])
        stream = stream[cut:]
    assert noted.told == [("accepted", 0), *(("acknowledged", n) for n in ids)]


def test_timestamps_are_utc() -> None:
    assert protocol.timestamp(AT) == protocol.timestamp(AT.astimezone(UTC)) == "2025-03-01T08:00:00.123Z"
