"""Errors over HTTP, as RFC 9457 problem details: what is wrong, and what to do."""

from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

MEDIA_TYPE = "application/problem+json"


class Problem(Exception):
    """Raise it anywhere in a request. `name` is the decision's or refusal's own name, the same as everywhere else."""

    def __init__(self, status: int, name: str, detail: str, **more: Any) -> None:
        super().__init__(detail)
        self.status, self.name, self.detail, self.more = status, name, detail, more

    def response(self) -> JSONResponse:
        content = {"type": f"urn:pingan:{self.name}", "title": self.name, "status": self.status, "detail": self.detail}
        return JSONResponse({**content, **self.more}, self.status, media_type=MEDIA_TYPE)


def install(app: FastAPI) -> None:
    """Make `app` answer every error of its own in this form."""

    @app.exception_handler(Problem)
    async def problem(_request: Request, error: Problem) -> JSONResponse:
        return error.response()

    @app.exception_handler(HTTPException)
    async def refused(_request: Request, error: HTTPException) -> JSONResponse:
        name = {401: "not_signed_in", 403: "not_allowed", 404: "not_found", 405: "wrong_method"}.get(
            error.status_code, "refused"
        )
        return Problem(error.status_code, name, str(error.detail)).response()

    @app.exception_handler(RequestValidationError)
    async def invalid(_request: Request, error: RequestValidationError) -> JSONResponse:
        wrong = [{"at": ".".join(map(str, one["loc"])), "why": one["msg"]} for one in error.errors()]
        detail = "; ".join(f"{one['at']}: {one['why']}" for one in wrong)
        return Problem(422, "invalid", detail, errors=wrong).response()
