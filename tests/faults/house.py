"""A platform of its own for the campaign: the real `pingan up`, with everybody's phones simulated."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import dict_row

from pingan.local import platform as installations
from pingan.local import up
from pingan.local.processes import Identity
from pingan.local.supervisor import identity, recorded
from tests.integration.local_support import House
from tests.kafka import Kafka
from tests.support import free_port

PLACE = Path("/var/tmp")
"""On disk: a folder in memory would say nothing about what survives. A story that breaks nothing may be in memory."""

ANSWER_SECONDS = 3


class RealHouse(House):
    """`pingan up` in a folder of its own. The processes that it may hit are those that its supervisor names."""

    def __init__(self, place: Path = PLACE) -> None:
        outer = Path(tempfile.mkdtemp(prefix="pingan-faults-", dir=place))
        outer.chmod(0o711)
        super().__init__(outer)
        self.outer = outer
        self.environ["PINGAN_HTTP_PORT"] = str(free_port())
        self.kafka: Kafka | None = None

    def rise_with_kafka(self, brokers: int) -> None:
        """The same with its log in Kafka, whose brokers are started first and are stopped with it."""
        self.kafka = Kafka(self.outer / "kafka", brokers)
        self.kafka.start()
        self.rise(**self.kafka.environ())

    def rise(self, **environ: str) -> None:
        """Start it, and wait until all is well. RuntimeError with what it said when it is not."""
        told = subprocess.run(
            [sys.executable, "-m", "pingan", "up"],
            env=self.environ | environ, capture_output=True, text=True, check=False, timeout=150,
        )  # fmt: skip
        if told.returncode != 0:
            raise RuntimeError(f"the platform did not start:\n{told.stdout}{told.stderr}")
        self.dsn = self.database().dsn
        self.platform = installations.load(self.data, {})
        self.access: dict[str, Any] = json.loads((self.data / "access.json").read_text(encoding="utf-8"))

    def supervise(self, **environ: str) -> subprocess.Popen[bytes]:
        """Only the supervisor, which waits for nothing: for a start at which something is missing. End it by `fall`."""
        self.data.mkdir(mode=0o711)
        with (self.outer / "supervisor.log").open("wb") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "pingan", "supervise"], env=self.environ | environ, stdout=log, stderr=log
            )

    def fall(self, *, keep: bool) -> None:
        """Stop it. `keep` leaves its folder behind, for whoever wants to know why."""
        self.pingan("down")
        if self.kafka is not None:
            for broker in self.kafka.brokers:
                broker.stop()
        if keep:
            return
        if (self.data / "postgres").exists():  # else its database is another's
            self.database().remove()
        shutil.rmtree(self.outer)

    def unwell(self) -> dict[str, str]:
        """Who is not well and why; empty when all is, the console's own `/healthz` included."""
        missing = up.unready(self.data)
        if not missing and not up.console_answers(self.platform):
            return {"console": "its /healthz does not say 200"}
        return missing

    def names(self) -> list[str]:
        """Every supervised process, the simulator apart: it stands outside the walls."""
        return [entry["name"] for entry in recorded(self.data).get("children", []) if entry["name"] != "sim"]

    def pid(self, name: str) -> Identity | None:
        for entry in recorded(self.data).get("children", []):
            if entry["name"] == name:
                return identity(entry)
        return None

    def rows(self, query: str, **parameters: Any) -> list[dict[str, Any]]:
        """What the database says, over a connection of our own. psycopg.OperationalError while it is away."""
        with psycopg.connect(
            self.dsn, autocommit=True, connect_timeout=2, row_factory=dict_row, options="-c timezone=UTC"
        ) as connection:
            return connection.execute(query, parameters).fetchall()

    def active_bridge(self, lane: str) -> str:
        """The bridge that holds the lane's lease; the first one when nobody does at this moment."""
        found = self.rows("select owner from leases where name = %(name)s and owner is not null", name=f"bridge/{lane}")
        return str(found[0]["owner"]).partition("#")[0] if found else f"ingest-{lane}-1"

    def phones(self, path: str, body: dict[str, Any] | None = None) -> Any:
        """Ask the simulated telephone network, or set something in it."""
        return _json(self.access["simulator"] + path, body, {})

    def api(self, path: str, body: dict[str, Any] | None = None) -> Any:
        """Ask the platform's own API as a machine with a token. OSError when it is away or refuses."""
        return _json(self.access["console"] + path, body, {"Authorization": f"Bearer {self.access['token']}"})

    def health(self) -> dict[str, Any]:
        """What `/healthz` says, whatever its status. OSError when nobody answers."""
        try:
            return dict(_json(f"http://127.0.0.1:{self.environ['PINGAN_HTTP_PORT']}/healthz", None, {}))
        except urllib.error.HTTPError as error:
            return dict(json.load(error))


def _json(url: str, body: dict[str, Any] | None, headers: dict[str, str]) -> Any:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json", **headers})
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=ANSWER_SECONDS) as response:
        return json.load(response)


def environment_without_ours() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("PINGAN_")}
