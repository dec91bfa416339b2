"""Which processes make up the platform. The supervisor starts them in this order and keeps all of them running."""

from dataclasses import dataclass

from .platform import PYTHON, Platform

SIM = "sim"


@dataclass(frozen=True, slots=True)
class Service:
    """One process. Its name is also that of its log and of its state file."""

    name: str
    command: tuple[str, ...]
    mqtt_user: str | None = None
    needs_access_file: bool = False
    watched: bool = True
    """Whether it writes a state file every second, and is replaced when it stops to."""
    listens: bool = False
    """Whether it is given the console's port by the supervisor, who holds it: while the process is replaced, whoever
    connects waits in line and is not turned away."""
    nice: int = 0
    """How many steps it stands back when all want the processor: what answers a press goes first."""


@dataclass(frozen=True, slots=True)
class Preparations:
    """Commands that run once at a start, before the services."""

    migrate: tuple[str, ...] = (*PYTHON, "migrate")
    sample: tuple[str, ...] = (*PYTHON, "register", "sample")


def services(platform: Platform) -> list[Service]:
    """The way of a press first, then what people look at, then the rest."""

    def service(
        name: str, *arguments: str, mqtt_user: str | None = None, nice: int = 0, listens: bool = False
    ) -> Service:
        return Service(name, (*PYTHON, *arguments), mqtt_user, nice=nice, listens=listens)

    table = [
        # Two of each bridge: one is active, the other stands by and takes over.
        service("ingest-alarm-1", "ingest", "--lane", "alarm", mqtt_user="ingest-alarm"),
        service("ingest-alarm-2", "ingest", "--lane", "alarm", mqtt_user="ingest-alarm"),
        service("receiver", "receiver"),
        service("urgent", "urgent", nice=1),
        service("dispatch", "dispatch", mqtt_user="dispatch", nice=2),
        service("console", "console", nice=1, listens=True),
        service("ingest-telemetry-1", "ingest", "--lane", "telemetry", mqtt_user="ingest-telemetry", nice=3),
        service("ingest-telemetry-2", "ingest", "--lane", "telemetry", mqtt_user="ingest-telemetry", nice=3),
        service("archive", "archive", nice=4),
    ]
    count = platform.settings.alerting_processes
    names = [f"alerting-{number}" if count > 1 else "alerting" for number in range(1, count + 1)]
    table += [service(name, "alerting", nice=4) for name in names]
    if platform.settings.sim:
        # It stands outside our walls and knows nothing of state files.
        table.append(Service(SIM, (*PYTHON, "sim", "run"), needs_access_file=True, watched=False))
    return table
