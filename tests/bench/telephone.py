"""A telephone provider that takes every call and message and does nothing with it: whoever is called does not answer.

`python -m tests.bench.telephone PORT`. It answers as Twilio does; the simulated neighbourhood would
be the better stand-in, but takes a share of its own of the machine that is measured.
"""

import asyncio
import itertools
import sys

numbers = itertools.count(1)


async def _serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while head := await reader.readuntil(b"\r\n\r\n"):
            fields = dict(line.split(b": ", 1) for line in head.lower().split(b"\r\n")[1:-2])
            await reader.readexactly(int(fields.get(b"content-length", b"0")))
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
    asyncio.run(main(int(sys.argv[1])))
