"""A socket that speaks to the kernel once for many packets.

paho asks for a packet's head byte by byte and sends each acknowledgement of four bytes by itself: at ten thousand
messages a second most of its time is system calls, and the broker's too, which must read what we send.
"""

import contextlib
import socket
from typing import Any

READ_BYTES = 65_536
SEND_BYTES = 65_536
"""Held back at most; beyond it paho is told that the line is full."""


class PacketSocket(socket.socket):
    """Takes `opened` over. Non-blocking. What `send` was given goes out with `flush`, or with `close`."""

    def __init__(self, opened: socket.socket) -> None:
        super().__init__(opened.family, opened.type, opened.proto, fileno=opened.detach())
        self._read, self._write = super().recv, super().send
        self._came, self._at = b"", 0
        self._going = bytearray()

    @property
    def ahead(self) -> bool:
        """Whether something was read from the kernel that nobody has asked for yet: no event will tell of it."""
        return self._at < len(self._came)

    def recv(self, size: int, flags: int = 0) -> bytes:
        if self._at >= len(self._came):
            self._came = self._read(READ_BYTES)
            self._at = 0
        begin, self._at = self._at, self._at + size
        return self._came[begin : self._at]

    def send(self, data: Any, flags: int = 0) -> int:
        if len(self._going) >= SEND_BYTES and not self.flush():
            raise BlockingIOError
        self._going += data
        return len(data)

    def flush(self) -> bool:
        """Hand over what was sent; False when the kernel does not take all of it now. OSError when the line is lost."""
        while self._going:
            try:
                del self._going[: self._write(self._going)]
            except BlockingIOError:
                return False
        return True

    def close(self) -> None:
        with contextlib.suppress(OSError):  # the other side has gone already
            self.flush()
        super().close()
