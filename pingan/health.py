"""`/healthz`: whether the installation works, and which part waits for what. It answers whatever else is down."""

import asyncio
import json
from pathlib import Path
from typing import Any

import psycopg
from fastapi import APIRouter
from starlette.responses import JSONResponse, Response

from pingan.clock import Clock
from pingan.database import LOST, Database

DATABASE_SECONDS = 2.0
FRESH_SECONDS = 6.0
"""A process writes its state each second. One that has not for so long does not work, whatever it said last."""


def router(database: Database, clock: Clock, data: Path | None) -> APIRouter:
    routes = APIRouter()

    @routes.get("/healthz", include_in_schema=False)
    async def healthz() -> Response:
        reason = await _database(database)
        processes = said(data, clock.monotonic()) if data else []
        well = reason is None and all(one["state"] == "ready" for one in processes)
        body = {
            "state": "ready" if well else "waiting",
            "database": {"state": "ready"} if reason is None else {"state": "waiting", "detail": reason},
            "processes": processes,
        }
        return JSONResponse(body, 200 if well else 503, {"Cache-Control": "no-store"})

    return routes


def said(data: Path, monotonic: float) -> list[dict[str, Any]]:
    """What the processes of the installation `data` say of themselves: `name`, `state` and `detail` of each.

    `monotonic`: seconds, of the clock by which they write.
    """
    return [_process(path, monotonic) for path in sorted((data / "run").glob("*.json"))]


async def _database(database: Database) -> str | None:
    """Why the database does not answer; None when it does."""
    try:
        async with asyncio.timeout(DATABASE_SECONDS), database.connection() as connection:
            await connection.execute("select 1")
    except (*LOST, psycopg.Error, TimeoutError) as error:
        # Only the kind of error: its text may hold addresses and names.
        return f"does not answer ({type(error).__name__})"
    return None


def _process(path: Path, monotonic: float) -> dict[str, Any]:
    """What a process says of itself, if it is still saying it."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        name, state, detail = str(found["name"]), str(found["state"]), str(found["detail"])
        silent = monotonic - float(found["at_monotonic"])
    except (OSError, ValueError, KeyError, TypeError):
        return {"name": path.stem, "state": "unreadable", "detail": "its state file cannot be read"}
    # Written before the machine's last start: its clock has begun anew since.
    if not -1 <= silent <= FRESH_SECONDS:
        return {"name": name, "state": "silent", "detail": f"has said nothing for {max(0, int(silent))} s"}
    return {"name": name, "state": state, "detail": detail}
