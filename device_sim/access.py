"""The access file: how to reach a running platform, and as whom (`docs/simulator-contract.md`)."""

import os
from pathlib import Path
from typing import Any

import msgspec


class AccessError(Exception):
    """The access file is absent or is none. The message is for people."""


class Mqtt(msgspec.Struct, frozen=True):
    host: str
    port: int


class Device(msgspec.Struct, frozen=True):
    id: str
    password: str
    home: str | None = None
    kind: str = "button"


class BehindGateway(msgspec.Struct, frozen=True):
    id: str
    address: str
    """What its gateway calls it."""
    kind: str = "button"


class Gateway(msgspec.Struct, frozen=True):
    """One user of the broker that speaks for several devices, in the protocol of its family."""

    id: str
    password: str
    family: str
    devices: tuple[BehindGateway, ...] = ()


class Home(msgspec.Struct, frozen=True):
    id: str
    person: str = ""
    language: str = "zh"
    seed: int = 0
    area: str = ""


class PhoneEntry(msgspec.Struct, frozen=True):
    number: str
    name: str = ""
    home: str | None = None
    role: str = ""
    language: str = "zh"
    habit: dict[str, Any] | None = None
    """As `POST /sim/phones/{number}/habit` takes it; None: a person answers by hand."""


class TwilioAccount(msgspec.Struct, frozen=True, rename={"from_number": "from"}):
    base_url: str
    account_sid: str
    auth_token: str
    from_number: str


class Clock(msgspec.Struct, frozen=True):
    id: str
    password: str


class Access(msgspec.Struct, frozen=True):
    """What the simulator reads of the file; fields that it does not need are ignored."""

    mqtt: Mqtt
    devices: tuple[Device, ...] = ()
    gateways: tuple[Gateway, ...] = ()
    homes: tuple[Home, ...] = ()
    phones: tuple[PhoneEntry, ...] = ()
    twilio: TwilioAccount | None = None
    simulator: str = "http://127.0.0.1:8363"
    clock: Clock | None = None
    console: str | None = None
    token: str | None = None

    def device(self, home: str, kind: str) -> Device:
        """The first device of that kind in that home. AccessError when there is none."""
        for device in self.devices:
            if device.home == home and device.kind == kind:
                return device
        raise AccessError(f"the access file has no {kind} in home {home}")


def default_path() -> Path | None:
    """`PINGAN_DATA/access.json`, or None when PINGAN_DATA is not set."""
    folder = os.environ.get("PINGAN_DATA")
    return Path(folder) / "access.json" if folder else None


def read_access(path: Path) -> Access:
    """The access file at `path`. AccessError when it is absent, unreadable or has another shape."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Access)
    except OSError as error:
        raise AccessError(f"{path}: {error.strerror or error}") from None
    except msgspec.DecodeError as error:
        raise AccessError(f"{path}: {error}") from None
