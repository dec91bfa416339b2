"""Whatever is missing at the start: the rest comes up, says what it waits for, and goes on when it is there."""

import contextlib
import json
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pingan.local.postgres import Postgres
from tests.faults.house import RealHouse
from tests.integration.local_support import wait_for

SERVICES = {
    "ingest-alarm-1", "ingest-alarm-2", "ingest-telemetry-1", "ingest-telemetry-2", "receiver", "urgent", "alerting",
    "archive", "dispatch", "console",
}  # fmt: skip


@pytest.fixture
def bare() -> Iterator[RealHouse]:
    """A house in which nothing runs yet."""
    house = RealHouse()
    try:
        yield house
    finally:
        house.fall(keep=False)


def health(house: RealHouse) -> dict[str, Any] | None:
    """What `/healthz` says; None while nobody answers."""
    try:
        return house.health()
    except (OSError, ValueError):
        return None


def processes(house: RealHouse) -> dict[str, dict[str, Any]]:
    return {one["name"]: one for one in (health(house) or {}).get("processes", [])}


def all_is_well(house: RealHouse) -> bool:
    said = health(house)
    return said is not None and said["state"] == "ready" and set(processes(house)) >= SERVICES


def a_press_rings(house: RealHouse) -> None:
    """Through the simulated home's own button to the lamp that says `received`."""
    access = json.loads((house.data / "access.json").read_text(encoding="utf-8"))
    house.access = access
    event = wait_for(lambda: _pressed(house))
    wait_for(lambda: house.phones(f"/sim/events/{event}")["acknowledged"])


def _pressed(house: RealHouse) -> str | None:
    with contextlib.suppress(OSError):
        return str(house.phones("/sim/homes/H001/press", {})["id"])
    return None


def test_without_a_database_everybody_waits_and_says_so_and_goes_on_when_it_comes(
    bare: RealHouse, tmp_path: Path
) -> None:
    outside = Postgres(bare.outer / "outside")
    outside.prepare()
    supervisor = bare.supervise(PINGAN_DATABASE_URL=outside.dsn)
    database = None
    try:
        wait_for(lambda: set(processes(bare)) >= SERVICES, 60)
        said = health(bare)
        assert said is not None
        assert (said["state"], said["database"]["state"]) == ("waiting", "waiting")
        found = processes(bare)
        for name in SERVICES:
            assert found[name]["state"] == "waiting"
            wait_for(lambda name=name: "waiting for the database" in processes(bare)[name]["detail"])
        for name in ("urgent", "dispatch", "ingest-alarm-1"):
            wait_for(lambda name=name: "waiting for the database" in bare.log(name))
        started = {name: bare.process(name) for name in SERVICES}

        database = outside.start()
        outside.ready(30)
        wait_for(lambda: all_is_well(bare), 60)
        a_press_rings(bare)
        assert {name: bare.process(name) for name in SERVICES} == started, "they went on, nobody was replaced"
    finally:
        supervisor.send_signal(signal.SIGTERM)
        supervisor.wait(40)
        if database:
            database.send_signal(signal.SIGINT)
            database.wait(30)


def test_without_a_broker_everybody_waits_and_says_so_and_goes_on_when_it_comes(bare: RealHouse) -> None:
    with socket.socket() as in_its_place:
        # Bound and deaf: the broker cannot have its port, and whoever looks for it there is refused.
        in_its_place.bind(("127.0.0.1", bare.mqtt_port))
        supervisor = bare.supervise()
        try:
            lanes = ("ingest-alarm", "ingest-telemetry")

            def the_lanes_wait() -> bool:
                found = processes(bare)
                return all(
                    any("waiting for the broker" in found.get(f"{lane}-{n}", {}).get("detail", "") for n in (1, 2))
                    for lane in lanes
                )

            wait_for(the_lanes_wait, 60)
            wait_for(lambda: "waiting for the broker" in processes(bare)["dispatch"]["detail"])
            said = health(bare)
            assert said is not None
            assert (said["state"], said["database"]["state"]) == ("waiting", "ready")
            assert processes(bare)["urgent"]["state"] == "ready", "who needs no broker does not wait for it"
            in_its_place.close()
            wait_for(lambda: all_is_well(bare), 60)
            a_press_rings(bare)
        finally:
            supervisor.send_signal(signal.SIGTERM)
            supervisor.wait(40)
