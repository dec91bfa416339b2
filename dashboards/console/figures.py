"""The figures' page: the line, the people, the machines; the same numbers for machines, and the days as a file.

Who is bound to an area sees the people's figures of that area alone: the pipe and the machines are everybody's.
"""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from care.principals import Principal
from dispatch import figures as response
from dispatch.figures import Period
from pingan import figures as pipe
from pingan.clock import Clock
from pingan.database import Database
from pingan.figures import Lagging
from pingan.problem import Problem

from .access import DESK, FIGURES, allowed, figures_reader
from .figures_chart import chart
from .language import Say, say
from .page import Pages
from .times import lasting

Reader = Annotated[Principal, Depends(figures_reader)]
Asker = Annotated[Principal, Depends(allowed(*FIGURES))]
Area = Annotated[str | None, Query(max_length=64)]
Day = Annotated[str | None, Query(max_length=10)]
Days = Annotated[str | None, Query(max_length=3)]

CHOICES = (1, 7, 30)
LONGEST_DAYS = 366
RELOADED_DAYS = 31
"""A longer period is summed when somebody asks for it, and not again each 15 seconds."""


class Unreadable(Exception):
    """A period or an area that cannot be shown. The text is the name of a phrase that says what to write instead."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What of the figures is asked for."""

    period: Period
    days: int | None
    """Today and the days before it; None: the first and the last day were given."""
    area: str | None


def router(pages: Pages, database: Database, clock: Clock, data: Path | None, logs: Sequence[Lagging]) -> APIRouter:
    routes = APIRouter()

    def asked(days: str | None, first: str | None, last: str | None, area: str | None) -> Asked:
        today = clock.now().astimezone(pages.zone).date()
        if area and not area.isprintable():  # PostgreSQL has no text with a NUL
            raise Unreadable("figures.no_area")
        if first or last:
            begin, end = _day(first or last), _day(last or first)
            end = min(end, today)
            if begin > end:
                raise Unreadable("figures.wrong_order")
            if (end - begin).days >= LONGEST_DAYS:
                raise Unreadable("figures.too_long")
            return Asked(Period(begin, end, pages.zone), None, area or None)
        if days and (not days.isascii() or not days.isdecimal() or not 1 <= int(days) <= LONGEST_DAYS):
            raise Unreadable("figures.wrong_days")
        number = int(days) if days else 1
        return Asked(Period(today - timedelta(days=number - 1), today, pages.zone), number, area or None)

    async def figures(me: Principal, what: Asked) -> dict[str, Any]:
        """All of it, as one look at the database sees it. Unreadable for an area that is not the asker's."""
        now = clock.now()
        async with database.connection() as connection, connection.transaction():
            await connection.execute("set transaction isolation level repeatable read, read only")
            place = await response.place(connection, what.area, me.area) if what.area else []
            if place is None:
                raise Unreadable("figures.no_area")
            whole = me.area is None
            found: dict[str, Any] = {
                "at": now,
                "zone": pages.zone.key,
                "first": what.period.first,
                "last": what.period.last,
                "area": what.area or me.area,
                "line": await pipe.line(connection, now) if whole else None,
                "response": await response.waiting(connection, now) if whole else None,
                "people": await response.people(connection, what.period, now, me.area, what.area),
                "machines": await pipe.machines(connection, clock, data) if whole else None,
            }
        # Not in that transaction: a log may be elsewhere, and asks in its own way.
        if found["line"] is not None:
            found["line"]["lag"] = await pipe.lag(logs)
        if me.role not in DESK:
            _without_words(found["people"]["late"])
        return {**found, "place": place}

    @routes.get("/figures", include_in_schema=False)
    async def page(
        request: Request, me: Reader, days: Days = None, first: Day = None, last: Day = None, area: Area = None
    ) -> Response:
        wrong, status = None, 200
        try:
            what = asked(days, first, last, area)
            found = await figures(me, what)
        except Unreadable as error:
            wrong, status = str(error), 422
            what = asked(None, None, None, None)
            found = await figures(me, what)
        values = {
            "asked": what, "wrong": wrong, "given": {"first": first or "", "last": last or ""}, "choices": CHOICES,
            "reloads": what.period.last == clock.now().astimezone(pages.zone).date()
            and len(what.period.days) <= RELOADED_DAYS,
            "chart": chart(found["people"]["days"]), "personal": me.role in DESK, "handful": response.HANDFUL,
            "link": lambda **new: link("/figures", what, new), "file": link("/figures/days.csv", what, {}),
            "size": lambda count: size(say(pages.reader(request).language), count),
            "percent": lambda level: percent(say(pages.reader(request).language), level), "columns": COLUMNS,
            "seconds": lambda value: seconds(say(pages.reader(request).language), value),
        }  # fmt: skip
        return pages.render(request, "figures.html", status, **found, **values)

    @routes.get("/figures/days.csv", include_in_schema=False)
    async def file(
        request: Request, me: Reader, days: Days = None, first: Day = None, last: Day = None, area: Area = None
    ) -> Response:
        try:
            what = asked(days, first, last, area)
            found = await figures(me, what)
        except Unreadable as error:
            raise Problem(422, "invalid", say("en")(str(error))) from error
        name = f"pingan-figures-{what.period.first}-{what.period.last}.csv"
        headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
        content = days_file(found["people"]["days"], say(pages.reader(request).language))
        return Response(content, media_type="text/csv; charset=utf-8", headers=headers)

    @routes.get("/api/v1/figures", tags=["figures"])
    async def for_machines(
        me: Asker, days: Days = None, first: Day = None, last: Day = None, area: Area = None
    ) -> dict[str, Any]:
        """The line, the people, the machines. `days` (1: today), or `first` and `last` (YYYY-MM-DD); durations in s."""
        try:
            found = await figures(me, asked(days, first, last, area))
        except Unreadable as error:
            raise Problem(422, "invalid", say("en")(str(error))) from error
        return {name: value for name, value in found.items() if name != "place"}

    return routes


COLUMNS = (
    "incidents", "answered_60", "answered_180", "late", "ringing", "unanswered", "sent", "arrived", "arrived_reported",
    "arrived_1800", "arrived_2700", "arrived_3600",
)  # fmt: skip
"""What is said of each day and area, in this order, on the page and in the file."""


def days_file(days: Sequence[Mapping[str, Any]], t: Say) -> bytes:
    """The days as CSV, with the mark by which Excel knows UTF-8."""
    out = io.StringIO()
    table = csv.writer(out)
    table.writerow([t("figures.day"), *(t(f"figures.column_{name}") for name in COLUMNS)])
    table.writerows([day["day"].isoformat(), *(day[name] for name in COLUMNS)] for day in days)
    return out.getvalue().encode("utf-8-sig")


def link(path: str, what: Asked, new: Mapping[str, Any]) -> str:
    """`path` for what is shown now, but for what is `new`: days, or area (None: all that the reader may see)."""
    if "days" in new:
        values = {"days": str(new["days"])}
    elif what.days is not None:
        values = {"days": str(what.days)}
    else:
        values = {"first": what.period.first.isoformat(), "last": what.period.last.isoformat()}
    area = new.get("area", what.area)
    if area:
        values["area"] = area
    return f"{path}?{urlencode(values)}"


def seconds(t: Say, value: float | None) -> str:
    """0.02 s · 4.2 s · 48 s · 2 min 5 s: exact where it is short."""
    if value is None:
        return t("figures.absent")
    if value < 10:
        return t("script.seconds", s=f"{value:.2f}" if value < 1 else f"{value:.1f}")
    return lasting(t, value)


def percent(t: Say, level: Mapping[str, Any]) -> str:
    """To a tenth and never upwards: 98.46 is not yet 98.5."""
    tenths = level["within"] * 1000 // level["of"]
    return t("figures.percent", n=f"{tenths // 10}.{tenths % 10}")


def size(t: Say, count: int) -> str:
    """Bytes as people read them."""
    for unit, power in (("gib", 30), ("mib", 20), ("kib", 10)):
        if count >= 1 << power:
            return t(f"figures.{unit}", n=f"{count / (1 << power):.1f}")
    return t("figures.bytes", n=count)


def _day(text: str | None) -> date:
    try:
        day = date.fromisoformat(text or "")
    except ValueError:
        raise Unreadable("figures.wrong_day") from None
    if not 2000 <= day.year <= 9000:
        raise Unreadable("figures.wrong_day")
    return day


def _without_words(late: list[dict[str, Any]]) -> None:
    """What was written about a person stays at the desk; that it was written does not."""
    for row in late:
        row["reason"] = None
