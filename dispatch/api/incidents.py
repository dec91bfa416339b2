"""`/api/v1/incidents`: what machines and the console may see and do. Every act goes through the desk."""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any, Protocol

from fastapi import APIRouter, Depends, Query
from fastapi.responses import StreamingResponse
from pydantic import AfterValidator, AwareDatetime, BaseModel, Field

from dispatch import incident as core
from dispatch import views
from dispatch.api.stream import Stream
from dispatch.desk import Desk, UnknownHome
from pingan.clock import Clock
from pingan.database import Database
from pingan.problem import Problem


class Principal(Protocol):
    """Whoever asks: the web process says who it is."""

    @property
    def id(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def role(self) -> str: ...
    @property
    def area(self) -> str | None: ...


READERS = frozenset({"operator", "supervisor", "administrator"})
ACTORS = READERS
INCIDENT_MAX = 2**63 - 1


def _no_nul(text: str) -> str:
    if "\0" in text:
        raise ValueError("a NUL character is no text")
    return text


Line = Annotated[str, Field(max_length=200), AfterValidator(_no_nul)]
Text = Annotated[str, Field(max_length=4_000), AfterValidator(_no_nul)]
IncidentId = Annotated[int, Field(ge=1, le=INCIDENT_MAX)]


class Who(BaseModel):
    """Somebody by the register's id, or by a name alone."""

    id: Line = ""
    name: Line
    role: Line = ""


class Act(BaseModel):
    as_of: int | None = None
    """The version that the page showed. Only closing needs it: a press that came since must be seen first."""


class AssignAct(Act):
    person: Line


class AcceptAct(Act):
    helper: Who


class MovingAct(Act):
    helper: Who | None = None
    eta: AwareDatetime | None = None


class OnSceneAct(Act):
    helper: Who | None = None


class NoteAct(Act):
    text: Annotated[Text, Field(min_length=1)]


class CloseAct(BaseModel):
    cause: Line
    outcome: Line
    as_of: int
    reason: Text = ""
    positive: Line = ""
    """What is known all the same, where nobody was reached: one of the list that a refusal names."""


class IdentifyAct(Act):
    home: Line


class OpenAct(BaseModel):
    home: Line
    cause: Line = "sos"


def router(
    database: Database, clock: Clock, desk: Desk, stream: Stream, principal: Callable[..., Principal]
) -> APIRouter:
    """The API. `principal` is a dependency that says who asks, or refuses."""
    routes = APIRouter(prefix="/api/v1", tags=["incidents"])

    def actor(who: Annotated[Principal, Depends(principal)]) -> Principal:
        if who.role not in ACTORS:
            raise Problem(403, "not_allowed", f"the role {who.role} may not do this")
        return who

    Asker = Annotated[Principal, Depends(actor)]

    async def act(incident_id: int, event: core.Event, who: Principal) -> dict[str, Any]:
        """Let it happen, if the incident is within the asker's area; a refusal is a 409 that names its reason."""
        await seen(incident_id, who)
        return await told(incident_id, await desk.act(incident_id, event), who)

    async def seen(incident_id: int, who: Principal) -> None:
        async with database.connection() as connection:
            if not await views.visible(connection, incident_id, who.area):
                raise Problem(404, "not_found", f"there is no incident {incident_id}")

    async def told(incident_id: int, decision: core.Decision, who: Principal) -> dict[str, Any]:
        async with database.connection() as connection:
            row = await views.row(connection, incident_id, who.area)
        if decision.refused:
            raise Problem(409, decision.name, REFUSALS.get(decision.name, decision.name), who=decision.who)
        return {"decision": decision.name, "who": decision.who, "incident": row}

    @routes.get("/incidents")
    async def incidents(
        who: Asker, state: Annotated[str, Query(pattern="^(open|closed)$")] = "open"
    ) -> list[dict[str, Any]]:
        async with database.connection() as connection:
            return await (views.board if state == "open" else views.recent)(connection, who.area)

    @routes.get("/incidents/{incident_id}")
    async def incident(incident_id: IncidentId, who: Asker) -> dict[str, Any]:
        async with database.connection() as connection:
            found = await views.incident(connection, incident_id, clock.now(), who.area, desk.zone.key)
        if found is None:
            raise Problem(404, "not_found", f"there is no incident {incident_id}")
        return found

    @routes.post("/incidents", status_code=201)
    async def open_one(body: OpenAct, who: Asker) -> dict[str, Any]:
        if body.cause not in core.CAUSES:
            raise Problem(422, "unknown_cause", f"the cause is one of {', '.join(core.CAUSES)}")
        try:
            opened = await desk.open(body.home, body.cause, who.id, who.name, who.area)
        except UnknownHome as error:
            raise Problem(404, "unknown_home", f"the register has no home {body.home}") from error
        return {"id": opened}

    @routes.post("/incidents/{incident_id}/answer")
    async def answer(incident_id: IncidentId, who: Asker, body: Act | None = None) -> dict[str, Any]:
        return await act(incident_id, core.Answer(who.id, who.name), who)

    @routes.post("/incidents/{incident_id}/contact")
    async def contact(incident_id: IncidentId, who: Asker, body: Act | None = None) -> dict[str, Any]:
        return await act(incident_id, core.Contact(who.id, who.name), who)

    @routes.post("/incidents/{incident_id}/no-contact")
    async def no_contact(incident_id: IncidentId, who: Asker, body: Act | None = None) -> dict[str, Any]:
        return await act(incident_id, core.NoContact(who.id, who.name), who)

    @routes.post("/incidents/{incident_id}/assign")
    async def assign(incident_id: IncidentId, body: AssignAct, who: Asker) -> dict[str, Any]:
        return await act(incident_id, core.Assign(who.id, who.name, body.person), who)

    @routes.post("/incidents/{incident_id}/accept")
    async def accept(incident_id: IncidentId, body: AcceptAct, who: Asker) -> dict[str, Any]:
        return await act(incident_id, core.Accept(_required(body.helper)), who)

    @routes.post("/incidents/{incident_id}/moving")
    async def moving(incident_id: IncidentId, who: Asker, body: MovingAct | None = None) -> dict[str, Any]:
        body = body or MovingAct()
        return await act(incident_id, core.Moving(_helper(body.helper, body.eta), reported_by=who.name), who)

    @routes.post("/incidents/{incident_id}/on-scene")
    async def on_scene(incident_id: IncidentId, who: Asker, body: OnSceneAct | None = None) -> dict[str, Any]:
        helper = _helper(body.helper if body else None)
        return await act(incident_id, core.OnScene(helper, reported_by=who.name), who)

    @routes.post("/incidents/{incident_id}/safe")
    async def safe(incident_id: IncidentId, who: Asker, body: Act | None = None) -> dict[str, Any]:
        return await act(incident_id, core.Safe(who.name), who)

    @routes.post("/incidents/{incident_id}/close")
    async def close(incident_id: IncidentId, body: CloseAct, who: Asker) -> dict[str, Any]:
        event = core.Close(who.id, who.name, body.cause, body.outcome, body.as_of, body.reason, body.positive)
        return await act(incident_id, event, who)

    @routes.post("/incidents/{incident_id}/note")
    async def note(incident_id: IncidentId, body: NoteAct, who: Asker) -> dict[str, Any]:
        return await act(incident_id, core.Note(who.name, body.text), who)

    @routes.post("/incidents/{incident_id}/identify")
    async def identify(incident_id: IncidentId, body: IdentifyAct, who: Asker) -> dict[str, Any]:
        """Whose home it is: of an incident that came from a caller or a device without one."""
        await seen(incident_id, who)
        try:
            decision = await desk.identify(incident_id, body.home, who.id, who.name, who.area)
        except UnknownHome as error:
            raise Problem(404, "unknown_home", f"the register has no home {body.home}") from error
        return await told(incident_id, decision, who)

    @routes.get("/stream")
    async def changes(who: Asker) -> StreamingResponse:
        return StreamingResponse(
            stream.read(who.area),
            media_type="text/event-stream",
            headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
        )

    return routes


def _required(who: Who) -> core.Helper:
    return core.Helper(who.id or who.name, who.name, who.role)


def _helper(who: Who | None, eta: datetime | None = None) -> core.Helper | None:
    return core.Helper(who.id or who.name, who.name, who.role, eta) if who else None


REFUSALS = {
    "already_answered": "another operator has answered it",
    "already_yours": "you have it already",
    "already_closed": "it is closed",
    "already_on_scene": "somebody is on scene already",
    "already_safe": "it is safe already",
    "pressed_again": "the button was pressed again since: look at the incident, then close it",
    "not_a_call": "it is no call for help: it needs no home",
    "already_named": "it is named already",
    "home_known": "its own device or telephone says which home it is",
    "home_has_incident": "this home has another open: close one of the two as a duplicate",
    "unknown_person": "nobody of that id can be asked for this home",
    "unknown_cause": f"the cause is one of {', '.join(core.CAUSES)}",
    "unknown_outcome": f"the outcome is one of {', '.join(core.OUTCOMES)}",
    "unknown_reason": f"positive is one of {', '.join(core.POSITIVE)}",
    "no_contact_needs_reason": f"nobody was reached: say what is known: positive is one of {', '.join(core.POSITIVE)}",
    "late_answer_needs_reason": "it was answered after 180 s: closing needs a written reason",
}
"""What a refusal means and what to do. The console has its own words, in both languages, under the same names."""
