"""Our fake Twilio against Twilio's published OpenAPI: a fake that drifts tests nothing."""

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import pytest
from twilio.request_validator import RequestValidator

from device_sim.phone import resources
from device_sim.phone.call import EVENTS, FINAL, Call, CallRecord, CallRequest
from device_sim.phone.conference import ConferenceRecord, Participant
from device_sim.phone.signature import sign
from device_sim.phone.sms import MessageRecord, MessageRequest
from device_sim.phone.twiml import Room
from device_sim.phone.webhook import Webhooks

FRAMES = Path(__file__).parent.parent / "frames" / "twilio"
EXCERPTS: list[dict[str, Any]] = [
    json.loads((FRAMES / f"{name}.openapi.json").read_text()) for name in ("calls_and_messages", "conferences")
]
SPEC: dict[str, Any] = {"paths": {path: one for excerpt in EXCERPTS for path, one in excerpt["paths"].items()}}
SCHEMAS: dict[str, Any] = {name: one for excerpt in EXCERPTS for name, one in excerpt["components"]["schemas"].items()}
NULL_ALL_THE_SAME = {"reason_conference_ended"}
"""An enumeration is nowhere said to be nullable; the document's own examples of a conference that goes on have null."""
BASE = "/2010-04-01/Accounts/{AccountSid}"
SID = "AC" + "0" * 32
NOW = datetime(2025, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)
STATUSES = sorted(FINAL | {"queued", "ringing", "in-progress"})


def check(schema: dict[str, Any], value: Any, where: str) -> None:
    """Enough of OpenAPI 3 for these schemas: types, null, enumerations, patterns, formats, no unknown fields."""
    if "$ref" in schema:
        if value is None and where.rpartition(".")[2] in NULL_ALL_THE_SAME:
            return None
        return check(SCHEMAS[schema["$ref"].rsplit("/", 1)[-1]], value, where)
    if value is None:
        assert schema.get("nullable"), f"{where} may not be null"
        return None
    kinds: dict[str, type | tuple[type, ...]] = {
        "string": str,
        "integer": int,
        "number": (int, float),
        "object": dict,
        "array": list,
        "boolean": bool,
    }
    assert isinstance(value, kinds[schema["type"]]), f"{where} is a {type(value).__name__}, not {schema['type']}"
    assert "enum" not in schema or value in schema["enum"], f"{where}: {value}"
    assert "pattern" not in schema or re.search(schema["pattern"], value), f"{where}: {value}"
    if schema.get("format") == "date-time-rfc-2822":
        assert parsedate_to_datetime(value).utcoffset() == timedelta(0)
    for name, field in value.items() if "properties" in schema else ():
        assert name in schema["properties"], f"{where} has no {name}"
        check(schema["properties"][name], field, f"{where}.{name}")
    for number, item in enumerate(value if schema["type"] == "array" else ()):
        check(schema["items"], item, f"{where}[{number}]")
    return None


def answered(path: str, method: str, status: str) -> dict[str, Any]:
    schema: dict[str, Any] = SPEC["paths"][BASE + path][method]["responses"][status]["content"]["application/json"][
        "schema"
    ]
    return schema


def call_record(status: str = "queued", **more: Any) -> CallRecord:
    request = CallRequest("+8613800000101", "+867500000000", url="http://127.0.0.1/voice")
    return CallRecord("CA" + "a" * 32, request, NOW, NOW, status, **more)


def message_record(status: str = "queued", **more: Any) -> MessageRecord:
    request = MessageRequest("+8613800000101", "+867500000000", "陈秀英需要帮助")
    return MessageRecord("SM" + "b" * 32, request, NOW, NOW, status, **more)


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("by", [None, "human", "machine_start"])
def test_a_call_has_the_published_shape(status: str, by: str | None) -> None:
    over = status == "completed"
    record = call_record(
        status, started_at=NOW, answered_at=NOW if over else None, ended_at=NOW if over else None, answered_by=by
    )
    shown = resources.call_json(record, SID)
    check(answered("/Calls.json", "post", "201"), shown, "call")
    assert shown.keys() == SCHEMAS["api.v2010.account.call"]["properties"].keys()


@pytest.mark.parametrize("status", ["queued", "sent", "delivered", "undelivered"])
def test_a_message_has_the_published_shape(status: str) -> None:
    record = message_record(status, sent_at=NOW, error_code=30003 if status == "undelivered" else None)
    shown = resources.message_json(record, SID)
    check(answered("/Messages.json", "post", "201"), shown, "message")
    assert shown.keys() == SCHEMAS["api.v2010.account.message"]["properties"].keys()


def conference_record(**more: Any) -> ConferenceRecord:
    return ConferenceRecord("CF" + "c" * 32, "incident-1", NOW, NOW, **more)


def participant(status: str = "in-progress") -> Participant:
    call = Call(call_record().request, account_sid=SID, phone=None, webhooks=Webhooks("a-token"), pace=1.0)
    call.record.status = status
    return Participant(call, Room("incident-1", label="7"), NOW, NOW, muted=False)


@pytest.mark.parametrize("ended", [None, "last-participant-left", "participant-with-end-conference-on-exit-left"])
def test_a_conference_has_the_published_shape(ended: str | None) -> None:
    record = conference_record(status="completed" if ended else "in-progress", reason_ended=ended)
    shown = resources.conference_json(record, SID)
    check(answered("/Conferences/{Sid}.json", "get", "200"), shown, "conference")
    assert shown.keys() == SCHEMAS["api.v2010.account.conference"]["properties"].keys()


@pytest.mark.parametrize("status", STATUSES)
async def test_a_participant_has_the_published_shape(status: str) -> None:
    shown = resources.participant_json(conference_record(), participant(status), SID)
    path = "/Conferences/{ConferenceSid}/Participants.json"
    check(answered(path, "post", "201"), shown, "participant")
    assert shown.keys() == SCHEMAS["api.v2010.account.conference.participant"]["properties"].keys()


@pytest.mark.parametrize("page", ["0", "1", "7"])
async def test_lists_have_the_published_shape(page: str) -> None:
    form = {"PageSize": ["2"], "Page": [page], "To": ["+8613800000101"]}
    cases: list[tuple[str, str, list[Any], Callable[..., dict[str, Any]]]] = [
        ("/Calls.json", "calls", [call_record()] * 4, resources.call_json),
        ("/Messages.json", "messages", [message_record()] * 4, resources.message_json),
        ("/Conferences.json", "conferences", [conference_record()] * 4, resources.conference_json),
        ("/Conferences/{ConferenceSid}/Participants.json", "participants", [participant()] * 4, in_the_conference),
    ]
    for path, key, records, shown in cases:
        listed = resources.page_json(path, key, records, form, lambda record, shown=shown: shown(record, SID))
        schema = answered(path, "get", "200")
        check(schema, listed, key)
        assert listed.keys() == schema["properties"].keys()


def in_the_conference(one: Participant, account_sid: str) -> dict[str, Any]:
    return resources.participant_json(conference_record(), one, account_sid)


def form_of(path: str, method: str) -> set[str]:
    operation = SPEC["paths"][BASE + path][method]
    if method == "get":
        return {parameter["name"] for parameter in operation["parameters"] if parameter["in"] == "query"}
    content = operation["requestBody"]["content"]["application/x-www-form-urlencoded"]
    return set(content["schema"]["properties"])


@pytest.mark.parametrize(
    ("ours", "path", "method"),
    [
        (resources.CALL_PARAMETERS, "/Calls.json", "post"),
        (resources.UPDATE_PARAMETERS, "/Calls/{Sid}.json", "post"),
        (resources.CALL_FILTERS, "/Calls.json", "get"),
        (resources.MESSAGE_PARAMETERS, "/Messages.json", "post"),
        (resources.MESSAGE_FILTERS, "/Messages.json", "get"),
        (resources.CONFERENCE_FILTERS, "/Conferences.json", "get"),
        (resources.CONFERENCE_UPDATE_PARAMETERS, "/Conferences/{Sid}.json", "post"),
        (resources.PARTICIPANT_PARAMETERS, "/Conferences/{ConferenceSid}/Participants.json", "post"),
        (resources.PARTICIPANT_FILTERS, "/Conferences/{ConferenceSid}/Participants.json", "get"),
        (resources.PARTICIPANT_UPDATE_PARAMETERS, "/Conferences/{ConferenceSid}/Participants/{CallSid}.json", "post"),
    ],
)
def test_parameters_bear_the_published_names(ours: frozenset[str], path: str, method: str) -> None:
    assert ours <= form_of(path, method)


def test_events_and_statuses_are_the_published_ones() -> None:
    assert set(EVENTS) == set(SCHEMAS["call_enum_event"]["enum"])
    assert set(STATUSES) == set(SCHEMAS["call_enum_status"]["enum"])


@pytest.mark.parametrize("url", ["http://127.0.0.1:8360/twilio/voice", "https://example.org/twilio/voice?step=1&s=2"])
def test_signatures_satisfy_twilios_own_validator(url: str) -> None:
    parameters = [("To", "+8613800000101"), ("Body", "需要帮助"), ("Digits", "")]
    signature = sign("a-token", url, parameters)
    assert RequestValidator("a-token").validate(url, dict(parameters), signature)
    assert not RequestValidator("another").validate(url, dict(parameters), signature)
    assert not RequestValidator("a-token").validate(url, dict(parameters) | {"Digits": "1"}, signature)
