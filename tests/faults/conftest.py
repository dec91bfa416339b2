"""One real platform for all tests of this folder that leave it well."""

from collections.abc import Iterator

import pytest

from tests.faults.house import RealHouse


@pytest.fixture(scope="session")
def house() -> Iterator[RealHouse]:
    house = RealHouse()
    try:
        house.rise()
        yield house
    finally:
        house.fall(keep=False)
