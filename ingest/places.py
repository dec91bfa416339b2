"""From the coordinates of Chinese maps (GCJ-02, some 500 m beside the truth) to those of trackers (WGS-84). PURE.

The shift is a published polynomial with sines; its constants are those that every map converter uses. It has no closed
inverse, so the place is sought whose shifted one is the given.
"""

from math import cos, pi, radians, sin, sqrt

AXIS_M = 6_378_245.0
ECCENTRICITY_SQUARED = 0.00669342162296594323
"""Of Krassowsky's ellipsoid, by which the shift is computed."""
CHINA = ((0.8293, 55.8271), (72.004, 137.8347))
"""Latitudes and longitudes within which maps are shifted."""
ROUNDS = 4
"""Each makes the error a few hundred times smaller: after four it is far below a millimetre."""


def wgs84(latitude: float, longitude: float, coordinates: str) -> tuple[float, float]:
    """Where a place given in `coordinates` is for a tracker."""
    if coordinates != "GCJ-02" or not _shifted_there(latitude, longitude):
        return latitude, longitude
    north, east = latitude, longitude
    for _ in range(ROUNDS):
        shift_north, shift_east = _shift(north, east)
        north, east = latitude - shift_north, longitude - shift_east
    return north, east


def _shifted_there(latitude: float, longitude: float) -> bool:
    (south, north), (west, east) = CHINA
    return south <= latitude <= north and west <= longitude <= east


def _shift(latitude: float, longitude: float) -> tuple[float, float]:
    """How many degrees a Chinese map puts a place to the north and to the east."""
    x, y = longitude - 105.0, latitude - 35.0
    ripple = 20 * sin(6 * x * pi) + 20 * sin(2 * x * pi)
    north_m = -100 + 2 * x + 3 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * sqrt(abs(x))
    north_m += (
        (ripple + 20 * sin(y * pi) + 40 * sin(y / 3 * pi) + 160 * sin(y / 12 * pi) + 320 * sin(y * pi / 30)) * 2 / 3
    )
    east_m = 300 + x + 2 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * sqrt(abs(x))
    east_m += (
        (ripple + 20 * sin(x * pi) + 40 * sin(x / 3 * pi) + 150 * sin(x / 12 * pi) + 300 * sin(x / 30 * pi)) * 2 / 3
    )
    curve = 1 - ECCENTRICITY_SQUARED * sin(radians(latitude)) ** 2
    meridian_m = AXIS_M * (1 - ECCENTRICITY_SQUARED) / (curve * sqrt(curve))
    return north_m / _degree_m(meridian_m), east_m / _degree_m(AXIS_M / sqrt(curve) * cos(radians(latitude)))


def _degree_m(radius_m: float) -> float:
    """Metres in a degree of a circle of that radius."""
    return radius_m * pi / 180
