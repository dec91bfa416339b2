"""Where something is, in the two systems that are in use here. PURE.

China's maps are drawn in GCJ-02, which moves a place of WGS-84 by 300 to 600 m: a home whose coordinates came from such
a map and a telephone's own fix do not meet until one is put into the other's system. The formula is the one that
eviltransform and coordtransform publish (GCJ-02 on the Krasovsky 1940 ellipsoid); ours gives the same.
"""

import math
from typing import NamedTuple

WGS_84, GCJ_02 = "WGS-84", "GCJ-02"

NEAR_METRES = 150
"""A fix so near to the home shows that somebody is there: a telephone among houses is seldom surer."""
EARTH_METRES = 6_371_008.8

AXIS = 6_378_245.0
"""Krasovsky 1940: the semi-major axis in metres, and the square of the eccentricity."""
ECCENTRICITY_2 = 0.00669342162296594323
ROUNDS = 4
"""Putting it back is done by trying: the fourth try is right to a millimetre."""


class Place(NamedTuple):
    """In degrees."""

    latitude: float
    longitude: float


def to_gcj_02(place: Place) -> Place:
    """A place of WGS-84 as China's maps have it; outside of China it is where it is."""
    if not _in_china(place):
        return place
    x, y = place.longitude - 105.0, place.latitude - 35.0
    wave = (20.0 * math.sin(6.0 * x * math.pi) + 20.0 * math.sin(2.0 * x * math.pi)) * 2.0 / 3.0
    north = -100.0 + 2.0 * x + 3.0 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * math.sqrt(abs(x)) + wave
    north += (20.0 * math.sin(y * math.pi) + 40.0 * math.sin(y / 3.0 * math.pi)) * 2.0 / 3.0
    north += (160.0 * math.sin(y / 12.0 * math.pi) + 320.0 * math.sin(y * math.pi / 30.0)) * 2.0 / 3.0
    east = 300.0 + x + 2.0 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * math.sqrt(abs(x)) + wave
    east += (20.0 * math.sin(x * math.pi) + 40.0 * math.sin(x / 3.0 * math.pi)) * 2.0 / 3.0
    east += (150.0 * math.sin(x / 12.0 * math.pi) + 300.0 * math.sin(x / 30.0 * math.pi)) * 2.0 / 3.0
    latitude = math.radians(place.latitude)
    bent = 1.0 - ECCENTRICITY_2 * math.sin(latitude) ** 2
    return Place(
        place.latitude + math.degrees(north * bent * math.sqrt(bent) / (AXIS * (1.0 - ECCENTRICITY_2))),
        place.longitude + math.degrees(east * math.sqrt(bent) / (AXIS * math.cos(latitude))),
    )


def to_wgs_84(place: Place) -> Place:
    """A place of GCJ-02 as a satellite receiver has it."""
    found = place
    for _ in range(ROUNDS):
        there = to_gcj_02(found)
        found = Place(
            found.latitude + place.latitude - there.latitude, found.longitude + place.longitude - there.longitude
        )
    return found


def metres(one: Place, other: Place) -> float:
    """How far apart, along the ground."""
    a, b = math.radians(one.latitude), math.radians(other.latitude)
    east = math.radians(other.longitude - one.longitude)
    half = math.sin((b - a) / 2) ** 2 + math.cos(a) * math.cos(b) * math.sin(east / 2) ** 2
    return 2 * EARTH_METRES * math.asin(min(1.0, math.sqrt(half)))


def near(fix: Place, home: Place, coordinates: str) -> bool:
    """Whether a telephone's fix (WGS-84) is at a home, whose place is in the system `coordinates`."""
    return metres(to_gcj_02(fix) if coordinates == GCJ_02 else fix, home) <= NEAR_METRES


def _in_china(place: Place) -> bool:
    """The rectangle that the published formula is used within."""
    return 72.004 <= place.longitude <= 137.8347 and 0.8293 <= place.latitude <= 55.8271
