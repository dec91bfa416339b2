"""One real platform for all tests of this folder that leave it well; it ends with the last of them."""

from collections.abc import Iterator

import pytest

from tests.faults.house import RealHouse


@pytest.fixture(scope="package")
def house() -> Iterator[RealHouse]:
    house = RealHouse()
    try:
        house.rise()
        yield house
    finally:
        house.fall(keep=False)
