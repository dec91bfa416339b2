"""Telephones as people use them: who is called, what they hear and press, what they are sent and what they open.

    async with telephones.story() as story:
        home = await story.home()
        await home.presses()
        await home.daughter.expect_call("求助").press("1").press("12#")
        await home.daughter.expect_sms("幸福路").opens_link().taps("我到了")

The room is a real one (a database, signed webhooks, a Twilio on loopback) whose clock the story moves; nothing waits
for a length of time. Leaving a story fails on every call and message that nobody expected, on every step that was
written down and not awaited, on every webhook of ours that was not answered well, and on every error that was logged.
"""

import asyncio
import contextlib
import itertools
import logging
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Generator
from dataclasses import dataclass, field
from datetime import timedelta
from html.parser import HTMLParser
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import httpx

from device_sim.phone.call import FINAL
from device_sim.phone.people import Phone
from dispatch import incident as core
from dispatch import shifts
from dispatch.journal import broken_at
from dispatch.shifts import Shift
from dispatch.views import sql as views_sql
from pingan.web import WebSettings
from tests.conftest import Until
from tests.integration.dispatch_support import LINK_SECRET, OURS, Room
from tests.integration.phone_support import heard
from tests.integration.web_support import HOST, Site

PACE = 0.05
"""Of the telephone network: a telephone rings for 1.75 s, so that a loaded machine does not miss it."""
DESK = "+867503000000"
"""The desk's own telephone."""
OPENED = "我们正在联系能去的人"
"""What family are written at once, before anybody is asked."""

_homes = itertools.count(1)

Step = Callable[[], Awaitable[None]]


class Deeds:
    """What somebody does, one thing after the other, once it is awaited. `…` is whoever does it."""

    def __init__(self, story: "Story", what: str) -> None:
        self.story = story
        self._steps: list[Step] = []
        self._what = what
        story.unawaited[id(self)] = what

    def then(self, step: Step) -> Self:
        self._steps.append(step)
        return self

    def __await__(self) -> Generator[Any, None, Self]:
        return self._all().__await__()

    async def _all(self) -> Self:
        self.story.unawaited.pop(id(self), None)
        steps, self._steps = self._steps, []
        for step in steps:
            await step()
        return self


class Taken(Deeds):
    """A call that somebody takes, or does not."""

    def __init__(self, story: "Story", what: str, find: Callable[[], Awaitable[Any]]) -> None:
        super().__init__(story, what)
        self.call: Any = None
        self._find = find
        self.then(self._ring)

    async def _ring(self) -> None:
        self.call = await self._find()

    async def _lift(self) -> None:
        if self.call is None or self.call.is_answered:
            return
        assert self.call.answer(), f"{self._what}: the call is over: {self.call.record.status}"

    async def _all(self) -> Self:
        """Whoever does nothing else takes the receiver and listens."""
        await super()._all()
        if self.call.record.status == "ringing":
            await self._lift()
        return self

    def takes_it(self) -> Self:
        return self.then(self._lift)

    def hears(self, *words: str) -> Self:
        async def listen() -> None:
            await self._lift()
            await self.story.until(lambda: all(word in heard(self.call) for word in words) or self._over())
            missing = [word for word in words if word not in heard(self.call)]
            assert not missing, f"{self._what}: nobody said {missing}, but:\n{heard(self.call)}"

        return self.then(listen)

    def press(self, keys: str) -> Self:
        """Keys, one after the other, up to where we have heard them and answered."""

        async def press() -> None:
            await self._lift()
            await self.story.until(lambda: self.call.listening.is_set() or self._over())  # what is asked was fetched
            before = len(self.call.record.webhooks)
            for key in keys:
                assert await self.call.press(key), f"{self._what}: the call ended before {key} could be pressed"
            await self.story.until(lambda: len(self.call.record.webhooks) > before or self._over())

        return self.then(press)

    def hangs_up(self) -> Self:
        async def hang_up() -> None:
            await self.story.until(lambda: self.call.hang_up() or self._over())
            await self.call.settled()

        return self.then(hang_up)

    def declines(self) -> Self:
        """Presses the call away while it rings."""
        return self.hangs_up()

    def lets_it_ring(self) -> Self:
        return self.then(lambda: self.call.settled())

    def listens_to_the_end(self) -> Self:
        async def listen() -> None:
            await self._lift()
            await self.call.settled()

        return self.then(listen)

    def is_a_machine(self) -> Self:
        async def answer() -> None:
            assert self.call.answer(by_machine=True)
            await self.call.settled()

        return self.then(answer)

    def _over(self) -> bool:
        return self.call.record.status in FINAL


class Read(Deeds):
    """A text message that somebody reads, and the page that it leads to."""

    def __init__(self, person: "Person", what: str, find: Callable[[], Awaitable[str]]) -> None:
        super().__init__(person.story, what)
        self.text = ""
        self.page: Page | None = None
        self._person, self._find = person, find
        self.then(self._read)

    async def _read(self) -> None:
        self.text = await self._find()

    def opens_link(self) -> Self:
        async def tap() -> None:
            (link,) = re.findall(r"https?://\S+", self.text)
            self.page = Page(self._person.browser)
            await self.page.get(urlsplit(link).path)

        return self.then(tap)

    def looks_again(self) -> Self:
        return self.then(lambda: self._opened.get(self._opened.path))

    def taps(self, words: str, **typed: str) -> Self:
        return self.then(lambda: self._opened.tap(words, typed))

    def sees(self, *words: str) -> Self:
        async def look() -> None:
            missing = [word for word in words if word not in self._opened.text]
            assert not missing, f"{self._what}: the page says nothing of {missing}, but:\n{self._opened.text}"

        return self.then(look)

    def sees_nothing_of(self, *words: str) -> Self:
        async def look() -> None:
            shown = [word for word in words if word in self._opened.text]
            assert not shown, f"{self._what}: the page says {shown}:\n{self._opened.text}"

        return self.then(look)

    @property
    def _opened(self) -> "Page":
        assert self.page is not None, f"{self._what}: no link was opened"
        return self.page


class _Forms(HTMLParser):
    """The forms of a page, with their buttons, and its words."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.forms: list[tuple[str, dict[str, str], list[tuple[str, dict[str, str]]]]] = []
        self.words: list[str] = []
        self._button: tuple[dict[str, str], list[str]] | None = None
        self._silent = 0
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        self._silent += tag in ("script", "style", "title")
        if tag == "form":
            self.forms.append((found.get("action", ""), {}, []))
        elif tag == "input" and self.forms and "name" in found:
            self.forms[-1][1][found["name"]] = found.get("value", "")
        elif tag == "button":
            self._button = ({found["name"]: found.get("value", "")} if "name" in found else {}, [])

    def handle_endtag(self, tag: str) -> None:
        self._silent -= tag in ("script", "style", "title")
        if tag == "button" and self._button is not None:
            values, words = self._button
            if self.forms:
                self.forms[-1][2].append(("".join(words).strip(), values))
            self._button = None

    def handle_data(self, data: str) -> None:
        if self._button is not None:
            self._button[1].append(data)
        if not self._silent:
            self.words.append(data)


class Page:
    """A page on somebody's telephone, as one without scripts has it."""

    def __init__(self, browser: httpx.AsyncClient) -> None:
        self._browser = browser
        self.path = self.text = ""
        self._forms = _Forms("")

    async def get(self, path: str) -> None:
        self.path = path
        self._show(await self._browser.get(path))

    async def tap(self, words: str, typed: dict[str, str]) -> None:
        found = [
            (action, {**inputs, **values})
            for action, inputs, buttons in self._forms.forms
            for label, values in buttons
            if label == words
        ]
        assert found, f"no button says {words}:\n{self.text}"
        action, values = found[0]
        self._show(await self._browser.post(action, data={**values, **typed}, headers={"origin": HOST}))

    def _show(self, answer: httpx.Response) -> None:
        assert answer.status_code == 200, f"{answer.request.url}: {answer.status_code}\n{answer.text}"
        self._forms = _Forms(answer.text)
        self.text = re.sub(r"\s+", " ", " ".join(self._forms.words))


class Person:
    """Somebody with a telephone."""

    def __init__(self, story: "Story", number: str, name: str, known_as: str = "") -> None:
        self.story, self.number, self.name, self.id = story, number, name, known_as
        self.phone = story.this.neighbourhood.network.add(Phone(number, name))
        self._read = len(self.phone.inbox)
        self._letters: set[int] = set()

    @property
    def browser(self) -> httpx.AsyncClient:
        return self.story.browser(self)

    def expect_call(self, *words: str) -> Taken:
        """Their telephone rings now; what is asked has all of these words in it."""

        async def rings() -> Any:
            def next_one() -> Any:
                return next((call for call in self._calls() if call.record.sid not in self.story.expected), None)

            await self.story.until(lambda: (one := next_one()) and one.record.status in ("ringing", *FINAL))
            call = next_one()
            assert call.record.status == "ringing", f"{self.name}: a call came and was {call.record.status}"
            self.story.expected.add(call.record.sid)
            return call

        taken = Taken(self.story, f"{self.name} expects a call", rings)
        return taken.hears(*words) if words else taken

    async def expect_missed(self, *statuses: str) -> None:
        """They were called, and their telephone could not be taken: it is engaged, or out of service."""

        def unexpected() -> list[Any]:
            return [call for call in self._calls() if call.record.sid not in self.story.expected]

        await self.story.until(unexpected)
        missed = unexpected()[0]
        self.story.expected.add(missed.record.sid)
        await missed.settled()
        assert missed.record.answered_at is None
        assert missed.record.status in (statuses or FINAL)

    async def expect_busy(self) -> None:
        """They were called, and were speaking with somebody."""
        await self.expect_missed("busy")

    def expect_sms(self, *words: str) -> Read:
        """They are sent a message now that has all of these words in it."""

        async def arrives() -> str:
            def found() -> Any:
                return [number for number, sms in self.unread() if all(word in sms.body for word in words)]

            try:
                await self.story.until(found)
            except TimeoutError:
                unread = [sms.body for _, sms in self.unread()]
                raise AssertionError(f"{self.name}: no message says {words}, but {unread}") from None
            (number, *_) = found()
            self._letters.add(number)
            return str(self.phone.inbox[number].body)

        return Read(self, f"{self.name} expects a message", arrives)

    async def expect_no_call(self) -> None:
        """Nothing rings, and nothing is about to."""
        await self.story.quiet()
        unexpected = [call.record.status for call in self._calls() if call.record.sid not in self.story.expected]
        assert not unexpected, f"{self.name} was called: {unexpected}"

    def says(self, text: str) -> Read:
        """They write to our number; what they are answered can be read."""

        async def write() -> str:
            before = len(self.phone.inbox)
            assert await self.story.this.neighbourhood.network.reply(self.phone, OURS, text) == 200
            (answer,) = [number for number, sms in enumerate(self.phone.inbox[before:], before) if not sms.outgoing]
            self._letters.add(answer)
            return str(self.phone.inbox[answer].body)

        return Read(self, f"{self.name} writes", write)

    def calls_us(self) -> Taken:
        """They ring up our number, and have the receiver at their ear."""

        async def ring() -> Any:
            call = self.story.this.neighbourhood.network.incoming(self.phone, OURS)
            self.story.expected.add(call.record.sid)
            return call

        return Taken(self.story, f"{self.name} calls us", ring)

    def unread(self) -> list[tuple[int, Any]]:
        inbox = enumerate(self.phone.inbox)
        return [
            (number, sms)
            for number, sms in inbox
            if number >= self._read and number not in self._letters and not sms.outgoing
        ]

    def _calls(self) -> list[Any]:
        return [call for call in self.story.calls() if call.record.request.to == self.number]


@dataclass
class Household:
    """A home, whoever lives there, and whom we may ask: a daughter first, then a neighbour, then a doctor."""

    story: "Story"
    id: str
    elder: Person
    daughter: Person
    neighbour: Person
    doctor: Person
    incident: int = 0
    presses_made: int = field(default=0)

    async def presses(self) -> None:
        """Somebody presses the button; the incident has heard of it."""
        self.presses_made += 1
        alarm = await self.story.this.press(f"e{self.presses_made}", device=f"{self.id}-button", home=self.id)
        await self.taken(alarm)

    async def alarms(self, kind: str) -> None:
        """Something else of this home is detected."""
        self.presses_made += 1
        alarm = await self.story.this.press(f"e{self.presses_made}", kind, device=f"{self.id}-{kind}", home=self.id)
        await self.taken(alarm)

    async def taken(self, alarm: Any = None) -> None:
        """The incident of this home that is open is known, with everything that was raised by now."""

        async def there() -> Any:
            waiting = await self.story.this.rows("select from alarms where home = %s and taken_at is null", self.id)
            opened = await self.story.this.rows(
                "select id from incidents where home = %s and state <> 'closed'", self.id
            )
            return not waiting and opened

        rows: Any = await self.story.until(there)
        self.incident = rows[0]["id"]
        self.story.incidents.add(self.incident)

    async def now(self) -> dict[str, Any]:
        return await self.story.this.incident(self.incident)

    async def nobody_is_heard_from(self) -> None:
        """Time passes until the next promise of this incident is due."""
        await self.story.quiet()
        row = await self.now()
        await self.story.passes((row["wake_at"] - self.story.this.clock.now()).total_seconds())

    async def operator(self, act: str, **told: Any) -> dict[str, Any]:
        """The desk does something; a refusal is an answer, under `refused`."""
        url = f"/api/v1/incidents/{self.incident}/{act.replace('_', '-')}"
        answer = await self.story.operator.post(url, json=told or None)
        found: dict[str, Any] = answer.json()
        if answer.status_code == 409:
            return {"refused": found["title"], **found}
        assert answer.is_success, answer.text
        return found

    async def closes(self, outcome: str, cause: str = "sos", **more: str) -> dict[str, Any]:
        version = (await self.now())["version"]
        return await self.operator("close", cause=cause, outcome=outcome, as_of=version, **more)

    async def journal(self, event: str) -> list[dict[str, Any]]:
        return [one for one in (await self.now())["journal"] if one["event"] == event]

    async def on_the_line(self, count: int) -> None:
        """So many speak with each other on this incident's line."""
        network = self.story.this.neighbourhood.network

        def together() -> bool:
            line = network.conference(f"incident-{self.incident}")
            return line is not None and sum(one.inside for one in line.participants.values()) == count

        await self.story.until(together)

    async def complete(self) -> dict[str, Any]:
        """Closed, each stamp there or its absence named, and a journal that contradicts nothing."""
        row = await self.now()
        assert row["state"] == "closed"
        assert all(stamp["at"] or stamp["absent"] for stamp in row["stamps"].values()), row["stamps"]
        entries = await self.story.this.rows(views_sql.journal_rows.replace("%(incident)s", "%s"), self.incident)
        assert broken_at(entries) is None
        return row


class _Errors(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


class Story:
    """What is told of some homes in one night."""

    def __init__(self, this: Room, site: Site, until: Until, operator: httpx.AsyncClient) -> None:
        self.this, self.site, self.until, self.operator = this, site, until, operator
        self.expected: set[str] = set()
        self.unawaited: dict[int, str] = {}
        self.incidents: set[int] = set()
        self.people: dict[str, Person] = {}
        self._browsers: dict[str, httpx.AsyncClient] = {}
        network = this.neighbourhood.network
        self._before = {*network.calls}, {*network.messages}, {*network.conferences}, len(network.told)
        self._errors = _Errors()

    async def __aenter__(self) -> "Story":
        logging.getLogger().addHandler(self._errors)
        self.desk = self.person(DESK, "值班台")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        logging.getLogger().removeHandler(self._errors)
        try:
            if kind is None:
                await self.quiet()
                await self._over()
        finally:
            await self._leave()

    def person(self, number: str, name: str, known_as: str = "") -> Person:
        if number not in self.people:
            self.people[number] = Person(self, number, name, known_as)
        return self.people[number]

    async def home(self, *, helper: Person | None = None, button: bool = True, way_in: str = "门卫有钥匙") -> Household:
        """A home of an area of its own. `helper`: who is asked first there, if not a daughter of its own."""
        number = next(_homes)
        home, area = f"T{number:03}", f"5{number:03}"
        lives, asked, next_door, doctor = (f"+861370{number:03}000{rank}" for rank in range(4))
        first = helper or self.person(asked, f"林小梅{number}", f"{home}-1")
        await self.this.rows(
            "with area as (insert into areas values (%s, %s, 'city', null)),"
            " home as (insert into homes (id, area, address, phone, way_in, way_in_proven_on)"
            "  values (%s, %s, %s, %s, %s, '2026-01-05')),"
            " lives as (insert into people (id, home, name, phone, conditions, medication)"
            "  values (%s, %s, %s, %s, '冠心病', '硝酸甘油')),"
            " asked as (insert into contacts (id, home, rank, name, relation, role, phone, language) values"
            "  (%s, %s, 1, %s, '女儿', 'family', %s, 'zh'), (%s, %s, 2, %s, '邻居', 'neighbour', %s, 'zh')),"
            " doctor as (insert into responders (id, name, role, area, phone, on_duty, consented_on, trained_on)"
            "  values (%s, %s, 'medical', %s, %s, true, '2026-01-01', '2026-01-01'))"
            " insert into devices (id, home, kind, enrolled_at)"
            " select %s, %s, 'button', '2026-01-01Z' where %s returning id",
            area, f"第{number}区", home, area, f"幸福路{number}号", lives, way_in,
            f"{home}-p", home, f"林奶奶{number}", lives,
            f"{home}-1", home, first.name, first.number, f"{home}-2", home, f"王阿姨{number}", next_door,
            f"{home}-3", f"周医生{number}", area, doctor, f"{home}-button", home, button,
        )  # fmt: skip
        return Household(
            self,
            home,
            self.person(lives, f"林奶奶{number}", f"{home}-p"),
            first,
            self.person(next_door, f"王阿姨{number}", f"{home}-2"),
            self.person(doctor, f"周医生{number}", f"{home}-3"),
        )

    async def on_shift(self, operator: Person) -> None:
        """The operator says that this telephone is theirs."""
        now = self.this.clock.now()
        shift = Shift(operator.number, None, now, now + timedelta(hours=8))
        async with self.this.database.transaction() as connection:
            await shifts.begin(connection, "operator-all", shift)

    def browser(self, person: Person) -> httpx.AsyncClient:
        """What somebody looks at pages with: whatever it was told to keep, it keeps."""
        if person.number not in self._browsers:
            client = self.site.client(accept="text/html", **{"accept-language": "zh-CN"})
            client.follow_redirects = True
            self._browsers[person.number] = client
        return self._browsers[person.number]

    def calls(self) -> list[Any]:
        """Calls of this story, by whoever they were placed."""
        return [call for sid, call in self.this.neighbourhood.network.calls.items() if sid not in self._before[0]]

    async def quiet(self) -> None:
        """Until nothing is left to be done at this time: what is due was decided, and what was to be sent is."""
        messages = self.this.neighbourhood.network.messages

        async def nothing_left() -> bool:
            (row,) = await self.this.rows(
                "select exists (select from alarms where taken_at is null)"
                " or exists (select from incidents where wake_at <= %s)"
                " or exists (select from sends where state = 'dialling' or state = 'waiting' and due_at <= %s) as busy",
                self.this.clock.now(), self.this.clock.now(),
            )  # fmt: skip
            return not row["busy"]

        await self.until(nothing_left)
        for sid in messages.keys() - self._before[1]:
            await messages[sid].settled()

    async def passes(self, seconds: float) -> None:
        """Time passes, and everybody does what is due then."""
        await self.quiet()
        self.this.pass_seconds(max(0.0, seconds))
        self.site.process.clock.advance(self.this.clock.now_ms())  # type: ignore[attr-defined]  # a driven one
        await self.quiet()

    async def _over(self) -> None:
        """Nothing was left undone, nothing happened that nobody expected, and nothing went wrong."""
        network = self.this.neighbourhood.network
        assert not self.unawaited, f"written down and never awaited: {[*self.unawaited.values()]}"
        for call in self.calls():
            if call.record.status not in FINAL:
                call.hang_up()
            await call.settled()
        conferences = [one for sid, one in network.conferences.items() if sid not in self._before[2]]
        for conference in conferences:
            await conference.settled()
        strange = [
            f"a call to {self._who(call.record.request.to)} ({call.record.status}): {heard(call)}"
            for call in self.calls()
            if call.record.sid not in self.expected
        ]
        strange += [f"a message to {one.name}: {sms.body}" for one in self.people.values() for _, sms in one.unread()]
        strange += [
            f"a message to {message.record.request.to}: {message.record.request.body}"
            for sid, message in network.messages.items()
            if sid not in self._before[1] and message.record.request.to not in self.people
        ]
        assert not strange, "nobody expected\n" + "\n".join(strange)
        broken = [f"{call.record.sid}: {error}" for call in self.calls() for error in call.record.errors]
        broken += [f"{url} was answered with {status}" for url, status in self.told() if not 200 <= status < 300]
        assert not broken, "\n".join(broken)
        logged = [logging.Formatter().format(record) for record in self._errors.records]
        assert not logged, "\n".join(logged)

    def told(self) -> list[tuple[str, int]]:
        """What the platform was told by webhooks in this story, and the status of its answer."""
        return [*self.this.neighbourhood.network.told][self._before[3] :]

    def kinds(self) -> dict[str, set[str]]:
        """What the platform was told: of which calls, messages and lines, and what."""
        network, calls = self.this.neighbourhood.network, self.calls()
        messages = [one for sid, one in network.messages.items() if sid not in self._before[1]]
        lines = [one for sid, one in network.conferences.items() if sid not in self._before[2]]
        detected = [call for call in calls if any(event == "detection" for _, event, _ in call.record.callbacks)]
        return {
            "call": {event for call in calls for _, event, _ in call.record.callbacks},
            "detection": {str(call.record.answered_by) for call in detected},
            "message": {event for message in messages for _, event, _ in message.record.callbacks},
            "conference": {event for line in lines for _, event, _, _ in line.record.events},
        }

    async def _leave(self) -> None:
        """Nothing of it goes on beside the next story."""
        async with self.this.database.transaction() as connection:
            await shifts.end(connection, "operator-all", self.this.clock.now())
        for call in self.calls():
            call.hang_up()
        for number in self.incidents:
            version = (await self.this.incident(number))["version"]
            over = core.Close("op", "陈", "sos", "accidental", version, "the story is over", "seen_well")
            await self.this.desk.act(number, over)
        await self.quiet()
        for client in self._browsers.values():
            await client.aclose()

    def _who(self, number: str) -> str:
        return self.people[number].name if number in self.people else number


class Telephones:
    """One room for all stories of a file, and the web process's application beside it, by the same clock."""

    def __init__(self, this: Room, site: Site, operator: httpx.AsyncClient) -> None:
        self.this, self._site, self._operator = this, site, operator

    def story(self, until: Until) -> Story:
        return Story(self.this, self._site, until, self._operator)


@contextlib.asynccontextmanager
async def telephones_of(this: Room, database_url: str) -> AsyncIterator[Telephones]:
    this.neighbourhood.network.pace = PACE
    site = Site(
        WebSettings(
            database_url=database_url, name="console", public_url=HOST, link_secret=LINK_SECRET, clock="driven",
            desk_phone=DESK,
        )
    )  # fmt: skip
    site.process.clock.advance(this.clock.now_ms())  # type: ignore[attr-defined]  # a driven one
    await site.process.database.open()
    tasks = [asyncio.create_task(run()) for run in (site.process.listener.run, site.live.run)]
    try:
        async with await site.signed_in("operator") as browser:
            yield Telephones(this, site, browser)
    finally:
        site.live.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await site.process.database.close()
