"""`/api/v1/devices/{id}/self-test` and its fellows: testing the whole way of a press."""

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path

from dispatch import self_test
from dispatch.api.incidents import ACTORS, Principal
from dispatch.self_test import NotTested
from pingan.clock import Clock
from pingan.database import Database
from pingan.problem import Problem

DeviceId = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{1,64}$")]


def router(database: Database, clock: Clock, principal: Callable[..., Principal]) -> APIRouter:
    """The routes. `principal` is a dependency that says who asks, or refuses."""
    routes = APIRouter(prefix="/api/v1", tags=["devices"])

    def actor(who: Annotated[Principal, Depends(principal)]) -> Principal:
        if who.role not in ACTORS:
            raise Problem(403, "not_allowed", f"the role {who.role} may not do this")
        return who

    Asker = Annotated[Principal, Depends(actor)]

    @routes.post("/devices/{device}/self-test", status_code=201)
    async def start(device: DeviceId, who: Asker) -> dict[str, Any]:
        """Open a window of ten minutes, and ask the device. The window, as `self-tests` lists it."""
        try:
            async with database.connection() as connection:
                return await self_test.open_window(connection, device, who.name, clock.now(), who.area)
        except NotTested as refused:
            status = 404 if refused.name == "unknown_device" else 409
            raise Problem(status, refused.name, str(refused)) from refused

    @routes.get("/devices/{device}/self-tests")
    async def tests(device: DeviceId, who: Asker) -> list[dict[str, Any]]:
        """The device's tests, the newest first."""
        async with database.connection() as connection:
            return await self_test.windows(connection, device, who.area)

    @routes.get("/tests-due")
    async def due(who: Asker) -> list[dict[str, Any]]:
        """The devices whose weekly test is overdue."""
        async with database.connection() as connection:
            return await self_test.tests_due(connection, who.area, clock.now())

    return routes
