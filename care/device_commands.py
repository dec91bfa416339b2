"""`pingan device …` and `pingan ca …`: enrolment, labels, certificates, and who may no longer come in."""

import argparse
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

from care import devices
from care.commands import carry_out, chosen_language
from care.device_label import Broker, content, picture
from care.devices import Certificate, Enrolled, Enrolment
from care.records import DEVICE_KINDS, Device
from care.refusal import Refusal
from care.transfer import write_private
from care.words import WORDS, explain, say
from pingan import authority
from pingan.authority import Authority, AuthorityError
from pingan.clock import SystemClock
from pingan.database import Database
from pingan.settings import Common, Port, SettingsError, Text, load

FOLDER = "authority"


class DeviceSettings(Common, frozen=True, kw_only=True):
    """Settings of `pingan device`."""

    authority: Path | None = None
    """The folder of our authority; else `authority` in the data folder."""
    mqtt_host: Text = "127.0.0.1"
    mqtt_port: Port = 8361
    mqtt_public_host: Text | None = None
    """The name or address by which devices find the broker."""
    mqtt_tls_port: Port | None = None
    mqtt_tls_certificate: Path | None = None
    """Where somebody else's authority stands behind the broker's certificate, labels do not name ours."""
    mqtt_certificate_port: Port | None = None

    @property
    def folder(self) -> Path:
        """Refusal: nobody has said where."""
        if self.authority is not None:
            return self.authority
        if self.data is None:
            raise Refusal("no_data")
        return self.data / FOLDER

    def broker(self, *, by_certificate: bool) -> Broker:
        """Where such a device connects. Refusal: the broker takes nobody by certificate."""
        if by_certificate and self.mqtt_certificate_port is None:
            raise Refusal("no_certificate_port")
        port = self.mqtt_certificate_port if by_certificate else self.mqtt_tls_port
        ours = port is not None and self.mqtt_tls_certificate is None and authority.exists(self.folder)
        return Broker(
            self.mqtt_public_host or self.mqtt_host,
            port or self.mqtt_port,
            tls=port is not None,
            ca=_opened(self.folder).fingerprint if ours else None,
        )


Work = Callable[[DeviceSettings, Database, argparse.Namespace], Awaitable[None]]


def main(argv: list[str]) -> int:
    """`pingan device`. 0: done. 1: refused, with the reasons on standard error. 2: not understood."""
    arguments = _parser().parse_args(argv)
    try:
        settings = load(DeviceSettings)
    except SettingsError as error:
        sys.stderr.write(f"pingan device: {error}\n")
        return 1
    work: Work = arguments.work

    async def with_settings(database: Database, arguments: argparse.Namespace) -> None:
        await work(settings, database, arguments)

    return carry_out("pingan device", settings.database_url, with_settings, arguments)


def ca(argv: list[str]) -> int:
    """`pingan ca`. It needs no database."""
    parser = argparse.ArgumentParser(prog="pingan ca", description="The certificate authority 证书颁发机构.")
    parser.add_argument(
        "what", choices=("init", "show"), help="make it, once; or say which it is and how long it holds"
    )
    parser.add_argument("--folder", type=Path, help="where it lies; else PINGAN_AUTHORITY, else in the data folder")
    arguments = parser.parse_args(argv)
    try:
        settings = load(AuthoritySettings)
        folder = arguments.folder or settings.authority or (settings.data and settings.data / FOLDER)
        if folder is None:
            raise Refusal("no_data")
        if arguments.what == "init":
            _made(folder)
        found = _opened(folder)
    except SettingsError as error:
        sys.stderr.write(f"pingan ca: {error}\n")
        return 1
    except Refusal as refusal:
        sys.stderr.write(f"pingan ca: {explain(refusal, chosen_language())}\n")
        return 1
    _tell("authority_is", path=folder, fingerprint=found.fingerprint, until=f"{found.expires_at:%Y-%m-%d}")
    return 0


class AuthoritySettings(Common, frozen=True, kw_only=True):
    """Settings of `pingan ca`."""

    database_url: Text = "—"
    """Not needed."""
    authority: Path | None = None


def _made(folder: Path) -> Authority:
    try:
        return authority.make(folder, SystemClock().now())
    except AuthorityError as error:
        raise Refusal("authority", error=error) from error


def _opened(folder: Path) -> Authority:
    try:
        return authority.opened(folder)
    except AuthorityError as error:
        raise Refusal("authority", error=error) from error


def _opened_or_made(folder: Path) -> Authority:
    return _opened(folder) if authority.exists(folder) else _made(folder)


def _tell(key: str, **values: object) -> None:
    sys.stdout.write(say(key, chosen_language(), **values) + "\n")


async def _enrol(settings: DeviceSettings, database: Database, arguments: argparse.Namespace) -> None:
    folder: Path | None = arguments.certificate
    for path in (arguments.label, arguments.setup):
        _look_at(path)
    if folder is not None and arguments.setup is not None:
        raise Refusal("setup_without_password")
    issuing = _opened_or_made(settings.folder) if folder is not None else None
    broker = settings.broker(by_certificate=folder is not None)
    asked = Enrolment(
        arguments.id, arguments.kind, arguments.home, arguments.model, arguments.gateway, arguments.address
    )
    async with database.transaction() as connection:
        enrolled = await devices.enrol(connection, asked, SystemClock().now(), issuing)
        # Before the commit: a credential that was stored and not written down would lock its device out.
        if folder is not None and issuing is not None:
            _write_certificate(folder, enrolled, issuing)
        if arguments.label is not None:
            _write_code(arguments.label, enrolled, broker, None)
        if arguments.setup is not None and enrolled.password is not None:
            _write_code(arguments.setup, enrolled, broker, enrolled.password)
    _tell_enrolled(enrolled, broker, folder)
    for key, path in (("label_written", arguments.label), ("setup_written", arguments.setup)):
        if path is not None and (key == "label_written" or enrolled.password is not None):
            _tell(key, path=path)


def _look_at(path: Path | None) -> None:
    """Before anything is done: files that are there already are somebody's."""
    if path is None:
        return
    if path.suffix.lower() not in (".svg", ".png"):
        raise Refusal("label_form", form=path.suffix)
    if path.exists():
        raise Refusal("already_there", path=path)


def _write_certificate(folder: Path, enrolled: Enrolled, issuing: Authority) -> None:
    """The key, the certificate with the authority after it, and the authority alone, by which the server is known."""
    device, issued = enrolled.device.id, enrolled.issued
    if issued is None:
        return
    files = {
        f"{device}_key.pem": issued.key,
        f"{device}.pem": issued.certificate + issuing.pem,
        authority.CERTIFICATE: issuing.pem,
    }
    for name, text in files.items():
        path = folder / name
        if path.exists() and path.read_text(encoding="utf-8") != text:
            raise Refusal("already_there", path=path)
        write_private(path, text.encode())


def _write_code(path: Path, enrolled: Enrolled, broker: Broker, password: str | None) -> None:
    device = enrolled.device
    chinese, english = WORDS["label_headline" if password is None else "setup_headline"]
    text = content(device.id, broker, password)
    form = path.suffix.lower().removeprefix(".")
    write_private(path, picture(form, text, device.id, device.kind, {"zh": chinese, "en": english}))


def _tell_enrolled(enrolled: Enrolled, broker: Broker, folder: Path | None) -> None:
    device = enrolled.device
    _tell("device_enrolled", id=device.id, kind=device.kind, home=device.home or "—")
    if enrolled.issued is not None:
        _tell("device_certificate", path=folder, until=f"{enrolled.issued.expires_at:%Y-%m-%d}")
        _tell("device_broker", url=broker.url)
    elif enrolled.password is not None:
        _tell("device_password", password=enrolled.password)
        _tell("device_broker", url=broker.url)
    else:
        _tell("device_through_gateway")
    if not device.enabled:
        _tell("device_is_disabled", id=device.id)


async def _list(_settings: DeviceSettings, database: Database, arguments: argparse.Namespace) -> None:
    async with database.connection() as connection:
        found = await devices.all_devices(connection)
        valid = {one.device: one for one in await devices.certificates(connection) if not one.revoked}
    for device in found:
        if arguments.home is None or device.home == arguments.home:
            sys.stdout.write("\t".join(_columns(device, valid.get(device.id))).rstrip() + "\n")


def _columns(device: Device, valid: Certificate | None) -> tuple[str, ...]:
    return (
        device.id,
        device.kind,
        device.home or "—",
        device.model or "—",
        "enabled" if device.enabled else "disabled",
        _credential(device, valid),
    )


def _credential(device: Device, valid: Certificate | None) -> str:
    if device.gateway is not None:
        return f"through {device.gateway}"
    return f"certificate {valid.expires_at:%Y-%m-%d}" if valid else "password"


async def _show(_settings: DeviceSettings, database: Database, arguments: argparse.Namespace) -> None:
    async with database.connection() as connection:
        device = await devices.one_device(connection, arguments.id)
        issued = await devices.certificates(connection, arguments.id)
    valid = next((one for one in issued if not one.revoked), None)
    sys.stdout.write("\t".join(_columns(device, valid)).rstrip() + "\n")
    for one in issued:
        if not one.revoked:
            _tell("certificate_valid", serial=one.serial, since=one.issued_at, until=one.expires_at)
        else:
            _tell("certificate_revoked", serial=one.serial, since=one.issued_at, at=one.revoked_at or "—")


async def _enable(_settings: DeviceSettings, database: Database, arguments: argparse.Namespace) -> None:
    async with database.transaction() as connection:
        await devices.enable(connection, arguments.id, arguments.what == "enable", SystemClock().now())
    _tell("done")


async def _revoke(_settings: DeviceSettings, database: Database, arguments: argparse.Namespace) -> None:
    async with database.transaction() as connection:
        await devices.revoke(connection, arguments.id, SystemClock().now())
    _tell("device_revoked", id=arguments.id)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="pingan device", description="Devices and their credentials 设备与凭据.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    one = commands.add_parser("enrol", help="register a device, or give it a new credential: every older one ends")
    one.add_argument("--id", help="its name at the broker; without it, one is made")
    one.add_argument("--kind", choices=tuple(DEVICE_KINDS))
    one.add_argument("--home", help="where it is; it may be enrolled before that is known")
    one.add_argument("--model")
    one.add_argument("--gateway", help="the device (a hub) through which it speaks; then it needs no credential")
    one.add_argument("--address", help="what the gateway calls it")
    one.add_argument(
        "--certificate", type=Path, metavar="FOLDER", help="a certificate and its key, instead of a password"
    )
    one.add_argument("--label", type=Path, metavar="FILE", help="a QR label without secrets (.svg, .png)")
    one.add_argument("--setup", type=Path, metavar="FILE", help="a QR code with the password, for whoever installs it")
    one.set_defaults(work=_enrol)

    one = commands.add_parser("list", help="all devices")
    one.add_argument("--home", help="only of this home")
    one.set_defaults(work=_list)

    for what, words, work in (
        ("show", "one device and its certificates", _show),
        ("disable", "keep it out, until it is enabled", _enable),
        ("enable", "let it in again, with the credential that it had", _enable),
        ("revoke", "end whatever credential it has: it is lost or stolen", _revoke),
    ):
        one = commands.add_parser(what, help=words)
        one.add_argument("id")
        one.set_defaults(work=work, what=what)
    return parser
