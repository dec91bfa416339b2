"""`GET /metrics` of one process: on a TCP port of its own, or on a UNIX socket in the data folder.

In a container a process has a port (`PINGAN_METRICS_PORT`). On one machine ten processes would want ten: there each has
the socket `run/<name>.metrics`, and the console is the one door to all of them (`pingan/scrape.py`).

Nothing here may harm the process: what goes wrong with a scrape is logged, and it is only the scrape that fails.
"""

import asyncio
import contextlib
import logging
import os
import socket
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from prometheus_client.exposition import choose_encoder

from pingan.metrics import SHOWN
from pingan.settings import Common

log = logging.getLogger(__name__)

REQUEST_BYTES = 8_192
RESPONSE_BYTES = 8 * 1024 * 1024
SECONDS = 5.0
"""What a request may take to come, and an answer to go."""
AT_ONCE = 8
"""Connections; whoever comes besides is sent away."""
PATH_BYTES = 107
"""No UNIX socket's path may be longer."""

PLAIN = "text/plain; charset=utf-8"
REASONS = {200: "OK", 404: "Not Found", 405: "Method Not Allowed", 431: "Request Header Fields Too Large",
           500: "Internal Server Error"}  # fmt: skip


class Taken(Exception):
    """The port that was set is not to be had. The text names it and says what to do."""


class Exposition:
    """What one process shows, and how it is brought up to date at each scrape."""

    def __init__(self) -> None:
        self._looks: list[Callable[[], None]] = []

    def look(self, look: Callable[[], None]) -> None:
        """Call `look`, in the loop's own thread, before each scrape: for what is cheaper to ask than to keep."""
        self._looks.append(look)

    async def render(self, accept: str) -> tuple[bytes, str]:
        """The text and its content type: OpenMetrics for whoever accepts it, else Prometheus's own form."""
        for look in self._looks:
            try:
                look()
            except Exception:
                log.exception("something cannot be measured; the rest is")
        encode, content_type = choose_encoder(accept)
        # In a thread: what a press waits for is then the next switch of threads at most, however much there is.
        return await asyncio.to_thread(encode, SHOWN), content_type


def socket_path(data: Path, name: str) -> Path:
    return data / "run" / f"{name}.metrics"


@contextlib.asynccontextmanager
async def serving(exposition: Exposition, settings: Common, *, seconds: float = SECONDS) -> AsyncIterator[None]:
    """Serve while the block runs, where the settings say. Taken when the port is somebody else's."""
    answer = _Answers(exposition, seconds)
    if settings.metrics_port is not None:
        where = f"{settings.metrics_host}:{settings.metrics_port}"
        try:
            server = await asyncio.start_server(
                answer, settings.metrics_host, settings.metrics_port, limit=REQUEST_BYTES
            )
        except OSError as error:
            raise Taken(
                f"PINGAN_METRICS_PORT: {where} cannot be used: {error.strerror or error}. Each process needs a port of "
                "its own; without the setting, on one machine, it needs none."
            ) from error
        try:
            yield
        finally:
            server.close()
    elif settings.data is not None:
        async with _on_socket(answer, socket_path(settings.data, settings.name)):
            yield
    else:
        yield


@contextlib.asynccontextmanager
async def _on_socket(answer: "_Answers", path: Path) -> AsyncIterator[None]:
    """The process runs without, too, where its folder takes no socket."""
    try:
        listening, inode = _listen(path)
    except OSError as error:
        log.warning("no metrics are served: %s: %s. PINGAN_METRICS_PORT=… serves them on a port", path, error)
        yield
        return
    server = await asyncio.start_unix_server(answer, sock=listening, limit=REQUEST_BYTES)
    try:
        yield
    finally:
        server.close()
        _leave(path, inode)


def _listen(path: Path) -> tuple[socket.socket, int]:
    """A socket that only we may reach, in the place of a killed forerunner's; and its inode. OSError."""
    if len(os.fsencode(path)) > PATH_BYTES - 8:
        raise OSError("the path is too long for a socket")
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(f".{os.getpid():x}")
    unfinished.unlink(missing_ok=True)
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        os.fchmod(listening.fileno(), 0o600)  # before it has a place: nobody else can ever have opened it
        listening.bind(str(unfinished))
        unfinished.chmod(0o600)
        listening.listen()
        listening.setblocking(False)
        unfinished.replace(path)
    except OSError:
        listening.close()
        unfinished.unlink(missing_ok=True)
        raise
    return listening, path.stat().st_ino


def _leave(path: Path, inode: int) -> None:
    """Remove our socket, unless whoever started after us has the place already."""
    with contextlib.suppress(OSError):
        if path.stat().st_ino == inode:
            path.unlink()


class _Answers:
    """One request a connection: read its head, answer, close."""

    def __init__(self, exposition: Exposition, seconds: float) -> None:
        self._exposition, self._seconds = exposition, seconds
        self._under_way = 0

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._under_way == AT_ONCE:
            writer.transport.abort()
            return
        self._under_way += 1
        try:
            async with asyncio.timeout(self._seconds):
                status, body, content_type, with_body = await self._answer(reader)
                head = (
                    f"HTTP/1.1 {status} {REASONS[status]}\r\nContent-Type: {content_type}\r\n"
                    f"Content-Length: {len(body)}\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n"
                )
                writer.write(head.encode("latin-1") + (body if with_body else b""))
                await writer.drain()
                writer.close()
                await writer.wait_closed()
        except (TimeoutError, OSError, EOFError) as error:
            log.debug("a scrape was given up: %s", error or type(error).__name__)
        finally:
            self._under_way -= 1
            writer.transport.abort()  # nothing when it is closed; else whoever does not read keeps nothing of ours

    async def _answer(self, reader: asyncio.StreamReader) -> tuple[int, bytes, str, bool]:
        """Status, body, content type, and whether the body is wanted. EOFError when no whole request came."""
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.LimitOverrunError:
            return 431, b"the request is too long\n", PLAIN, True
        line, *lines = head.decode("latin-1").split("\r\n")
        method, _, target = line.partition(" ")
        if target.partition(" ")[0].partition("?")[0] != "/metrics":
            return 404, b"there is only /metrics\n", PLAIN, True
        if method not in ("GET", "HEAD"):
            return 405, b"only GET\n", PLAIN, True
        try:
            body, content_type = await self._exposition.render(_header(lines, "accept"))
        except Exception:
            log.exception("the metrics cannot be rendered")
            return 500, b"the metrics cannot be rendered; the process's log says why\n", PLAIN, True
        return 200, body, content_type, method == "GET"


class Unanswered(Exception):
    """A process's socket is not there, or nobody answers on it; the text says which."""


async def ask(path: Path, accept: str, *, seconds: float = SECONDS) -> tuple[bytes, str]:
    """What the process behind the socket `path` shows, and its content type. Unanswered, after `seconds` at most."""
    writer = None
    try:
        async with asyncio.timeout(seconds):
            reader, writer = await asyncio.open_unix_connection(str(path), limit=REQUEST_BYTES)
            writer.write(f"GET /metrics HTTP/1.0\r\nAccept: {accept}\r\n\r\n".encode("latin-1", "replace"))
            line, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            if line.split(" ")[1:2] != ["200"]:
                raise Unanswered(f"{path.stem} says {line}")
            length = int(_header(lines, "content-length"))
            if length > RESPONSE_BYTES:
                raise Unanswered(f"{path.stem} shows {length} bytes, which is more than anything of ours")
            return await reader.readexactly(length), _header(lines, "content-type")
    except (OSError, EOFError, TimeoutError, ValueError, asyncio.LimitOverrunError) as error:
        raise Unanswered(f"{path.stem} does not answer ({type(error).__name__})") from error
    finally:
        if writer is not None:
            writer.close()


def _header(lines: list[str], name: str) -> str:
    """A header of a request or an answer; empty when it has none."""
    parts = (line.partition(":") for line in lines)
    return next((value.strip() for this, _, value in parts if this.strip().lower() == name), "")
