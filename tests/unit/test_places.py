"""WGS-84 and GCJ-02, and whether a telephone is at a home."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatch.places import GCJ_02, NEAR_METRES, WGS_84, Place, metres, near, to_gcj_02, to_wgs_84

IN_CHINA = st.builds(Place, st.floats(18.2, 53.5), st.floats(73.6, 134.7))
JIANGMEN = Place(22.5789, 113.0815)


@pytest.mark.parametrize(
    ("wgs", "gcj"),
    [
        # The three places of eviltransform's own tests (github.com/googollee/eviltransform).
        (Place(31.1774276, 121.5272106), Place(31.17530398364597, 121.531541859215)),
        (Place(22.543847, 113.912316), Place(22.540796131694766, 113.9171764808363)),
        (Place(39.911954, 116.377817), Place(39.91334545536069, 116.38404722455657)),
    ],
)
def test_a_place_on_chinas_maps(wgs: Place, gcj: Place) -> None:
    assert metres(to_gcj_02(wgs), gcj) < 0.5
    assert metres(to_wgs_84(gcj), wgs) < 0.5


@given(IN_CHINA)
def test_there_and_back_is_where_it_was(place: Place) -> None:
    assert metres(to_wgs_84(to_gcj_02(place)), place) < 0.5
    assert 40 < metres(to_gcj_02(place), place) < 1_000


def test_outside_of_china_a_place_is_where_it_is() -> None:
    assert to_gcj_02(Place(51.5007, -0.1246)) == Place(51.5007, -0.1246)
    assert to_wgs_84(Place(51.5007, -0.1246)) == Place(51.5007, -0.1246)


def test_a_fix_is_compared_in_the_homes_own_system() -> None:
    assert near(JIANGMEN, JIANGMEN, WGS_84)
    assert near(JIANGMEN, to_gcj_02(JIANGMEN), GCJ_02)
    assert not near(JIANGMEN, JIANGMEN, GCJ_02), "some 500 m off: the systems were confused"
    assert not near(JIANGMEN, to_gcj_02(JIANGMEN), WGS_84)


@pytest.mark.parametrize(("north", "there"), [(NEAR_METRES - 2, True), (NEAR_METRES + 2, False)])
def test_near_ends_at_a_hundred_and_fifty_metres(north: float, there: bool) -> None:
    fix = Place(JIANGMEN.latitude + north / 111_195, JIANGMEN.longitude)
    assert near(fix, JIANGMEN, WGS_84) is there
