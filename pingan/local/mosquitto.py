"""Debian's Mosquitto with our configuration: who may connect, who may say what where, and nothing that is dropped."""

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from .logs import open_log
from .mosquitto_password import hash_password
from .places import Secrets, make_data_folder, place_for, write_private
from .processes import Owner, owner

if TYPE_CHECKING:  # where nobody has a certificate, nobody holds their library in memory
    from .certificates import Certificates

HOST = "127.0.0.1"
SERVICE_USERS = ("ingest-alarm", "ingest-telemetry", "dispatch")
NO_DEVICES = (
    *SERVICE_USERS,
    "ingest-alarm-gateways",
    *(f"ingest-alarm-answers-{number}" for number in range(1, 5)),
    "dispatch-devices",
)
"""Names by which the broker knows us, as users or as clients. A device's name is its client id where there is TLS: with
one of these it would put us out, again and again."""

_USER = re.compile(r"[A-Za-z0-9_-]{1,64}")
_HASH = re.compile(r"\$[67]\$[A-Za-z0-9+/=$]+")

CONFIGURATION = """\
# Written by us at every start: changes made here are lost.
{listeners}
allow_anonymous false
password_file {folder}/users
acl_file {folder}/acl

# The bridge acknowledges after the durable append. The defaults would hold it to 20 at a time, and drop what waits
# behind 1,000. (0 means no limit, but with it Mosquitto 2.0.11 cuts off whoever publishes what is denied.)
max_inflight_messages 2000
max_queued_messages 10000000
# Gateways speak at QoS 0 unless somebody tells them not to: a press in the moment in which a lane connects anew waits.
queue_qos0_messages true
set_tcp_nodelay true

# Larger packets end the connection. `message_size_limit` would acknowledge the message and then drop it. So large,
# because zigbee2mqtt's own list of its devices takes up to 30 kB for each and would cut off its gateway at every start.
max_packet_size 4194304
max_keepalive 3600

# Sessions of MQTT 3.1.1 clients outlive the broker, but for the last second or two before a kill.
persistence true
persistence_location {folder}/
autosave_interval 1
autosave_on_changes false
persistent_client_expiration 14d

# To the supervisor's file, which is kept small. `information` would tell of every save.
log_dest stderr
log_type error
log_type warning
log_type notice
log_timestamp_format %Y-%m-%dT%H:%M:%S%z
"""

ACCESS = """\
# A device: what it says goes below its own name, and it hears what is below its own name.
pattern write pingan/v1/%u/up/#
pattern read pingan/v1/%u/down/#

# A gateway: what its devices say, and what it is told for them, goes below its own name too. None is another.
pattern readwrite gw/%u/#

user ingest-alarm
topic read pingan/v1/+/up/#
topic read gw/#
topic write pingan/v1/+/down/#

user ingest-telemetry
topic read pingan/v1/+/up/#
topic read gw/#
topic write pingan/v1/+/down/#

user dispatch
topic write pingan/v1/+/down/#
"""


LISTENER = "listener {port} {host}\n"
LISTENER_TLS = """\
listener {port} {host}
certfile {certificate}
keyfile {key}
tls_version tlsv1.2
use_username_as_clientid true
"""
"""With `tls_version`, 1.2 is the oldest that is spoken: what buttons' chips have, and nothing older.

With the user's name as client id no device can take another's place: whoever connects with an id that is there already
ends the connection that has it. Whoever connects twice with one name ends its own."""
BY_CERTIFICATE = """\
cafile {folder}/authority.pem
crlfile {folder}/revoked.pem
require_certificate true
use_identity_as_username true
"""


@dataclass(frozen=True, slots=True)
class Tls:
    """Where devices come in from outside: a listener that speaks TLS. A reload reads both files again."""

    port: int
    certificate: Path
    """PEM: the server's certificate, and after it those between it and the authority."""
    key: Path
    host: str = "0.0.0.0"  # noqa: S104 - devices are everywhere
    by_certificate: bool = False
    """Whether a device shows a certificate of our own authority here, and no password."""


def broker_owner() -> Owner:
    """Whose the broker and its files are: its own user, so that a hole in the broker is not one in the database."""
    return owner("mosquitto", "nobody")


class MosquittoError(Exception):
    """The broker cannot be prepared or does not start. The text says why."""


def program() -> str | None:
    """Mosquitto's path. Debian puts it into /usr/sbin, which an ordinary user's PATH does not hold."""
    return shutil.which("mosquitto", path=os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin")))


class Mosquitto:
    """The broker of one data folder. `prepare` and `start` may be called again after any death.

    On one machine it listens on loopback, its files lie in `data` and it makes the services' passwords itself. In a
    city (`pingan/city/broker.py`) they come from `secrets`, its files lie in `folder`, and devices come in by `tls`.
    `certificates` keeps what the listeners of `tls` show, and whom they refuse.
    """

    def __init__(
        self,
        data: Path,
        port: int,
        *,
        host: str = HOST,
        tls: Sequence[Tls] = (),
        folder: Path | None = None,
        secrets: Secrets | None = None,
        certificates: "Certificates | None" = None,
    ) -> None:
        make_data_folder(data)
        self.data = data
        self.port = port
        self._host, self._tls, self._folder = host, tls, folder
        self.owner = broker_owner()
        self.certificates = certificates
        self._secrets = secrets or Secrets(data)
        self._service_hashes = {name: hash_password(self.password(name)) for name in SERVICE_USERS}

    def password(self, service_user: str) -> str:
        return self._secrets.text(f"mqtt-{service_user}")

    def password_file(self, service_user: str) -> Path:
        return self._secrets.file(f"mqtt-{service_user}")

    def prepare(self) -> None:
        """Write the configuration. Devices known from the last run stay known: they need not wait for the database."""
        self.folder = self._folder or place_for(self.data, "mosquitto", self.owner)
        text = CONFIGURATION.format(listeners=self._listeners(), folder=self.folder)
        write_private(self.folder / "mosquitto.conf", text, self.owner)
        write_private(self.folder / "acl", ACCESS, self.owner)
        if self.certificates:
            self.certificates.prepare()
        self.write_users(self._devices())

    def _listeners(self) -> str:
        listeners = LISTENER.format(port=self.port, host=self._host)
        for tls in self._tls:
            listeners += LISTENER_TLS.format(port=tls.port, host=tls.host, certificate=tls.certificate, key=tls.key)
            if tls.by_certificate:
                listeners += BY_CERTIFICATE.format(folder=self.folder)
        return listeners

    @property
    def shown(self) -> tuple[Path, ...]:
        """The files with which the server shows who it is, if there is TLS."""
        return tuple({path: None for tls in self._tls for path in (tls.certificate, tls.key)})

    def _devices(self) -> dict[str, str]:
        """The devices in the users' file as it stands."""
        users: dict[str, str] = {}
        with contextlib.suppress(FileNotFoundError):
            for line in (self.folder / "users").read_text(encoding="utf-8").splitlines():
                name, _, hashed = line.partition(":")
                users[name] = hashed
        return {name: hashed for name, hashed in users.items() if name not in SERVICE_USERS}

    def write_users(self, devices: Mapping[str, str]) -> bool:
        """Replace the users' file: our services, and these devices with their hashes. True when it has changed.

        The running broker reads it on `reload`. A name or hash that could break the file's form is left out.
        """
        lines = [f"{name}:{hashed}" for name, hashed in self._service_hashes.items()]
        lines += [
            f"{name}:{hashed}"
            for name, hashed in sorted(devices.items())
            # A device that calls itself `dispatch` must not become it.
            if name not in NO_DEVICES and _USER.fullmatch(name) and _HASH.fullmatch(hashed)
        ]
        text = "\n".join(lines) + "\n"
        path = self.folder / "users"
        if path.exists() and path.read_text(encoding="utf-8") == text:
            return False
        write_private(path, text, self.owner)
        return True

    def start(self) -> subprocess.Popen[bytes]:
        """Start it with a log file of its own. MosquittoError when it is not installed."""
        with open_log(self.data, "mosquitto") as log:
            return self.start_to(log)

    def start_to(self, log: BinaryIO | None) -> subprocess.Popen[bytes]:
        """Start it as its own user from the first moment, so that a reload can read whatever the start could.

        `log`: where it writes; None: where we do.
        """
        found = program()
        if found is None:
            raise MosquittoError("Mosquitto is not installed: apt-get install mosquitto")
        return subprocess.Popen(
            [found, "-c", str(self.folder / "mosquitto.conf")],
            cwd="/",
            env={"PATH": os.defpath, "TZ": "UTC"},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            **self.owner.arguments,
        )

    def answers(self, timeout_seconds: float = 1) -> bool:
        """Whether it takes a connection, signs `dispatch` in and says so."""
        return sign_in(self.port, "dispatch", self.password("dispatch"), timeout_seconds) == 0

    def ready(self, timeout_seconds: float = 10) -> None:
        """Wait until it answers. MosquittoError when it has not within the time."""
        deadline = time.monotonic() + timeout_seconds
        while not self.answers():
            if time.monotonic() > deadline:
                raise MosquittoError(f"Mosquitto does not answer on port {self.port}: see log/mosquitto.log")
            time.sleep(0.03)

    def refuse(self, refused: Mapping[str, str], first_to_expire: datetime | None) -> bool:
        """Bring the certificates up to date: those refused, with their devices. True: the broker is to be reloaded."""
        return self.certificates is not None and self.certificates.keep(refused, first_to_expire)

    def expire(self) -> dict[str, float]:
        """When each certificate expires: seconds since 1970."""
        if self.certificates is None:
            return {}
        return {name: at.timestamp() for name, at in self.certificates.expire().items()}

    def reload(self, process: subprocess.Popen[bytes]) -> bool:
        """Make it read users and certificates again. False: try again.

        No connection is dropped but those of removed users, of changed passwords, of certificates that are refused now.
        """
        # Before it serves it has no handler for the signal, which would end it.
        if process.poll() is not None or not self.answers():
            return False
        process.send_signal(signal.SIGHUP)
        return self._put_out()

    def _put_out(self) -> bool:
        """End the connections of those whose certificate is refused now. False: not of all.

        A reload makes it refuse new ones and keep those that are there. Whoever connects with a client id that is
        connected takes its place; a device with a certificate has its own name as its client id.
        """
        leaving = self.certificates.leaving if self.certificates else set()
        for device in sorted(leaving):
            if sign_in(self.port, "dispatch", self.password("dispatch"), 1, client=device) != 0:
                return False
            leaving.remove(device)
        return True


def _field(text: str) -> bytes:
    encoded = text.encode()
    return len(encoded).to_bytes(2, "big") + encoded


def sign_in(port: int, user: str, password: str, timeout_seconds: float, *, client: str | None = None) -> int | None:
    """One MQTT 3.1.1 CONNECT (clean session), by hand. The CONNACK's code (0: welcome), None when there was none.

    `client`: the client id; whoever is connected with it is put out.
    """
    client = client or f"pingan-probe-{os.getpid()}-{time.monotonic_ns()}"
    body = _field("MQTT") + bytes([4, 0xC2, 0, 10]) + _field(client)
    body += _field(user) + _field(password)
    length = bytes([len(body) & 0x7F | 0x80, len(body) >> 7]) if len(body) > 0x7F else bytes([len(body)])
    try:
        with socket.create_connection((HOST, port), timeout_seconds) as connection:
            connection.sendall(b"\x10" + length + body)
            answer = b""
            while len(answer) < 4 and (part := connection.recv(4 - len(answer))):
                answer += part
            if len(answer) < 4 or answer[0] != 0x20:
                return None
            with contextlib.suppress(OSError):
                connection.sendall(b"\xe0\x00")  # DISCONNECT: without it the log tells of a lost client
            return answer[3]
    except OSError:
        return None
