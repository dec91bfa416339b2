"""Twilio's JSON of calls and messages, made from our records; filters and pages of its lists. Pure.

The fields, types and enumerations are checked in tests against Twilio's published OpenAPI.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, time, timedelta
from email.utils import format_datetime
from typing import Any
from urllib.parse import urlencode

from device_sim.phone import errors
from device_sim.phone.call import EVENTS, CallRecord, CallRequest
from device_sim.phone.conference import EVENTS as CONFERENCE_EVENTS
from device_sim.phone.conference import ConferenceRecord, Participant
from device_sim.phone.sms import MessageRecord, MessageRequest
from device_sim.phone.twiml import Room

VERSION = "2010-04-01"
DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE = 50, 1000
MAX_BODY_CHARACTERS = 1600
MAX_TWIML_CHARACTERS = 4000

CALL_PARAMETERS = frozenset(
    {
        "To",
        "From",
        "Url",
        "Twiml",
        "Method",
        "FallbackUrl",
        "FallbackMethod",
        "StatusCallback",
        "StatusCallbackEvent",
        "StatusCallbackMethod",
        "Timeout",
        "MachineDetection",
        "AsyncAmd",
        "AsyncAmdStatusCallback",
        "AsyncAmdStatusCallbackMethod",
    }
)
"""What a call understands. Anything else Twilio would ignore too; here it is kept on the record for a test to see."""
MESSAGE_PARAMETERS = frozenset({"To", "From", "Body", "StatusCallback"})
UPDATE_PARAMETERS = frozenset({"Status", "Url", "Twiml", "Method"})
PAGE_PARAMETERS = frozenset({"PageSize", "Page", "PageToken"})
CALL_FILTERS = frozenset({"To", "From", "Status", "StartTime", "StartTime<", "StartTime>"}) | PAGE_PARAMETERS
CONFERENCE_FILTERS = frozenset({"FriendlyName", "Status"}) | PAGE_PARAMETERS
CONFERENCE_UPDATE_PARAMETERS = frozenset({"Status"})
PARTICIPANT_PARAMETERS = frozenset(
    {
        "To",
        "From",
        "Label",
        "Timeout",
        "EarlyMedia",
        "Beep",
        "Muted",
        "StartConferenceOnEnter",
        "EndConferenceOnExit",
        "StatusCallback",
        "StatusCallbackEvent",
        "StatusCallbackMethod",
        "ConferenceStatusCallback",
        "ConferenceStatusCallbackEvent",
        "ConferenceStatusCallbackMethod",
    }
)
"""What bringing somebody in understands."""
PARTICIPANT_FILTERS = frozenset({"Muted", "Hold"}) | PAGE_PARAMETERS
PARTICIPANT_UPDATE_PARAMETERS = frozenset({"Muted", "Hold"})
MESSAGE_FILTERS = frozenset({"To", "From", "DateSent", "DateSent<", "DateSent>"}) | PAGE_PARAMETERS

Form = Mapping[str, list[str]]


def call_request(form: Form) -> CallRequest:
    """The call that a form asks for. TwilioError when it asks for none."""
    to, from_number = _one(form, "To"), _one(form, "From")
    url, document = _one(form, "Url"), _one(form, "Twiml")
    if not to:
        raise errors.no_to()
    if not from_number:
        raise errors.no_from()
    if not url and not document:
        raise errors.no_url()
    if document and len(document) > MAX_TWIML_CHARACTERS:
        raise errors.twiml_too_long()
    if url and not url.startswith(("http://", "https://")):
        raise errors.invalid_url(url)
    return CallRequest(
        to=to,
        from_number=from_number,
        url=url,
        twiml=document,
        method=(_one(form, "Method") or "POST").upper(),
        fallback_url=_one(form, "FallbackUrl"),
        fallback_method=(_one(form, "FallbackMethod") or "POST").upper(),
        status_callback=_one(form, "StatusCallback"),
        status_callback_events=_events(form),
        status_callback_method=(_one(form, "StatusCallbackMethod") or "POST").upper(),
        timeout_seconds=_timeout(form),
        machine_detection=_one(form, "MachineDetection"),
        async_detection=_one(form, "AsyncAmd") == "true",
        async_detection_callback=_one(form, "AsyncAmdStatusCallback"),
        unknown_parameters=tuple(sorted(form.keys() - CALL_PARAMETERS)),
    )


def participant_request(name: str, form: Form) -> tuple[CallRequest, Room]:
    """Whom a form wants brought into the conference `name`, and how. TwilioError when it names nobody."""
    to, from_number = _one(form, "To"), _one(form, "From")
    if not to:
        raise errors.no_to()
    if not from_number:
        raise errors.no_from()
    room = Room(
        name,
        label=_one(form, "Label") or "",
        start_on_enter=_flag(form, "StartConferenceOnEnter", default=True),
        end_on_exit=_flag(form, "EndConferenceOnExit", default=False),
        muted=_flag(form, "Muted", default=False),
        status_callback=_one(form, "ConferenceStatusCallback"),
        status_callback_events=_named_events(form, "ConferenceStatusCallbackEvent", CONFERENCE_EVENTS),
    )
    request = CallRequest(
        to=to,
        from_number=from_number,
        status_callback=_one(form, "StatusCallback"),
        status_callback_events=_events(form),
        status_callback_method=(_one(form, "StatusCallbackMethod") or "POST").upper(),
        timeout_seconds=_timeout(form),
        unknown_parameters=tuple(sorted(form.keys() - PARTICIPANT_PARAMETERS)),
        room=room,
    )
    return request, room


def participant_change(form: Form) -> dict[str, bool]:
    """What is to be with somebody in a conference from now on."""
    return {name.lower(): _flag(form, name, default=False) for name in ("Muted", "Hold") if name in form}


def message_request(form: Form) -> MessageRequest:
    """The message that a form asks for. TwilioError when it asks for none."""
    to, from_number, body = _one(form, "To"), _one(form, "From"), _one(form, "Body")
    if not to:
        raise errors.no_message_to()
    if not from_number:
        raise errors.no_message_from()
    if not body:
        raise errors.no_message_body()
    if len(body) > MAX_BODY_CHARACTERS:
        raise errors.message_too_long()
    unknown = tuple(sorted(form.keys() - MESSAGE_PARAMETERS))
    return MessageRequest(to, from_number, body, _one(form, "StatusCallback"), unknown)


def call_json(record: CallRecord, account_sid: str) -> dict[str, Any]:
    """A Call as Twilio shows it."""
    request = record.request
    uri = f"/{VERSION}/Accounts/{account_sid}/Calls/{record.sid}"
    return {
        "sid": record.sid,
        "date_created": _date(record.created_at),
        "date_updated": _date(record.updated_at),
        "parent_call_sid": None,
        "account_sid": account_sid,
        "to": request.to,
        "to_formatted": request.to,
        "from": request.from_number,
        "from_formatted": request.from_number,
        "phone_number_sid": None,
        "status": record.status,
        "start_time": _date(record.started_at),
        "end_time": _date(record.ended_at),
        "duration": None if record.duration_seconds is None else str(record.duration_seconds),
        "price": None,
        "price_unit": "USD",
        "direction": request.direction,
        "answered_by": record.answered_by,
        "api_version": VERSION,
        "forwarded_from": None,
        "group_sid": None,
        "caller_name": None,
        "queue_time": str(record.queue_milliseconds),
        "trunk_sid": None,
        "uri": f"{uri}.json",
        "subresource_uris": {
            "notifications": f"{uri}/Notifications.json",
            "recordings": f"{uri}/Recordings.json",
            "events": f"{uri}/Events.json",
        },
    }


def message_json(record: MessageRecord, account_sid: str) -> dict[str, Any]:
    """A Message as Twilio shows it."""
    uri = f"/{VERSION}/Accounts/{account_sid}/Messages/{record.sid}"
    return {
        "sid": record.sid,
        "account_sid": account_sid,
        "api_version": VERSION,
        "body": record.request.body,
        "date_created": _date(record.created_at),
        "date_sent": _date(record.sent_at),
        "date_updated": _date(record.updated_at),
        "direction": "outbound-api",
        "error_code": record.error_code,
        "error_message": record.error_message,
        "from": record.request.from_number,
        "messaging_service_sid": None,
        "num_media": "0",
        "num_segments": str(record.segments),
        "price": None,
        "price_unit": "USD",
        "status": record.status,
        "subresource_uris": {"media": f"{uri}/Media.json"},
        "to": record.request.to,
        "uri": f"{uri}.json",
    }


def conference_json(record: ConferenceRecord, account_sid: str) -> dict[str, Any]:
    """A Conference as Twilio shows it."""
    uri = f"/{VERSION}/Accounts/{account_sid}/Conferences/{record.sid}"
    return {
        "account_sid": account_sid,
        "date_created": _date(record.created_at),
        "date_updated": _date(record.updated_at),
        "api_version": VERSION,
        "friendly_name": record.friendly_name,
        "region": "us1",
        "sid": record.sid,
        "status": record.status,
        "uri": f"{uri}.json",
        "subresource_uris": {"participants": f"{uri}/Participants.json", "recordings": f"{uri}/Recordings.json"},
        "reason_conference_ended": record.reason_ended,
        "call_sid_ending_conference": record.call_sid_ending,
    }


def participant_json(conference: ConferenceRecord, participant: Participant, account_sid: str) -> dict[str, Any]:
    """A Participant as Twilio shows it."""
    call = participant.call.record.sid
    return {
        "account_sid": account_sid,
        "call_sid": call,
        "label": participant.room.label or None,
        "call_sid_to_coach": None,
        "coaching": False,
        "conference_sid": conference.sid,
        "date_created": _date(participant.created_at),
        "date_updated": _date(participant.updated_at),
        "end_conference_on_exit": participant.room.end_on_exit,
        "muted": participant.muted,
        "hold": participant.hold,
        "start_conference_on_enter": participant.room.start_on_enter,
        "status": participant.status,
        "queue_time": str(participant.call.record.queue_milliseconds),
        "uri": f"/{VERSION}/Accounts/{account_sid}/Conferences/{conference.sid}/Participants/{call}.json",
    }


def select_conferences(records: Iterable[ConferenceRecord], form: Form) -> list[ConferenceRecord]:
    """The conferences that a list asks for, newest first."""
    name, status = _one(form, "FriendlyName"), _one(form, "Status")
    return [
        record
        for record in _newest(records)
        if name in (None, record.friendly_name) and status in (None, record.status)
    ]


def select_calls(records: Iterable[CallRecord], form: Form) -> list[CallRecord]:
    """The calls that a list asks for, newest first. A call not yet dialled counts by the time it was placed."""
    status = _one(form, "Status")
    return [
        record
        for record in _newest(records)
        if _matches(form, record.request.to, record.request.from_number)
        and (status is None or record.status == status)
        and _within(form, "StartTime", record.started_at or record.created_at)
    ]


def select_messages(records: Iterable[MessageRecord], form: Form) -> list[MessageRecord]:
    """The messages that a list asks for, newest first."""
    return [
        record
        for record in _newest(records)
        if _matches(form, record.request.to, record.request.from_number)
        and _within(form, "DateSent", record.sent_at or record.created_at)
    ]


def page_json(
    path: str, key: str, records: list[Any], form: Form, shown: Callable[[Any], dict[str, Any]]
) -> dict[str, Any]:
    """One page of a list as Twilio shows it; `Page` counts from 0."""
    size = min(max(_integer(form, "PageSize", DEFAULT_PAGE_SIZE), 1), MAX_PAGE_SIZE)
    number = max(_integer(form, "Page", 0), 0)
    first = number * size
    rows = [shown(record) for record in records[first : first + size]]

    def uri(page: int) -> str:
        kept = [(name, value) for name, values in form.items() for value in values if name not in ("Page", "PageSize")]
        return f"{path}?{urlencode([*kept, ('PageSize', size), ('Page', page)])}"

    return {
        key: rows,
        "first_page_uri": uri(0),
        "next_page_uri": uri(number + 1) if first + size < len(records) else None,
        "previous_page_uri": uri(number - 1) if number else None,
        "page": number,
        "page_size": size,
        "start": first,
        "end": first + max(len(rows) - 1, 0),
        "uri": uri(number),
    }


def _newest(records: Iterable[Any]) -> list[Any]:
    return sorted(records, key=lambda record: record.created_at, reverse=True)


def _matches(form: Form, to: str, from_number: str) -> bool:
    return _one(form, "To") in (None, to) and _one(form, "From") in (None, from_number)


def _within(form: Form, name: str, at: datetime) -> bool:
    """Twilio compares whole seconds; `Name>` and `Name<` include their bound, a bare date names the whole day."""
    at = at.replace(microsecond=0)
    on, since, until = (_time(form, f"{name}{suffix}") for suffix in ("", ">", "<"))
    if on is not None:
        # The SDK writes a date as its midnight, so a midnight names the whole day too.
        length = timedelta(days=1) if on.timetz() == time(tzinfo=UTC) else timedelta(seconds=1)
        if not on <= at < on + length:
            return False
    return (since is None or at >= since) and (until is None or at <= until)


def _time(form: Form, name: str) -> datetime | None:
    value = _one(form, name)
    if value is None:
        return None
    try:
        at = datetime.fromisoformat(value)
    except ValueError:
        raise errors.invalid_parameter(name, value) from None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _events(form: Form) -> tuple[str, ...]:
    """Repeated parameters or names separated by spaces; a misspelt one is refused, so that a typo is noticed."""
    return _named_events(form, "StatusCallbackEvent", EVENTS) or ("completed",)


def _named_events(form: Form, name: str, known: Sequence[str]) -> tuple[str, ...]:
    named = [event for value in form.get(name, []) for event in value.split()]
    for event in named:
        if event not in known:
            raise errors.invalid_callback_event(event)
    return tuple(named)


def _timeout(form: Form) -> float:
    seconds = _integer(form, "Timeout", 60)
    if not 1 <= seconds <= 600:
        raise errors.invalid_parameter("Timeout", str(seconds))
    return float(seconds)


def _integer(form: Form, name: str, default: int) -> int:
    value = _one(form, name)
    if value is None:
        return default
    if not (value.isascii() and value.isdigit()):
        raise errors.invalid_parameter(name, value)
    return int(value)


def _flag(form: Form, name: str, *, default: bool) -> bool:
    """Anything but `true` is false, as Twilio has it."""
    value = _one(form, name)
    return default if value is None else value.lower() == "true"


def _one(form: Form, name: str) -> str | None:
    values = form.get(name)
    return values[-1] if values and values[-1] != "" else None


def _date(at: datetime | None) -> str | None:
    return None if at is None else format_datetime(at.replace(microsecond=0))
