"""`/api/v1/incidents/{id}/call`, `…/call-both`: the desk's telephone rings, then the home's, and whoever goes there."""

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Depends

from dispatch import views
from dispatch.api.incidents import ACTORS, IncidentId, Principal
from dispatch.bridging import Bridging
from pingan.database import Database
from pingan.problem import Problem


def router(database: Database, bridging: Bridging, principal: Callable[..., Principal]) -> APIRouter:
    """The routes. `principal` is a dependency that says who asks, or refuses."""
    routes = APIRouter(prefix="/api/v1", tags=["incidents"])

    def actor(who: Annotated[Principal, Depends(principal)]) -> Principal:
        if who.role not in ACTORS:
            raise Problem(403, "not_allowed", f"the role {who.role} may not do this")
        return who

    Asker = Annotated[Principal, Depends(actor)]

    async def call(incident_id: int, who: Principal, *, with_helper: bool) -> dict[str, Any]:
        """Ring them, if the incident is within the asker's area; a refusal is a 409 that names its reason."""
        async with database.connection() as connection:
            if not await views.visible(connection, incident_id, who.area):
                raise Problem(404, "not_found", f"there is no incident {incident_id}")
        decision = await bridging.ask(incident_id, who.id, who.name, with_helper=with_helper)
        if decision.refused:
            raise Problem(409, decision.name, REFUSALS.get(decision.name, decision.name), who=decision.who)
        async with database.connection() as connection:
            row = await views.row(connection, incident_id, who.area)
        return {"decision": decision.name, "who": decision.who, "incident": row}

    @routes.post("/incidents/{incident_id}/call")
    async def call_home(incident_id: IncidentId, who: Asker) -> dict[str, Any]:
        """The telephone of the asker's shift rings, and once somebody has pressed 1 there, the home's."""
        return await call(incident_id, who, with_helper=False)

    @routes.post("/incidents/{incident_id}/call-both")
    async def call_both(incident_id: IncidentId, who: Asker) -> dict[str, Any]:
        """And whoever goes there, on the same line."""
        return await call(incident_id, who, with_helper=True)

    return routes


REFUSALS = {
    "already_closed": "it is closed",
    "no_home_phone": "the register has no telephone of the home or of the person",
    "no_desk_phone": "no telephone of the desk is set: begin a shift with one, or set PINGAN_DESK_PHONE",
    "already_calling": "the desk's telephone is being rung",
    "nobody_goes": "nobody goes there yet: call the home alone",
    "no_helper_phone": "the register has no telephone of whoever goes there: call the home alone",
}
"""What a refusal means and what to do. The console has its own words, in both languages, under the same names."""
