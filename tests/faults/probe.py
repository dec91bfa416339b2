"""A button of the campaign's own: after each hit it is pressed once, and timed until a press works again."""

import asyncio
import time
from dataclasses import dataclass

import psycopg

from device_sim.wire.button import Button
from device_sim.wire.press import RetryPlan
from tests.faults.house import RealHouse

RETRY = RetryPlan(first_seconds=0.5, first_count=1_000_000)
LOOK_SECONDS = 0.05
TAKEN = "select 1 from alarms where device = %(device)s and evidence->>'event' = %(event)s and incident is not null"


@dataclass(frozen=True, slots=True)
class Answer:
    """One press: its event, and the monotonic seconds of its `received` and of its incident; None: it did not come."""

    event: str
    acknowledged: float | None
    taken: float | None


class Probe:
    """It has a visitor's session, so that nothing is kept for it in the broker: what it hears is said now."""

    def __init__(self, house: RealHouse, home: str) -> None:
        entry = next(one for one in house.access["devices"] if one["home"] == home and one["kind"] == "button")
        self.home, self.device = home, str(entry["id"])
        self._house = house
        self._button = Button(
            entry["id"], entry["password"], plan=RETRY, host="127.0.0.1", port=house.mqtt_port,
            client_id=f"{entry['id']}-probe", lasting=False,
        )  # fmt: skip

    async def open(self) -> None:
        self._button.open()
        async with asyncio.timeout(30):
            await self._button.connection.connected.wait()

    async def close(self) -> None:
        await self._button.close()

    async def press(self, patience_seconds: float) -> Answer:
        """Press once, and wait until it is acknowledged and on an incident."""
        press = self._button.press()
        acknowledged = taken = None
        try:
            async with asyncio.timeout(patience_seconds):
                await self._button.wait_for(press, "received")
                acknowledged = time.monotonic()
                while not await asyncio.to_thread(self._is_taken, press.event_id):  # noqa: ASYNC110 - the database's own rows
                    await asyncio.sleep(LOOK_SECONDS)
                taken = time.monotonic()
        except TimeoutError:
            pass
        return Answer(press.event_id, acknowledged, taken)

    def _is_taken(self, event: str) -> bool:
        try:
            return bool(self._house.rows(TAKEN, device=self.device, event=event))
        except psycopg.OperationalError:
            return False
