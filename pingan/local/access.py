"""The access file: how to reach what runs, for the simulator and for whoever tries the platform out.

Its form is described in docs/simulator-contract.md. The credentials are those of the sample register.
"""

import json
from pathlib import Path
from typing import Any

from .mosquitto import HOST
from .places import read_json, write_private
from .platform import Platform, Twilio

FILE = "access.json"
SAMPLE = "sample.json"
"""Written by `pingan register sample`, when it fills an empty register."""


def compose(data: Path, console: str, mqtt: tuple[str, int], simulator: str, twilio: Twilio | None) -> dict[str, Any]:
    """The access file's content. Without a sample register in `data` it holds addresses only.

    `console` and `simulator` are URLs, `mqtt` the broker's host and port.
    """
    sample = read_json(data / SAMPLE)
    return {
        "console": console,
        "operator": sample.get("operator"),
        "token": sample.get("token"),
        "mqtt": {"host": mqtt[0], "port": mqtt[1]},
        "devices": sample.get("devices", []),
        "gateways": sample.get("gateways", []),
        "homes": sample.get("homes", []),
        "phones": sample.get("phones", []),
        "twilio": twilio
        and {
            "base_url": twilio.base_url,
            "account_sid": twilio.account_sid,
            "auth_token": twilio.auth_token_file.read_text(encoding="utf-8").strip(),
            "from": twilio.from_number,
        },
        "simulator": simulator,
        "clock": sample.get("clock"),
    }


def write(platform: Platform) -> None:
    """The access file of the platform on this machine."""
    mqtt = HOST, platform.settings.mqtt_port
    put(platform.data, compose(platform.data, platform.console, mqtt, platform.simulator, platform.twilio()))


def put(data: Path, content: dict[str, Any]) -> None:
    write_private(data / FILE, json.dumps(content, ensure_ascii=False, indent=2) + "\n")
