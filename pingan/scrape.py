"""The one door to all metrics of one machine: the console's own, any other process's, and the list of them."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from fastapi import APIRouter, Depends, Request
from starlette.responses import JSONResponse, Response

from pingan.exposition import Exposition, Unanswered, ask, socket_path
from pingan.problem import Problem

NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")
NOT_KEPT = {"Cache-Control": "no-store"}


def router(
    exposition: Exposition, data: Path | None, public_url: str | None, reader: Callable[..., object]
) -> APIRouter:
    """The routes. `reader` is a dependency that lets through whoever may read figures."""
    routes = APIRouter(include_in_schema=False, dependencies=[Depends(reader)])

    @routes.get("/metrics")
    async def own(request: Request) -> Response:
        body, content_type = await exposition.render(request.headers.get("accept", ""))
        return Response(body, headers={"Content-Type": content_type, **NOT_KEPT})

    @routes.get("/metrics/targets")
    async def targets(request: Request) -> Response:
        """Prometheus' HTTP service discovery. A process that should be there and is not is a target that is down."""
        host = request.headers.get("host", "")
        # Whoever asks reaches the others where they reached us; a proxy before us speaks TLS, and we do not.
        public = urlsplit(public_url or "")
        secure = {"__scheme__": "https"} if public.scheme == "https" and public.netloc == host else {}
        found: list[dict[str, Any]] = [
            {"targets": [host], "labels": {"__metrics_path__": f"/metrics/{name}", "process": name, **secure}}
            for name in processes(data)
        ]
        return JSONResponse(found, headers=NOT_KEPT)

    @routes.get("/metrics/{name}")
    async def one(name: str, request: Request) -> Response:
        if data is None:
            raise Problem(404, "not_found", "no data folder is set: each process serves its own PINGAN_METRICS_PORT")
        if name not in processes(data):
            raise Problem(404, "not_found", "there is no process of that name; /metrics/targets lists them")
        try:
            body, content_type = await ask(socket_path(data, name), request.headers.get("accept", ""))
        except Unanswered as error:
            raise Problem(503, "process_away", str(error)) from error
        return Response(body, headers={"Content-Type": content_type, **NOT_KEPT})

    return routes


def processes(data: Path | None) -> list[str]:
    """Every process that has written its state, or has a socket, in this installation."""
    if data is None:
        return []
    paths = [path for suffix in ("json", "metrics") for path in (data / "run").glob(f"*.{suffix}")]
    return sorted({path.stem for path in paths if NAME.fullmatch(path.stem)} - {"supervisor"})
