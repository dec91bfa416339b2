"""A telephone provider that takes every call and message and does nothing with it: whoever is called does not answer.

`python -m tests.bench.telephone PORT [FILE]`. It answers as Twilio does; the simulated neighbourhood would
be the better stand-in, but takes a share of its own of the machine that is measured. Into FILE goes a line for each
request: when (Unix time), what (`Calls`, `Messages`), and to which number.
"""

import asyncio
import itertools
import sys
import time
from pathlib import Path
from urllib.parse import parse_qs

numbers = itertools.count(1)
asked: list[Path] = []
"""The file, if there is one."""


def _write(head: bytes, body: bytes) -> None:
    what = head.split(b" ", 2)[1].rsplit(b"/", 1)[-1].removesuffix(b".json").decode()
    (to,) = parse_qs(body.decode()).get("To", ["-"])
    with asked[0].open("a", encoding="utf-8") as file:
        file.write(f"{time.time():.4f} {what} {to}\n")


async def _serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while head := await reader.readuntil(b"\r\n\r\n"):
            fields = dict(line.split(b": ", 1) for line in head.lower().split(b"\r\n")[1:-2])
            given = await reader.readexactly(int(fields.get(b"content-length", b"0")))
            if asked and not head.startswith(b"GET"):
                _write(head, given)
            if head.startswith(b"GET"):
                status, body = b"200 OK", b'{"calls": [], "messages": [], "page": 0, "page_size": 20}'
            else:
                status, body = b"201 Created", b'{"sid": "CA%032x", "status": "queued"}' % next(numbers)
            writer.write(
                b"HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
                % (status, len(body), body)
            )
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


async def main(port: int) -> None:
    server = await asyncio.start_server(_serve, "127.0.0.1", port)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asked.extend(map(Path, sys.argv[2:3]))
    asyncio.run(main(int(sys.argv[1])))
