"""The simulator's command line: `pingan sim …`, or `python -m device_sim …`."""

import argparse
import asyncio
import json
import logging
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import uvloop

from device_sim.access import Access, AccessError, default_path, read_access
from device_sim.client import NotRunning, Refused, SimulatorClient
from device_sim.weather import CLIMATES
from device_sim.wire.press import STAGES
from device_sim.words import say

POLL_SECONDS = 0.1
DEFAULT_WAIT_SECONDS = 120.0
PHONE_ACTS = ("answer", "press", "hangup", "habit", "show")

Subparsers = Any
"""argparse's own type of it is private."""


class CommandError(Exception):
    """The command cannot be done; the message is for people."""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command; returns the exit status (0 done, 1 not)."""
    parser = argparse.ArgumentParser(prog="pingan sim", description=say("about"))
    add_commands(parser.add_subparsers(required=True, metavar="COMMAND"))
    arguments = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    try:
        return int(arguments.command(arguments) or 0)
    except NotRunning as error:
        _complain(say("not_running", url=error))
    except Refused as error:
        _complain(say("refused", reason=error))
    except (CommandError, AccessError) as error:
        _complain(error)
    except KeyboardInterrupt:
        _complain("")
    return 1


def add_commands(subparsers: Subparsers) -> None:
    """Adds every command to the subparsers of a parser; each sets `command`, a function of the parsed arguments."""
    run = _command(subparsers, "run", _run)
    run.add_argument("--climate", choices=sorted(CLIMATES), default="fair", help=say("climate"))
    press = _command(subparsers, "press", _press)
    press.add_argument("--home", required=True, help=say("home"))
    press.add_argument("--kind", default="sos", help=say("kind"))
    press.add_argument("--test", action="store_true", help=say("test"))
    press.add_argument("--wait", choices=STAGES, default="received", help=say("wait"))
    press.add_argument("--wait-seconds", type=float, default=DEFAULT_WAIT_SECONDS, help=say("wait_seconds"))
    _command(subparsers, "phones", _phones)
    phone = _command(subparsers, "phone", _phone)
    phone.add_argument("number", help=say("number"))
    phone.add_argument("act", choices=PHONE_ACTS, help=say("act"))
    phone.add_argument("value", nargs="?", help=say("value"))
    phone.add_argument("--after", type=float, default=3.0, help=say("after"))
    cable = _command(subparsers, "cable", _cable)
    cable.add_argument("--home", required=True, help=say("home"))
    cable.add_argument("act", choices=("pull", "plug"), help=say("pull_or_plug"))


def _command(
    subparsers: Subparsers, name: str, command: Callable[[argparse.Namespace], int | None]
) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = subparsers.add_parser(name, help=say(name), description=say(name))
    parser.add_argument("--access", type=Path, help=say("access"))
    parser.set_defaults(command=command)
    return parser


def access_of(arguments: argparse.Namespace) -> Access:
    """The access file that a command was given, or the platform's."""
    path = arguments.access or default_path()
    if path is None:
        raise CommandError(say("no_access"))
    return read_access(path)


def _run(arguments: argparse.Namespace) -> None:
    # Imported here: the other commands answer at once and need no web server for it.
    from device_sim.neighbourhood import live
    from device_sim.server import ServerError

    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(live(access_of(arguments), climate=arguments.climate))
    except ServerError as error:
        raise CommandError(str(error)) from None


def _press(arguments: argparse.Namespace) -> int:
    client = SimulatorClient(access_of(arguments).simulator)
    event = client.post(f"/sim/homes/{arguments.home}/press", kind=arguments.kind, test=arguments.test)
    _tell(say("pressed", home=arguments.home, id=event["id"]))
    deadline = time.monotonic() + arguments.wait_seconds
    shown = 0
    while True:
        for stage in event["stages"][shown:]:
            _tell(_stage_line(stage))
        shown = len(event["stages"])
        if any(stage["stage"] in (arguments.wait, "closed") for stage in event["stages"]):
            return 0
        if time.monotonic() > deadline:
            raise CommandError(say("not_reached", stage=arguments.wait, seconds=arguments.wait_seconds))
        time.sleep(POLL_SECONDS)
        event = client.get(f"/sim/events/{event['id']}")


def _stage_line(stage: dict[str, Any]) -> str:
    by, eta = stage["by"] or say("nobody"), stage["eta"] or say("unknown_time")
    return f"  {stage['at']}  {say('stage_' + stage['stage'], by=by, eta=eta)}"


def _phones(arguments: argparse.Namespace) -> None:
    for phone in SimulatorClient(access_of(arguments).simulator).get("/sim/phones"):
        _print_phone(phone)


def _phone(arguments: argparse.Namespace) -> None:
    client = SimulatorClient(access_of(arguments).simulator)
    path = f"/sim/phones/{arguments.number}"
    act, value = arguments.act, arguments.value
    if act in ("press", "habit") and not value:
        raise CommandError(say("needs_value", act=act))
    if act == "show":
        phone = client.get(path)
    elif act == "press":
        phone = client.post(f"{path}/press", digits=value)
    elif act == "habit":
        phone = client.post(f"{path}/habit", kind=value, after_seconds=arguments.after)
    else:
        phone = client.post(f"{path}/{act}")
    _print_phone(phone)


def _print_phone(phone: dict[str, Any]) -> None:
    habit = "" if phone["habit"]["kind"] == "manual" else f" [{phone['habit']['kind']}]"
    _tell(f"{phone['number']}  {phone['name']} ({phone['home'] or phone['role']})  {say(phone['state'])}{habit}")
    for text in phone["heard"]:
        _tell("    " + say("heard", text=text))
    for sms in phone["inbox"]:
        _tell("    " + say("inbox", number=sms["number"], body=sms["body"]))


def _cable(arguments: argparse.Namespace) -> None:
    client = SimulatorClient(access_of(arguments).simulator)
    done = client.post(f"/sim/homes/{arguments.home}/cable", plugged=arguments.act == "plug")
    word = "cable_plugged" if done["plugged"] else "cable_pulled"
    _tell(say(word, home=done["home"], devices=", ".join(done["devices"])))


def print_json(value: dict[str, Any]) -> None:
    """A result for programs: one JSON object on standard output."""
    _tell(json.dumps(value, ensure_ascii=False, indent=2))


def _tell(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _complain(line: object) -> None:
    sys.stderr.write(f"{line}\n")
