"""What holds of the watches whatever they are told."""

from random import Random
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alerting.partition import Partition
from pingan.messages import Away, Message, Reading, Tick
from tests import timeline
from tests.alerting_support import event, reading, status
from tests.timeline import HUB, START_MS, Timeline, ids, replay, restarted

HOMES = ("H1", "H2")

unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""A busy machine is no failing example."""

steps = st.lists(
    st.fixed_dictionaries(
        {
            "said": st.lists(
                st.tuples(
                    st.sampled_from(HOMES),
                    st.sampled_from(("hub", "button")),
                    st.sampled_from(("motion", "still", "status", "event", "word")),
                    st.sampled_from((None, 3, 10, 25, 90)),
                    st.booleans(),
                    st.sampled_from((1, 1, 1, 1, 2, 4)),
                ),
                max_size=5,
            ),
            "settings": st.sampled_from((None, None, None, 1, 4, "off", "away")),
            "reboots": st.sampled_from((False, False, False, False, False, True)),
            "seconds": st.sampled_from((1, 30, 300, 1800, 3600)),
            "heard": st.sampled_from((1.0, 1.0, 1.0, 0.5, 0.0)),
            "new_source": st.sampled_from((False, False, False, True)),
        }
    ),
    max_size=40,
)


def told(script: list[dict[str, Any]]) -> Timeline:
    """A believable log of a script: sequences that skip now and then, boots that end, sources that change."""
    line = Timeline()
    line.hear(*(timeline.settings(*devices(home), hours=4, home=home) for home in HOMES))
    line.tick(1)
    seqs: dict[str, int] = {}
    boot, skipped = 1, 0
    for step in script:
        if step["reboots"] and boot < 4:
            boot, seqs = boot + 1, {}
        if step["settings"] is not None:
            hours = step["settings"] if isinstance(step["settings"], int) else 4
            away = [Away(line.at_ms - 5, line.at_ms + 7_200_000)] if step["settings"] == "away" else []
            line.hear(
                timeline.settings(
                    *devices("H1"), hours=None if step["settings"] == "off" else hours, away=away, revision=boot
                )
            )
        for home, name, kind, percent, mains, seq_step in step["said"]:
            device = f"{home}-{name}"
            skipped += seq_step - 1
            seqs[device] = seqs.get(device, 0) + (seq_step if skipped < 8 else 1)
            where: dict[str, Any] = {"device": device, "boot": f"b{boot}", "home": home, "at_ms": line.at_ms}
            if kind == "word":
                word = where | {"boot": "", "received_ms": line.at_ms + len(line.told)}
                line.hear(reading(line.at_ms + len(line.told), "availability", value=mains, **word))
            elif kind == "event":
                line.hear(event(seqs[device], f"e{len(line.told)}", **where))
            elif kind == "status":
                del where["at_ms"]
                line.hear(status(seqs[device], battery_percent=percent, mains=mains, **where))
            else:
                line.hear(reading(seqs[device], "motion" if kind == "motion" else "spo2", **where))
        if step["new_source"]:
            line.epoch += 1
        line.tick(step["seconds"], heard=step["seconds"] * step["heard"])
    return line


def devices(home: str) -> list[Any]:
    return [type(HUB)(f"{home}-hub", "hub", 90), type(HUB)(f"{home}-button", "button", 900)]


def intervals(messages: list[Message]) -> list[list[Message]]:
    """What stands between two ticks; each ends with its tick."""
    found: list[list[Message]] = [[]]
    for message in messages:
        found[-1].append(message)
        if isinstance(message, Tick):
            found.append([])
    return found


@unhurried
@given(steps)
def test_the_same_messages_give_the_same_alarms(script: list[dict[str, Any]]) -> None:
    line = told(script)
    assert replay(line.told) == line.alarms
    assert [alarm.at_ms for alarm in line.alarms] == sorted(alarm.at_ms for alarm in line.alarms)


@unhurried
@given(steps, st.sets(st.integers(0, 200)))
def test_a_restart_at_any_point_changes_nothing(script: list[dict[str, Any]], restarts: set[int]) -> None:
    line = told(script)
    partition, alarms = Partition(), []
    for number, message in enumerate(line.told):
        if number in restarts:
            partition = restarted(partition)
        alarms += partition.feed(message)
    assert alarms == line.alarms
    assert restarted(partition).time == line.partition.time


@unhurried
@given(steps, st.integers(0, 200), st.integers(0, 200))
def test_a_crash_replays_the_same_alarms_from_the_checkpoint(
    script: list[dict[str, Any]], kept: int, died: int
) -> None:
    """Checkpointed after message `kept`, dead after `died`: what is raised before and after is what should be."""
    line = told(script)
    first, raised = Partition(), []
    checkpoint = first
    for number, message in enumerate(line.told[: max(kept, died)]):
        if number == kept:
            checkpoint = restarted(first)
        raised += first.feed(message)
    if kept < max(kept, died):
        again = [alarm for message in line.told[kept:] for alarm in checkpoint.feed(message)]
        assert {alarm.id: alarm for alarm in raised + again} == {alarm.id: alarm for alarm in line.alarms}


@unhurried
@given(steps, st.randoms(use_true_random=False))
def test_reordering_between_two_ticks_changes_no_alarm(script: list[dict[str, Any]], chance: Random) -> None:
    line = told(script)
    shuffled: list[Message] = []
    for interval in intervals(line.told):
        said = [message for message in interval if hasattr(message, "seq")]
        chance.shuffle(said)
        shuffled += [message for message in interval if not hasattr(message, "seq") and not isinstance(message, Tick)]
        shuffled += said
        shuffled += [message for message in interval if isinstance(message, Tick)]
    assert ids(replay(shuffled)) == ids(line.alarms)


@unhurried
@given(steps, st.data())
def test_repeats_at_any_later_time_change_nothing(script: list[dict[str, Any]], data: st.DataObject) -> None:
    line = told(script)
    repeated: list[Message] = []
    for message in line.told:
        repeated.append(message)
        said = [earlier for earlier in repeated if hasattr(earlier, "seq")]
        if said:
            repeated += data.draw(st.lists(st.sampled_from(said), max_size=2))
    # A repeat may wake a home sooner; between homes that a tick wakes, order has no meaning.
    assert ids(replay(repeated)) == ids(line.alarms)


@unhurried
@given(steps, st.data())
def test_void_ticks_change_nothing(script: list[dict[str, Any]], data: st.DataObject) -> None:
    line = told(script)
    with_void: list[Message] = []
    last = Tick(at_ms=START_MS, heard_ms=0, epoch=0)
    for message in line.told:
        with_void.append(message)
        if isinstance(message, Tick):
            last = message
        if data.draw(st.integers(0, 3)) == 0 and last.epoch > 0:
            with_void.append(data.draw(st.sampled_from((last, Tick(last.at_ms + 10**8, 10**8, last.epoch - 1)))))
    assert replay(with_void) == line.alarms


@unhurried
@given(steps)
def test_no_time_without_ticks_raises_anything(script: list[dict[str, Any]]) -> None:
    line = told(script)
    before = ids(line.alarms)
    # 58 hours in which nobody ticked, and a new source that begins to hear: TIHM's back-end fault.
    line.epoch += 1
    line.tick(58 * 3600, heard=0)
    line.hear(*(message for message in line.told if isinstance(message, Reading)))
    later = [alarm for alarm in line.alarms if (alarm.id, alarm.kind) not in before]
    # Only what was said before the outage and waited for its tick.
    assert {alarm.kind for alarm in later} <= {
        "device_restored", "battery_low", "battery_critical", "battery_restored", "mains_lost", "mains_restored",
    }  # fmt: skip
