"""What becomes of a message in the archive."""

from typing import Any

import pytest

from ingest.rows import TYPES, Row, row_of
from pingan.clock import from_ms
from pingan.messages import Event, HomeSettings, Reading, Tick


def reading(value: Any, **more: Any) -> Row:
    row = row_of(Reading("d", "b", 1, 1_000, 2_000, "k", value, **more))
    assert row is not None
    return row


@pytest.mark.parametrize(
    ("value", "number", "detail"),
    [
        (71, 71, None),
        (36.6, 36.6, None),
        (None, None, None),
        (True, None, True),
        ("open", None, "open"),
        ({"systolic": 140}, None, {"systolic": 140}),
    ],
)
def test_a_number_stands_in_its_column_and_anything_else_in_detail(value: Any, number: Any, detail: Any) -> None:
    row = reading(value)
    assert (row.value, row.detail) == (number, detail)


def test_both_times_of_a_corrected_reading_are_kept() -> None:
    row = reading(1, clock="corrected", device_at_ms=500)
    assert (row.at, row.received_at, row.device_at) == (from_ms(1_000), from_ms(2_000), from_ms(500))


def test_an_alarm_is_kept_as_context() -> None:
    row = row_of(Event("d", "e1", "b", 1, 1_000, 2_000, "sos", home="H", device_at_ms=1_000, battery_percent=80.0))
    assert row is not None
    assert (row.kind, row.home, row.device_at) == ("alarm:sos", "H", None)
    assert row.detail == {"id": "e1", "attempt": 1, "test": False, "battery_percent": 80.0}


def test_time_and_settings_are_no_readings() -> None:
    assert row_of(Tick(1, 1, 1)) is None
    assert row_of(HomeSettings("H", 1)) is None


def test_a_row_has_a_type_for_each_field() -> None:
    assert len(TYPES) == len(Row._fields)
