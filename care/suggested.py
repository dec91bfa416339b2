"""What somebody has accepted of what closures suggest, set in the register as by hand."""

from dataclasses import replace
from datetime import datetime
from typing import Any, Protocol

from care import device_config, register, registrar
from care.changes import Refused
from care.device_config import Wanted
from care.records import HOMES
from care.refusal import Refusal
from pingan.database import Connection
from pingan.problem import Problem


class Accepted(Protocol):
    """A setting of a device, or of a home, by the name that it has in the register."""

    @property
    def rule(self) -> str: ...
    @property
    def home(self) -> str: ...
    @property
    def device(self) -> str | None: ...
    @property
    def proposed(self) -> float: ...


async def apply(connection: Connection, accepted: Accepted, now: datetime, scope: str | None, *, by: str) -> None:
    """Set it. Problem: it cannot be."""
    try:
        await _set(connection, accepted, now, scope, by)
    except (Refusal, Refused) as refused:
        raise Problem(409, "cannot_be_set", str(refused)) from refused


async def _set(connection: Connection, accepted: Accepted, now: datetime, scope: str | None, by: str) -> None:
    if accepted.device is not None:
        config = await device_config.read(connection, accepted.device, scope)
        if config is None:
            raise Refusal("unknown_devices", id=accepted.device)
        wanted = Wanted(config.heartbeat_seconds, config.volume, config.reminder, config.hold_seconds)
        settings: dict[str, Any] = {accepted.rule: int(accepted.proposed)}
        await device_config.change(connection, accepted.device, replace(wanted, **settings), now, scope)
        return
    home: Any = await register.one(connection, HOMES, accepted.home, scope)
    if home is None:
        raise Refusal("unknown_homes", id=accepted.home)
    await registrar.save(connection, replace(home, **{accepted.rule: accepted.proposed}), now, scope, by=by)
