"""The settings of one installation: from the environment, else as they were at the last start, else the defaults."""

import json
import os
import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import msgspec

from pingan import settings
from pingan.clock import SystemClock
from pingan.settings import Port, Text

from .mosquitto import HOST, Mosquitto, Tls, broker_owner
from .places import Secrets, lies_in, make_data_folder, place_for, read_json, write_private

REMEMBERED = "platform.json"
AUTHORITY = "authority"
"""The folder of our own certificate authority, in the data folder."""
PYTHON = (sys.executable, "-P", "-m", "pingan")
"""`-P`: nothing in the folder we happen to stand in can be imported by mistake."""


class PlatformSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What may be set for `pingan up`. Everything has a default."""

    http_host: Text = "127.0.0.1"
    """Where the console listens. From elsewhere it is reached through a proxy that speaks TLS."""
    http_port: Port = 8360
    mqtt_port: Port = 8361
    sim_port: Port = 8363
    sos_access_host: Text = "127.0.0.1"
    """Where alarm transmitters are heard. From elsewhere only with a certificate, unless their line is private."""
    sos_access_port: Port = 8364
    sos_access_certificate: Text | None = None
    sos_access_key: Text | None = None
    mqtt_tls_port: Port | None = None
    """Devices with passwords, by TLS. With this port or the next the installation has an authority of its own."""
    mqtt_certificate_port: Port | None = None
    """Devices with certificates of our authority, by TLS."""
    mqtt_tls_host: Text = "127.0.0.1"
    """Where these two listen: 0.0.0.0 lets devices in from outside."""
    mqtt_public_host: Text | None = None
    """The name or address by which devices find the broker: it stands in its certificate and on their labels."""
    sim: bool = True
    """The simulated neighbourhood. With it all telephony goes to the simulator, whatever else is set: the sample
    register's people have made-up numbers, and somebody may own them."""
    clock: Annotated[str, msgspec.Meta(pattern="^(system|driven)$")] = "system"
    database_url: Text | None = None
    """Somebody else's PostgreSQL. Without it we start our own."""
    log: Annotated[str, msgspec.Meta(pattern="^(postgres|kafka)$")] = "postgres"
    kafka: Text | None = None
    """Brokers of somebody's Kafka; we start none."""
    kafka_prefix: Text = "pingan"
    kafka_replication: Annotated[int, msgspec.Meta(ge=1, le=9)] = 3
    public_url: Text | None = None
    timezone: Text = "Asia/Shanghai"
    alerting_processes: Annotated[int, msgspec.Meta(ge=1, le=64)] = 1
    twilio_base_url: Text | None = None
    twilio_account_sid: Text | None = None
    twilio_auth_token: Text | None = None
    twilio_from: Text | None = None


NAMES = tuple(f"PINGAN_{field.name.upper()}" for field in msgspec.structs.fields(PlatformSettings))
OURS = {
    *NAMES,
    "PINGAN_MQTT_USER",
    "PINGAN_MQTT_PASSWORD",
    "PINGAN_SECRET",
    "PINGAN_LINK_SECRET",
    "PINGAN_METRICS_PORT",
}
"""What a process is told by us and never by the shell in which `up` happened to be typed. One port for the metrics of
ten processes would be nine too few: they have sockets."""


@dataclass(frozen=True, slots=True)
class Twilio:
    """A telephone provider that speaks Twilio's API."""

    base_url: str | None
    account_sid: str
    auth_token_file: Path
    from_number: str


@dataclass(frozen=True)
class Platform:
    """One installation: its folder and its settings."""

    data: Path
    settings: PlatformSettings

    @property
    def console_host(self) -> str:
        """Where the console is reached from this machine."""
        host = self.settings.http_host
        return HOST if host in ("0.0.0.0", "::", "localhost") else host  # noqa: S104 - compared, not listened on

    @property
    def console(self) -> str:
        return f"http://{self.console_host}:{self.settings.http_port}"

    @property
    def simulator(self) -> str:
        """Where the neighbourhood answers, or would if it were started by hand."""
        return f"http://{HOST}:{self.settings.sim_port}"

    def twilio(self) -> Twilio | None:
        """Who makes the telephone calls; None when nobody does."""
        secrets = Secrets(self.data)
        if self.settings.sim:
            return Twilio(
                base_url=self.simulator,
                account_sid=secrets.text("sim-twilio-account", prefix="AC", hexadecimal_bytes=16),
                auth_token_file=secrets.file("sim-twilio-token", hexadecimal_bytes=16),
                from_number="+867500000000",
            )
        given = self.settings
        if not (given.twilio_account_sid and given.twilio_auth_token and given.twilio_from):
            return None
        token = self.data / "secrets/twilio-token"
        write_private(token, given.twilio_auth_token)
        return Twilio(given.twilio_base_url, given.twilio_account_sid, token, given.twilio_from)

    def broker(self) -> Mosquitto:
        """The installation's broker, not yet prepared. SettingsError when its authority cannot be used."""
        given = self.settings
        if given.mqtt_tls_port is None and given.mqtt_certificate_port is None:
            return Mosquitto(self.data, given.mqtt_port)
        # Here, so that who has no certificates needs not hold their library in memory.
        from pingan.authority import AuthorityError, opened_or_made

        from .certificates import SERVER, SERVER_KEY, Certificates

        make_data_folder(self.data)
        clock = SystemClock()
        try:
            authority = opened_or_made(self.data / AUTHORITY, clock.now())
        except AuthorityError as error:
            raise settings.SettingsError(str(error)) from error
        user = broker_owner()
        folder = place_for(self.data, "mosquitto", user)
        names = dict.fromkeys((given.mqtt_public_host or socket.gethostname(), "localhost", HOST))
        listeners = [
            Tls(port, folder / SERVER, folder / SERVER_KEY, host=given.mqtt_tls_host, by_certificate=by_certificate)
            for port, by_certificate in ((given.mqtt_tls_port, False), (given.mqtt_certificate_port, True))
            if port is not None
        ]
        certificates = Certificates(authority, folder, user, clock, names=list(names))
        return Mosquitto(self.data, given.mqtt_port, tls=listeners, folder=folder, certificates=certificates)

    def environment(self, name: str, database_url: str, mqtt_user: str | None) -> dict[str, str]:
        """What the process `name` is told. Secrets are told as the names of files."""
        secrets = Secrets(self.data)
        # What we do not know ourselves is a room's own setting (PINGAN_LOG_LEVEL …) and passes through.
        environment = {key: value for key, value in os.environ.items() if key.removesuffix("_FILE") not in OURS}
        environment |= {
            "PINGAN_NAME": name,
            "PINGAN_DATA": str(self.data),
            "PINGAN_DATABASE_URL": database_url,
            "PINGAN_HTTP_HOST": self.settings.http_host,
            "PINGAN_TIMEZONE": self.settings.timezone,
            "PINGAN_HTTP_PORT": str(self.settings.http_port),
            "PINGAN_MQTT_HOST": HOST,
            "PINGAN_MQTT_PORT": str(self.settings.mqtt_port),
            "PINGAN_SIM_PORT": str(self.settings.sim_port),
            "PINGAN_SOS_ACCESS_HOST": self.settings.sos_access_host,
            "PINGAN_SOS_ACCESS_PORT": str(self.settings.sos_access_port),
            "PINGAN_SOS_ACCESS_CERTIFICATE": self.settings.sos_access_certificate or "",
            "PINGAN_SOS_ACCESS_KEY": self.settings.sos_access_key or "",
            "PINGAN_SIM": "1" if self.settings.sim else "0",
            "PINGAN_PUBLIC_URL": self.settings.public_url or self.console,
            "PINGAN_CLOCK": self.settings.clock,
            "PINGAN_LOG": self.settings.log,
            "PINGAN_KAFKA": self.settings.kafka or "",
            "PINGAN_KAFKA_PREFIX": self.settings.kafka_prefix,
            "PINGAN_KAFKA_REPLICATION": str(self.settings.kafka_replication),
            "PINGAN_DISK_DATA": str(self.data),
            "PINGAN_DISK_DATABASE": str(lies_in(self.data, "postgres")),
            "PINGAN_SECRET_FILE": str(secrets.file("secret", hexadecimal_bytes=32)),
            "PINGAN_LINK_SECRET_FILE": str(secrets.file("links", hexadecimal_bytes=32)),
        }
        for setting in ("mqtt_tls_port", "mqtt_certificate_port", "mqtt_public_host"):
            if (value := getattr(self.settings, setting)) is not None:
                environment[f"PINGAN_{setting.upper()}"] = str(value)
        if mqtt_user:
            environment |= {
                "PINGAN_MQTT_USER": mqtt_user,
                "PINGAN_MQTT_PASSWORD_FILE": str(secrets.file(f"mqtt-{mqtt_user}")),
            }
        twilio = self.twilio()
        if twilio:
            environment |= {
                "PINGAN_TWILIO_ACCOUNT_SID": twilio.account_sid,
                "PINGAN_TWILIO_AUTH_TOKEN_FILE": str(twilio.auth_token_file),
                "PINGAN_TWILIO_FROM": twilio.from_number,
            }
            if twilio.base_url:
                environment["PINGAN_TWILIO_BASE_URL"] = twilio.base_url
            if self.settings.sim:  # the simulator takes as many calls as come
                environment.setdefault("PINGAN_TWILIO_CALLS_PER_SECOND", "100")
        return environment


def load(data: Path, environ: Mapping[str, str] | None = None) -> Platform:
    """The installation in `data`. SettingsError names the setting that is refused."""
    environ = os.environ if environ is None else environ
    remembered = {
        name: value
        for name, value in read_json(data / REMEMBERED).items()
        # What is given now, as itself or as a file, outdoes what was given then.
        if name in NAMES and name not in environ and f"{name}_FILE" not in environ
    }
    given = {name: value for name, value in environ.items() if name.removesuffix("_FILE") in NAMES}
    return Platform(data, settings.load(PlatformSettings, {**remembered, **given}))


def remember(platform: Platform) -> None:
    """Keep the settings for later commands, which may come from a shell that knows nothing of them."""
    values = msgspec.structs.asdict(platform.settings).items()
    kept = {
        f"PINGAN_{name.upper()}": str(int(value) if isinstance(value, bool) else value)
        for name, value in values
        if value is not None
    }
    write_private(platform.data / REMEMBERED, json.dumps(kept, indent=2) + "\n", durable=True)
