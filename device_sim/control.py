"""The control interface: a hand on every button, cable and phone, and a page for people at `/`."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import msgspec
from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import HTMLResponse

from device_sim.household.tumble import UP_AGAIN_SECONDS
from device_sim.phone.call import Call
from device_sim.phone.network import Faults, is_number
from device_sim.phone.people import KEYS, Habit, Phone
from device_sim.wire import protocol
from device_sim.wire.button import Button
from device_sim.wire.press import Press
from device_sim.wire.watch import Watch

if TYPE_CHECKING:
    from device_sim.neighbourhood import Neighbourhood, SimulatedHome

DEFAULT_SILENCE_SECONDS = 6 * 3600.0
RECENT = 20
KEY_PATIENCE_SECONDS = 30.0

Body = TypeVar("Body")


class PressBody(msgspec.Struct, forbid_unknown_fields=True):
    kind: str = "sos"
    test: bool = False


class LengthBody(msgspec.Struct, forbid_unknown_fields=True):
    seconds: float = DEFAULT_SILENCE_SECONDS


class FallBody(msgspec.Struct, forbid_unknown_fields=True):
    gets_up: bool = False


class MeasureBody(msgspec.Struct, forbid_unknown_fields=True):
    kind: Literal["heart_rate", "spo2", "bp_systolic", "bp_diastolic", "temperature", "weight"]
    value: float


class AnswersBody(msgspec.Struct, forbid_unknown_fields=True):
    answer: Literal["ok", "cancel", "nobody"]
    """What whoever lives there presses when asked whether they are all right."""
    after_seconds: float = 0.0


class CableBody(msgspec.Struct, forbid_unknown_fields=True):
    plugged: bool
    device: str | None = None
    """One device of the home; None: all of them."""


class PowerBody(msgspec.Struct, forbid_unknown_fields=True):
    on: bool
    homes: tuple[str, ...] | None = None
    """None: every home."""
    area: str | None = None
    """Only those of this area, and of areas within it."""
    count: int | None = None
    """Of these no more than so many, in their order; None: all."""


class PhoneBody(msgspec.Struct, forbid_unknown_fields=True):
    number: str
    name: str = ""
    home: str | None = None
    role: str = ""
    language: str = "zh"
    habit: Habit = Habit()


class KeysBody(msgspec.Struct, forbid_unknown_fields=True):
    digits: str
    patience_seconds: float = KEY_PATIENCE_SECONDS
    """How long the person listens until they are asked for a key."""


class CallBody(msgspec.Struct, forbid_unknown_fields=True):
    to: str | None = None
    withheld: bool = False
    """The caller's number is not shown."""


class ReplyBody(msgspec.Struct, forbid_unknown_fields=True):
    body: str
    to: str | None = None


class WebhookBody(msgspec.Struct, forbid_unknown_fields=True):
    url: str


def control_router(running: Neighbourhood) -> APIRouter:
    """`/` and everything under `/sim`."""
    router = APIRouter()
    _add_page(router, running)
    _add_homes(router, running)
    _add_phones(router, running)
    _add_records(router, running)
    return router


def _add_page(router: APIRouter, running: Neighbourhood) -> None:
    page = files("device_sim").joinpath("page.html").read_text(encoding="utf-8")

    @router.get("/", response_class=HTMLResponse)
    async def show_page() -> str:
        return page

    @router.get("/sim/state")
    async def state() -> dict[str, Any]:
        """Everything the page shows."""
        return {
            "homes": [_home_json(home) for home in running.homes.values()],
            "phones": [_phone_json(phone) for phone in running.network.phones.values()],
        }

    @router.get("/sim/health")
    async def health() -> dict[str, Any]:
        devices = running.devices
        return {"devices": len(devices), "connected": sum(d.connection.connected.is_set() for d in devices)}


def _add_homes(router: APIRouter, running: Neighbourhood) -> None:
    def home_of(home_id: str) -> SimulatedHome:
        if home_id not in running.homes:
            raise HTTPException(404, f"there is no home {home_id}")
        return running.homes[home_id]

    def watch_of(home: SimulatedHome) -> Watch:
        if not home.watches:
            worn = ", ".join(one.id for one in running.homes.values() if one.watches)
            raise HTTPException(409, f"nobody in {home.id} wears a watch; somebody does in: {worn or 'no home'}")
        return home.watches[0]

    @router.get("/sim/homes")
    async def homes() -> list[dict[str, Any]]:
        return [_home_json(home) for home in running.homes.values()]

    @router.post("/sim/homes/{home_id}/press", status_code=201)
    async def press(home_id: str, request: Request) -> dict[str, Any]:
        body = await _body(request, PressBody)
        buttons = home_of(home_id).buttons
        if not buttons:
            raise HTTPException(409, f"home {home_id} has no button")
        return _event_json(buttons[0], buttons[0].press(body.kind, test=body.test))

    @router.post("/sim/behind/{device_id}/press", status_code=201)
    async def press_behind(device_id: str) -> dict[str, Any]:
        """A press (of a smoke detector: smoke) behind a gateway. Nothing tells what becomes of it: it has no lamp."""
        if device_id not in running.behind:
            raise HTTPException(404, f"there is no device {device_id} behind a gateway")
        gateway, address = running.behind[device_id]
        gateway.press(address)
        return {"device": device_id, "gateway": gateway.id, "address": address}

    @router.post("/sim/homes/{home_id}/answers")
    async def answers(home_id: str, request: Request) -> dict[str, Any]:
        """Who is asked whether they are all right answers so from now on; a question that stands is answered, too."""
        body = await _body(request, AnswersBody)
        buttons = home_of(home_id).buttons
        if not buttons:
            raise HTTPException(409, f"home {home_id} has no button")
        # Somebody has one pair of hands: one of their buttons is pressed.
        buttons[0].person_answers(None if body.answer == "nobody" else body.answer, body.after_seconds)
        return {"home": home_id, "device": buttons[0].id, "answer": body.answer, "asks": buttons[0].question}

    @router.get("/sim/events/{event_id}")
    async def event(event_id: str) -> dict[str, Any]:
        for home in running.homes.values():
            for button in home.buttons:
                if event_id in button.presses:
                    return _event_json(button, button.presses[event_id])
        raise HTTPException(404, f"nobody has pressed {event_id}")

    @router.post("/sim/homes/{home_id}/silence")
    async def silence(home_id: str, request: Request) -> dict[str, Any]:
        body = await _body(request, LengthBody)
        for hub in home_of(home_id).hubs:
            hub.fall_silent(body.seconds)
        return {"home": home_id, "silent_seconds": body.seconds}

    @router.post("/sim/homes/{home_id}/leave_home")
    async def leave_home(home_id: str, request: Request) -> dict[str, Any]:
        body = await _body(request, LengthBody)
        for hub in home_of(home_id).hubs:
            hub.leave_home(body.seconds)
        return {"home": home_id, "away_seconds": body.seconds}

    @router.post("/sim/homes/{home_id}/fall")
    async def fall(home_id: str, request: Request) -> dict[str, Any]:
        """The wearer falls and lies still, or gets up again."""
        body, home = await _body(request, FallBody), home_of(home_id)
        watch = watch_of(home)
        if not watch.fall(body.gets_up):
            raise HTTPException(409, f"whoever wears {watch.id} is falling already")
        for hub in home.hubs:
            hub.fall_silent(UP_AGAIN_SECONDS if body.gets_up else DEFAULT_SILENCE_SECONDS)
        return {"home": home_id, "device": watch.id, "gets_up": body.gets_up}

    @router.post("/sim/homes/{home_id}/measure")
    async def measure(home_id: str, request: Request) -> dict[str, Any]:
        """The watch measures this once, whatever its wearer's life would give."""
        body, watch = await _body(request, MeasureBody), watch_of(home_of(home_id))
        watch.send_reading(body.kind, body.value)
        return {"home": home_id, "device": watch.id, "kind": body.kind, "value": body.value}

    @router.post("/sim/homes/{home_id}/cable")
    async def cable(home_id: str, request: Request) -> dict[str, Any]:
        body = await _body(request, CableBody)
        devices = [device for device in home_of(home_id).devices if body.device in (None, device.id)]
        if not devices:
            raise HTTPException(404, f"home {home_id} has no device {body.device}")
        for device in devices:
            (device.connection.plug if body.plugged else device.connection.unplug)()
        return {"home": home_id, "plugged": body.plugged, "devices": [device.id for device in devices]}

    @router.post("/sim/power")
    async def power(request: Request) -> dict[str, Any]:
        """Many homes lose their power at once, or get it back: their devices vanish without a goodbye."""
        body = await _body(request, PowerBody)
        chosen = [
            home
            for home in running.homes.values()
            if (body.homes is None or home.id in body.homes) and home.area.startswith(body.area or "")
        ][: body.count]
        if not chosen:
            raise HTTPException(404, "there is no such home")
        for home in chosen:
            for device in home.devices:
                (device.connection.plug if body.on else device.connection.unplug)()
        return {"on": body.on, "homes": len(chosen), "devices": sum(len(home.devices) for home in chosen)}


def _add_phones(router: APIRouter, running: Neighbourhood) -> None:
    network = running.network

    def phone_of(number: str) -> Phone:
        if number not in network.phones:
            raise HTTPException(404, f"there is no phone {number}")
        return network.phones[number]

    def call_of(number: str) -> Call:
        call = phone_of(number).call
        if call is None:
            raise HTTPException(409, f"{number} is not ringing and not in a call")
        return call

    @router.get("/sim/phones")
    async def phones() -> list[dict[str, Any]]:
        return [_phone_json(phone) for phone in network.phones.values()]

    @router.post("/sim/phones", status_code=201)
    async def add(request: Request) -> dict[str, Any]:
        body = await _body(request, PhoneBody)
        if not is_number(body.number):
            raise HTTPException(400, f"{body.number} is no number in E.164 form")
        phone = Phone(body.number, body.name, body.home, body.role, body.language, body.habit)
        return _phone_json(network.add(phone))

    @router.get("/sim/phones/{number}")
    async def show(number: str) -> dict[str, Any]:
        return _phone_json(phone_of(number))

    @router.post("/sim/phones/{number}/answer")
    async def answer(number: str) -> dict[str, Any]:
        if not call_of(number).answer():
            raise HTTPException(409, f"{number} is not ringing")
        return _phone_json(phone_of(number))

    @router.post("/sim/phones/{number}/press")
    async def press(number: str, request: Request) -> dict[str, Any]:
        """Presses keys, each as soon as the caller asks for one, as a person does who listens first."""
        body = await _body(request, KeysBody)
        call = call_of(number)
        if not body.digits or not set(body.digits) <= KEYS:
            raise HTTPException(400, f"a phone has no keys {body.digits!r}")
        for key in body.digits:
            if not await call.press(key, body.patience_seconds):
                raise HTTPException(409, f"nobody asked {number} for a key")
        return _phone_json(phone_of(number))

    @router.post("/sim/phones/{number}/hangup")
    async def hang_up(number: str) -> dict[str, Any]:
        call = call_of(number)
        if not call.hang_up():
            raise HTTPException(409, f"{number} has nothing to hang up")
        await call.ended.wait()
        return _phone_json(phone_of(number))

    @router.post("/sim/phones/{number}/habit")
    async def habit(number: str, request: Request) -> dict[str, Any]:
        phone = phone_of(number)
        phone.habit = await _body(request, Habit)
        return _phone_json(phone)

    @router.post("/sim/phones/{number}/call", status_code=201)
    async def call(number: str, request: Request) -> dict[str, Any]:
        """The person calls the platform's number. The answer does not wait for what it says."""
        body = await _body(request, CallBody)
        phone = phone_of(number)
        if not network.voice_webhook:
            raise HTTPException(409, "no webhook is set for calls: POST /sim/voice_webhook first")
        if phone.call is not None:
            raise HTTPException(409, f"{number} is in a call already")
        to = body.to or next(iter(network.numbers), "")
        return call_json(network.incoming(phone, to, withheld=body.withheld))

    @router.post("/sim/phones/{number}/reply")
    async def reply(number: str, request: Request) -> dict[str, Any]:
        body = await _body(request, ReplyBody)
        if not network.sms_webhook:
            raise HTTPException(409, "no webhook is set for text messages: POST /sim/sms_webhook first")
        to = body.to or next(iter(network.numbers), "")
        return {"webhook_status": await network.reply(phone_of(number), to, body.body)}

    @router.post("/sim/sms_webhook")
    async def sms_webhook(request: Request) -> dict[str, Any]:
        network.sms_webhook = (await _body(request, WebhookBody)).url
        return {"url": network.sms_webhook}

    @router.post("/sim/voice_webhook")
    async def voice_webhook(request: Request) -> dict[str, Any]:
        network.voice_webhook = (await _body(request, WebhookBody)).url
        return {"url": network.voice_webhook}


def _add_records(router: APIRouter, running: Neighbourhood) -> None:
    network = running.network

    @router.get("/sim/calls")
    async def calls(to: str | None = None) -> list[dict[str, Any]]:
        """Every call since the start, oldest first, with precise times and all that was said and pressed."""
        return [call_json(call) for call in network.calls.values() if to in (None, call.record.request.to)]

    @router.get("/sim/messages")
    async def messages(to: str | None = None) -> list[dict[str, Any]]:
        return [
            msgspec.to_builtins(message.record)
            for message in network.messages.values()
            if to in (None, message.record.request.to)
        ]

    @router.get("/sim/faults")
    async def faults() -> Any:
        return msgspec.to_builtins(network.faults)

    @router.post("/sim/faults")
    async def set_faults(request: Request) -> Any:
        """Replaces all faults; `{}` is a provider without any."""
        network.faults = await _body(request, Faults)
        return msgspec.to_builtins(network.faults)


def call_json(call: Call) -> dict[str, Any]:
    """A call's whole record, times in ISO 8601 with microseconds."""
    shown: dict[str, Any] = msgspec.to_builtins(call.record)
    return shown | {"to": call.record.request.to, "duration_seconds": call.record.duration_seconds}


def _home_json(home: SimulatedHome) -> dict[str, Any]:
    presses = [(button, press) for button in home.buttons for press in button.presses.values()]
    return {
        "id": home.id,
        "person": home.person,
        "language": home.language,
        "watch": home.watches[0].id if home.watches else None,
        "devices": [
            {
                "id": device.id,
                "connected": device.connection.connected.is_set(),
                "plugged": device.connection.plugged,
                "refused": device.connection.refused,
                "seq": device.seq,
            }
            for device in home.devices
        ],
        "presses": [_event_json(button, press) for button, press in presses[-RECENT:]],
        "prompts": [prompt for button in home.buttons for prompt in button.prompts[-RECENT:]],
        "errors": [error for button in home.buttons for error in button.errors[-RECENT:]],
        "last_movement": next(
            (f"{hub.last_reading.sensor} {_time(hub.last_reading.at)}" for hub in home.hubs if hub.last_reading), None
        ),
    }


def _event_json(button: Button, press: Press) -> dict[str, Any]:
    return {
        "id": press.event_id,
        "device": button.id,
        "kind": press.kind,
        "attempt": press.attempt,
        "acknowledged": press.acknowledged,
        "shows": press.shows,
        "stages": [{"stage": lamp.stage, "at": _time(lamp.at), "by": lamp.by, "eta": lamp.eta} for lamp in press.lamp],
    }


def _phone_json(phone: Phone) -> dict[str, Any]:
    call = phone.call
    return {
        "number": phone.number,
        "name": phone.name,
        "home": phone.home,
        "role": phone.role,
        "language": phone.language,
        "habit": msgspec.to_builtins(phone.habit),
        "state": phone.state,
        "call": call.record.sid if call else None,
        "listening": bool(call and call.listening.is_set()),
        "heard": [text for _, _, text in call.record.heard] if call else [],
        "pressed": "".join(key for _, key in call.record.pressed) if call else "",
        "inbox": [
            {"at": _time(sms.at), "number": sms.number, "body": sms.body, "outgoing": sms.outgoing}
            for sms in phone.inbox[-RECENT:]
        ],
    }


def _time(at: datetime) -> str:
    return protocol.timestamp(at)


async def _body(request: Request, kind: Callable[..., Body]) -> Body:
    """The request's JSON as `kind`; an empty body is all defaults. 400 with the reason when it does not fit."""
    raw = await request.body()
    try:
        return msgspec.json.decode(raw or b"{}", type=kind)  # type: ignore[no-any-return]
    except msgspec.DecodeError as error:
        raise HTTPException(400, str(error)) from None
