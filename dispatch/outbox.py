"""The outbox: the only part that sends.

"About to send" is recorded first, then it is sent, then the outcome is recorded. An attempt whose outcome nobody
recorded is looked up by address and time; if the provider knows nothing of it, a danger is sent again as a declared
repeat, and anything else is left and said to be unclear. What is late against its own deadline is abandoned before
the request, also by a process that slept between the record and the request.
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Protocol
from uuid import uuid4

from dispatch import measuring
from dispatch.channels import SEND_SECONDS, Channel, Refused, Send, TryAgain, Unclear
from dispatch.following import BRIDGE, CHANGE, HELP, Row, next_telephone
from dispatch.incident import DESK, HOME, PUT_BACK_SECONDS, Decision, Event, Unreached
from dispatch.sends import FINAL, Outcome, Sends, Wrong, sql
from pingan import metrics
from pingan.clock import Clock
from pingan.database import LOST, Bell
from pingan.tasks import end

__all__ = ["FINAL", "Outbox", "sql"]

log = logging.getLogger(__name__)

AT_ONCE = 8
"""Requests under way at a time, per process and channel: a provider that hangs holds up its own channel alone."""

UNCLEAR_SECONDS = 5.0
"""A danger waits this long for clarity before it is sent again."""

BEGIN_SECONDS = 4.0
"""An attempt that has not begun by then is left to the recovery: its process slept, and another may look it up."""

LONG_SECONDS = SEND_SECONDS + BEGIN_SECONDS
"""An attempt older than this is nobody's any more, whoever began it."""

NAP_SECONDS = 0.5


class Desk(Protocol):
    """Who is told that somebody was not reached."""

    async def act(self, incident_id: int, event: Event, *, send: Sequence[Row] = ()) -> Decision: ...


class Outbox:
    """One process's share of the sending."""

    def __init__(
        self,
        sends: Sends,
        clock: Clock,
        desk: Desk,
        channels: Mapping[str, Channel],
        name: str,
        rates: Mapping[str, float] | None = None,
    ) -> None:
        """`rates`: of channels that take only so many a second, how many."""
        self._sends = sends
        self._clock = clock
        self._desk = desk
        self._channels = channels
        self._rates = rates or {}
        self._name = name
        self._worker = f"{name}#{uuid4().hex[:12]}"
        self._under_way: dict[str, set[asyncio.Task[None]]] = {channel: set() for channel in channels}
        self._unclear: dict[int, dict[str, Any]] = {}
        """Attempts of our own that got no clear answer."""
        self._bell: Bell | None = None
        # Of two attempts at one number, both would otherwise find the first one's call.
        self._one_conclusion = asyncio.Lock()

    async def run(self, bell: Bell) -> None:
        """Send what is due until cancelled; what is under way then gets its time to be recorded."""
        self._bell = bell
        # Beside, not between: looking up at a provider that hangs must not hold up what is due now.
        recovering = asyncio.create_task(self._keep_recovering())
        try:
            while not recovering.done():
                try:
                    while await self.send_due():
                        pass
                except LOST as error:
                    log.debug("the outbox waits for the database: %s", error)
                await bell.wait(NAP_SECONDS)
            recovering.result()
        finally:
            await end([recovering])
            if left := [task for tasks in self._under_way.values() for task in tasks]:
                await asyncio.wait(left, timeout=SEND_SECONDS)

    async def _keep_recovering(self) -> None:
        while True:
            try:
                await self.recover()
            except LOST as error:
                log.debug("the outbox cannot look what is unclear: %s", error)
            await asyncio.sleep(NAP_SECONDS)

    async def send_due(self) -> bool:
        """Begin what is due now, as far as each channel has room; whether there was any."""
        began = [await self._begin(channel) for channel in self._under_way]
        return any(began)

    async def _begin(self, channel: str) -> bool:
        under_way = self._under_way[channel]
        room = AT_ONCE - len(under_way)
        if room <= 0:
            return False
        rows = await self._sends.claim(channel, self._clock.now(), self._worker, room, self._rates.get(channel))
        for row in rows:
            late = row["dialled_at"] - row["due_at"]
            metrics.show(metrics.SEND_LATE_SECONDS).labels(channel).observe(late.total_seconds())
            task = asyncio.create_task(self._attempt(row))
            under_way.add(task)
            task.add_done_callback(under_way.discard)
            if len(under_way) == AT_ONCE:  # whoever ends makes room for whoever waits
                for other in under_way:
                    other.add_done_callback(self._made_room)
        return bool(rows)

    def _made_room(self, _task: asyncio.Task[None]) -> None:
        if self._bell is not None:
            self._bell.ring()

    async def _attempt(self, row: dict[str, Any]) -> None:
        send = _send(row)
        try:
            now = self._clock.now()
            if now >= send.deadline_at:
                await self._end(row, "abandoned", f"late: due by {send.deadline_at:%H:%M:%S}")
                return
            if now - send.dialled_at > timedelta(seconds=BEGIN_SECONDS):
                log.warning("send %s (%s) woke too late to begin", send.id, row["channel"])
                return
            try:
                async with asyncio.timeout(SEND_SECONDS):
                    provider_id = await self._channels[row["channel"]].send(send)
            except Refused as refused:
                await self._end(row, "failed", str(refused), _wrong(row, refused))
            except TryAgain as later:
                await self._again(row, str(later), now + timedelta(seconds=later.after(row["tries"])))
            except (Unclear, TimeoutError) as unclear:
                # The record still says "dialling": the recovery looks it up, as soon as a danger may be sent again.
                self._unclear[row["id"]] = row
                log.warning("send %s (%s): unclear: %s", send.id, row["channel"], unclear or type(unclear).__name__)
            else:
                state = "sent" if provider_id else "delivered"
                await self._settle(row, state, provider_id=provider_id)
        except LOST as error:
            log.warning("send %s: its outcome could not be recorded: %s", send.id, error)
        except Exception:
            log.exception("send %s failed in a way that nobody thought of", send.id)

    async def _again(self, row: dict[str, Any], why: str, at: datetime) -> None:
        if at >= row["deadline_at"]:
            await self._end(row, "failed", why)
        elif (state := await self._sends.again(row["id"], why, at, self._clock.now())) in FINAL:
            measuring.ended(row["channel"], state)

    async def _end(self, row: dict[str, Any], state: str, why: str, wrong: Wrong | None = None) -> None:
        """It is over and nobody was reached: the incident's journal says so."""
        await self._settle(row, state, result=why, wrong=wrong)
        if row["purpose"] in (HELP, CHANGE, BRIDGE):
            missed = Unreached(row["recipient"], f"{row['channel']}: {why}")
            await self._desk.act(row["incident"], missed, send=next_telephone(row, self._clock.now()))

    async def _settle(
        self,
        row: dict[str, Any],
        state: str,
        *,
        provider_id: str | None = None,
        result: str | None = None,
        wrong: Wrong | None = None,
    ) -> None:
        finished_at = self._clock.now() if state in FINAL else None
        outcome = Outcome(state, result, provider_id, finished_at=finished_at, wrong=wrong)
        settled = await self._sends.settle(row["id"], outcome)
        if settled and state in FINAL:
            measuring.ended(row["channel"], state)

    async def recover(self) -> None:
        """Look up attempts that nobody finished. One that cannot be cleared up holds up no other."""
        now = self._clock.now()
        before, long_before = now - timedelta(seconds=UNCLEAR_SECONDS), now - timedelta(seconds=LONG_SECONDS)
        ahead = now + timedelta(seconds=PUT_BACK_SECONDS)
        mine = [row for row in self._unclear.values() if row["dialled_at"] <= before]
        for row in mine:  # what cannot be looked up now is found among the others later
            del self._unclear[row["id"]]
        others = await self._sends.unclear(before, long_before, ahead, self._name, self._worker)
        rows = {row["id"]: row for row in (*mine, *others)}
        await asyncio.gather(*map(self._clear_up, rows.values()))

    async def _clear_up(self, row: dict[str, Any]) -> None:
        channel = self._channels.get(row["channel"])
        if channel is None:
            return
        try:
            # News is never repeated; and looked up by number and time it could be told from no call for help.
            known = channel.repeatable or row["purpose"] != HELP
            candidates = () if known else await self._look_up(channel, row)
            if candidates is not None:
                await self._conclude(row, candidates, sent_again=channel.repeatable)
        except LOST as error:
            log.debug("send %s: what became of it could not be recorded: %s", row["id"], error)
        except Exception:
            log.exception("send %s cannot be cleared up; it is tried again", row["id"])

    async def _look_up(self, channel: Channel, row: dict[str, Any]) -> Sequence[str] | None:
        """The provider's ids of what may be this send; None: ask again later."""
        try:
            async with asyncio.timeout(SEND_SECONDS):
                return await channel.find(_send(row))
        except (Refused, TryAgain, Unclear, TimeoutError) as error:
            log.warning("send %s cannot be looked up yet: %s", row["id"], error or type(error).__name__)
            return None if self._clock.now() < row["deadline_at"] else ()

    async def _conclude(self, row: dict[str, Any], candidates: Sequence[str], *, sent_again: bool) -> None:
        now = self._clock.now()
        # Nothing was locked while the provider was asked: a key that is pressed must not wait for a lookup that hangs.
        async with self._one_conclusion, self._sends.conclude(row["id"], row["dialled_at"]) as case:
            if case is None:
                return
            if sent_again:
                await case.settle(Outcome("waiting", "sent_again", due_at=now))
                return
            # Neighbours share a volunteer: a call to the same number may be another incident's, and that one is known.
            if found := await case.unknown(candidates):
                await case.settle(Outcome("sent", "found_by_lookup", found))
                return
            # Whoever has answered meanwhile has ended the calling: then nobody is called for it once more.
            again = case.danger and case.asking and row["purpose"] == HELP and now < row["deadline_at"]
            if again:
                await case.repeat(now)
            result = "unknown_repeated" if again else "unknown_not_repeated"
            await case.settle(Outcome("unclear", result, finished_at=now))
        measuring.ended(row["channel"], "unclear")


def _send(row: dict[str, Any]) -> Send:
    return Send(**{name: row[name] for name in Send._fields})


def _wrong(row: dict[str, Any], refused: Refused) -> Wrong | None:
    """What a person has to put right; of the home's telephone or the desk's own, the operator who calls sees it."""
    detail = {"channel": row["channel"], "code": refused.code}
    if refused.task == "provider_account":
        return Wrong(refused.task, row["channel"].partition("_")[0], detail)
    if refused.task is None or row["recipient"] in (DESK, HOME):
        return None
    return Wrong(refused.task, row["recipient"], {**detail, "phone": row["address"]})
