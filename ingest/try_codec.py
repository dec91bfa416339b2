"""`pingan codec try`: what a message becomes, or why it was refused, before a device is sent to anybody's home."""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec

from ingest import families
from ingest.codecs import Heard, Rejected, Remarked, native
from ingest.try_words import advise, say
from pingan.clock import SystemClock
from pingan.local.words import language
from pingan.local.words import say as tell
from pingan.messages import Event

_GATEWAYS = "gw/"
_OPENINGS = (b" {", b" [")
"""With one of these a payload begins; a topic may have other spaces in it."""


class _Line(msgspec.Struct):
    topic: str
    payload: msgspec.Raw


class _NoMessage(Exception):
    """A line of the file is none."""


def main(argv: list[str]) -> int:
    """0: all were taken. 1: one was refused, or could not be read."""
    arguments = _parser().parse_args(argv)
    tongue = language()
    try:
        if arguments.payload is None:
            messages = list(_messages(_read(arguments.what)))
        else:
            messages = [(arguments.what, arguments.payload.encode(errors="surrogateescape"))]
    except OSError as error:
        return _complain(say("no_file", tongue, file=arguments.what, error=error.strerror or error))
    except _NoMessage as error:
        return _complain(say("no_message", tongue, line=error))
    received_ms = SystemClock().now_ms()
    taken = [_try(topic, payload, received_ms, arguments.kind, tongue) for topic, payload in messages]
    return 0 if all(taken) else 1


def _try(topic: str, payload: bytes, received_ms: int, kind: str | None, tongue: str) -> bool:
    decoded = _decode(topic, payload, received_ms)
    if isinstance(decoded, Rejected):
        tell(say("refused", tongue, topic=topic, reason=decoded.reason, detail=decoded.detail))
        tell(say("to_do", tongue, advice=advise(decoded.reason, tongue)))
        return False
    heard = families.named(decoded, lambda _: kind) if kind is not None else decoded
    readings, events = len(heard.readings), len(heard.events)
    some = bool(readings or events or heard.unnamed or heard.remarks)
    tell(say("taken" if some else "nothing", tongue, topic=topic, readings=readings, events=events))
    for remark, detail in heard.remarks:
        tell(say("remarked", tongue, reason=remark, detail=detail))
        tell(say("to_do", tongue, advice=advise(remark, tongue)))
    if heard.unnamed:
        tell(say("unnamed", tongue, count=len(heard.unnamed), kinds=", ".join(families.ALARM_OF)))
    if some:
        shown = {"readings": heard.readings, "events": heard.events}
        tell(msgspec.json.format(msgspec.json.encode(shown), indent=2).decode())
    return True


def _decode(topic: str, payload: bytes, received_ms: int) -> Heard | Rejected:
    """Whatever the family: in the form that gateways' messages have."""
    if topic.startswith(_GATEWAYS):
        return families.decode(topic, payload, received_ms)
    decoded = native.decode(topic, payload, received_ms)
    if isinstance(decoded, Rejected):
        return decoded
    remarks = ((decoded.remark, decoded.detail),) if isinstance(decoded, Remarked) else ()
    taken = decoded.taken if isinstance(decoded, Remarked) else decoded
    return Heard([], [taken], remarks) if isinstance(taken, Event) else Heard(taken, [], remarks)


def _read(name: str) -> bytes:
    return sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()


def _messages(lines: bytes) -> Iterator[tuple[str, bytes]]:
    """Of each line the topic and the payload's bytes, as `mosquitto_sub -v` writes them, or as JSON."""
    for number, line in enumerate(lines.splitlines(), start=1):
        if line.strip():
            yield _json_line(line, number) if line.startswith(b"{") else _plain_line(line, number)


def _json_line(line: bytes, number: int) -> tuple[str, bytes]:
    try:
        one = msgspec.json.decode(line, type=_Line)
        # A text is the payload itself; anything else is a payload that was written into the line.
        payload = bytes(one.payload)
        return one.topic, msgspec.json.decode(payload, type=str).encode() if payload.startswith(b'"') else payload
    except (msgspec.DecodeError, UnicodeError) as error:
        raise _NoMessage(number) from error


def _plain_line(line: bytes, number: int) -> tuple[str, bytes]:
    openings = [at for opening in _OPENINGS if (at := line.find(opening)) > 0]
    at = min(openings) if openings else line.find(b" ")
    if at <= 0:
        raise _NoMessage(number)
    return line[:at].decode(errors="replace"), line[at + 1 :]


def _complain(text: str) -> int:
    sys.stderr.write(f"pingan codec: {text}\n")
    return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="pingan codec", description="What messages become 报文解读.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    one = commands.add_parser("try", help="show what a message becomes, or why it is refused")
    one.add_argument("what", metavar="FILE|TOPIC", help="lines of “topic payload” or of JSON, - for standard input")
    one.add_argument("payload", nargs="?", help="with a topic: the payload itself")
    one.add_argument("--as", dest="kind", choices=sorted(families.ALARM_OF), help="as if it were registered as that")
    return parser
