"""The broker is gone for ten minutes: nobody was silent, and no device is lost. From the probes to the alarms."""

from ingest.ticks import Hearing
from pingan.messages import Tick
from tests.alerting_support import START_MS, reading, status
from tests.timeline import HUB, Timeline, settings

OUTAGE_SECONDS = 600


def broker(outage: bool) -> Timeline:
    """A home with a hub at 90 s and a person who has just been still for almost an hour, of which one is the limit."""
    line, hearing, seq = Timeline(), Hearing(1), 1
    line.hear(settings(HUB, hours=1), reading(seq))
    for second in range(56 * 60 + OUTAGE_SECONDS + 120):
        now_ms = START_MS + second * 1000
        out = 50 * 60 <= second < 50 * 60 + OUTAGE_SECONDS
        if out and outage:
            hearing.lost()
            continue
        if second % 90 == 0 and not out:
            line.hear(status(seq := seq + 1))
        tick = hearing.probe_returned(now_ms)
        line.hear(Tick(tick.at_ms, tick.heard_ms, tick.epoch))
    return line


def test_ten_minutes_without_the_broker_are_nobody_s_silence() -> None:
    assert broker(outage=True).alarms == []


def test_ten_minutes_of_the_home_s_own_silence_are() -> None:
    assert {alarm.kind for alarm in broker(outage=False).alarms} == {"heartbeat_lost", "device_restored"}
