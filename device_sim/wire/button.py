"""A one-touch call button with an acknowledgement lamp."""

import asyncio
import logging
import uuid
from datetime import datetime
from typing import Any

from device_sim.wire import protocol
from device_sim.wire.device import Device
from device_sim.wire.press import Press, RetryPlan

KEPT_PRESSES = 500
"""How many presses the button's log keeps; unacknowledged ones are never forgotten."""

log = logging.getLogger(__name__)


class Button(Device):
    """Sends a press until the platform, not the broker, has acknowledged it, and shows what becomes of it.

    Presses outlive the line: after a reconnection every unacknowledged one is sent again at once.
    """

    def __init__(self, device_id: str, password: str, *, plan: RetryPlan | None = None, **device: Any) -> None:
        super().__init__(device_id, password, **device)
        self.presses: dict[str, Press] = {}
        self.prompts: list[dict[str, Any]] = []
        self.errors: list[dict[str, Any]] = []
        self._plan = plan or RetryPlan()
        self._waiting: list[tuple[Press, str, asyncio.Future[None]]] = []
        self._timer: asyncio.TimerHandle | None = None
        self.answers_tests = True
        """Whoever lives here presses for a test when the button asks for it."""
        self.answers: str | None = None
        """What whoever lives here presses when asked whether they are all right: ok, cancel, or None: nothing."""
        self.answers_after_seconds = 0.0
        self._question: dict[str, Any] | None = None
        self._answering: asyncio.TimerHandle | None = None
        self.reminded = 0
        """How often it has reminded of the weekly test."""
        self._reminding: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()

    def press(self, kind: str = "sos", *, test: bool = False, event_id: str | None = None) -> Press:
        """The finger: a new event with its own id, sent at once (or as soon as the line is back)."""
        press = Press(
            event_id=event_id or str(uuid.uuid4()),
            kind=kind,
            seq=self.next_seq(),
            pressed_at=self.now(),
            pressed_seconds=self._loop.time(),
            plan=self._plan,
            test=test,
        )
        self.presses[press.event_id] = press
        self._forget_old()
        log.info("%s: pressed (%s) %s", self.id, kind, press.event_id)
        self._act()
        return press

    async def wait_for(self, press: Press, stage: str) -> None:
        """Waits until the lamp has shown `stage` for this press."""
        if not press.has_shown(stage):
            future: asyncio.Future[None] = self._loop.create_future()
            self._waiting.append((press, stage, future))
            await future

    async def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._reminding is not None:
            self._reminding.cancel()
        self._hush()
        await super().close()

    def on_connected(self) -> None:
        for press in self._unacknowledged():
            self._send(press)
        self._act()

    def heard(self, channel: str, payload: dict[str, Any]) -> None:
        if channel == "prompt":
            known = any(prompt.get("id") == payload.get("id") for prompt in self.prompts)
            self.prompts.append(payload)
            if payload.get("ask") == "are_you_all_right":
                self._asked(payload)
            if known:  # told twice is asked once: a second test would ring as a call
                return
            log.info("%s: asked %s", self.id, payload.get("ask"))
            if payload.get("ask") == "self_test" and self._in_time(payload.get("until")):
                self._test()
        if channel != "ack":
            return
        press = self.presses.get(str(payload.get("id")))
        if "error" in payload:
            self.errors.append(payload)
            log.warning("%s: the platform refuses: %s", self.id, payload["error"])
        elif press is not None:
            stage, by, eta = str(payload.get("stage")), payload.get("by"), payload.get("eta")
            if press.heard(stage, self.now(), by, eta):
                log.info("%s: %s%s %s", self.id, stage, f" by {by}" if by else "", press.event_id)
                self._tell()
            self._schedule()

    @property
    def question(self) -> dict[str, Any] | None:
        """What it asks just now: whether the person is all right; None: nothing, or nothing any more."""
        if self._question is not None and not self._in_time(self._question.get("until")):
            self._question = None
        return self._question

    def person_answers(self, answer: str | None, after_seconds: float = 0.0) -> None:
        """What is pressed when it asks, from now on; what it asks just now is answered, too."""
        self.answers, self.answers_after_seconds = answer, after_seconds
        if self.question is not None:
            self._answer_later()

    def _asked(self, payload: dict[str, Any]) -> None:
        """A question; or the same with a time that has passed: it is over, and nobody need be asked any more."""
        if not self._in_time(payload.get("until")):
            if self._question is not None and self._question.get("id") == payload.get("id"):
                self._hush()
        elif self._question is None or self._question.get("id") != payload.get("id"):
            self._question = payload
            self._answer_later()

    def _answer_later(self) -> None:
        if self._answering is not None:
            self._answering.cancel()
            self._answering = None
        if self.answers is not None:
            self._answering = self._loop.call_later(self.answers_after_seconds, self._answer)

    def _answer(self) -> None:
        if self.question is not None and self.answers is not None:
            self._hush()
            self.press(self.answers)

    def _hush(self) -> None:
        self._question = None
        if self._answering is not None:
            self._answering.cancel()
            self._answering = None

    def reminder_changed(self) -> None:
        if self._reminding is not None:
            self._reminding.cancel()
            self._reminding = None
        if self.reminder is not None:
            now = self.now()
            wait = (self.reminder.next_after(now) - now).total_seconds()
            self._reminding = self._loop.call_later(wait, self._remind)

    def _remind(self) -> None:
        self.reminded += 1
        log.info("%s: please press the button for its weekly test", self.id)
        self._test()
        self.reminder_changed()

    def _test(self) -> None:
        if self.answers_tests:
            self.press(test=True)

    def _in_time(self, until: Any) -> bool:
        """A question that waited at the broker for too long is answered no more: a press would be a real one."""
        try:
            return datetime.fromisoformat(str(until)) > self.now()
        except (ValueError, TypeError):  # no time, or one without a zone
            return False

    def _act(self) -> None:
        """Does whatever is due and sets the one timer to the soonest deadline of all presses."""
        for press in self._unacknowledged():
            shown = len(press.lamp)
            send = press.act(self._loop.time(), self.now())
            if len(press.lamp) > shown:
                log.warning("%s: no acknowledgement yet, the lamp shows failure: %s", self.id, press.event_id)
                self._tell()
            if send and self.connection.connected.is_set():
                self._send(press)
        self._schedule()

    def _send(self, press: Press) -> None:
        attempt = press.sent(self._loop.time())
        payload = protocol.alarm(
            event_id=press.event_id,
            boot=self.boot,
            seq=press.seq,
            at=press.pressed_at,
            kind=press.kind,
            attempt=attempt,
            test=press.test,
            battery_percent=self.battery_percent(self.now()),
        )
        self.connection.publish(protocol.up(self.id, "alarm"), payload)

    def _schedule(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        soonest = min((due for press in self._unacknowledged() if (due := self._due(press)) is not None), default=None)
        if soonest is not None:
            self._timer = self._loop.call_at(soonest, self._act)

    def _due(self, press: Press) -> float | None:
        """While the line is down nothing can be sent: only the lamp's own deadline counts, `on_connected` sends."""
        return press.next_due() if self.connection.connected.is_set() else press.failed_due()

    def _unacknowledged(self) -> list[Press]:
        return [press for press in self.presses.values() if not press.acknowledged]

    def _forget_old(self) -> None:
        spare = len(self.presses) - KEPT_PRESSES
        for event_id in [key for key, press in self.presses.items() if press.acknowledged][: max(0, spare)]:
            del self.presses[event_id]

    def _tell(self) -> None:
        for press, stage, future in self._waiting:
            if press.has_shown(stage) and not future.done():
                future.set_result(None)
        self._waiting = [waiting for waiting in self._waiting if not waiting[2].done()]
