"""`/api/v1/devices/{id}/config`: what a device is told to go by. Reading is for the desk, changing for supervisors."""

from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Path

from care import device_config
from care.device_config import DeviceConfig, Wanted
from care.principals import READERS, WRITERS, Asker
from care.refusal import Refusal
from care.words import explain
from pingan.clock import Clock
from pingan.database import Database
from pingan.problem import Problem

Id = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
Language = Annotated[str, Header(alias="accept-language", include_in_schema=False)]


def router(database: Database, clock: Clock, principal: Callable[..., Asker]) -> APIRouter:
    """The routes. `principal` is a dependency that says who asks, or refuses."""

    def reader(who: Annotated[Asker, Depends(principal)]) -> Asker:
        if who.role not in READERS:
            raise Problem(403, "not_allowed", f"the role {who.role} may not read the register")
        return who

    def writer(who: Annotated[Asker, Depends(principal)]) -> Asker:
        if who.role not in WRITERS:
            raise Problem(403, "not_allowed", f"the role {who.role} may not change the register")
        return who

    Reader = Annotated[Asker, Depends(reader)]
    Writer = Annotated[Asker, Depends(writer)]
    routes = APIRouter(prefix="/api/v1", tags=["devices"])

    @routes.get("/devices/{device}/config")
    async def read(device: Id, who: Reader, language: Language = "zh") -> DeviceConfig:
        try:
            async with database.connection() as connection:
                found = await device_config.read(connection, device, who.area)
        except Refusal as refusal:
            raise _problem(refusal, language) from refusal
        return _found(found, device)

    @routes.put("/devices/{device}/config")
    async def change(device: Id, body: Wanted, who: Writer, language: Language = "zh") -> DeviceConfig:
        """The whole of it: what is left out (the reminder) is off."""
        try:
            async with database.connection() as connection:
                found = await device_config.change(connection, device, body, clock.now(), who.area)
        except Refusal as refusal:
            raise _problem(refusal, language) from refusal
        return _found(found, device)

    return routes


def _found(config: DeviceConfig | None, device: str) -> DeviceConfig:
    if config is None:
        raise Problem(404, "not_found", f"there is no device {device}")
    return config


def _problem(refusal: Refusal, language: str) -> Problem:
    text = explain(refusal, "zh" if language.lower().startswith("zh") else "en")
    return Problem(409 if refusal.reason.startswith("config_") else 422, refusal.reason, text)
