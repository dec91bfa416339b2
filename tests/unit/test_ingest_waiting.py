"""Who waits for whom."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from ingest.waiting import InOrder, InTurn, Waiting


def item(number: int) -> Waiting:
    return Waiting([], number, 1)


def test_a_stuck_button_delays_its_own_home_only() -> None:
    queue = InTurn()
    for number in range(1_000):
        queue.put("stuck", item(number))
    queue.put("quiet", item(5_000))
    assert [one.ticket for one in queue.take(3)] == [0, 5_000, 1]
    assert len(queue) == 998


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.integers(0, 100))), st.integers(1, 7))
def test_in_turn_loses_nothing_keeps_each_home_s_order_and_starves_nobody(
    puts: list[tuple[str, int]], most: int
) -> None:
    queue = InTurn()
    owner = {}
    for number, (key, _) in enumerate(puts):
        queue.put(key, item(number))
        owner[number] = key
    taken: list[int] = []
    while len(queue):
        taken += [one.ticket for one in queue.take(most)]
    assert sorted(taken) == list(range(len(puts)))
    served: Counter[str] = Counter()
    total = Counter(owner.values())
    for key in total:
        assert [number for number in taken if owner[number] == key] == sorted(n for n in owner if owner[n] == key)
    for number in taken:
        served[owner[number]] += 1
        for key, count in total.items():
            assert served[key] >= min(count, served[owner[number]] - 1)


@given(st.lists(st.integers()), st.integers(1, 7))
def test_in_order_is_in_order(puts: list[int], most: int) -> None:
    queue = InOrder()
    for number in puts:
        queue.put("", item(number))
    taken: list[int] = []
    while len(queue):
        taken += [one.ticket for one in queue.take(most)]
    assert taken == puts
