"""Somebody at the desk, as the platform's API sees one: answers what is open, speaks with the home, closes it.

A replay of two weeks would otherwise be two weeks of calls to helpers: nobody would ever close what the silences open.
"""

from collections import Counter
from typing import Any

from device_sim.client import Refused, SimulatorClient

CAUSES = {"sos", "fall", "inactivity", "smoke", "gas", "water", "co", "vitals", "wandering"}
"""Causes under which an incident may be closed as what it was opened for; any other is technical."""


class Operator:
    """Works with the access file's bearer token. `closed` counts incidents by what they were opened for."""

    def __init__(self, console: str, token: str) -> None:
        self.console = console
        self.closed: Counter[str] = Counter()
        self._platform = SimulatorClient(console, token)

    def attend(self) -> None:
        """Answer and close whatever is open now. What is refused, somebody else has done, or the next look will see."""
        for incident in self._platform.get("/api/v1/incidents"):
            try:
                self._settle(incident)
            except Refused:
                continue
            self.closed[incident["cause"]] += 1

    def _settle(self, incident: dict[str, Any]) -> None:
        path = f"/api/v1/incidents/{incident['id']}"
        if incident["operator"] is None or incident["ringing"]:
            self._platform.post(f"{path}/answer")
        spoken = self._platform.post(f"{path}/contact")
        self._platform.post(
            f"{path}/close",
            cause=incident["cause"] if incident["cause"] in CAUSES else "technical",
            outcome="resolved_by_voice",
            as_of=spoken["incident"]["version"],
            reason="replayed recording",
        )
