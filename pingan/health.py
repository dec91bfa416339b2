"""`/healthz`: whether the installation works, and which part waits for what. It answers whatever else is down."""

import asyncio
from pathlib import Path

import psycopg
from fastapi import APIRouter
from starlette.responses import JSONResponse, Response

from pingan.clock import Clock
from pingan.database import LOST, Database
from pingan.said import said as said

DATABASE_SECONDS = 2.0


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


async def _database(database: Database) -> str | None:
    """Why the database does not answer; None when it does."""
    try:
        async with asyncio.timeout(DATABASE_SECONDS), database.connection() as connection:
            await connection.execute("select 1")
    except (*LOST, psycopg.Error, TimeoutError) as error:
        # Only the kind of error: its text may hold addresses and names.
        return f"does not answer ({type(error).__name__})"
    return None
