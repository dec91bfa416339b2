"""Which codec a gateway's topic names, and what the register makes of an alarm that does not say of what."""

from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.codecs import Heard, Reason, Rejected, chirpstack_table, zigbee2mqtt_table
from ingest.families import ALARM_OF, FAMILIES, decode, named
from ingest.levels import Levels
from pingan.messages import RINGING

PAGE = Path(__file__).parents[2] / "docs" / "families.md"
RECEIVED_MS = 1_790_000_000_000


@pytest.mark.parametrize(
    ("topic", "reason"),
    [
        ("gw/g1/knx/a", Reason.UNKNOWN_FAMILY),
        ("gw/g1/Zigbee2mqtt/a", Reason.UNKNOWN_FAMILY),
        ("gw/g1/zigbee2mqtt/", Reason.UNKNOWN_TOPIC),
        ("gw/g1/zigbee2mqtt", Reason.UNKNOWN_TOPIC),
        ("gw/g 1/zigbee2mqtt/a", Reason.UNKNOWN_TOPIC),
        ("gw//zigbee2mqtt/a", Reason.UNKNOWN_TOPIC),
        (f"gw/{'g' * 65}/zigbee2mqtt/a", Reason.UNKNOWN_TOPIC),
        ("pingan/v1/H001-hub/up/alarm", Reason.UNKNOWN_TOPIC),
    ],
)
def test_a_topic_of_no_family_is_refused_by_name(topic: str, reason: Reason) -> None:
    decoded = decode(topic, b"{}", RECEIVED_MS)
    assert isinstance(decoded, Rejected)
    assert decoded.reason is reason


def test_each_family_is_reached_and_the_device_is_named_after_its_gateway() -> None:
    zigbee = decode("gw/g1/zigbee2mqtt/卧室/床 1", b'{"contact":true}', RECEIVED_MS)
    dev_eui = "24e124535b316c67"
    lora = decode(f"gw/g2/chirpstack/application/1/device/{dev_eui}/event/status", b'{"batteryLevel":9}', RECEIVED_MS)
    assert isinstance(zigbee, Heard)
    assert isinstance(lora, Heard)
    assert [reading.device for reading in (*zigbee.readings, *lora.readings)] == ["g1/卧室/床 1", f"g2/{dev_eui}"]


@pytest.mark.parametrize(
    ("kind", "alarm"),
    [
        *((worn, "sos") for worn in ("button", "pendant", "watch")),
        *((detector, detector) for detector in ("smoke", "gas", "co", "water")),
        *((other, None) for other in ("motion", "door", None)),
    ],
)
def test_the_register_says_what_an_unnamed_alarm_was(kind: str | None, alarm: str | None) -> None:
    heard = decode("gw/g1/zigbee2mqtt/a", b'{"action":"single","smoke":true}', RECEIVED_MS)
    assert isinstance(heard, Heard)
    (press,) = heard.unnamed
    after = named(heard, {"g1/a": kind}.get)
    smoke = heard.events[0]
    assert after.events == [smoke, *([msgspec.structs.replace(press, kind=alarm)] if alarm else [])]
    assert after.unnamed == ()
    assert alarm is None or alarm in RINGING


def test_a_named_alarm_that_holds_is_told_once_and_a_press_each_time() -> None:
    levels = Levels()

    def tell(payload: bytes, kind: str) -> list[str]:
        heard = decode("gw/g1/zigbee2mqtt/a", payload, RECEIVED_MS)
        assert isinstance(heard, Heard)
        news = levels.news(named(heard, lambda _: kind))
        for event in news:
            levels.told(event)
        return [event.kind for event in news]

    assert [tell(b'{"alarm_1":true}', "smoke") for _ in range(3)] == [["smoke"], [], []]
    assert [tell(b'{"action":"hold"}', "button") for _ in range(2)] == [["sos"], ["sos"]]


@given(st.text(max_size=40), st.sampled_from(sorted(FAMILIES)), st.binary(max_size=40))
def test_no_topic_and_no_bytes_raise(rest: str, family: str, payload: bytes) -> None:
    for topic in (rest, f"gw/g1/{family}/{rest}"):
        assert isinstance(decode(topic, payload, RECEIVED_MS), Heard | Rejected)


def test_the_page_names_every_family_every_registered_kind_and_the_gateways_own_reasons() -> None:
    page = PAGE.read_text(encoding="utf-8")
    names = {*FAMILIES, *ALARM_OF, Reason.UNKNOWN_FAMILY, Reason.RETAINED_ALARM, Reason.FLOOD}
    assert [name for name in sorted(names) if name not in page] == []
    for row in [*zigbee2mqtt_table.PROPERTIES.values(), *chirpstack_table.FIELDS.values()]:
        for kind in (row[0].kind, *([row[0].rings] if row[0].rings else [])):
            assert f"`{kind}`" in page
