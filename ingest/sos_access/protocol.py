"""SOS Access v4, without a socket: bytes into requests, and answers into bytes. PURE.

Elements, lengths and status codes are those of the protocol's published description (docs/sos-access.md names it).
Whatever the bytes are, nothing is raised. A document type is never read, so that no entity can be declared; what is
unknown is passed over. As everywhere here an alarm is held to less than the page asks: it needs who sends it and what
it is, and an ornament that is wrong is left out.
"""

import re
from collections.abc import Iterator
from datetime import datetime, tzinfo
from enum import IntEnum, StrEnum
from typing import Any, NamedTuple
from xml.parsers import expat

from ingest.codecs import Reason, Refusal

MESSAGE_BYTES_MAX = 100_000
HEADER_BYTES_MAX = 256
PROLOGUE_BYTES_MAX = 2_048
"""Within so many the request must have begun: comments before it are allowed, and nobody needs long ones."""
DEPTH_MAX = 8

REFERENCE_MAX = 50
CODE_MAX = 15
EVENT_CODE_MAX = 25
AUTHENTICATION_LENGTH = 15
TEXT_MAX = {"section": 5, "detector": 5, "transmitterarea": 5, "transmittertime": 32, "pos": 32}


class Kind(StrEnum):
    """What a transmitter may ask. The value is the element; the answer's is `answers`."""

    ALARM = "alarmrequest"
    PING = "pingrequest"
    NEW_AUTHENTICATION = "requestnewauthentication"

    @property
    def answer(self) -> str:
        return _ANSWERS[self]


_ANSWERS = {
    Kind.ALARM: "alarmresponse",
    Kind.PING: "pingresponse",
    Kind.NEW_AUTHENTICATION: "requestnewauthenticationresponse",
}


class Status(IntEnum):
    """How a request is answered. The name is the answer's `info`."""

    OK = 0
    INVALID_LENGTH = 1
    INVALID_XML = 2
    WRONG_CONTENT = 3
    NOT_AUTHORIZED = 4
    NOT_TREATED_NOT_DISTRIBUTED = 5
    MANDATORY_DATA_MISSING = 7
    SERVICE_UNAVAILABLE = 9
    DUPLICATED_ALARM = 10
    SERVER_ERROR = 98
    OTHER_ERROR = 99
    XML_HEADER_MISSING_OR_INVALID = 100
    PING_TO_OFTEN = 101


STATUSES: dict[Reason | Refusal, Status] = {
    Reason.TOO_LARGE: Status.INVALID_LENGTH,
    Reason.TOO_DEEP: Status.INVALID_XML,
    Reason.MISSING_FIELD: Status.MANDATORY_DATA_MISSING,
    Reason.OUT_OF_RANGE: Status.WRONG_CONTENT,
    Reason.DUPLICATE_FIELD: Status.WRONG_CONTENT,
    Refusal.NOT_XML: Status.INVALID_XML,
    Refusal.INCOMPLETE: Status.INVALID_XML,
    Refusal.DOCUMENT_TYPE: Status.INVALID_XML,
    Refusal.UNKNOWN_REQUEST: Status.INVALID_XML,
    Refusal.XML_HEADER: Status.XML_HEADER_MISSING_OR_INVALID,
    Refusal.WRONG_ENCODING: Status.XML_HEADER_MISSING_OR_INVALID,
    Refusal.NOT_AUTHORIZED: Status.NOT_AUTHORIZED,
    Refusal.NOT_MONITORED: Status.SERVICE_UNAVAILABLE,
    Refusal.TOO_OFTEN: Status.PING_TO_OFTEN,
    Refusal.REPEATED: Status.DUPLICATED_ALARM,
    Refusal.NOT_RECORDED: Status.NOT_TREATED_NOT_DISTRIBUTED,
    Refusal.TOO_BUSY: Status.OTHER_ERROR,
    Refusal.FAILED: Status.SERVER_ERROR,
}


class Request(NamedTuple):
    """What a transmitter asks. `fields` are the elements that have a text, by name, cut to what they may hold."""

    kind: Kind
    code: str
    authentication: str
    reference: str | None
    fields: dict[str, str]
    left_out: tuple[str, ...]
    """Elements of an alarm that are not as they should be, and were cut or are missing."""
    payload: bytes
    """As it came, without the authentication."""

    @property
    def restore(self) -> bool:
        return self.fields.get("alarmtype", "").upper() == "RE"

    @property
    def event_code(self) -> str:
        return self.fields["eventcode"]


class Refused(NamedTuple):
    """`kind` as far as it can be made out: the answer must bear the element that the transmitter waits for."""

    kind: Kind
    reason: Reason | Refusal
    detail: str
    reference: str | None
    payload: bytes


_ENCODINGS = {"iso-8859-1": "iso-8859-1", "iso8859-1": "iso-8859-1", "latin-1": "iso-8859-1", "latin1": "iso-8859-1",
              "us-ascii": "iso-8859-1", "ascii": "iso-8859-1", "utf-8": "utf-8", "utf8": "utf-8"}  # fmt: skip
"""What may be declared, and how it is read. Where nothing is declared it is the protocol's own: ISO 8859-1."""

_BEGIN = b"<?xml"
_SPACE = b" \t\r\n"
_HEADER = re.compile(
    rb"""<\?xml\s+version\s*=\s*["']1\.\d["'](?:\s+encoding\s*=\s*["']([\w.:-]{1,40})["'])?[^<>]*\?>"""
)
_PROLOGUE = re.compile(rb"(?:\s+|<!--.*?-->|<\?.*?\?>)*", re.DOTALL)
_NAMES = "|".join(Kind).encode()
_ROOT = re.compile(rb"<(" + _NAMES + rb")(?=[\s/>])")
_ENDS = {kind: re.compile(rb"</" + kind.encode() + rb"\s*>|<" + kind.encode() + rb"\s*/>") for kind in Kind}
_END_BYTES_MAX = 64
"""The longest end of a request, with some room: that far back a search goes on where it stopped."""

_SECRET = re.compile(
    rb"""(<(?:[\w.-]+:)?authentication\b).*?(?=</(?:[\w.-]+:)?authentication\b|\Z)"""
    rb"""|(\bauthentication\s*=\s*)["'].*?(?:["']|\Z)""",
    re.DOTALL | re.IGNORECASE,
)


def without_secret(payload: bytes) -> bytes:
    """`payload` to be kept for looking at: what stands in its authentication is gone, whole or cut off anywhere."""
    # In UTF-16 every other byte is NUL, and no name would be found.
    return _SECRET.sub(lambda found: (found[1] or found[2]) + b">***", payload.replace(b"\0", b""))


class Stream:
    """What one connection brings, cut anywhere: `feed` it, and take the requests as they become whole.

    When where a request ends can no longer be known, `ended` is true and the rest is passed over.
    """

    def __init__(self) -> None:
        self._bytes = bytearray()
        self._searched = 0
        self._header: int | None = None
        self._encoding = ""
        self._kind: Kind | None = None
        self.ended = False

    @property
    def begun(self) -> bool:
        """Whether part of a request is here that wants its rest."""
        return bool(self._bytes) and not self.ended

    def feed(self, data: bytes) -> Iterator[Request | Refused]:
        """Each request that `data` makes whole, in order. Take them all before more is fed."""
        if self.ended:
            return
        self._bytes += data
        while not self.ended:
            if self._header is None:
                del self._bytes[: len(self._bytes) - len(self._bytes.lstrip(_SPACE))]
            if not self._bytes or (outcome := self._next()) is None:
                return
            yield outcome

    def close(self, why: str) -> Refused | None:
        """Nothing more will come. What was begun and is not whole is refused."""
        if not self.begun:
            return None
        return self._refuse(Refusal.INCOMPLETE, f"{why} after {len(self._bytes)} bytes of a request")

    def _next(self) -> Request | Refused | None:
        if self._header is None and (refused := self._read_header()) is not None:
            return refused
        if self._header is not None and self._kind is None and (refused := self._read_root()) is not None:
            return refused
        if self._kind is not None:
            if found := _ENDS[self._kind].search(self._bytes, self._searched):
                if found.end() <= MESSAGE_BYTES_MAX:
                    return self._take(self._kind, found.end())
            else:
                self._searched = max(self._searched, len(self._bytes) - _END_BYTES_MAX)
        if len(self._bytes) > MESSAGE_BYTES_MAX:
            return self._refuse(Reason.TOO_LARGE, f"more than {MESSAGE_BYTES_MAX} bytes")
        return None

    def _read_header(self) -> Refused | None:
        begin = bytes(self._bytes[: len(_BEGIN)])
        if not _BEGIN.startswith(begin):
            if begin[:1] in (b"\xff", b"\xfe") or b"\0" in begin:
                return self._refuse(Refusal.WRONG_ENCODING, "the bytes are neither ISO 8859-1 nor UTF-8")
            return self._refuse(Refusal.XML_HEADER, "it does not begin with <?xml")
        end = self._bytes.find(b"?>", 0, HEADER_BYTES_MAX)
        if end < 0:
            if len(self._bytes) < HEADER_BYTES_MAX:
                return None
            return self._refuse(Refusal.XML_HEADER, f"the header has no end within {HEADER_BYTES_MAX} bytes")
        found = _HEADER.fullmatch(self._bytes, 0, end + 2)
        if found is None:
            return self._refuse(Refusal.XML_HEADER, "the header is none of XML 1")
        encoding = (found[1] or b"iso-8859-1").decode().lower()
        if encoding not in _ENCODINGS:
            return self._refuse(Refusal.WRONG_ENCODING, f"the encoding {encoding} is not read here")
        self._header, self._encoding = end + 2, _ENCODINGS[encoding]
        return None

    def _read_root(self) -> Refused | None:
        assert self._header is not None
        found = _PROLOGUE.match(self._bytes, self._header, PROLOGUE_BYTES_MAX)
        at = found.end() if found else self._header
        if root := _ROOT.match(self._bytes, at):
            self._kind = Kind(root[1].decode())
            self._searched = at
            return None
        rest = bytes(self._bytes[at:])
        if rest[:9].upper() == b"<!DOCTYPE":
            return self._refuse(Refusal.DOCUMENT_TYPE, "a document type is never read")
        if len(self._bytes) >= PROLOGUE_BYTES_MAX or not _may_become_a_request(rest):
            return self._refuse(Refusal.UNKNOWN_REQUEST, "it is none of " + ", ".join(Kind))
        return None

    def _take(self, kind: Kind, end: int) -> Request | Refused:
        assert self._header is not None
        whole, encoding = bytes(self._bytes[:end]), self._encoding
        body = whole[self._header :]
        del self._bytes[:end]
        self._searched, self._header, self._kind = 0, None, None
        try:
            return _request(kind, _elements(body, encoding), without_secret(whole))
        except _Wrong as wrong:
            return Refused(kind, wrong.reason, wrong.detail, wrong.reference, without_secret(whole))

    def _refuse(self, reason: Reason | Refusal, detail: str) -> Refused:
        self.ended = True
        seen = bytes(self._bytes[:MESSAGE_BYTES_MAX])
        found = _ROOT.search(seen.replace(b"\0", b""))
        kind = self._kind or (Kind(found[1].decode()) if found else Kind.ALARM)
        self._bytes.clear()
        return Refused(kind, reason, detail, None, without_secret(seen))


class _Wrong(Exception):
    def __init__(self, reason: Reason | Refusal, detail: str, reference: str | None = None) -> None:
        self.reason, self.detail, self.reference = reason, detail, reference


_BEGINNINGS = (b"<!--", b"<?", b"<!DOCTYPE", *(f"<{kind}".encode() for kind in Kind))


def _may_become_a_request(rest: bytes) -> bool:
    return rest.startswith((b"<!--", b"<?")) or any(begin.startswith(rest) for begin in _BEGINNINGS)


def _elements(body: bytes, encoding: str) -> dict[str, list[str]]:
    """name → the texts of its elements, stripped; `pos` stands within `position`, all others within the request."""
    parser = expat.ParserCreate(encoding)
    path: list[str] = []
    texts: list[list[str]] = []
    found: dict[str, list[str]] = {}

    def start(name: str, _attributes: Any) -> None:
        if len(path) >= DEPTH_MAX:
            raise _Wrong(Reason.TOO_DEEP, f"elements nest at most {DEPTH_MAX} deep")
        path.append(name)
        texts.append([])

    def end(name: str) -> None:
        text = "".join(texts.pop()).strip()
        path.pop()
        if len(path) == 1 or (len(path) == 2 and path[1] == "position"):
            found.setdefault(name, []).append(text)

    def no_document_type(*_: Any) -> None:
        raise _Wrong(Refusal.DOCUMENT_TYPE, "a document type is never read")

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = lambda text: texts[-1].append(text)
    parser.StartDoctypeDeclHandler = no_document_type
    parser.EntityDeclHandler = no_document_type
    try:
        parser.Parse(body, True)
    except expat.ExpatError as error:
        raise _Wrong(Refusal.NOT_XML, str(error)) from None
    return found


def _request(kind: Kind, elements: dict[str, list[str]], payload: bytes) -> Request:
    fields = {name: texts[0] for name, texts in elements.items() if texts[0]}
    reference = fields.pop("reference", None)
    left_out = [name for name, texts in elements.items() if len(texts) > 1]
    if reference is not None and len(reference) > REFERENCE_MAX:
        reference = reference[:REFERENCE_MAX]
        left_out.append("reference")
    needed = {"authentication": AUTHENTICATION_LENGTH, "transmittercode": CODE_MAX}
    if kind is Kind.ALARM:
        needed["eventcode"] = EVENT_CODE_MAX
    for name, most in needed.items():
        if name not in fields:
            raise _Wrong(Reason.MISSING_FIELD, f"{name} is missing", reference)
        if name in left_out:
            raise _Wrong(Reason.DUPLICATE_FIELD, f"{name} stands there twice", reference)
        if len(fields[name]) > most:
            raise _Wrong(Reason.OUT_OF_RANGE, f"{name} has at most {most} characters", reference)
    if len(fields["authentication"]) < AUTHENTICATION_LENGTH:
        raise _Wrong(Reason.OUT_OF_RANGE, f"authentication has {AUTHENTICATION_LENGTH} characters", reference)
    for name, most in TEXT_MAX.items():
        if len(fields.get(name, "")) > most:
            fields[name] = fields[name][:most]
            left_out.append(name)
    if fields.get("alarmtype", "AL").upper() not in ("AL", "RE"):
        left_out.append("alarmtype")
    authentication = fields.pop("authentication")
    return Request(kind, fields["transmittercode"], authentication, reference, fields, tuple(left_out), payload)


_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


def answer(
    kind: Kind, status: Status, at: datetime, *, reference: str | None = None, new_authentication: str | None = None
) -> bytes:
    """The answer to a request of that kind. `at` bears the zone in which transmitters keep their clocks."""
    elements = {
        "reference": reference,
        "status": str(int(status)),
        "info": status.name,
        "newauthentication": new_authentication,
        "arrivaltime": f"{at:%Y-%m-%d %H:%M:%S}.{at.microsecond // 1000:03}",
    }
    inner = "".join(
        f"<{name}>{text.translate(_ESCAPES)}</{name}>" for name, text in elements.items() if text is not None
    )
    whole = f'<?xml version="1.0" encoding="ISO-8859-1"?>\n<{kind.answer}>{inner}</{kind.answer}>\n'
    return whole.encode("iso-8859-1", "xmlcharrefreplace")


def transmitter_time(text: str, zone: tzinfo) -> datetime | None:
    """When a transmitter says that it happened: `2002-05-28 11:35:20.022` by its own clock, in our zone unless it
    names another. None: that is no time."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    if not 1970 <= at.year < 9999:
        return None
    return at.replace(tzinfo=zone) if at.tzinfo is None else at


_WGS84 = re.compile(r"([NS])(\d{2})(\d{2})(\d{2})([EW])(\d{3})(\d{2})(\d{2})")


def position(text: str) -> dict[str, float] | None:
    """Degrees of `NDDMMmmEDDDMMmm` (degrees, minutes, hundredths of a minute), the protocol's WGS 84.

    None for the Swedish grid RT 90, and for what is not exactly that: a helper must not be sent to a guess.
    """
    found = _WGS84.fullmatch(text.strip().upper())
    if found is None:
        return None
    north, east = (
        int(degrees) + int(minutes + hundredths) / 6000 if int(minutes) < 60 else 999.0
        for degrees, minutes, hundredths in (found.group(2, 3, 4), found.group(6, 7, 8))
    )
    if north > 90 or east > 180:
        return None
    return {
        "lat": round(north if found[1] == "N" else -north, 6),
        "lon": round(east if found[5] == "E" else -east, 6),
    }
