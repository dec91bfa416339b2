"""JSON held to RFC 8259 and to the protocol page: what every family's codec reads its payloads with. PURE."""

import json
import re
from typing import Any, TypeVar

import msgspec

from ingest.codecs import Reason

PAYLOAD_BYTES_MAX = 262_144
VALUE_DEPTH_MAX = 8
INTEGER_MAX = 2**53 - 1
"""Beyond it a double, and so most JSON libraries, no longer know every integer."""

PLAIN_BYTES_MAX = 4_096
"""Shorter than the longest integer that Python's own parser takes (4,300 digits)."""
PLAIN_DEPTH_MAX = 64
"""No parser minds so much nesting."""

T = TypeVar("T")

_LIMIT = re.compile(r"Expected `[^`]+` (?:[<>]|of length)")


class Refused(Exception):
    """By which name, and where, in a sentence for the device's maker."""

    def __init__(self, reason: Reason, detail: str) -> None:
        self.reason = reason
        self.detail = detail


def check_size(payload: bytes) -> None:
    if len(payload) > PAYLOAD_BYTES_MAX:
        raise Refused(Reason.TOO_LARGE, f"{len(payload)} bytes; the most is {PAYLOAD_BYTES_MAX}")


def parse(decoder: msgspec.json.Decoder[T], payload: bytes) -> T:
    """The payload as the decoder's type; Refused says by which name it is none."""
    try:
        if not payload.isascii():
            payload.decode()
        parsed = decoder.decode(payload)
    except UnicodeDecodeError as error:
        raise Refused(Reason.NOT_UTF8, f"byte {error.start} is not UTF-8") from None
    except RecursionError:
        raise Refused(Reason.TOO_DEEP, "nested too deep") from None
    except msgspec.ValidationError as error:
        raise Refused(_reason(str(error)), str(error)) from None
    except msgspec.DecodeError as error:
        raise Refused(Reason.NOT_JSON, str(error)) from None
    if not is_plain(payload):
        ask_again(payload)
    return parsed


def is_plain(payload: bytes) -> bool:
    """Whether `ask_again` would have nothing to add to JSON that one parser took; so with most messages.

    It refuses equal names, U+0000, integers without end and nesting without end. Without a backslash quotes only begin
    and end texts, so that every second part between them is one; if all of these differ, so do the names.
    """
    if len(payload) > PLAIN_BYTES_MAX or b"\\" in payload:
        return False
    if payload.count(b"{") + payload.count(b"[") > PLAIN_DEPTH_MAX:
        return False
    texts = payload.split(b'"')[1::2]
    return len({*texts}) == len(texts)


def ask_again(payload: bytes) -> None:
    """The standard library's parser is asked too: msgspec takes the last of two equal names without a word."""
    text = payload.decode()
    try:
        tree = _unequal_names.decode(text)
    except RecursionError:
        raise Refused(Reason.TOO_DEEP, "nested too deep") from None
    except ValueError as error:
        raise Refused(Reason.NOT_JSON, str(error)) from None
    if "\\u0000" in text and _holds_nul(tree):
        raise Refused(Reason.FORBIDDEN_CHARACTER, "U+0000 in a text")


def check_value(value: Any, depth: int = VALUE_DEPTH_MAX) -> None:
    """Refuse what would not survive the archive: integers that no double holds, and nesting without end."""
    if isinstance(value, int) and not -INTEGER_MAX <= value <= INTEGER_MAX:
        raise Refused(Reason.OUT_OF_RANGE, f"an integer lies between -{INTEGER_MAX} and {INTEGER_MAX}")
    if isinstance(value, dict | list):
        if depth == 0:
            raise Refused(Reason.TOO_DEEP, f"a value nests at most {VALUE_DEPTH_MAX} deep")
        for inner in value.values() if isinstance(value, dict) else value:
            check_value(inner, depth - 1)


def _reason(message: str) -> Reason:
    """msgspec has one error for all that is not as declared; its words tell the cases apart."""
    if "missing required field" in message:
        return Reason.MISSING_FIELD
    if "out of range" in message or _LIMIT.search(message):
        return Reason.OUT_OF_RANGE
    return Reason.WRONG_TYPE


def _names(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Refused(Reason.DUPLICATE_FIELD, "an object names a field twice")
    return found


_unequal_names = json.JSONDecoder(object_pairs_hook=_names)


def _holds_nul(tree: Any) -> bool:
    if isinstance(tree, str):
        return "\0" in tree
    if isinstance(tree, dict):
        return any(_holds_nul(part) for pair in tree.items() for part in pair)
    return isinstance(tree, list) and any(_holds_nul(part) for part in tree)
