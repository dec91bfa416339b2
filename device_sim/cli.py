"""The simulator's command line: `pingan sim …`, or `python -m device_sim …`."""

import argparse
import asyncio
import json
import logging
import os
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import uvloop

from device_sim import recordings
from device_sim.access import Access, AccessError, default_path, read_access
from device_sim.client import NotRunning, Refused, SimulatorClient
from device_sim.household.life import CHINA
from device_sim.recordings import Recording
from device_sim.weather import CLIMATES
from device_sim.wire.press import STAGES
from device_sim.words import say

POLL_SECONDS = 0.1
MACHINE_WAIT_SECONDS = 120.0
PEOPLE_WAIT_SECONDS = 3600.0
"""How long a press waits for its stage by default: `received` is a machine's word, every later one a person's."""
TEST_WAIT_SECONDS = 60.0
TEST_STAMPS = ("prompted_at", "pressed_at", "durable_at", "shown_at", "told_at")
"""What a self-test is told by, in its order."""
DEFAULT_DATA = Path("../shared/data")
HABITS = ("manual", "accept", "decline", "voicemail", "busy", "no_answer", "failed", "invalid")
MEASURED = ("heart_rate", "spo2", "bp_systolic", "bp_diastolic", "temperature", "weight")
PHONE_ACTS = ("answer", "press", "hangup", "habit", "show", "call", "text")

OK = 200

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
    except BrokenPipeError:
        # Whoever reads has seen enough, as `head` does; the interpreter must not try to flush once more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 1


def add_commands(subparsers: Subparsers) -> None:
    """Adds every command to the subparsers of a parser; each sets `command`, a function of the parsed arguments."""
    run = _command(subparsers, "run", _run)
    run.add_argument("--climate", choices=sorted(CLIMATES), default="fair", help=say("climate"))
    run.add_argument("--habit", choices=HABITS, help=say("habits"))
    run.add_argument("--pace", type=float, default=1.0, help=say("pace"))
    run.add_argument("--phones-only", action="store_true", help=say("phones_only"))
    run.add_argument("--listen", default="127.0.0.1", metavar="ADDRESS", help=say("listen"))
    press = _command(subparsers, "press", _press)
    who = press.add_mutually_exclusive_group(required=True)
    who.add_argument("--home", help=say("home"))
    who.add_argument("--device", help=say("device"))
    press.add_argument("--kind", default="sos", help=say("kind"))
    press.add_argument("--test", action="store_true", help=say("test"))
    press.add_argument("--wait", choices=STAGES, default="received", help=say("wait"))
    press.add_argument("--wait-seconds", type=float, help=say("wait_seconds"))
    test = _command(subparsers, "self-test", _self_test)
    test.add_argument("--home", required=True, help=say("home"))
    test.add_argument("--wait-seconds", type=float, default=TEST_WAIT_SECONDS, help=say("wait_seconds"))
    _command(subparsers, "phones", _phones)
    phone = _command(subparsers, "phone", _phone)
    phone.add_argument("number", help=say("number"))
    phone.add_argument("act", choices=PHONE_ACTS, help=say("act"))
    phone.add_argument("value", nargs="?", help=say("value"))
    phone.add_argument("--after", type=float, default=3.0, help=say("after"))
    phone.add_argument("--digits", help=say("digits"))
    phone.add_argument("--withheld", action="store_true", help=say("withheld"))
    cable = _command(subparsers, "cable", _cable)
    cable.add_argument("--home", required=True, help=say("home"))
    cable.add_argument("act", choices=("pull", "plug"), help=say("pull_or_plug"))
    answer = _command(subparsers, "answer", _answer)
    answer.add_argument("--home", required=True, help=say("home"))
    answer.add_argument("act", choices=("ok", "cancel", "nobody"), help=say("ok_or_nobody"))
    answer.add_argument("--after", type=float, default=0.0, help=say("answer_after"))
    fall = _command(subparsers, "fall", _fall)
    fall.add_argument("--home", required=True, help=say("home"))
    fall.add_argument("--gets-up", action="store_true", help=say("gets_up"))
    measure = _command(subparsers, "measure", _measure)
    measure.add_argument("--home", required=True, help=say("home"))
    measure.add_argument("what", choices=MEASURED, help=say("measured_what"))
    measure.add_argument("value", type=float, help=say("measured_value"))
    for name in ("silence", "out"):
        quiet = _command(subparsers, name, _quiet)
        quiet.add_argument("--home", required=True, help=say("home"))
        quiet.add_argument("--hours", type=float, default=6.0, help=say("hours"))
        quiet.set_defaults(path="leave_home" if name == "out" else "silence")
    power = _command(subparsers, "power", _power)
    power.add_argument("act", choices=("cut", "restore"), help=say("cut_or_restore"))
    power.add_argument("--homes", metavar="ID,ID", help=say("power_homes"))
    power.add_argument("--area", metavar="CODE", help=say("power_area"))
    power.add_argument("--count", type=int, metavar="N", help=say("power_count"))
    _add_replay(subparsers)
    _add_load(subparsers)


def _add_replay(subparsers: Subparsers) -> None:
    replay = _command(subparsers, "replay", _replay)
    source = replay.add_mutually_exclusive_group(required=True)
    source.add_argument("--tihm", metavar="ID", help=say("tihm"))
    source.add_argument("--house", choices=tuple("ABCDE"), help=say("house"))
    source.add_argument("--casas", action="store_true", help=say("casas"))
    source.add_argument("--falls", choices=("weda", "sisfall", "umafall"), help=say("falls"))
    replay.add_argument("--home", required=True, help=say("home"))
    replay.add_argument("--days", type=int, default=14, help=say("days"))
    replay.add_argument("--trials", type=int, default=10, help=say("trials"))
    replay.add_argument("--only", choices=("falls", "daily"), help=say("only"))
    replay.add_argument("--driven", action="store_true", help=say("driven"))
    replay.add_argument("--speed", type=float, default=1.0, help=say("speed"))
    replay.add_argument("--start", type=_time, help=say("start"))
    replay.add_argument("--step-minutes", type=float, help=say("step"))
    replay.add_argument("--heartbeat-seconds", type=float, help=say("heartbeat"))
    replay.add_argument("--everybody", action="store_true", help=say("everybody"))
    replay.add_argument("--nobody", action="store_true", help=say("no_operator"))
    replay.add_argument("--boot", help=say("boot"))
    replay.add_argument("--data", type=Path, default=DEFAULT_DATA, help=say("data"))


def _add_load(subparsers: Subparsers) -> None:
    load = _command(subparsers, "load", _load)
    load.add_argument("--connections", type=int, default=10, help=say("connections"))
    load.add_argument("--readings", type=float, default=0.0, help=say("readings"))
    load.add_argument("--presses", type=float, default=0.0, help=say("presses"))
    load.add_argument("--seconds", type=float, default=10.0, help=say("seconds"))
    load.add_argument("--max", action="store_true", help=say("max"))
    load.add_argument("--window", type=int, default=200, help=say("window"))
    load.add_argument("--retry-seconds", type=float, default=30.0, help=say("retry_seconds"))
    load.add_argument("--linger-seconds", type=float, default=10.0, help=say("linger"))
    load.add_argument("--acknowledged", type=Path, help=say("acknowledged"))


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
    from device_sim.phone.people import Habit
    from device_sim.server import ServerError

    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            habit = Habit(arguments.habit, after_seconds=3 * arguments.pace) if arguments.habit else None
            how = {"climate": arguments.climate, "pace": arguments.pace, "phones_only": arguments.phones_only}
            runner.run(live(access_of(arguments), habit=habit, listen=arguments.listen, **how))
    except ServerError as error:
        raise CommandError(str(error)) from None


def _press(arguments: argparse.Namespace) -> int:
    client = SimulatorClient(access_of(arguments).simulator)
    if arguments.device is not None:
        pressed = client.post(f"/sim/behind/{arguments.device}/press")
        _tell(say("pressed_behind", device=pressed["device"], gateway=pressed["gateway"]))
        return 0
    event = client.post(f"/sim/homes/{arguments.home}/press", kind=arguments.kind, test=arguments.test)
    _tell(say("pressed", home=arguments.home, id=event["id"]))
    patience = arguments.wait_seconds
    if patience is None:
        patience = MACHINE_WAIT_SECONDS if arguments.wait == "received" else PEOPLE_WAIT_SECONDS
    deadline = time.monotonic() + patience
    shown = 0
    while True:
        for stage in event["stages"][shown:]:
            _tell(_stage_line(stage))
        shown = len(event["stages"])
        if any(stage["stage"] in (arguments.wait, "closed") for stage in event["stages"]):
            return 0
        if time.monotonic() > deadline:
            raise CommandError(say("not_reached", stage=arguments.wait, seconds=patience))
        time.sleep(POLL_SECONDS)
        event = client.get(f"/sim/events/{event['id']}")


def _self_test(arguments: argparse.Namespace) -> int:
    """The platform is asked, as the desk would; the simulated button answers, and the desk's screen must draw it."""
    access = access_of(arguments)
    if not (access.console and access.token):
        raise CommandError(say("no_platform"))
    device = access.device(arguments.home, "button").id
    platform = SimulatorClient(access.console, access.token)
    try:
        test = platform.post(f"/api/v1/devices/{device}/self-test")
        _tell(say("test_began", device=device, until=_clock(test["until"])))
        number, deadline, told = test["id"], time.monotonic() + arguments.wait_seconds, set[str]()
        while True:
            for stamp in TEST_STAMPS:
                if test[stamp] and stamp not in told:
                    told.add(stamp)
                    _tell(f"  {_clock(test[stamp])}  {say('test_' + stamp)}")
            if test["state"] != "open":
                _tell(say("test_" + test["state"]))
                return 0 if test["state"] == "passed" else 1
            if time.monotonic() > deadline:
                raise CommandError(say("test_open", seconds=arguments.wait_seconds))
            time.sleep(POLL_SECONDS)
            tests = platform.get(f"/api/v1/devices/{device}/self-tests")
            test = next(one for one in tests if one["id"] == number)
    except NotRunning as error:
        raise CommandError(say("no_platform_answers", url=error)) from None
    except Refused as error:
        raise CommandError(say("platform_refuses", reason=error)) from None


def _stage_line(stage: dict[str, Any]) -> str:
    by, eta = stage["by"] or say("nobody"), _clock(stage["eta"]) or say("unknown_time")
    return f"  {_clock(stage['at'])}  {say('stage_' + stage['stage'], by=by, eta=eta)}"


def _clock(at: str | None) -> str:
    """A time as the console shows it."""
    try:
        return datetime.fromisoformat(at).astimezone(CHINA).strftime("%H:%M:%S") if at else ""
    except ValueError:  # another platform's way of saying when: shown as it came
        return str(at)


def _phones(arguments: argparse.Namespace) -> None:
    for phone in SimulatorClient(access_of(arguments).simulator).get("/sim/phones"):
        _print_phone(phone)


def _phone(arguments: argparse.Namespace) -> None:
    client = SimulatorClient(access_of(arguments).simulator)
    path = f"/sim/phones/{arguments.number}"
    act, value = arguments.act, arguments.value
    if act in ("press", "habit", "text") and not value:
        raise CommandError(say("needs_value", act=act))
    if act == "show":
        phone = client.get(path)
    elif act == "press":
        phone = client.post(f"{path}/press", digits=value)
    elif act == "habit":
        phone = client.post(f"{path}/habit", kind=value, after_seconds=arguments.after, digits=arguments.digits)
    elif act in ("call", "text"):
        # Whoever calls us may have any telephone: one that nobody has yet is connected first.
        client.post("/sim/phones", number=arguments.number)
        if act == "call":
            client.post(f"{path}/call", withheld=arguments.withheld)
        elif (status := client.post(f"{path}/reply", body=value)["webhook_status"]) != OK:
            raise CommandError(say("not_taken", status=status))
        phone = client.get(path)
    else:
        phone = client.post(f"{path}/{act}")
    _print_phone(phone)


def _print_phone(phone: dict[str, Any]) -> None:
    habit = "" if phone["habit"]["kind"] == "manual" else f" [{phone['habit']['kind']}]"
    _tell(f"{phone['number']}  {phone['name']} ({phone['home'] or phone['role']})  {say(phone['state'])}{habit}")
    for text in phone["heard"]:
        _tell("    " + say("heard", text=text))
    for sms in phone["inbox"]:
        _tell("    " + say("outgoing" if sms["outgoing"] else "inbox", number=sms["number"], body=sms["body"]))


def _cable(arguments: argparse.Namespace) -> None:
    client = SimulatorClient(access_of(arguments).simulator)
    done = client.post(f"/sim/homes/{arguments.home}/cable", plugged=arguments.act == "plug")
    word = "cable_plugged" if done["plugged"] else "cable_pulled"
    _tell(say(word, home=done["home"], devices=", ".join(done["devices"])))


def _answer(arguments: argparse.Namespace) -> None:
    client = SimulatorClient(access_of(arguments).simulator)
    path = f"/sim/homes/{arguments.home}/answers"
    done = client.post(path, answer=arguments.act, after_seconds=arguments.after)
    _tell(say("answers_so", home=done["home"], answer=done["answer"]))


def _fall(arguments: argparse.Namespace) -> None:
    client = SimulatorClient(access_of(arguments).simulator)
    done = client.post(f"/sim/homes/{arguments.home}/fall", gets_up=arguments.gets_up)
    _tell(say("falls_and_rises" if done["gets_up"] else "falls_and_lies", home=done["home"], device=done["device"]))


def _measure(arguments: argparse.Namespace) -> None:
    client = SimulatorClient(access_of(arguments).simulator)
    done = client.post(f"/sim/homes/{arguments.home}/measure", kind=arguments.what, value=arguments.value)
    _tell(say("measured", device=done["device"], kind=done["kind"], value=f"{done['value']:g}"))


def _quiet(arguments: argparse.Namespace) -> None:
    client = SimulatorClient(access_of(arguments).simulator)
    client.post(f"/sim/homes/{arguments.home}/{arguments.path}", seconds=arguments.hours * 3600)
    word = "is_out" if arguments.path == "leave_home" else "is_silent"
    _tell(say(word, home=arguments.home, hours=f"{arguments.hours:g}"))


def _power(arguments: argparse.Namespace) -> None:
    homes = arguments.homes.split(",") if arguments.homes else None
    client = SimulatorClient(access_of(arguments).simulator)
    done = client.post(
        "/sim/power", on=arguments.act == "restore", homes=homes, area=arguments.area, count=arguments.count
    )
    _tell(say("power_restored" if done["on"] else "power_cut", homes=done["homes"], devices=done["devices"]))


def _replay(arguments: argparse.Namespace) -> None:
    from device_sim.operator import Operator
    from device_sim.replay import ReplayError, replay_driven, replay_live

    access = access_of(arguments)
    how = {
        "boot": arguments.boot,
        "heartbeat": timedelta(seconds=arguments.heartbeat_seconds) if arguments.heartbeat_seconds else None,
        "everybody": arguments.everybody,
        "movable": arguments.start is None,
    }
    try:
        recording = _recording(arguments)
        if arguments.driven:
            step = timedelta(minutes=arguments.step_minutes) if arguments.step_minutes else None
            desk = None
            if access.console and access.token and not arguments.nobody:
                desk = Operator(access.console, access.token)
            play = replay_driven(access, recording, arguments.home, step=step, desk=desk, **how)
        else:
            play = replay_live(access, recording, arguments.home, speed=arguments.speed, **how)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            _tell_json(runner.run(play).as_json())
    except (recordings.RecordingError, ReplayError) as error:
        raise CommandError(str(error)) from None


def _recording(arguments: argparse.Namespace) -> Recording:
    data, days = arguments.data, arguments.days
    if arguments.falls:
        start = arguments.start or datetime.now(UTC)
        return recordings.falls(data, arguments.falls, arguments.trials, arguments.only, start)
    if arguments.tihm:
        recording = recordings.tihm(data, arguments.tihm, days)
    elif arguments.house:
        recording = recordings.single_resident(data, arguments.house, days)
    else:
        recording = recordings.casas(data, days)
    return recording.moved_to(arguments.start) if arguments.start else recording


def _load(arguments: argparse.Namespace) -> None:
    from device_sim.load import LoadError, Plan, run_load

    plan = Plan(
        connections=arguments.connections,
        readings_per_second=arguments.readings,
        presses_per_second=arguments.presses,
        seconds=arguments.seconds,
        as_fast_as_possible=arguments.max,
        window=arguments.window,
        retry_seconds=arguments.retry_seconds,
        linger_seconds=arguments.linger_seconds,
        acknowledged=arguments.acknowledged,
    )
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            _tell_json(runner.run(run_load(access_of(arguments), plan)))
    except LoadError as error:
        raise CommandError(str(error)) from None


def _time(text: str) -> datetime:
    """An ISO 8601 time; one without a zone is China's."""
    at = datetime.fromisoformat(text)
    return at if at.tzinfo else at.replace(tzinfo=CHINA)


def _tell_json(value: dict[str, Any]) -> None:
    """A result for programs: one JSON object on standard output."""
    _tell(json.dumps(value, ensure_ascii=False, indent=2))


def _tell(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _complain(line: object) -> None:
    sys.stderr.write(f"{line}\n")
