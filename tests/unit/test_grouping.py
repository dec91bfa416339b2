"""What falls silent together: cases that a person would decide at a glance, and what must hold of every other."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from itertools import count
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from dispatch import grouping
from dispatch.grouping import LATER_SECONDS, LEAST, Areas, Cluster, Loss, Open, clusters, joined, to_be_sized

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
AREAS = Areas(
    {
        "44": None, "4401": "44", "4402": "44", "440101": "4401", "440102": "4401", "44010101": "440101",
        "44010102": "440101", "44010201": "440102", "44020101": "4402",
    }
)  # fmt: skip
EAST, WEST, NORTH, FAR = "44010101", "44010102", "44010201", "44020101"
HOMES = {"44": 400_000, "4401": 60_000, "4402": 340_000, "440101": 600, "440102": 600, EAST: 200, WEST: 200, NORTH: 200}
SMALL = {"old": 30, "new": 100_000}
_numbers = count(1)


def loss(
    home: str | None, area: str | None = EAST, *, device: str | None = None, gateway: str | None = None,
    model: str | None = None, after: float = 0,
) -> Loss:  # fmt: skip
    number = next(_numbers)
    return Loss(
        UUID(int=number), "heartbeat_lost", device or f"d{number}", home, gateway, area, model,
        NOON + timedelta(seconds=after), True,
    )  # fmt: skip


def village(area: str, homes: int, **more: str) -> list[Loss]:
    return [loss(f"{area}-{number}", area, **more) for number in range(homes)]  # type: ignore[arg-type]


def group(losses: list[Loss]) -> tuple[list[Cluster], list[Loss]]:
    """As the desk does, with the sizes that it would find."""
    areas, models = to_be_sized(losses, AREAS)
    return clusters(losses, AREAS, {area: HOMES[area] for area in areas}, {model: SMALL[model] for model in models})


def names(found: Iterable[Cluster]) -> list[tuple[str, str, int]]:
    return [(cluster.by, cluster.of, len(cluster.losses)) for cluster in found]


def test_a_village_is_an_area_and_four_homes_of_it_are_not() -> None:
    found, alone = group(village(EAST, LEAST) + village(FAR, 1))
    assert names(found) == [("area", EAST, LEAST)]
    assert [one.area for one in alone] == [FAR]
    found, alone = group(village(EAST, LEAST - 1))
    assert (found, len(alone)) == ([], LEAST - 1)


def test_many_devices_of_one_home_say_nothing_about_its_village() -> None:
    found, alone = group([loss("H1") for _ in range(12)])
    assert (found, len(alone)) == ([], 12)


def test_five_homes_scattered_over_a_district_are_chance_and_a_share_of_them_is_not() -> None:
    scattered = [loss(f"H{n}", "4401") for n in range(LEAST)]
    assert group(scattered)[0] == []
    assert names(group([loss(f"H{n}", "4401") for n in range(600)])[0]) == [("area", "4401", 600)]


def test_two_villages_of_a_town_are_the_town_and_two_of_a_city_are_two() -> None:
    assert names(group(village(EAST, 100) + village(WEST, 60))[0]) == [("area", "440101", 160)]
    assert names(group(village(EAST, 100) + village(NORTH, 60))[0]) == [("area", EAST, 100), ("area", NORTH, 60)]


def test_an_area_that_is_not_heard_is_one_with_all_that_is_lost_there() -> None:
    whole = loss(None, "440101")._replace(kind="cannot_hear", device=None, homes=600)
    found, alone = group([whole, *village(EAST, 2), loss("H", WEST, gateway="lora"), *village(NORTH, 2)])
    assert names(found) == [("area", "440101", 4)]
    assert [one.area for one in alone] == [NORTH, NORTH]
    assert grouping.devices_of([whole]) == 600
    assert grouping.devices_of(found[0].losses) == 3
    wider = whole._replace(id=UUID(int=next(_numbers)), area="4401")
    assert names(group([whole, wider, *village(NORTH, 2)])[0]) == [("area", "4401", 4)]
    assert group([whole._replace(area="99")]) == ([], [whole._replace(area="99")]), "nobody knows where that is"


def test_one_gateway_that_served_fifty_homes_is_a_gateway_and_not_an_area() -> None:
    behind = [loss(f"H{n}", EAST if n % 2 else WEST, gateway="lora") for n in range(50)]
    assert names(group(behind)[0]) == [("gateway", "lora", 50)]
    found, alone = group([*behind, loss("H0", EAST, device="lora"), *village(FAR, 1)])
    assert names(found) == [("gateway", "lora", 51)]
    assert len(alone) == 1


def test_in_a_power_cut_the_hubs_belong_to_the_village_with_all_that_is_behind_them() -> None:
    losses = []
    for number in range(30):
        home, hub = f"H{number}", f"hub{number}"
        losses += [loss(home, device=hub), loss(home, gateway=hub), loss(home, gateway=hub)]
    assert names(group(losses)[0]) == [("area", EAST, 90)]


def test_a_hub_takes_what_is_behind_it_and_one_sensor_alone_is_alone() -> None:
    assert names(group([loss("H1", device="hub"), loss("H1", gateway="hub")])[0]) == [("gateway", "hub", 2)]
    assert group([loss("H1", gateway="hub")])[0] == []


def test_a_rare_model_that_is_gone_everywhere_is_the_model_and_a_common_one_is_chance() -> None:
    places = (EAST, WEST, NORTH, "4401", "4402")
    rare = [loss(f"H{n}", area, model="old") for n, area in enumerate(places)]
    assert names(group(rare)[0]) == [("model", "old", 5)]
    assert group([loss(f"H{n}", area, model="new") for n, area in enumerate(places)])[0] == []


def test_a_loss_joins_the_narrowest_open_group_if_it_fell_silent_in_its_time() -> None:
    until = NOON + timedelta(seconds=LATER_SECONDS)
    groups = [Open(1, "model", "old", until), Open(2, "area", "4401", until), Open(3, "area", EAST, until)]
    mine, others = joined([one := loss("H1", model="old", after=LATER_SECONDS)], groups)
    assert (mine, others) == ({3: [one]}, [])
    mine, others = joined([one := loss("H1", NORTH, model="old")], groups)
    assert mine == {2: [one]}
    late = loss("H1", after=LATER_SECONDS + 1)
    assert joined([late], groups) == ({}, [late]), "what falls silent later is news"
    assert joined([gateway := loss("H9", FAR, device="g")], [Open(4, "gateway", "g", until)])[0] == {4: [gateway]}


def test_a_group_is_called_by_what_explains_the_most() -> None:
    assert grouping.cause_of({"heartbeat_lost", "mains_lost"}) == "mains_lost"
    assert grouping.cause_of({"cannot_hear", "heartbeat_lost"}) == "heartbeat_lost"


def test_the_area_of_a_group_grows_with_what_joins_it() -> None:
    assert AREAS.common(village(EAST, 2) + village(WEST, 1)) == "440101"
    assert AREAS.widened(EAST, village(NORTH, 1)) == "4401"
    assert AREAS.widened("4401", village(EAST, 1)) == "4401"
    assert AREAS.widened(None, village(EAST, 1)) is None
    assert AREAS.common([loss("H1", None), *village(EAST, 1)]) is None


def test_a_gateway_whose_devices_are_all_gateways_that_are_gone_is_no_group_of_nothing() -> None:
    hubs = [loss("H1", None, device=hub, gateway="router") for hub in ("hub1", "hub2")]
    found, alone = group(hubs + [loss("H1", None, gateway=hub) for hub in ("hub1", "hub2")])
    assert (names(found), alone) == ([("gateway", "hub1", 2), ("gateway", "hub2", 2)], [])


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.builds(
            loss,
            st.one_of(st.none(), st.sampled_from([f"H{n}" for n in range(30)])),
            st.sampled_from([EAST, WEST, NORTH, "4401", None]),
            device=st.sampled_from(["g1", "g2", *(f"x{n}" for n in range(40))]),
            gateway=st.sampled_from([None, None, "g1", "g2"]),
            model=st.sampled_from([None, "old", "new"]),
        ),
        max_size=60,
    )
)
def test_nothing_is_lost_or_told_of_twice_whatever_falls_silent(losses: list[Loss]) -> None:
    found, alone = group(losses)
    told = [one.id for cluster in found for one in cluster.losses] + [one.id for one in alone]
    assert sorted(told) == sorted(one.id for one in losses)
    assert len({(cluster.by, cluster.of) for cluster in found}) == len(found), "one incident of each"
    for cluster in found:
        if cluster.by == "area":
            assert all((one.area or "").startswith(cluster.of) for one in cluster.losses)
            assert len({one.home or one.device for one in cluster.losses}) >= LEAST
        # What joins a group is what a group is made of.
        mine, others = joined(cluster.losses, [Open(1, cluster.by, cluster.of, cluster.until)])
        assert others == []
        assert mine
    shuffled, _ = group(losses[::-1])
    assert {(c.by, c.of, frozenset(c.losses)) for c in shuffled} == {(c.by, c.of, frozenset(c.losses)) for c in found}
