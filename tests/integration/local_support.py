"""A platform of stand-ins for tests: the real `up`, `down`, supervisor, database and broker, as processes."""

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from pingan.local import up
from pingan.local.postgres import Postgres
from pingan.local.processes import Identity
from pingan.local.supervisor import identity, recorded
from tests.integration.local_stand_in import ME
from tests.support import free_port

PROGRAM = """
import os, sys
from pathlib import Path
from pingan.local.up import bring_up
sys.exit(bring_up(Path(os.environ["PINGAN_DATA"]), sys.argv[1:]))
"""


def wait_for(condition: Callable[[], Any], seconds: float = 60) -> Any:
    """The first true answer of `condition`."""
    deadline = time.monotonic() + seconds
    while not (answer := condition()):
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.02)
    return answer


class House:
    """One platform of stand-ins, driven by the real `up`, `down` and `supervise`, as processes of their own."""

    def __init__(self, outer: Path) -> None:
        self.data = outer / "data"
        self.environ = {name: value for name, value in os.environ.items() if not name.startswith("PINGAN_")} | {
            "PINGAN_DATA": str(self.data),
            "PINGAN_LANGUAGE": "en",
            "PINGAN_TELEPHONE_TESTS": "off",  # whose telephone rings must not depend on the time of day
            "PINGAN_HTTP_PORT": str(free_port()),
            "PINGAN_MQTT_PORT": str(free_port()),
            "PINGAN_SIM_PORT": str(free_port()),
            "PINGAN_SOS_ACCESS_PORT": str(free_port()),
        }

    def up(self, **changes: str | None) -> subprocess.CompletedProcess[str]:
        """`pingan up` with our environment and these changes; None takes a variable away."""
        environ = {name: value for name, value in (self.environ | changes).items() if value is not None}
        return subprocess.run(
            [sys.executable, "-c", PROGRAM, *ME, "supervise"],
            env=environ, capture_output=True, text=True, check=False, timeout=90,
        )  # fmt: skip

    def pingan(self, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
        """A command in a fresh shell, which knows the data folder only."""
        fresh = {name: value for name, value in self.environ.items() if not name.endswith("_PORT")}
        return subprocess.run(
            [sys.executable, "-m", "pingan", *arguments],
            env=fresh | environ, capture_output=True, text=True, check=False, timeout=90,
        )  # fmt: skip

    def process(self, name: str) -> Identity | None:
        """The running process of that name, as the supervisor records it."""
        for entry in recorded(self.data).get("children", []):
            if entry["name"] == name:
                return identity(entry)
        return None

    def processes(self) -> dict[str, Identity]:
        names = [entry["name"] for entry in recorded(self.data).get("children", [])]
        return {name: found for name in names if (found := self.process(name))}

    def supervisor(self) -> Identity:
        found = up.supervisor(self.data)
        assert found
        return found

    def replaced(self, name: str, before: Identity) -> Callable[[], Identity | None]:
        """A condition: another process does this work now, and it is well."""

        def look() -> Identity | None:
            now = self.process(name)
            return now if now and now != before and not up.unready(self.data) else None

        return look

    def log(self, name: str = "supervisor") -> str:
        return (self.data / "log" / f"{name}.log").read_text()

    @property
    def mqtt_port(self) -> int:
        return int(self.environ["PINGAN_MQTT_PORT"])

    def database(self) -> Postgres:
        postgres = Postgres(self.data)
        postgres.prepare()
        return postgres


@contextlib.contextmanager
def a_house(place: Path) -> Iterator[House]:
    """A house in a folder of its own; whatever became of it, nothing of it is left afterwards."""
    outer = Path(tempfile.mkdtemp(prefix="pingan-test-", dir=place))
    outer.chmod(0o711)
    house = House(outer)
    try:
        yield house
    finally:
        house.pingan("down")
        if (house.data / "secrets").exists():
            house.database().remove()
        shutil.rmtree(outer)
