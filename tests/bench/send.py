"""So many readings as fast as the broker takes them: `python -m tests.bench.send ACCESS COUNT WINDOW`."""

import asyncio
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import uvloop

from device_sim.access import read_access
from device_sim.load import ReadingSource
from device_sim.wire import protocol


async def send(path: Path, count: int, window: int) -> None:
    access = read_access(path)
    sources = [ReadingSource(access, device, []) for device in access.devices if device.kind == "hub"]
    for source in sources:
        source.wire.open()
    await asyncio.gather(*(source.wire.connected.wait() for source in sources))
    left = count
    while left or any(source.wire.in_flight for source in sources):
        stamp = protocol.timestamp(datetime.now(UTC))
        for source in sources:
            for _ in range(min(left, window - len(source.wire.in_flight))):
                source.send(time.monotonic(), stamp)
                left -= 1
        await asyncio.sleep(0.002)
    await asyncio.gather(*(source.wire.close() for source in sources))


if __name__ == "__main__":
    uvloop.run(send(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))
