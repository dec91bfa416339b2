"""An operator who answers and closes some incidents through the API, so that presses meet every state."""

import asyncio
import random
from collections import Counter
from typing import Any

from tests.faults.house import RealHouse

PACE_SECONDS = 1.5
LEFT_ALONE = 5
"""Homes whose incidents nobody touches: their escalation runs to its end."""


class DeskBot:
    """Acts now and then, until cancelled. What the platform refuses or cannot do is counted and passed over."""

    def __init__(self, house: RealHouse, random_: random.Random) -> None:
        self._house, self._random = house, random_
        homes = sorted(str(home["id"]) for home in house.access["homes"])
        self._touched = set(homes[LEFT_ALONE:])
        self.acts: Counter[str] = Counter()

    async def run(self) -> None:
        while True:
            await asyncio.sleep(PACE_SECONDS)
            try:
                await asyncio.to_thread(self._act)
            except OSError as error:  # urllib's refusals are OSErrors too
                self.acts[f"refused or away ({getattr(error, 'code', type(error).__name__)})"] += 1

    def _act(self) -> None:
        found = [one for one in self._house.api("/api/v1/incidents?state=open") if one["home"] in self._touched]
        if not found:
            return
        one: dict[str, Any] = self._random.choice(found)
        path = f"/api/v1/incidents/{one['id']}"
        if one["state"] == "waiting" and self._random.random() < 0.5:
            self._house.api(f"{path}/answer", {})
            self.acts["answered"] += 1
            return
        body = {"cause": "sos", "outcome": "family_attended", "as_of": one["version"], "reason": "the campaign's desk"}
        self._house.api(f"{path}/close", body)
        self.acts["closed"] += 1
