"""The code on a home's wall: drawn by whoever keeps the register, printed, and put up inside.

Whoever enters it at their own page has been inside. It opens nothing and names nobody; its QR code leads to the page
that the telephone was sent, with the code filled in.
"""

import io
from typing import Annotated

import segno
from fastapi import APIRouter, Depends, Path, Request
from markupsafe import Markup
from starlette.responses import RedirectResponse, Response

from care.principals import Principal
from dispatch import helping
from dispatch.links import Links
from pingan.clock import Clock
from pingan.database import Database
from pingan.problem import Problem

from .access import writer
from .language import say
from .page import Pages

Writer = Annotated[Principal, Depends(writer)]
Id = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{1,64}$")]

QUIET_MODULES = 4
"""White around the code, as its standard asks for."""


def router(pages: Pages, database: Database, clock: Clock, links: Links) -> APIRouter:
    routes = APIRouter(prefix="/register/homes", include_in_schema=False)

    @routes.get("/{home}/code")
    async def sticker(request: Request, me: Writer, home: Id) -> Response:
        """To be printed. Operators do not see it: an arrival that the desk could show by itself shows nothing."""
        async with database.connection() as connection:
            found = await helping.code_of(connection, home, me.area)
        if found is None:
            raise Problem(404, "not_found", f"there is no home {home}")
        words = {language: say(language)("code.sticker") for language in ("zh", "en")}
        drawn = qr(links.for_code(found["code"])) if found["code"] else None
        return pages.render(request, "home_code.html", found=found, drawn=drawn, sticker=words)

    @routes.post("/{home}/code")
    async def draw(me: Writer, home: Id) -> Response:
        async with database.transaction() as connection:
            if await helping.code_of(connection, home, me.area) is None:
                raise Problem(404, "not_found", f"there is no home {home}")
            await helping.new_code(connection, home, me.id, clock.now())
        return RedirectResponse(f"/register/homes/{home}/code", 303)

    return routes


def qr(text: str) -> Markup:
    """A QR code that may lose a quarter of itself: it hangs in kitchens."""
    drawn = io.BytesIO()
    code = segno.make_qr(text, error="q", boost_error=False)
    code.save(drawn, kind="svg", border=QUIET_MODULES, xmldecl=False, svgns=True, unit=None, omitsize=True)
    return Markup(drawn.getvalue().decode())  # noqa: S704 (drawn here, of modules: it holds no text)
