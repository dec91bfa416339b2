"""What somebody who has been asked writes back: a plain word is an answer, and anything else a call for help.

1. What was acted on before is not acted on again; what rang is still a call for help, and the same one.
2. A number alone, after we have asked which of several homes is meant, says which.
3. A plain word of somebody who is asked for several homes is kept until they have said which: nobody guesses.
4. Any other plain word is the same event as the key.
5. What is no plain word is left to a person: it rings, as everything does that comes to our number.
"""

from datetime import datetime, timedelta
from typing import Any, NamedTuple

from twilio.twiml.messaging_response import MessagingResponse

from dispatch import heard as provider
from dispatch.bridging import Bridging
from dispatch.channels.deeds import Deeds, goes, no_longer
from dispatch.channels.twilio_in.heard import Heard
from dispatch.channels.twilio_sms.said import Said, understood
from dispatch.channels.words import words
from dispatch.desk import HEARD_ALREADY, Desk
from dispatch.following import CHANGE, FAMILY
from dispatch.incident import Decision, Note, State
from pingan.clock import Clock
from pingan.database import Connection, Database, Queries

sql = Queries(__file__, "replies.sql")

OVER_SECONDS = 3_600
"""So long after its end a plain word is still an answer to it, and no call for help."""
WHICH_SECONDS = 900
"""So long a number alone answers our question which home is meant."""
TEST_SECONDS = 3 * 86_400
OF_A_TEXT = timedelta(seconds=TEST_SECONDS)
"""So long after a message whatever its number writes says that somebody reads there."""
TESTED = {"one": "reached", "yes": "reached", "heard": "reached"}
STRANGER = 2
"""What a plain word, or a number, answers to a test. Only the number says that they do not know us: "不行" may well be
that somebody is not well."""


class Reply(NamedTuple):
    """What is written back. `rings`: it was no plain answer, and goes to the desk as a call for help."""

    text: str
    rings: bool = False


def written(text: str) -> str:
    """The TwiML that answers a message."""
    response = MessagingResponse()
    response.message(text)
    return str(response)


class Replies:
    def __init__(self, database: Database, clock: Clock, desk: Desk, desk_phone: str | None) -> None:
        self._database, self._clock, self._desk = database, clock, desk
        self._deeds = Deeds(desk, clock)
        self._bridging = Bridging(database, clock, desk, desk_phone)

    async def answer(self, heard: Heard) -> Reply | None:
        """What this number is answered; None: nobody has asked it anything, and it calls for help."""
        if heard.number is None:
            return None
        once, now, said = f"sms/{heard.sid}", self._clock.now(), understood(heard.text or "")
        async with self._database.transaction() as connection:
            rows = await _asked(connection, heard.number, now)
            language = rows[0]["language"] if rows else ""
            if await provider.before(connection, once):
                return Reply(words("twilio_sms", language)("reply.already"))
            if await (await connection.execute(sql.rang, {"alarm": heard.alarm})).fetchone() is not None:
                return None
            if not rows:
                return await self._tested(connection, heard.number, said)
            if said is not None:  # anything else may come of a stranger who has this number now
                await connection.execute(sql.read, {"number": heard.number, "now": now, "lately": now - OF_A_TEXT})
            chosen = await self._chosen(connection, heard.number, rows, said)
            if chosen is None and said is not None and len(rows) > 1:
                await provider.first(connection, once, now)
                return await self._which(connection, heard, rows)
        if chosen is not None:
            row, said = chosen
        else:
            row = rows[0]
        if said is None:
            return Reply(words("twilio_sms", language)("reply.unclear"), rings=True)
        return await self._do(row, said, heard, once)

    async def _tested(self, connection: Connection, number: str, said: Said | None) -> Reply | None:
        """An answer to a test: whom we mean can be reached, or somebody else has this number now. That is all."""
        now = self._clock.now()
        if said is None:
            return None
        key = "stranger" if said.number == STRANGER else TESTED.get(said.kind)
        if key is None:
            return None
        parameters = {"number": number, "lately": now - timedelta(seconds=TEST_SECONDS)}
        row = await (await connection.execute(sql.tested, parameters)).fetchone()
        if row is None:
            return None
        await connection.execute(sql.reached, {"send": row["id"], "result": f"key_{key}", "now": now})
        return Reply(words("twilio_sms", row["language"])(f"reply.{key}"))

    async def _chosen(
        self, connection: Connection, number: str, rows: list[dict[str, Any]], said: Said | None
    ) -> tuple[dict[str, Any], Said] | None:
        """Which of several homes a number alone means, with the word that it was asked about."""
        pending = await (await connection.execute(sql.pending, {"number": number})).fetchone()
        if pending is None or said is None or said.number is None:
            return None
        meant = understood(pending["text"])
        late = pending["at"] < self._clock.now() - timedelta(seconds=WHICH_SECONDS)
        if late or meant is None or not 0 < said.number <= len(pending["incidents"]):
            return None
        incident = pending["incidents"][said.number - 1]
        row = next((row for row in rows if row["incident"] == incident), None)
        return (row, meant) if row else None

    async def _which(self, connection: Connection, heard: Heard, rows: list[dict[str, Any]]) -> Reply:
        said = words("twilio_sms", rows[0]["language"])
        parameters = {
            "number": heard.number, "text": heard.text, "incidents": [row["incident"] for row in rows],
            "now": self._clock.now(),
        }  # fmt: skip
        await connection.execute(sql.ask_which, parameters)
        homes = [
            said(
                "reply.which_one",
                number=number,
                person=row["body"].get("person") or said("unknown_person"),
                address=row["body"].get("address") or said("unknown_address"),
            )
            for number, row in enumerate(rows, 1)
        ]
        return Reply(said("reply.which", n=len(rows), list="\n" + "\n".join(homes)))

    async def _do(self, row: dict[str, Any], said: Said, heard: Heard, once: str) -> Reply | None:
        say = words("twilio_sms", row["language"])
        if not row["open"]:
            if said.kind == "desk":  # nobody is called back for what is over: a person reads that they want to speak
                return None
            async with self._database.connection() as connection:
                await provider.first(connection, once, self._clock.now())
            return Reply(say("reply.over"))
        incident = await self._desk.look(row["incident"])
        going, kind, purpose = goes(incident, row["recipient"]), said.kind, row["purpose"]
        if kind in ("one", "yes") and (purpose == CHANGE or (kind == "yes" and purpose == FAMILY)):
            kind = "heard"
        if kind == "number":  # bare: minutes only of somebody who goes
            kind = "minutes" if going else "number"
        if kind == "number" or (kind in ("safe", "fine") and not going):  # who is not there cannot know that
            return Reply(say("reply.unclear"), rings=True)
        if kind in ("safe", "fine") and incident.state not in (State.ON_SCENE, State.SAFE):  # they have seen nobody
            decision = await self._desk.act(row["incident"], Note(row["name"], heard.text or ""), once=once)
            return Reply(say(f"reply.{_answered(decision, 'not_there')}"))
        if kind == "heard":
            return await self._heard(row, heard, once)
        if kind == "cannot":
            decision = await self._deeds.cannot(row, once)
            key = no_longer(decision)
        elif kind == "desk":
            decision = await self._bridging.ask_back(row, once)
            key = "desk_none" if decision.name == "no_desk_phone" else "desk"
        elif kind in ("there", "safe", "fine"):
            decision = await (self._deeds.there if kind == "there" else self._deeds.safe)(row, once)
            key = "there" if kind == "there" else "safe"
        else:
            return await self._go(row, said.minutes, once, going=going)
        return Reply(say(f"reply.{_answered(decision, key)}"))

    async def _heard(self, row: dict[str, Any], heard: Heard, once: str) -> Reply:
        """They have read it. News asks for no more; a call for help does."""
        say = words("twilio_sms", row["language"])
        if row["purpose"] == CHANGE:
            decision = await self._deeds.confirm(row, once)
            return Reply(say(f"reply.{_answered(decision, 'confirmed')}"))
        decision = await self._desk.act(row["incident"], Note(row["name"], heard.text or ""), once=once)
        return Reply(say(f"reply.{_answered(decision, 'heard_news' if row['purpose'] == FAMILY else 'heard')}"))

    async def _go(self, row: dict[str, Any], minutes: int | None, once: str, *, going: bool) -> Reply:
        say = words("twilio_sms", row["language"])
        decision = await self._deeds.go(row, once)
        if decision.name == "accepted_second":
            if minutes is not None:
                await self._deeds.minutes(row, minutes, once)
            return Reply(say("reply.second", who=decision.who or ""))
        if decision.name == HEARD_ALREADY:
            return Reply(say("reply.already"))
        if decision.refused and decision.name != "already_yours":
            return Reply(say("reply.other_home" if decision.name == "other_home" else "reply.over"))
        if minutes is None:
            return Reply(say("reply.going"))
        await self._deeds.minutes(row, minutes, once)
        return Reply(say("reply.minutes" if going else "reply.going_minutes", minutes=minutes))


async def _asked(connection: Connection, number: str, now: datetime) -> list[dict[str, Any]]:
    """What this number has been asked: what is open, else the last that was closed lately."""
    parameters = {"number": number, "lately": now - timedelta(seconds=OVER_SECONDS)}
    rows = await (await connection.execute(sql.asked, parameters)).fetchall()
    return [row for row in rows if row["open"]] or rows[-1:]


def _answered(decision: Decision, key: str) -> str:
    """What is answered to an act: that it was done, was done before, cannot be known yet, or came too late."""
    if decision.name == HEARD_ALREADY:
        return "already"
    if decision.name in ("not_there", "other_home"):
        return decision.name
    return "over" if decision.refused and decision.name in ("already_closed", "already_safe") else key
