"""Small things that several tests need."""

import contextlib
import random
import socket


def free_port() -> int:
    """A port that was free a moment ago, below those which the kernel gives to whoever connects somewhere.

    One of theirs (32768 and up) may be somebody's own end of a connection by the time we listen on it: on a busy
    machine that happened once in some twenty platforms.
    """
    while True:
        port = random.randrange(20_000, 32_000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
