"""What the board reads: in its order, and without a look at years of closed incidents."""

import pytest

from dispatch import views
from pingan.clock import DrivenClock
from pingan.database import Database
from tests.conftest import Until
from tests.integration.dispatch_support import room


@pytest.mark.parametrize(("opened", "index"), [(True, "incidents_due"), (False, "incidents_by_end")])
async def test_neither_the_open_nor_the_last_closed_are_searched_for_among_all(
    database: Database, opened: bool, index: str
) -> None:
    """With 200,000 closed incidents it was 150 ms for each change, on each page."""
    parameters = {"open": opened, "area": None, "limit": 50, "incident": None}
    async with database.connection() as connection:
        # A table of this size would be read through; forbidden to, the planner shows whether an index can serve.
        await connection.execute("set enable_seqscan = off")
        rows = await (await connection.execute(f"explain {views.sql.board}", parameters)).fetchall()
    plan = "\n".join(row["QUERY PLAN"] for row in rows)
    assert f" {index}" in plan, plan


async def test_what_was_closed_last_comes_first_whatever_it_was(
    database: Database, driven: DrivenClock, until: Until
) -> None:
    async with room(database, driven) as this:
        await this.press("e1")
        await this.press("e2", kind="tamper")

        async def both_opened() -> bool:
            return len(await this.incidents()) == 2

        await until(both_opened)
        close = "update incidents set state = 'closed', wake_at = null, t9 = %s where danger = %s returning id"
        await this.stop()
        await this.rows(close, driven.now(), True)
        this.pass_seconds(1)
        await this.rows(close, driven.now(), False)
        async with database.connection() as connection:
            assert [row["danger"] for row in await views.recent(connection)] == [False, True]
