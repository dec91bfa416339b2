"""Whom the broker turned away, counted from what it writes: nothing else tells of a connection that never came about.

What a device may not say is not among it: Mosquitto writes that down only where it writes down every packet.
"""

import re
from collections import Counter
from pathlib import Path

READ_BYTES = 256 * 1024
"""At one look. Whoever floods the log is counted late, and takes no more of us than this."""

REASONS = ("credential", "certificate", "no_certificate", "tls", "cut_off", "protocol")
"""`cut_off`: half a handshake, or the line of a device that was in: Mosquitto tells of both alike."""

_WRITTEN = (
    # In this order: the first that fits counts. What a device may choose stands in the middle of a line.
    (re.compile(r"OpenSSL Error\[0\]: .*certificate verify failed$"), "certificate"),
    (re.compile(r"OpenSSL Error\[0\]: .*peer did not return a certificate$"), "no_certificate"),
    (re.compile(r"OpenSSL Error\[0\]: .*unexpected eof while reading$"), "cut_off"),
    (re.compile(r"Client <unknown> has exceeded timeout, disconnecting\.$"), "cut_off"),
    (re.compile(r"OpenSSL Error\[0\]: .*SSL routines"), "tls"),
    (re.compile(r"Client connection from \S+ failed: error:.*"), "tls"),
    (re.compile(r"Client .* disconnected, not authorised\.$"), "credential"),
    (re.compile(r"Client .* disconnected due to (protocol error|malformed packet|oversize packet)\.$"), "protocol"),
)


def reason(line: str) -> str | None:
    """Why this line's connection was refused; None: it tells of none."""
    return next((why for pattern, why in _WRITTEN if pattern.search(line.rstrip())), None)


class Refusals:
    """Counts what is written from now on into a log file, which may be emptied meanwhile."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._at = path.stat().st_size if path.exists() else 0
        self._begun = b""
        self.counts: Counter[str] = Counter(dict.fromkeys(REASONS, 0))

    def look(self) -> None:
        """Read on. OSError when the file cannot be read."""
        if not self._path.exists():
            return
        with self._path.open("rb") as file:
            if file.seek(0, 2) < self._at:
                self._at, self._begun = 0, b""
            file.seek(self._at)
            read = file.read(READ_BYTES)
        self._at += len(read)
        *lines, self._begun = (self._begun + read).split(b"\n")
        self._begun = self._begun[-READ_BYTES:]
        for line in lines:
            self.count(line)

    def count(self, line: bytes) -> None:
        if found := reason(line.decode("utf-8", "replace")):
            self.counts[found] += 1
