"""SOS Access v4 without a socket: real telegrams, whatever else bytes can be, and what may never be kept."""

from datetime import UTC, datetime
from typing import Any
from xml.etree import ElementTree
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.codecs import Reason, Refusal
from ingest.sos_access.protocol import (
    MESSAGE_BYTES_MAX,
    STATUSES,
    Kind,
    Refused,
    Request,
    Status,
    Stream,
    answer,
    position,
    transmitter_time,
    without_secret,
)

SECRET = "hxp4x9nnwxjatv8"
HEADER = '<?xml version="1.0" encoding="ISO-8859-1"?>'
STOCKHOLM = ZoneInfo("Europe/Stockholm")


def telegram(kind: Kind = Kind.ALARM, header: str = HEADER, **elements: str) -> bytes:
    given = {"authentication": SECRET, "transmittercode": "1234567", "transmittertype": "SV300", "eventcode": "BA"}
    inner = "".join(f"<{name}>{text}</{name}>" for name, text in (given | elements).items() if text != "absent")
    return f"{header}<{kind}>{inner}</{kind}>".encode("iso-8859-1")


def hear(data: bytes, *, size: int | None = None) -> list[Request | Refused]:
    """What is made of `data` that comes in pieces of `size` bytes, and then nothing more."""
    stream, heard = Stream(), []
    for at in range(0, len(data), size or len(data) or 1):
        heard += stream.feed(data[at : at + (size or len(data))])
    closed = stream.close("the line was closed")
    return heard if closed is None else [*heard, closed]


def test_the_example_of_the_published_page_is_an_alarm() -> None:
    data = b"""<?xml version="1.0" encoding="ISO-8859-1"?>
    <alarmrequest>
      <authentication>hxp4x9nnwxjatv8</authentication>
      <reference>1</reference>
      <receiver>42</receiver>
      <alarmtype>AL</alarmtype>
      <transmittertype>SV300</transmittertype>
      <transmittercode>1234567</transmittercode>
      <eventcode>BA</eventcode>
    </alarmrequest>"""
    (request,) = hear(data)
    assert isinstance(request, Request)
    assert (request.kind, request.code, request.authentication) == (Kind.ALARM, "1234567", SECRET)
    assert (request.reference, request.event_code, request.restore, request.left_out) == ("1", "BA", False, ())
    assert SECRET.encode() not in request.payload
    assert b"<eventcode>BA</eventcode>" in request.payload


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (telegram(header=""), Refusal.XML_HEADER),
        (telegram(header="<?xml version='2.0'?>"), Refusal.XML_HEADER),
        (telegram(header="<?xml " + "x" * 300), Refusal.XML_HEADER),
        (b"GET / HTTP/1.1\r\n\r\n", Refusal.XML_HEADER),
        (telegram(header='<?xml version="1.0" encoding="GB18030"?>'), Refusal.WRONG_ENCODING),
        (telegram().decode().encode("utf-16"), Refusal.WRONG_ENCODING),
        (telegram().decode().encode("utf-16-be"), Refusal.WRONG_ENCODING),
        (telegram(header=HEADER.replace("ISO-8859-1", "utf-8"), section="\xe5"), Refusal.NOT_XML),
        (telegram(eventcode="\x01"), Refusal.NOT_XML),
        (telegram(eventcode="&bomb;"), Refusal.NOT_XML),
        (telegram(section="</position>"), Refusal.NOT_XML),
        (telegram(header=HEADER + "<!DOCTYPE alarmrequest SYSTEM 'file:///etc/passwd'>"), Refusal.DOCUMENT_TYPE),
        (telegram(header=HEADER + "<!-- a -->\n<!DOCTYPE a [<!ENTITY b 'cccc'>]>"), Refusal.DOCUMENT_TYPE),
        (HEADER.encode() + b"<alarmresponse/>", Refusal.UNKNOWN_REQUEST),
        (HEADER.encode() + b"<alarmrequested>", Refusal.UNKNOWN_REQUEST),
        (HEADER.encode() + b"alarmrequest", Refusal.UNKNOWN_REQUEST),
        (HEADER.encode() + b"<!--" + b"x" * 5000, Refusal.UNKNOWN_REQUEST),
        (telegram(section="<a>" * 10 + "</a>" * 10), Reason.TOO_DEEP),
        (telegram(sectiontext="x" * MESSAGE_BYTES_MAX), Reason.TOO_LARGE),
        (telegram(eventcode="absent"), Reason.MISSING_FIELD),
        (telegram(eventcode="  "), Reason.MISSING_FIELD),
        (telegram(transmittercode="absent"), Reason.MISSING_FIELD),
        (telegram(Kind.PING, authentication="absent"), Reason.MISSING_FIELD),
        (HEADER.encode() + b"<pingrequest/>", Reason.MISSING_FIELD),
        (telegram(eventcode="x" * 26), Reason.OUT_OF_RANGE),
        (telegram(transmittercode="x" * 16), Reason.OUT_OF_RANGE),
        (telegram(authentication="short"), Reason.OUT_OF_RANGE),
        (telegram(section="</section><eventcode>FA</eventcode><section>"), Reason.DUPLICATE_FIELD),
        (telegram()[:-5], Refusal.INCOMPLETE),
        (HEADER.encode(), Refusal.INCOMPLETE),
        (b"<", Refusal.INCOMPLETE),
    ],
)
@pytest.mark.parametrize("size", [None, 1, 997])
def test_what_is_refused_has_a_reason_however_it_is_cut(
    data: bytes, reason: Reason | Refusal, size: int | None
) -> None:
    first = hear(data, size=size)[0]
    assert isinstance(first, Refused)
    assert first.reason is reason
    assert first.detail
    assert reason in STATUSES
    assert SECRET.encode() not in first.payload


def test_an_alarm_is_taken_whatever_is_wrong_with_an_ornament() -> None:
    odd = telegram(reference="r" * 51, section="123456", alarmtype="??", receiver="", colour="<deep>red</deep>")
    (request,) = hear(odd.replace(b"<transmittertype>SV300</transmittertype>", b""))
    assert isinstance(request, Request)
    assert request.left_out == ("reference", "section", "alarmtype")
    assert (request.reference, request.fields["section"]) == ("r" * 50, "12345")
    assert not request.restore, "what is not clearly a restore rings"


names = st.sampled_from(["section", "sectiontext", "detector", "additionalinfo", "reference", "eventcode", "other"])
printable = st.characters(min_codepoint=32, max_codepoint=255, blacklist_characters="\x7f<>&")
texts = st.text(printable, max_size=25)


@given(st.sampled_from(list(Kind)), st.dictionaries(names, texts), st.integers(1, 40), st.integers(1, 3))
def test_several_requests_cut_anywhere_are_the_same_requests(
    kind: Kind, elements: dict[str, str], size: int, times: int
) -> None:
    one = telegram(kind, **elements)
    assert hear((one + b"\r\n") * times, size=size) == hear(one) * times


@given(st.dictionaries(names, texts, max_size=4), st.integers(0, 600), st.binary(max_size=4), st.integers(0, 4))
def test_whatever_is_broken_nothing_is_raised_and_the_secret_is_never_kept(
    elements: dict[str, str], at: int, noise: bytes, lost: int
) -> None:
    whole = telegram(**elements)
    # Only what stands between the tags is the secret: noise inside the tag's name makes another element of it.
    tag = whole.index(b"<authentication>")
    at = at if not tag - 4 < at < tag + len("<authentication>") else len(whole)
    for heard in hear(whole[:at] + noise + whole[at + lost :]):
        assert b"p4x9nnwxjat" not in heard.payload
    assert b"p4x9nnwxjat" not in without_secret(whole[:at])


@given(st.binary(max_size=300), st.integers(1, 50))
def test_no_bytes_raise(data: bytes, size: int) -> None:
    for given_bytes in (data, HEADER.encode() + data, HEADER.encode() + b"<alarmrequest>" + data + b"</alarmrequest>"):
        for heard in hear(given_bytes, size=size):
            assert isinstance(heard, Refused)
            assert heard.reason in STATUSES


@pytest.mark.parametrize(
    "payload",
    [
        f"<Authentication>{SECRET}</Authentication>",
        f"<x:authentication a='b'>{SECRET}</x:authentication>",
        f"<authentication><![CDATA[{SECRET}]]></authentication>",
        f"<pingrequest authentication='{SECRET}'/>",
        f'<pingrequest authentication = "{SECRET}',
        f"<authentication>{SECRET}",
    ],
)
def test_the_secret_is_found_however_it_is_written(payload: str) -> None:
    for data in (payload.encode(), payload.encode("utf-16")):
        assert SECRET.encode() not in without_secret(data).replace(b"\0", b"")


@given(
    st.sampled_from(list(Kind)),
    st.sampled_from(list(Status)),
    st.none() | st.text(st.characters(blacklist_categories=("Cs", "Cc")), min_size=1, max_size=50),
)
def test_an_answer_is_read_as_it_was_meant(kind: Kind, status: Status, reference: str | None) -> None:
    at = datetime(2026, 11, 22, 8, 0, 0, 123_456, UTC).astimezone(STOCKHOLM)
    tree = ElementTree.fromstring(answer(kind, status, at, reference=reference, new_authentication=SECRET))
    found: dict[str, Any] = {element.tag: element.text for element in tree}
    assert tree.tag == f"{kind}".replace("request", "response", 1) or tree.tag == f"{kind}response"
    assert found.pop("reference", None) == reference
    assert found == {
        "status": str(status.value),
        "info": status.name,
        "newauthentication": SECRET,
        "arrivaltime": "2026-11-22 09:00:00.123",
    }


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("2002-05-28 11:35:20.022", datetime(2002, 5, 28, 9, 35, 20, 22_000, UTC)),
        ("2026-11-22T08:00:00.5", datetime(2026, 11, 22, 7, 0, 0, 500_000, UTC)),
        ("2026-11-22T08:00:00+00:00", datetime(2026, 11, 22, 8, 0, tzinfo=UTC)),
        ("yesterday", None),
        ("0001-01-01 00:00:00", None),
        ("", None),
    ],
)
def test_a_transmitter_s_time(text: str, at: datetime | None) -> None:
    assert transmitter_time(text, STOCKHOLM) == at


@given(st.text(max_size=32) | st.datetimes().map(str) | st.datetimes(timezones=st.timezones()).map(str))
def test_a_time_that_is_read_can_be_carried(text: str) -> None:
    at = transmitter_time(text, STOCKHOLM)
    assert at is None or abs(at.timestamp()) < 1e12


@pytest.mark.parametrize(
    ("text", "degrees"),
    [
        ("N594307E0180412", {"lat": 59.717833, "lon": 18.068667}),
        ("S334500W0703000", {"lat": -33.75, "lon": -70.5}),
        ("N900000E1800000", {"lat": 90.0, "lon": 180.0}),
        ("N910000E0180412", None),
        ("N596007E0180412", None),
        ("E597295E0176288", None),
        ("x1234567y1234567", None),
        ("", None),
    ],
)
def test_a_position_is_exact_or_none(text: str, degrees: dict[str, float] | None) -> None:
    assert position(text) == degrees
