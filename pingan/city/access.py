"""`pingan access-file`: the access file for a simulated neighbourhood that runs in a container of its own."""

import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec

from pingan.local import access
from pingan.local.platform import Twilio
from pingan.settings import Port, SettingsError, Text, load


class AccessSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of `pingan access-file`."""

    data: Path
    """The folder with the sample register's accounts; the access file is written beside them."""
    public_url: Text
    """The console, as the simulator reaches it."""
    mqtt_host: Text
    mqtt_port: Port
    twilio_base_url: Text
    """The simulator itself: it is the telephone provider too."""
    twilio_account_sid: Text
    twilio_auth_token_file: Path
    twilio_from: Text


def main(argv: Sequence[str] = ()) -> int:
    """Write `access.json` into the data folder."""
    try:
        settings = load(AccessSettings)
        twilio = Twilio(
            settings.twilio_base_url,
            settings.twilio_account_sid,
            settings.twilio_auth_token_file,
            settings.twilio_from,
        )
        mqtt = settings.mqtt_host, settings.mqtt_port
        content = access.compose(settings.data, settings.public_url, mqtt, settings.twilio_base_url, twilio)
        access.put(settings.data, content)
    except (SettingsError, OSError) as error:
        sys.stderr.write(f"pingan access-file: {error}\n")
        return 1
    return 0
