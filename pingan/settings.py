"""Settings come from the environment, are read once at start, and nonsense is refused there.

Each process has one class whose fields are its settings: field `http_port` is `PINGAN_HTTP_PORT`. Any of them may be
given as a file instead (`PINGAN_HTTP_PORT_FILE`), which is how secrets should be.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

Port = Annotated[int, msgspec.Meta(ge=1, le=65535)]
Text = Annotated[str, msgspec.Meta(min_length=1)]
Secret = Annotated[str, msgspec.Meta(min_length=32)]
"""What somebody could guess who has something that was signed with it: 32 characters, of chance."""

S = TypeVar("S", bound=msgspec.Struct)


class SettingsError(Exception):
    """A setting is missing, unreadable or nonsense. The text names it and says what to do."""


def load(kind: type[S], environ: Mapping[str, str] | None = None) -> S:
    """Read the settings class `kind` from the environment. SettingsError names the first thing that is wrong."""
    environ = os.environ if environ is None else environ
    given: dict[str, str] = {}
    for field in msgspec.structs.fields(kind):
        name = f"PINGAN_{field.name.upper()}"
        if name in environ and environ[name] != "":
            given[field.name] = environ[name]
        elif f"{name}_FILE" in environ:
            path = Path(environ[f"{name}_FILE"])
            try:
                given[field.name] = path.read_text(encoding="utf-8").strip()
            except OSError as error:
                raise SettingsError(f"{name}_FILE names {path}, which cannot be read: {error.strerror}") from error
        elif field.required:
            raise SettingsError(f"{name} is not set. Set it, or {name}_FILE to a file that holds it.")
    try:
        return msgspec.convert(given, kind, strict=False, dec_hook=_other)
    except msgspec.ValidationError as error:
        wrong = next((name for name in given if f"$.{name}`" in str(error)), None)
        subject = f"PINGAN_{wrong.upper()}={given[wrong]!r}" if wrong else "The settings"
        raise SettingsError(f"{subject} is refused: {error}") from error


def centre(timezone: str) -> ZoneInfo:
    """The centre's time zone, PINGAN_TIMEZONE. SettingsError when there is no such zone."""
    try:
        return ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise SettingsError(f"PINGAN_TIMEZONE={timezone!r} is no time zone that this machine knows") from error


def _other(kind: type, given: str) -> Path:
    """What msgspec does not know how to make of a text: a path."""
    if kind is Path:
        return Path(given)
    raise NotImplementedError(f"a setting cannot be a {kind}")


class Common(msgspec.Struct, frozen=True, kw_only=True):
    """What every process needs."""

    database_url: Text
    """PostgreSQL, as libpq writes it: `postgresql://user:password@host/name`."""
    name: Text = "pingan"
    """This process's name, unique on its machine; it owns leases under it."""
    data: Path | None = None
    """The folder of this installation; the process writes its state to `run/<name>.json` below it."""
    nice: Annotated[int, msgspec.Meta(ge=0, le=19)] = 0
    """How many steps this process stands back behind others, and with it the backends that serve it from a PostgreSQL
    on the same machine: see `pingan.priority`."""
    clock: Annotated[str, msgspec.Meta(pattern="^(system|driven)$")] = "system"
    """`driven`: simulation only; the simulator publishes the time."""
    log: Annotated[str, msgspec.Meta(pattern="^(postgres|kafka)$")] = "postgres"
    """Where the log is: in the database, for one machine and a district; in Apache Kafka, for a city."""
    kafka: Text | None = None
    """Brokers of Kafka, `host:port,host:port`; needed where the log is there."""
    kafka_prefix: Annotated[str, msgspec.Meta(pattern="^[A-Za-z0-9._-]{1,200}$")] = "pingan"
    """Topics are called `<prefix>.<log>`."""
    kafka_replication: Annotated[int, msgspec.Meta(ge=1, le=9)] = 3
    """Copies of each partition. Two must have an entry before it counts; with 1, for a lone broker, that one."""
    metrics_port: Port | None = None
    """Where `/metrics` is served. None: on the socket `run/<name>.metrics` in the data folder, if there is one."""
    metrics_host: Text = "127.0.0.1"
    wall_minus_boottime: float | None = None
    """Seconds, from the supervisor: what all its processes add to the boot time. None: measured at the start."""


class Mqtt(Common, frozen=True, kw_only=True):
    """What every process that speaks to the broker needs besides."""

    mqtt_host: Text = "127.0.0.1"
    mqtt_port: Port = 8361
    mqtt_user: Text
    mqtt_password: Text
    timezone: Text = "Asia/Shanghai"
    """The centre's: by it detection knows the hour of a home that has none of its own."""
