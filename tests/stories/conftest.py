"""For the stories: the real web process, a real PostgreSQL, a real browser. A story fails on any error of a page."""

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from playwright.async_api import Browser, async_playwright, expect

from pingan.database import Database
from tests.integration.phone_support import rooms
from tests.stories.phones import DESK, Telephones, telephones_of
from tests.stories.support import ARGUMENTS, CHROMIUM, House, Seat, Web, seat

Sit = Callable[..., Awaitable[Seat]]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "tests/stories" in item.nodeid and not os.path.exists(CHROMIUM):
            item.add_marker(pytest.mark.skip(reason="Chromium is not installed: apt-get install chromium"))


@pytest.fixture(scope="session")
async def browser() -> AsyncIterator[Browser]:
    expect.set_options(timeout=60_000)  # a loaded machine is slow, not wrong; what is promised is measured apart
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=[*ARGUMENTS])
        yield browser
        await browser.close()


@asynccontextmanager
async def furnished(database: Database, web: Web) -> AsyncIterator[House]:
    """A house with people, homes and accounts, whose web process answers. In the end that has logged no error."""
    house = House(database, web)
    try:
        await house.furnish()
        await web.ready()
        yield house
    finally:
        await web.stop()
    assert " ERROR " not in web.log(), web.log()


@pytest.fixture
async def house(postgres_url: str, database: Database, tmp_path: Path) -> AsyncIterator[House]:
    async with furnished(database, Web(postgres_url, tmp_path)) as one:
        yield one


@pytest.fixture(scope="module")
async def shown(shared_url: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    """A house for those tests of a file that only look, or change what no other one of them looks at."""
    database = Database(shared_url, application="test")
    await database.open()
    try:
        async with furnished(database, Web(shared_url, tmp_path_factory.mktemp("shown"))) as house:
            yield house
    finally:
        await database.close()


@pytest.fixture
async def sit(browser: Browser, house: House) -> AsyncIterator[Sit]:
    """`await sit()`: somebody sits down at the desk, signed in, with the board before them."""
    seats: list[Seat] = []

    async def sit_down(account: str | None = "operator", **how: object) -> Seat:
        one = await seat(browser, house.web, **how)  # type: ignore[arg-type]
        seats.append(one)
        if account:
            await one.sign_in(account)
        return one

    yield sit_down
    for one in seats:
        await one.context.close()
        one.check()


@pytest.fixture(scope="module")
async def telephones(shared_url: str) -> AsyncIterator[Telephones]:
    """Telephones for all stories of a file, each of which is told of homes of its own."""
    async for this in rooms(shared_url, desk_phone=DESK):
        async with telephones_of(this, shared_url) as every:
            yield every
