"""The program of the process in which one workbook is read or written (`care.aside` starts it).

It bounds its own time and memory, takes its work from standard input, and gives it to standard output.
"""

import os
import resource
import sys
from typing import Any

import msgspec

from care.refusal import Refusal
from care.workbook_reader import read
from care.workbook_writer import Book, write

SECONDS_LIMIT = 120
MEMORY_BYTES_LIMIT = 1024 * 1024 * 1024
NICE = 10
"""A press goes before a workbook."""


def encode(value: object) -> bytes:
    return msgspec.msgpack.encode(value, enc_hook=_packed)


def decode(content: bytes, kind: Any) -> Any:
    """ValidationError when it is not of that `kind`."""
    return msgspec.msgpack.decode(content, type=kind, dec_hook=_unpacked)


def _packed(value: object) -> object:
    if isinstance(value, Refusal):
        return [value.reason, value.values]
    raise NotImplementedError


def _unpacked(kind: type, value: Any) -> object:
    if kind is Refusal:
        return Refusal(value[0], **value[1])
    raise NotImplementedError


def main(verb: str) -> int:
    """`read`: a file's name and content on standard input, what `read` gives on standard output. `write`: a Book, its
    bytes."""
    os.nice(NICE)
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS_LIMIT, SECONDS_LIMIT))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES_LIMIT, MEMORY_BYTES_LIMIT))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    given = sys.stdin.buffer.read()
    made = encode(read(*decode(given, tuple[str, bytes]))) if verb == "read" else write(decode(given, Book))
    sys.stdout.buffer.write(made)
    sys.stdout.buffer.flush()
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1]))
