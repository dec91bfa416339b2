"""What holds is told once, a press each time, and what is in doubt rings."""

import dataclasses

from hypothesis import given
from hypothesis import strategies as st

from ingest.codecs import Heard, Level
from ingest.levels import FORGOTTEN_AFTER_MS, Levels
from pingan.messages import Event

START_MS = 1_790_000_000_000
MINUTE_MS = 60_000


def event(at_ms: int = 0, field: str = "smoke", device: str = "g1/kitchen") -> Event:
    received_ms = START_MS + at_ms
    return Event(
        device=device,
        id=f"{field}-{received_ms}",
        boot="",
        seq=received_ms * 64,
        at_ms=received_ms,
        received_ms=received_ms,
        kind="smoke",
        family="zigbee2mqtt",
    )


def holds(*events: Event, field: str = "smoke") -> Heard:
    return Heard([], list(events), levels=tuple(Level(one.device, field, one.id) for one in events))


def over(field: str = "smoke", device: str = "g1/kitchen") -> Heard:
    return Heard([], [], levels=(Level(device, field, None),))


def tell(levels: Levels, heard: Heard) -> list[Event]:
    news = levels.news(heard)
    for one in news:
        levels.told(one)
    return news


def test_what_holds_is_told_once_and_again_after_it_was_over() -> None:
    levels = Levels()
    first, again = event(0), event(3 * MINUTE_MS)
    assert tell(levels, holds(first)) == [first]
    assert tell(levels, holds(event(MINUTE_MS))) == []
    assert tell(levels, over()) == []
    assert tell(levels, holds(again)) == [again]


def test_a_press_is_told_each_time() -> None:
    levels = Levels()
    for at_ms in (0, 0, 1):
        assert tell(levels, Heard([], [event(at_ms)])) == [event(at_ms)]
    assert len(levels) == 0


def test_an_event_that_is_not_durable_yet_is_handed_out_again_the_same_one() -> None:
    levels = Levels()
    first = event(0)
    assert levels.news(holds(first)) == [first]
    assert levels.news(holds(event(MINUTE_MS))) == [first]
    levels.told(first)
    assert levels.news(holds(event(2 * MINUTE_MS))) == []


def test_an_end_that_overtakes_the_append_of_its_beginning_hides_no_later_one() -> None:
    levels = Levels()
    first, second = event(0), event(1)
    assert levels.news(holds(first)) == [first]
    levels.news(over())
    assert levels.news(holds(second)) == [second]
    levels.told(first)
    assert levels.news(holds(event(2))) == [second]


def test_two_fields_and_two_devices_are_conditions_of_their_own() -> None:
    levels = Levels()
    assert tell(levels, holds(event(0)))
    assert tell(levels, holds(event(1, device="g2/kitchen")))
    assert tell(levels, holds(event(2, field="gas"), field="gas"))
    tell(levels, over(field="gas"))
    assert tell(levels, holds(event(3))) == []


def test_what_was_not_repeated_for_an_hour_rings_anew() -> None:
    levels = Levels()
    assert tell(levels, holds(event(0)))
    assert tell(levels, holds(event(FORGOTTEN_AFTER_MS - 1))) == []
    assert tell(levels, holds(event(2 * FORGOTTEN_AFTER_MS - 2))) == []
    late = event(3 * FORGOTTEN_AFTER_MS - 2)
    assert tell(levels, holds(late)) == [late]


def test_after_a_restart_the_first_rings() -> None:
    assert tell(Levels(), holds(event(0)))
    assert tell(Levels(), holds(event(MINUTE_MS)))


def test_memory_is_bounded_and_what_is_forgotten_rings() -> None:
    levels = Levels(most=2)
    for number in range(5):
        assert tell(levels, holds(event(number, device=f"g1/{number}")))
    assert len(levels) == 2
    assert tell(levels, holds(event(9, device="g1/4"))) == []
    assert tell(levels, holds(event(9, device="g1/0")))


@dataclasses.dataclass(frozen=True)
class Step:
    device: str
    holds: bool
    durable: bool


steps = st.lists(st.builds(Step, st.sampled_from(["g1/a", "g1/b", "g2/a"]), st.booleans(), st.booleans()))


@given(steps, st.integers(1, 3))
def test_every_beginning_is_told_until_it_is_durable(given_steps: list[Step], most: int) -> None:
    """Whatever is lost or forgotten: while a condition holds, its beginning is durable or is handed out."""
    levels, durable = Levels(most), set[str]()
    for number, step in enumerate(given_steps):
        if not step.holds:
            levels.news(over(device=step.device))
            durable.discard(step.device)
            continue
        news = levels.news(holds(event(number, device=step.device)))
        assert news or step.device in durable
        for one in news:
            if step.durable:
                levels.told(one)
                durable.add(one.device)
