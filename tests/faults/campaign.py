"""The kill campaign: every process is killed and held in turn while presses are made, and then everything is looked at.

    python -m tests.faults.campaign [--rounds 1] [--presses 500] [--seed N] [--only WORDS] [--brokers N]

First faults, then calm: safety must hold always, and in the calm everything has to come to its end. The seed draws the
order, the moments and the people's habits; it is in the report, and with it the same campaign can be made again.
"""

import argparse
import asyncio
import contextlib
import json
import logging
import os
import random
import re
import secrets
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from pingan.local.processes import Identity
from pingan.local.supervisor import recorded
from tests.faults import checkers
from tests.faults.checkers import Window
from tests.faults.desk_bot import DeskBot
from tests.faults.house import RealHouse, environment_without_ours
from tests.faults.probe import Probe
from tests.faults.strikes import EVERYTHING, KAFKA, KILL, Strike, hit, schedule

READINGS_PER_SECOND = 250
READING_CONNECTIONS = 10
PRESS_RETRY_SECONDS = 1.0
SECONDS_A_STRIKE = 7.5
"""What one strike takes with its recovery, for spreading the presses over all of them."""
ONE_SECONDS, ALL_SECONDS = 10.0, 15.0
"""The promise: from the hit until a press is acknowledged and on an incident, and until all is well. For a broker of
Kafka the longer one: a lone one has to start, of several another one has to become the leader."""
PATIENCE_SECONDS = 40.0
CALM_SECONDS = 60.0
PROVIDER_SECONDS = 0.8
HABITS = ("accept", "decline", "voicemail", "busy", "no_answer")
PROBE_HOME = "H020"


@dataclass(frozen=True, slots=True)
class Recovery:
    """How long one strike was felt, in seconds from the hit; None: until the end of our patience."""

    target: str
    fault: str
    hit: list[str]
    acknowledged: float | None
    on_an_incident: float | None
    all_well: float | None
    after: float
    """Seconds since the campaign's beginning."""
    starved: float
    """How long the new process stood ready and got no core, by the kernel's count; of several the one that waited most.

    The promise is made for a machine that does this work. On one that others keep busy this much is theirs."""

    def late(self) -> list[str]:
        """What came later than promised, whoever is to blame."""
        return [self._sentence(name, value) for name, value in self._parts() if value is None or value > self._bound]

    def wrong(self) -> list[str]:
        """What came later than promised even without the wait for a core."""
        return [
            self._sentence(name, value)
            for name, value in self._parts()
            if value is None or value - self.starved > self._bound
        ]

    @property
    def _bound(self) -> float:
        return ALL_SECONDS if self.target == EVERYTHING or self.target.startswith(KAFKA) else ONE_SECONDS

    def never(self) -> list[str]:
        """What did not come at all, as long as we waited."""
        return [self._sentence(name, value) for name, value in self._parts() if value is None]

    def _parts(self) -> list[tuple[str, float | None]]:
        return [("on an incident", self.on_an_incident), ("all well", self.all_well)]

    def _sentence(self, name: str, value: float | None) -> str:
        after = "more than our patience" if value is None else f"{value:.1f} s"
        return (
            f"{self.fault} {self.target}: {name} after {after}, promised {self._bound:g} s; "
            f"{self.starved:.1f} s of it without a core"
        )


@dataclass
class Report:
    seed: int
    recoveries: list[Recovery] = field(default_factory=list)
    wrong: dict[str, list[str]] = field(default_factory=dict)
    counts: dict[str, Any] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def passed(self) -> bool:
        return not any(self.wrong.values())


class Campaign:
    def __init__(
        self, house: RealHouse, *, rounds: int, presses: int, seed: int, only: str | None, untimed: bool = False
    ) -> None:
        self._house, self._presses, self._untimed = house, presses, untimed
        self._random = random.Random(seed)
        self._strikes = schedule(self._random, rounds, only, len(house.kafka.brokers) if house.kafka else 0)
        self._seconds = max(20.0, SECONDS_A_STRIKE * len(self._strikes))
        self._acknowledged = house.outer / "acknowledged.jsonl"
        self._windows: list[Window] = []
        self._probed: list[dict[str, str]] = []
        self._killed: set[int] = set()
        self.report = Report(seed)

    async def run(self) -> None:
        began = time.monotonic()
        self._give_habits()
        probe = Probe(self._house, PROBE_HOME)
        bot = DeskBot(self._house, random.Random(self._random.random()))
        await probe.open()
        with self._load("readings") as readings, self._load("presses") as presses:
            acting = asyncio.create_task(bot.run())
            await _until(self._some_acknowledged, "the first press is acknowledged")
            for strike in self._strikes:
                recovery = await self._strike(strike, probe, began)
                self.report.recoveries.append(recovery)
                _say(_line(recovery))
            self.report.counts["load"] = await _result(presses)
            self.report.counts["telemetry"] = await _result(readings)
            acting.cancel()
            await asyncio.gather(acting, return_exceptions=True)
        await probe.close()
        self.report.counts["desk"] = dict(bot.acts)
        _say("calm: waiting for everything to come to its end")
        self.report.wrong["calm"] = await self._calm()
        self._check()
        self.report.seconds = round(time.monotonic() - began, 1)

    def _give_habits(self) -> None:
        # A provider that takes its time: a kill then finds calls that are placed and not yet answered for.
        slow = {"respond": "slow", "seconds": PROVIDER_SECONDS, "methods": ["POST"]}
        self._house.phones("/sim/faults", slow)
        for number, phone in enumerate(self._house.access["phones"]):
            # In turn, then shuffled by home through the numbers: each habit is there whatever the seed.
            kind = HABITS[(number + self._random.randrange(2)) % len(HABITS)]
            self._house.phones(f"/sim/phones/{phone['number']}/habit", {"kind": kind, "after_seconds": 2})

    @contextlib.contextmanager
    def _load(self, what: str) -> Iterator[subprocess.Popen[str]]:
        """A generator in a process of its own, with the devices' own credentials and nothing of ours in memory."""
        seconds = self._seconds
        how = {
            "readings": ["--connections", str(READING_CONNECTIONS), "--readings", str(READINGS_PER_SECOND),
                         "--linger-seconds", "2"],
            "presses": ["--presses", f"{self._presses / seconds:.9f}", "--retry-seconds", str(PRESS_RETRY_SECONDS),
                        "--linger-seconds", "30", "--acknowledged", str(self._acknowledged)],
        }[what]  # fmt: skip
        command = [sys.executable, "-m", "device_sim", "load", "--access", str(self._house.data / "access.json"),
                   "--seconds", f"{seconds:.3f}", *how]  # fmt: skip
        with (self._house.outer / f"load-{what}.log").open("w") as errors:
            process = subprocess.Popen(
                command, env=environment_without_ours(), stdout=subprocess.PIPE, stderr=errors, text=True
            )
        try:
            yield process
        finally:
            process.kill()
            process.wait()

    def _some_acknowledged(self) -> bool:
        return self._acknowledged.exists() and self._acknowledged.stat().st_size > 0

    async def _strike(self, strike: Strike, probe: Probe, began: float) -> Recovery:
        await asyncio.sleep(self._random.uniform(0.1, 0.6))  # the moment is the fault's, drawn from the seed
        done = await hit(self._house, strike)
        if strike.fault == KILL:
            self._killed.update(done.pids)
        answer, well = await asyncio.gather(
            probe.press(PATIENCE_SECONDS), self._well(done.at_seconds + PATIENCE_SECONDS, done.released)
        )
        if answer.acknowledged is not None:
            self._probed.append({"id": answer.event, "device": probe.device, "home": probe.home})
        ends = [end for end in (answer.taken, well) if end is not None]
        length = max(ends, default=done.at_seconds + PATIENCE_SECONDS) - done.at_seconds
        self._windows.append(Window(str(strike), done.at, done.at + timedelta(seconds=length)))

        def since(moment: float | None) -> float | None:
            return None if moment is None else round(moment - done.at_seconds, 2)

        return Recovery(
            strike.target, strike.fault, done.names, since(answer.acknowledged), since(answer.taken), since(well),
            round(done.at_seconds - began, 1), _starved(self._house, done.names) if strike.fault == KILL else 0.0,
        )  # fmt: skip

    async def _well(self, deadline: float, released: asyncio.Task[None] | None) -> float | None:
        """When all was well, seen twice; never before a held process was let go."""
        if released is not None:
            await released
        seen: float | None = None
        while time.monotonic() < deadline:
            if await asyncio.to_thread(self._house.unwell):
                seen = None
            elif seen is not None and time.monotonic() - seen > 0.5:
                return seen
            else:
                seen = seen or time.monotonic()
            await asyncio.sleep(0.1)
        return None

    async def _calm(self) -> list[str]:
        """Everything comes to its end by itself: all is well, no alarm waits, no send is unclear."""
        deadline = time.monotonic() + CALM_SECONDS
        reasons = ["nothing was seen yet"]
        while reasons and time.monotonic() < deadline:
            reasons = await asyncio.to_thread(self._restless)
            if reasons:
                await asyncio.sleep(0.3)
        return reasons

    def _restless(self) -> list[str]:
        reasons = [f"{name} is not well: {why}" for name, why in self._house.unwell().items()]
        if reasons:
            return reasons
        waiting = self._house.rows(
            "select count(*) from alarms where taken_at is null and not held(kind, alone, raised_at, current_timestamp)"
        )[0]["count"]
        dialling = self._house.rows("select id, channel, worker from sends where state = 'dialling'")
        return ([f"{waiting} alarms wait"] if waiting else []) + [
            f"send {send['id']} ({send['channel']}) is being dialled by {send['worker']}" for send in dialling
        ]

    def _check(self) -> None:
        acknowledged = [json.loads(line) for line in self._acknowledged.read_text(encoding="utf-8").splitlines()]
        pressed = acknowledged + self._probed
        house = self._house
        calls, messages = house.phones("/sim/calls"), house.phones("/sim/messages")
        alarms = house.rows(
            "select id, home, device, incident, evidence->>'event' as event from alarms where evidence ? 'event'"
        )
        incidents = house.rows(
            "select id, home, state, danger, wake_at, opened_at, body->'policy' as policy from incidents order by id"
        )
        sends = house.rows("select * from sends order by id")
        # The journal last: an incident that is due between two looks is no fault of anyone.
        now = datetime.now(UTC)
        journal = house.rows("select * from journal order by incident, number")
        self.report.wrong |= {
            "I1 every acknowledged press is one event": checkers.every_press_is_one_event(
                pressed, alarms, incidents, journal
            ),
            "I2 nobody is contacted twice": checkers.nobody_is_contacted_twice(sends, calls, messages),
            "I4 escalations are in time": checkers.escalations_are_in_time(incidents, journal, self._windows, now),
            "I6 journals are whole": checkers.journals_are_whole(incidents, journal),
            "open ones wake": checkers.open_ones_wake(incidents),
            "no send is stuck": checkers.no_send_is_stuck(sends, now),
            "recovery" if self._untimed else "recovery in time": [
                wrong for one in self.report.recoveries for wrong in (one.never() if self._untimed else one.wrong())
            ],
            "every press is acknowledged in the end": self._unacknowledged(len(acknowledged)),
        }
        self.report.counts |= {
            "presses acknowledged": len(acknowledged),
            "probe presses": len(self._probed),
            "incidents": len(incidents),
            "escalations": sum(entry["decision"] in ("next_step", "stalled") for entry in journal),
            "decisions": dict(Counter(entry["decision"] for entry in journal)),
            "calls": dict(Counter(call["status"] for call in calls)),
            "messages": len(messages),
            "sends": {f"{channel} {state}": count for (channel, state), count in sorted(
                Counter((send["channel"], send["state"]) for send in sends).items())},
            "found_by_lookup": sum(send["result"] == "found_by_lookup" for send in sends),
            "declared repeats": sum(send["repeat"] > 0 for send in sends),
            "repeated though placed": checkers.repeated_though_placed(sends, calls, messages),
            "parked": house.rows("select count(*) as count from parked")[0]["count"],
            "restarts": sum(_starts(house).values()),
            "deaths that were not ours": _other_deaths(house, self._killed),
            "errors in logs": _errors(house),
        }  # fmt: skip

    def _unacknowledged(self, acknowledged: int) -> list[str]:
        made = self.report.counts["load"].get("presses", {}).get("made", 0)
        if made != self._presses:
            return [f"{made} presses were made, {self._presses} were asked for"]
        return [f"{made - acknowledged} of {made} presses were never acknowledged"] if made != acknowledged else []


def _starved(house: RealHouse, names: Sequence[str]) -> float:
    """Seconds that the processes of these names have stood in the queue for a core since their start; the longest."""
    waited = [0.0]
    for name in names:
        if found := house.pid(name):
            with contextlib.suppress(OSError, ValueError, IndexError):
                waited.append(int(Path(f"/proc/{found.pid}/schedstat").read_text().split()[1]) / 1e9)
    return round(max(waited), 2)


ENDED = re.compile(r"supervisor: (\S+) \((\d+)\) ended: (.*);")


def _other_deaths(house: RealHouse, killed: Collection[int]) -> list[str]:
    """Who ended though nobody had killed them: replaced by the supervisor, or ended by an error of their own."""
    found = ENDED.findall(house.log())
    return [f"{name}: {how}" for name, pid, how in found if int(pid) not in killed]


def _errors(house: RealHouse) -> dict[str, list[str]]:
    """The first lines by which the services say that something went wrong which nobody had thought of."""
    words = ("Traceback", " ERROR ")
    logs = {
        path.stem: path.read_text(encoding="utf-8", errors="replace") for path in (house.data / "log").glob("*.log")
    }
    found = {
        name: [line[:200] for line in text.splitlines() if any(word in line for word in words)][:5]
        for name, text in logs.items()
        if name in house.names() and name not in ("postgres", "mosquitto")
    }
    return {name: lines for name, lines in found.items() if lines}


def _starts(house: RealHouse) -> dict[str, int]:
    return {entry["name"]: entry["starts"] - 1 for entry in recorded(house.data)["children"]}


async def _result(process: subprocess.Popen[str]) -> dict[str, Any]:
    """What a load generator says at its end."""
    text, _ = await asyncio.to_thread(process.communicate)
    try:
        return dict(json.loads(text))
    except ValueError:
        return {"failed": f"exit status {process.returncode}"}


async def _until(condition: Any, what: str, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise RuntimeError(f"not within {seconds:g} s: {what}")
        await asyncio.sleep(0.05)


def _line(one: Recovery) -> str:
    def figure(value: float | None) -> str:
        return "   never" if value is None else f"{value:6.2f} s"

    mark = "✗" if one.wrong() else "~" if one.late() else " "
    figures = " ".join(map(figure, (one.acknowledged, one.on_an_incident, one.all_well)))
    return f"{mark} {one.fault:<9} {one.target:<26} {figures}"


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def main(argv: Sequence[str] | None = None) -> int:
    """Exit status 0 when every invariant held; 1 when one did not, and then the data folder is kept."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.campaign", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--presses", type=int, default=500)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(2**31))
    parser.add_argument("--brokers", type=int, default=0, help="the log is in Kafka, with so many brokers to strike")
    parser.add_argument("--only", help="strike only targets whose name has one of these words in it, parted by commas")
    parser.add_argument("--untimed", action="store_true", help="everything must recover, and how soon is only said")
    parser.add_argument("--keep", action="store_true", help="keep the data folder even when all is well")
    parser.add_argument("--json", type=Path, help="also write the report there")
    given = parser.parse_args(argv)
    logging.getLogger("device_sim").setLevel(logging.ERROR)
    house = RealHouse()
    _say(f"seed {given.seed}, data in {house.data}")
    signal.signal(signal.SIGTERM, _interrupted)
    keep = True
    campaign: Campaign | None = None
    try:
        if given.brokers:
            house.rise_with_kafka(given.brokers)
        else:
            house.rise()
        _say(f"  {'fault':<9} {'target':<26} received incident  all well   (from the hit)")
        campaign = Campaign(
            house, rounds=given.rounds, presses=given.presses, seed=given.seed, only=given.only, untimed=given.untimed
        )
        asyncio.run(campaign.run())
        keep = given.keep or not campaign.report.passed
    finally:
        _wake_all(house)
        house.fall(keep=keep)
        if keep:
            _say(f"kept: {house.outer} (logs in {house.data / 'log'}; seed {given.seed})")
    return _conclude(campaign.report, given.json)


def _conclude(report: Report, path: Path | None) -> int:
    for sentence in [late for one in report.recoveries if not one.wrong() for late in one.late()]:
        _say(f"~ not judged, the machine was too busy: {sentence}")
    for invariant, wrong in report.wrong.items():
        _say(f"{'✗' if wrong else '✓'} {invariant}")
        for sentence in wrong[:20]:
            _say(f"    {sentence}")
    summary = json.dumps({**asdict(report), "passed": report.passed}, ensure_ascii=False, indent=1)
    if path:
        path.write_text(summary + "\n", encoding="utf-8")
    _say(
        json.dumps(
            {"passed": report.passed, "seed": report.seed, "seconds": report.seconds, **report.counts},
            ensure_ascii=False,
        )
    )
    return 0 if report.passed else 1


def _wake_all(house: RealHouse) -> None:
    """Whatever ended us, nothing of ours stays held."""
    for name in house.names():
        found: Identity | None = house.pid(name)
        if found and found.stopped():
            found.send(signal.SIGCONT)


def _interrupted(_number: int, _frame: object) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    os.environ.pop("PINGAN_DATA", None)
    sys.exit(main())
