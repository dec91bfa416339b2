"""What no device should say, said to the whole platform: refused by name, counted, and nobody else feels it."""

import asyncio
import itertools
import json
import queue
import threading
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from tests.faults.house import RealHouse
from tests.faults.probe import Probe
from tests.integration.local_support import wait_for

RECEIVED_SECONDS = 2.0
"""The protocol's promise for a press, p99 at full load."""

ALARMS = {
    b'{"id":"bad-1","kind":"sos"': ("not_json", "bad-1"),
    b'{"id":"bad-2","kind":7,"boot":"b","seq":1,"at":"2026-05-01T08:00:00Z"}': ("wrong_type", "bad-2"),
    b'{"kind":"sos","boot":"b","seq":1,"at":"2026-05-01T08:00:00Z"}': ("missing_field", None),
    b"\xff\xfe\x00\x01 noise": ("not_utf8", None),
    b"[" * 10_000: ("too_deep", None),
    b"null": ("wrong_type", None),
}
READINGS = {
    b'{"boot":"b","seq":"one","at":"2026-05-01T08:00:00Z","kind":"motion","value":true}': "wrong_type",
    b'{"boot":"b","seq":-1,"at":"2026-05-01T08:00:00Z","kind":"motion","value":true}': "out_of_range",
    b'{"boot":"b","seq":1,"at":"2026-05-01T08:00:00Z","kind":"heart_rate","value":9000}': "out_of_range",
    b'{"boot":"b",': "not_json",
}


class Line:
    """A device with its own credentials and a plain MQTT client, as somebody else's firmware would be."""

    def __init__(self, house: RealHouse, device: str, password: str) -> None:
        self.device = device
        self.answers: queue.Queue[dict[str, Any]] = queue.Queue()
        self.code: queue.Queue[int] = queue.Queue()
        self.gone = threading.Event()
        self._paho = paho.Client(
            CallbackAPIVersion.VERSION2, client_id=f"{device}-rude-{uuid4().hex[:6]}", protocol=paho.MQTTv311
        )
        self._paho.username_pw_set(device, password)
        self._paho.on_connect = self._welcomed
        self._paho.on_message = lambda _client, _data, message: self.answers.put(json.loads(message.payload))
        self._paho.on_disconnect = lambda *_: self.gone.set()
        self._paho.connect("127.0.0.1", house.mqtt_port)
        self._paho.loop_start()

    def _welcomed(self, client: paho.Client, _data: Any, _flags: Any, reason: Any, _more: Any) -> None:
        if not reason.is_failure:
            client.subscribe(f"pingan/v1/{self.device}/down/ack", 1)
        self.code.put(reason.value)

    def say(self, channel: str, payload: bytes, device: str | None = None) -> paho.MQTTMessageInfo:
        return self._paho.publish(f"pingan/v1/{device or self.device}/up/{channel}", payload, qos=1)

    def close(self) -> None:
        self._paho.disconnect()
        self._paho.loop_stop()


@pytest.fixture
def lines(house: RealHouse) -> Iterator[Any]:
    """Opens lines: of a device of the register, or with any password."""
    opened: list[Line] = []
    passwords = {one["id"]: one["password"] for one in house.access["devices"]}

    def open_line(device: str, password: str | None = None) -> Line:
        opened.append(Line(house, device, password or passwords[device]))
        return opened[-1]

    yield open_line
    for line in opened:
        line.close()


def sos(event: str, **other: Any) -> bytes:
    at = datetime.now(UTC).isoformat()
    return json.dumps({"id": event, "kind": "sos", "boot": "b", "seq": 1, "at": at} | other).encode()


def counts(house: RealHouse) -> Counter[str]:
    return Counter({row["reason"]: row["count"] for row in house.rows("select reason, count from rejected_counts")})


def alarm(house: RealHouse, event: str) -> dict[str, Any] | None:
    found = house.rows("select * from alarms where evidence->>'event' = %(event)s", event=event)
    assert len(found) <= 1
    return found[0] if found else None


class Neighbour:
    """Somebody else who presses all the while, and notes how long each press took to be received."""

    def __init__(self, house: RealHouse) -> None:
        self._house, self._stop = house, threading.Event()
        self.presses = 0
        self.slowest = 0.0
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=lambda: asyncio.run(self._live()))

    def __enter__(self) -> "Neighbour":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(60)
        if self._failure:
            raise self._failure

    async def _live(self) -> None:
        try:
            probe = Probe(self._house, "H019")
            await probe.open()
            for _ in itertools.count():
                pressed = time.monotonic()
                answer = await probe.press(20)
                assert answer.acknowledged, "a good press was not acknowledged"
                assert answer.taken, "a good press came to no incident"
                self.presses += 1
                self.slowest = max(self.slowest, answer.acknowledged - pressed)
                if self._stop.is_set():
                    break
            await probe.close()
        except BaseException as error:
            self._failure = error


def test_what_is_malformed_is_answered_and_counted_and_the_neighbour_feels_nothing(
    house: RealHouse, lines: Any
) -> None:
    before = counts(house)
    button, hub = lines("H003-button"), lines("H003-hub")
    assert (button.code.get(timeout=60), hub.code.get(timeout=10)) == (0, 0)
    with Neighbour(house) as neighbour:
        for payload in ALARMS:
            button.say("alarm", payload)
        for payload in READINGS:
            hub.say("reading", payload)
        errors = Counter((answer["error"], answer.get("id")) for answer in _take(button, len(ALARMS)))
        assert errors == Counter(ALARMS.values())
        assert Counter(answer["error"] for answer in _take(hub, len(READINGS))) == Counter(READINGS.values())
        button.say("alarm", sos("good-1"))
        assert _received(button) == "good-1"
    expected = Counter(reason for reason, _ in ALARMS.values()) + Counter(READINGS.values())
    assert counts(house) - before == expected
    assert neighbour.presses >= 1
    assert neighbour.slowest < RECEIVED_SECONDS
    wait_for(lambda: (alarm(house, "good-1") or {}).get("incident"))
    assert alarm(house, "bad-1") is None
    assert house.unwell() == {}


def _take(line: Line, count: int) -> list[dict[str, Any]]:
    return [line.answers.get(timeout=60) for _ in range(count)]


def _received(line: Line) -> str:
    """The next event that is acknowledged; other stages are passed over."""
    while (answer := line.answers.get(timeout=60)).get("stage") != "received":
        assert "error" not in answer
    return str(answer["id"])


@pytest.mark.parametrize("at", ["1970-01-01T00:00:00Z", "2099-01-01T00:00:00Z"])
def test_a_press_of_an_absurd_clock_rings_and_is_marked(house: RealHouse, lines: Any, at: str) -> None:
    button = lines("H004-button")
    button.code.get(timeout=60)
    event = f"absurd-{at[:4]}"
    button.say("alarm", sos(event, at=at))
    assert _received(button) == event
    found = wait_for(lambda: alarm(house, event))
    assert found["clock"] == "absurd"
    assert abs((found["at"] - found["received_at"]).total_seconds()) < 1
    assert found["device_at"].year == int(at[:4])
    wait_for(lambda: (alarm(house, event) or {}).get("incident"))


def test_strangers_and_false_passwords_are_refused_by_the_broker(lines: Any) -> None:
    not_authorised = 135  # as paho names what MQTT 3.1.1 calls 5
    for device, password in (("H999-button", "guess"), ("H003-button", "guess"), ("dispatch", "guess")):
        assert lines(device, password).code.get(timeout=60) == not_authorised


def test_nobody_speaks_for_another_device(house: RealHouse, lines: Any) -> None:
    button = lines("H005-button")
    button.code.get(timeout=60)
    button.say("alarm", sos("forged-1"), device="H006-button")
    button.say("alarm", sos("own-1"))
    assert _received(button) == "own-1"  # said behind it, on the same line
    wait_for(lambda: (alarm(house, "own-1") or {}).get("incident"))
    assert alarm(house, "forged-1") is None


def test_ten_megabytes_end_the_line_and_nothing_else(house: RealHouse, lines: Any) -> None:
    button = lines("H007-button")
    button.code.get(timeout=60)
    with Neighbour(house) as neighbour:
        sent = button.say("alarm", b"x" * 10_000_000)
        assert button.gone.wait(20)
        assert not sent.is_published()
    assert neighbour.slowest < RECEIVED_SECONDS
    again = lines("H007-button")
    again.code.get(timeout=60)
    again.say("alarm", sos("after-1"))
    assert _received(again) == "after-1"
