"""One room for all tests of a file: each has a home of its own, whose people have telephones of their own."""

import itertools
from collections.abc import AsyncIterator
from typing import Any

import httpx

from device_sim.phone.people import Habit, Phone
from device_sim.phone.signature import sign
from dispatch import incident as core
from dispatch.bridging import ENTER_SECONDS
from pingan.clock import DrivenClock
from pingan.database import Database
from tests.conftest import Until
from tests.integration.dispatch_support import OURS, TOKEN, Room, room

_homes = itertools.count(1)
_posted = itertools.count(1)


async def rooms(url: str, desk_phone: str | None = None) -> AsyncIterator[Room]:
    """For a fixture of a whole file."""
    database = Database(url, connections=8, application="test")
    await database.open()
    async with room(database, DrivenClock(1_790_000_000_000), desk_phone=desk_phone) as this:
        yield this
    await database.close()


class Home:
    """A home with a resident, a daughter who is asked first (`li`) and a son who is asked second (`wang`)."""

    def __init__(self, this: Room, until: Until) -> None:
        number = next(_homes)
        self.this, self.until = this, until
        self.id, self.button = f"H{100 + number}", f"H{100 + number}-button"
        self.resident = f"+861390{number:03}0000"
        self.li, self.wang = f"+861390{number:03}0001", f"+861390{number:03}0002"
        self.people = {self.li: f"{self.id}-li", self.wang: f"{self.id}-wang"}
        self.incident = 0

    async def __aenter__(self) -> "Home":
        await self.this.rows(
            "with home as (insert into homes (id, area, address, way_in, way_in_proven_on)"
            " values (%s, '4401', '幸福路9号', '钥匙在门卫', '2026-01-05')),"
            " person as (insert into people (id, home, name, phone) values (%s, %s, '林奶奶', %s)),"
            " daughter as (insert into contacts (id, home, rank, name, relation, role, phone, language)"
            " values (%s, %s, 1, '林小梅', '女儿', 'family', %s, 'zh')),"
            " son as (insert into contacts (id, home, rank, name, relation, role, phone, language)"
            " values (%s, %s, 2, 'Lin Bo', '儿子', 'family', %s, 'en'))"
            " insert into devices (id, home, kind, enrolled_at) values (%s, %s, 'button', '2026-01-01Z') returning id",
            self.id, f"{self.id}-p", self.id, self.resident, self.people[self.li], self.id, self.li,
            self.people[self.wang], self.id, self.wang, self.button, self.id,
        )  # fmt: skip
        for number in (self.resident, *self.people):
            self.this.neighbourhood.network.add(Phone(number))
        return self

    async def __aexit__(self, *_exc: object) -> None:
        """Nothing of it goes on beside the next test."""
        for number in (self.resident, *self.people):
            self.phone(number).habit = Habit("busy")
            if self.phone(number).call is not None:
                self.phone(number).call.hang_up()
        if self.incident:
            await self.close()

    def phone(self, number: str) -> Any:
        return self.this.phone(number)

    async def press(self, event: str = "e1") -> None:
        """Somebody presses; the incident is there."""
        await self.this.press(event, device=self.button, home=self.id)

        async def opened() -> Any:
            return await self.this.rows("select id from incidents where home = %s and state <> 'closed'", self.id)

        rows: Any = await self.until(opened)
        self.incident = rows[0]["id"]

    async def calls(self, number: str) -> Any:
        """Time passes, promise by promise, until this telephone is called; the call that rings."""
        for _ in range(8):
            if await self.this.rows(
                "select from sends where incident = %s and address = %s and channel = 'twilio_voice'"
                " and finished_at is null",
                self.incident, number,
            ):  # fmt: skip
                await self.until(lambda: self.phone(number).state == "ringing")
                return self.phone(number).call
            row = await self.row()
            self.this.pass_seconds(max(0.0, (row["wake_at"] - self.this.clock.now()).total_seconds()))

            async def woken(before: int = row["version"]) -> bool:
                return int((await self.row())["version"]) > before

            await self.until(woken)
        raise AssertionError(f"nobody calls {number}")

    async def answered(self, number: str, *keys: str) -> Any:
        """Whoever has this telephone takes the call and presses keys, one after the other; the call when it is over."""
        call = await self.calls(number)
        call.answer()
        for key in keys:
            assert await call.press(key), f"the call ended before {key} could be pressed"
        await call.settled()
        return call

    async def writes(self, number: str, text: str) -> str:
        """Somebody writes to our number; what they are answered."""
        phone = self.phone(number)
        before = len(phone.inbox)
        assert await self.this.neighbourhood.network.reply(phone, OURS, text) == 200
        # What is answered comes last; other news may come beside it.
        return str([sms.body for sms in phone.inbox[before:] if not sms.outgoing][-1])

    async def row(self) -> dict[str, Any]:
        return await self.this.incident(self.incident)

    async def told(self, decision: str, event: str | None = None) -> dict[str, Any]:
        """The journal's last entry of this decision, once it is there."""

        async def there() -> Any:
            entries = (await self.row())["journal"]
            return [one for one in entries if one["decision"] == decision and event in (None, one["event"])]

        entries: Any = await self.until(there)
        return dict(entries[-1])

    async def journal(self, event: str) -> list[dict[str, Any]]:
        return [one for one in (await self.row())["journal"] if one["event"] == event]

    async def sends(self, purpose: str) -> list[dict[str, Any]]:
        query = "select * from sends where incident = %s and purpose = %s order by id"
        return await self.this.rows(query, self.incident, purpose)

    async def brought_in(self, number: str) -> None:
        """The desk has taken its telephone: this one rings now."""

        async def to_be_rung() -> bool:
            return any(send["address"] == number for send in await self.sends("bridge"))

        await self.until(to_be_rung)
        self.this.pass_seconds(ENTER_SECONDS)
        await self.until(lambda: self.phone(number).state == "ringing" or self.phone(number).habit.kind == "busy")

    async def send_ended(self, purpose: str, recipient: str, channel: str = "twilio_voice") -> dict[str, Any]:
        """The last call or message to somebody, once nothing follows it any more."""

        async def ended() -> Any:
            rows = [
                row
                for row in await self.sends(purpose)
                if row["recipient"] == recipient and row["channel"] == channel and row["finished_at"]
            ]
            return rows[-1:]

        rows: Any = await self.until(ended)
        return dict(rows[0])

    async def close(self) -> None:
        row = await self.row()
        if row["state"] == "closed":
            return
        close = core.Close("op", "陈", "sos", "accidental", row["version"], "over", "seen_well")
        assert (await self.this.desk.act(self.incident, close)).name == "closed"


async def post(this: Room, path: str, form: dict[str, str], token: str = TOKEN) -> httpx.Response:
    """What the provider, or somebody who claims to be it, tells us."""
    url = this.settings.public_url + path
    async with httpx.AsyncClient(trust_env=False) as client:
        return await client.post(url, data=form, headers={"X-Twilio-Signature": sign(token, url, list(form.items()))})


def heard(call: Any) -> str:
    """All that was said into a telephone."""
    return "\n".join(text for _, _, text in call.record.heard)
