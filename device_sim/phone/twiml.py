"""TwiML: what a webhook answers a call or message with, read into verbs. Pure.

Only what a platform for alarms needs: Say, Play, Pause, Gather, Dial (a number, or a conference), Redirect, Hangup,
Reject; for messages, Message.
Anything else is an error, so that a platform which relies on a verb we do not execute is noticed. The prolog and
entities of a hostile document are not our concern: it comes from the platform under test.
"""

from dataclasses import dataclass
from xml.etree import ElementTree


class TwimlError(Exception):
    """The document is no TwiML, or asks for something we do not execute. Twilio would end the call (12100, 12200)."""


@dataclass(frozen=True)
class Say:
    text: str
    language: str


@dataclass(frozen=True)
class Play:
    url: str


@dataclass(frozen=True)
class Pause:
    seconds: float


@dataclass(frozen=True)
class Gather:
    """Collects digits: `prompts` are spoken meanwhile, a digit interrupts them.

    Ends at `digits` digits (None: any number), at `finish_on_key`, or `timeout_seconds` after the last prompt or digit.
    """

    prompts: tuple["Say | Play | Pause", ...]
    digits: int | None
    finish_on_key: str
    timeout_seconds: float
    action: str | None
    method: str
    action_on_empty: bool


@dataclass(frozen=True)
class Room:
    """A conference to enter, by its friendly name, and how."""

    name: str
    label: str = ""
    start_on_enter: bool = True
    end_on_exit: bool = False
    muted: bool = False
    status_callback: str | None = None
    status_callback_events: tuple[str, ...] = ()


@dataclass(frozen=True)
class Dial:
    """Rings `number` and puts the caller through to whoever answers; or enters the conference `room`."""

    number: str
    timeout_seconds: float
    caller_id: str | None
    action: str | None
    method: str
    status_callback: str | None
    status_callback_events: tuple[str, ...]
    room: Room | None = None
    screen: str | None = None
    """What whoever answers hears and keys in, before the two are connected."""
    screen_method: str = "POST"


@dataclass(frozen=True)
class Redirect:
    url: str
    method: str


@dataclass(frozen=True)
class Hangup:
    pass


Verb = Say | Play | Pause | Gather | Dial | Redirect | Hangup


def parse(document: str) -> list[Verb]:
    """The verbs of a `<Response>` in their order. TwimlError when it is none."""
    return [_verb(element) for element in _root(document)]


def messages(document: str) -> list[str]:
    """The messages of a `<Response>` to a message that came in. TwimlError when it is none."""
    bodies = []
    for element in _root(document):
        if element.tag != "Message":
            raise TwimlError(f"12200 Schema validation warning: <{element.tag}> is not executed here")
        bodies.append((element.findtext("Body") or element.text or "").strip())
    return bodies


def _root(document: str) -> ElementTree.Element:
    try:
        root = ElementTree.fromstring(document)  # noqa: S314 - the platform under test is who we trust here
    except ElementTree.ParseError as error:
        raise TwimlError(f"12100 Document parse failure: {error}") from None
    if root.tag != "Response":
        raise TwimlError(f"12100 the root is <{root.tag}>, not <Response>")
    return root


def _verb(element: ElementTree.Element) -> Verb:
    match element.tag:
        case "Say" | "Play" | "Pause":
            return _prompt(element)
        case "Gather":
            return _gather(element)
        case "Dial":
            return _dial(element)
        case "Redirect":
            return Redirect((element.text or "").strip(), element.get("method", "POST").upper())
        case "Hangup" | "Reject":
            return Hangup()
    raise TwimlError(f"12200 Schema validation warning: <{element.tag}> is not executed here")


def _prompt(element: ElementTree.Element) -> Say | Play | Pause:
    text = (element.text or "").strip()
    match element.tag:
        case "Say":
            return Say(text, element.get("language", "en-US"))
        case "Play":
            return Play(text)
        case "Pause":
            return Pause(_number(element, "length", 1.0))
    raise TwimlError(f"12200 Schema validation warning: <{element.tag}> cannot stand in <Gather>")


def _gather(element: ElementTree.Element) -> Gather:
    if "dtmf" not in element.get("input", "dtmf").split():
        raise TwimlError("12200 only input='dtmf' is executed here")
    digits = element.get("numDigits")
    return Gather(
        prompts=tuple(_prompt(child) for child in element),
        digits=int(_number(element, "numDigits", 0)) if digits else None,
        finish_on_key=element.get("finishOnKey", "#"),
        timeout_seconds=_number(element, "timeout", 5.0),
        action=element.get("action"),
        method=element.get("method", "POST").upper(),
        action_on_empty=element.get("actionOnEmptyResult", "false") == "true",
    )


def _dial(element: ElementTree.Element) -> Dial:
    """One telephone number, within `<Number>` or bare; or one conference."""
    if [child.tag for child in element] not in ([], ["Number"], ["Conference"]):
        raise TwimlError("12200 only one <Number> or <Conference> is dialled here")
    conference = element.find("Conference")
    noun = element.find("Number")
    number = ((element if noun is None else noun).text or "").strip()
    return Dial(
        number=number,
        timeout_seconds=_number(element, "timeout", 30.0),
        caller_id=element.get("callerId"),
        action=element.get("action"),
        method=element.get("method", "POST").upper(),
        status_callback=None if noun is None else noun.get("statusCallback"),
        status_callback_events=() if noun is None else tuple(noun.get("statusCallbackEvent", "completed").split()),
        room=None if conference is None else _room(conference),
        screen=None if noun is None else noun.get("url"),
        screen_method="POST" if noun is None else noun.get("method", "POST").upper(),
    )


def _room(element: ElementTree.Element) -> Room:
    name = (element.text or "").strip()
    if not name:
        raise TwimlError("13212 Dial: Conference: no name")
    return Room(
        name=name,
        label=element.get("participantLabel", ""),
        start_on_enter=element.get("startConferenceOnEnter", "true") == "true",
        end_on_exit=element.get("endConferenceOnExit", "false") == "true",
        muted=element.get("muted", "false") == "true",
        status_callback=element.get("statusCallback"),
        status_callback_events=tuple(element.get("statusCallbackEvent", "").split()),
    )


def _number(element: ElementTree.Element, name: str, default: float) -> float:
    value = element.get(name)
    try:
        number = default if value is None else float(value)
    except ValueError:
        raise TwimlError(f"12200 {name}={value!r} is no number") from None
    if not 0 <= number <= 600:
        raise TwimlError(f"12200 {name}={value!r} is out of range")
    return number
