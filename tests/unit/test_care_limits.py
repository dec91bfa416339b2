"""Limits of vital signs in one cell, and places between two kinds of map."""

import pytest

from care.limits import Limit, limits, parse
from care.refusal import Refusal
from ingest.places import wgs84


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("heart_rate 50–110; spo2 90–", [Limit("heart_rate", 50, 110), Limit("spo2", 90, None)]),
        ("心率 50-110；血氧:90至", [Limit("heart_rate", 50, 110), Limit("spo2", 90, None)]),
        ("收缩压 ~180\n舒张压～100", [Limit("diastolic", None, 100), Limit("systolic", None, 180)]),
        ("Body_Temperature 35.5 - 37.8", [Limit("body_temperature", 35.5, 37.8)]),
        (" ; ", []),
    ],
)
def test_limits_as_people_write_them(cell: str, expected: list[Limit]) -> None:
    assert parse(cell) == expected


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        ("heart_rate", "no_limits"),
        ("heart_rate –", "no_limits"),
        ("pulse 50–110", "no_limits"),
        ("heart_rate 50–110; 心率 –90", "no_limits"),
        ("heart_rate 110–50", "limits_reversed"),
        ("heart_rate 5–110", "out_of_range"),
        ("spo2 9.0.1–", "no_number"),
    ],
)
def test_what_is_no_limit_is_refused(cell: str, reason: str) -> None:
    with pytest.raises(Refusal) as refused:
        parse(cell)
    assert refused.value.reason == reason


def test_what_is_shown_in_chinese_reads_back() -> None:
    kept = "body_temperature 35.5–37.8; heart_rate 50–110; spo2 90–; systolic –180"
    assert limits.write(kept, "zh") == "体温 35.5–37.8；心率 50–110；血氧 90–；收缩压 –180"
    assert limits.read(limits.write(kept, "zh")) == limits.read(kept) == kept


@pytest.mark.parametrize(
    ("true", "shifted"),
    [
        ((31.1774276, 121.5272106), (31.17530398364597, 121.531541859215)),
        ((22.543847, 113.912316), (22.540796131694766, 113.9171764808363)),
        ((39.911954, 116.377817), (39.91334545536069, 116.38404722455657)),
    ],
)
def test_a_place_on_a_chinese_map_is_where_a_tracker_says(
    true: tuple[float, float], shifted: tuple[float, float]
) -> None:
    """Pairs that the published converters agree on: Shanghai, Shenzhen, Beijing."""
    assert wgs84(*shifted, "GCJ-02") == pytest.approx(true, abs=1e-8)
    assert wgs84(*true, "WGS-84") == true


def test_outside_china_maps_are_not_shifted() -> None:
    assert wgs84(51.5, -0.12, "GCJ-02") == (51.5, -0.12)
