"""How much of a gateway is taken, as properties and as cases."""

from hypothesis import given
from hypothesis import strategies as st

from ingest.floods import ROUNDS_BEHIND, Floods


def listening(**figures: float) -> Floods:
    """Everything that waited in the broker has come."""
    floods = Floods(**figures)  # type: ignore[arg-type]
    for _ in range(ROUNDS_BEHIND):
        floods.probe_came_back()
    return floods


@given(st.lists(st.tuples(st.sampled_from("ab"), st.floats(0, 2)), max_size=300))
def test_no_span_of_time_brings_more_than_a_burst_and_what_fills_again_meanwhile(said: list[tuple[str, float]]) -> None:
    floods, at = listening(messages_a_second=5, burst_messages=10), 1000.0
    taken: dict[str, list[float]] = {"a": [], "b": []}
    for gateway, later in said:
        at += later
        if floods.admit(gateway, at):
            taken[gateway].append(at)
    for times in taken.values():
        for first, began in enumerate(times):
            for last, ended in enumerate(times[first:], first):
                assert last - first + 1 <= 10 + 5 * (ended - began) + 1e-6


@given(st.lists(st.floats(0.2, 5), max_size=200))
def test_whoever_keeps_to_the_rate_loses_nothing(pauses: list[float]) -> None:
    floods, at = listening(messages_a_second=5, burst_messages=10), 0.0
    for pause in pauses:
        at += pause
        assert floods.admit("a", at)


def test_one_flood_takes_nothing_from_another_gateway() -> None:
    floods = listening(messages_a_second=5, burst_messages=10)
    assert sum(floods.admit("mad", 0.0) for _ in range(1000)) == 10
    assert floods.admit("well", 0.0)
    assert sum(floods.admit("mad", 10.0) for _ in range(1000)) == 10


def test_what_waited_in_the_broker_is_no_flood() -> None:
    floods = listening(messages_a_second=5, burst_messages=10)
    floods.behind()
    assert all(floods.admit("a", 0.0) for _ in range(1000))
    floods.probe_came_back()
    assert all(floods.admit("a", 0.0) for _ in range(1000)), "this one may have been said before we were away"
    floods.probe_came_back()
    assert sum(floods.admit("a", 0.0) for _ in range(1000)) == 10


def test_however_many_gateways_there_are_no_more_are_remembered_than_may() -> None:
    floods = listening(gateways_max=100)
    for number in range(100_000):
        assert floods.admit(f"g{number}", 0.0)
    assert len(floods) == 100
