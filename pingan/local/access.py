"""The access file: how to reach what runs, for the simulator and for whoever tries the platform out.

Its form is described in docs/simulator-contract.md. The credentials are those of the sample register.
"""

import json
from typing import Any

from .mosquitto import HOST
from .places import read_json, write_private
from .platform import Platform

FILE = "access.json"
SAMPLE = "sample.json"
"""Written by `pingan register sample`, when it fills an empty register."""


def compose(platform: Platform) -> dict[str, Any]:
    """The access file's content. Without a sample register it holds addresses only."""
    sample = read_json(platform.data / SAMPLE)
    twilio = platform.twilio()
    return {
        "console": platform.console,
        "operator": sample.get("operator"),
        "token": sample.get("token"),
        "mqtt": {"host": HOST, "port": platform.settings.mqtt_port},
        "devices": sample.get("devices", []),
        "homes": sample.get("homes", []),
        "phones": sample.get("phones", []),
        "twilio": twilio
        and {
            "base_url": twilio.base_url,
            "account_sid": twilio.account_sid,
            "auth_token": twilio.auth_token_file.read_text(encoding="utf-8").strip(),
            "from": twilio.from_number,
        },
        "simulator": platform.simulator,
        "clock": sample.get("clock"),
    }


def write(platform: Platform) -> None:
    text = json.dumps(compose(platform), ensure_ascii=False, indent=2)
    write_private(platform.data / FILE, text + "\n")
