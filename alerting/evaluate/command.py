"""`pingan evaluate falls | homes`: recordings in, figures out."""

import argparse
import json
import sys
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from os import cpu_count
from pathlib import Path
from typing import Any

from alerting.detectors.table import DETECTORS
from alerting.evaluate import falls, homes, movements, report, training, trials
from alerting.evaluate.movements import CHINA, Home, Homes
from alerting.evaluate.playing import Said
from alerting.evaluate.trials import BadRecording, Trial, Trials
from alerting.evaluate.wearing import Sensor
from alerting.evaluate.words import say
from alerting.falls.signal import RANGE_MAX_G, RANGE_MIN_G, RATE_MAX_HZ, RATE_MIN_HZ
from pingan.clock import to_ms

Cover = Callable[[Sequence[Home]], homes.Coverage]
DAY_MS = 86_400_000
LEAST_FOLDS = 2
MANY_TRIALS = 200
"""From so many on it pays to begin a process for each core."""


def main(argv: list[str], cover: Cover | None = None) -> int:
    """0: done. 1: what was given cannot be evaluated, with the reason on standard error. 2: not understood."""
    arguments = _parser().parse_args(argv)
    try:
        for path in filter(None, (arguments.out, arguments.alarms)):
            _writable(path)
        found, lines, alarms = _falls(arguments) if arguments.what == "falls" else _homes(arguments, cover)
        if arguments.out:
            _write(arguments.out, found)
        if arguments.alarms:
            _write(arguments.alarms, alarms)
    except BadRecording as bad:
        return _complain(say("bad", reason=bad))
    except ModuleNotFoundError as missing:
        if missing.name != "lightgbm":
            raise
        return _complain(say("no_training"))
    sys.stdout.write(json.dumps(found, indent=1) + "\n" if arguments.json else "\n".join(lines) + "\n")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="pingan evaluate")
    commands = parser.add_subparsers(dest="what", required=True, metavar="falls | homes")
    fall = commands.add_parser("falls", help=say("falls"), description=say("falls"))
    fall.add_argument("--index", type=Path, required=True, metavar="CSV", help=say("index"))
    fall.add_argument("--npz", type=Path, required=True, metavar="FILE", help=say("npz"))
    fall.add_argument("--timestamps", type=Path, metavar="CSV", help=say("timestamps"))
    how = fall.add_mutually_exclusive_group()
    how.add_argument("--train-index", type=Path, metavar="CSV", help=say("train_index"))
    how.add_argument("--folds", type=_folds, metavar="N", help=say("folds"))
    fall.add_argument("--train-npz", type=Path, metavar="FILE", help=say("train_npz"))
    fall.add_argument("--only", type=_names, default=(), metavar="SET-POSITION,…", help=say("only"))
    fall.add_argument("--train-only", type=_names, default=(), metavar="SET-POSITION,…", help=say("train_only"))
    fall.add_argument("--clip-g", type=_within(RANGE_MIN_G, RANGE_MAX_G), metavar="G", help=say("clip_g"))
    fall.add_argument("--rate-hz", type=_within(RATE_MIN_HZ, RATE_MAX_HZ), metavar="HZ", help=say("rate_hz"))
    fall.add_argument("--every", type=_count, default=1, metavar="N", help=say("every"))
    fall.add_argument("--seed", type=_natural, default=0, help=say("seed"))
    fall.add_argument("--jobs", type=_count, metavar="N", help=say("jobs"))
    home = commands.add_parser("homes", help=say("homes"), description=say("homes"))
    source = home.add_mutually_exclusive_group(required=True)
    source.add_argument("--activity", type=Path, metavar="CSV", help=say("activity"))
    source.add_argument("--houses", type=Path, metavar="FOLDER", help=say("houses"))
    source.add_argument("--casas", type=Path, metavar="FILE", help=say("casas"))
    home.add_argument("--ceiling-hours", type=_positive, default=homes.CEILING_HOURS, metavar="H", help=say("ceiling"))
    home.add_argument("--floor-hours", type=_positive, metavar="H", help=say("floor"))
    home.add_argument("--detector", choices=list(DETECTORS[homes.INACTIVITY]), help=say("version"))
    home.add_argument(
        "--tick-seconds", type=_within(1, 3600), default=homes.TICK_MS / 1000, metavar="S", help=say("tick")
    )
    home.add_argument("--collapses-an-hour", type=_natural, default=1, metavar="N", help=say("per_hour"))
    home.add_argument("--homes", type=_names, default=(), metavar="ID,…", help=say("ids"))
    home.add_argument("--days", type=_count, metavar="N", help=say("days"))
    home.add_argument("--silence-all-hours", type=_positive, metavar="H", help=say("silence"))
    home.add_argument("--at", type=_time, metavar="TIME", help=say("at"))
    home.add_argument("--seed", type=_natural, default=homes.Plan.seed, help=say("seed"))
    for one in (fall, home):
        one.add_argument("--json", action="store_true", help=say("json"))
        one.add_argument("--out", type=Path, metavar="FILE", help=say("out"))
        one.add_argument("--alarms", type=Path, metavar="FILE", help=say("alarms"))
    return parser


Evaluated = tuple[dict[str, Any], list[str], list[dict[str, Any]]]
"""For programs, for people, and every alarm."""


def _falls(arguments: argparse.Namespace) -> Evaluated:
    tested = _read(arguments.index, arguments.npz, arguments.timestamps)
    test = _only(tested.trials, arguments.only)[:: arguments.every]
    jobs = arguments.jobs or (cpu_count() or 1 if len(test) >= MANY_TRIALS else 1)
    said = list(tested.said)
    sensor = Sensor(arguments.clip_g, arguments.rate_hz)
    tests, teaching = training.Exam(test, sensor), list[Trial]()
    if arguments.folds is not None:
        teaching = _only(tested.trials, arguments.train_only)
        tasks = training.by_folds([tests], teaching, arguments.folds, arguments.seed)
        said.append(say("trained_folds", folds=len(tasks)))
    elif arguments.train_index is not None:
        other = _read(arguments.train_index, arguments.train_npz or arguments.npz, None)
        teaching = _only(other.trials, arguments.train_only)
        tasks = [training.Task(tuple(range(len(teaching))), (tests,), arguments.seed)]
        said += [*other.said, say("trained_on", trials=len(teaching), index=arguments.train_index)]
        if shared := _people(teaching) & _people(test):
            said.append(say("shared_subjects", count=len(shared)))
    else:
        tasks = training.in_parts(tests, jobs)
        said.append(say("shipped"))
        if seen := training.seen(test):
            said.append(say("seen", count=seen))
    (outcomes,) = training.joined(training.run(tasks, teaching, jobs))
    outcomes.sort(key=lambda outcome: outcome.trial.row)
    table, failures = falls.table_of(outcomes), falls.failures_of(outcomes)
    said += report.failures(failures)
    found = {
        "command": "falls",
        "index": arguments.index.name,
        "said": said,
        "sensor": sensor._asdict(),
        "detector_failures": failures,
        "sets": table,
    }
    return found, report.falls(table, said, sensor), falls.listed(outcomes)


def _read(index: Path, npz: Path, timestamps: Path | None) -> Trials:
    return trials.read(index, npz, timestamps or trials.beside(index))


def _people(some: Iterable[Trial]) -> set[tuple[str, str]]:
    return {falls.anywhere(*falls.person(trial)) for trial in some}


def _only(some: list[Trial], names: Sequence[str]) -> list[Trial]:
    kept = [one for one in some if not names or f"{one.named.dataset}-{one.named.position}" in names]
    if not kept:
        raise BadRecording(f"there are no trials of {', '.join(names)}")
    return kept


def _homes(arguments: argparse.Namespace, cover: Cover | None) -> Evaluated:
    read = _recorded(arguments)
    some = [_first_days(home, arguments.days) for home in read.homes]
    if arguments.homes:
        some = [home for home in some if home.name in arguments.homes]
        if missing := set(arguments.homes) - {home.name for home in some}:
            raise BadRecording(f"there is no home {', '.join(sorted(missing))}")
    silence = None
    if arguments.silence_all_hours:
        if arguments.at is None:
            raise BadRecording("--silence-all-hours needs --at")
        silence = homes.Silence(arguments.at, arguments.silence_all_hours)
        if not any(silence.covers(said.at_ms) for home in some for said in home.movements):
            raise BadRecording("nothing is recorded in the time that --silence-all-hours and --at name")
    plan = homes.Plan(
        ceiling_hours=arguments.ceiling_hours,
        floor_hours=arguments.floor_hours,
        version=arguments.detector,
        tick_ms=round(1000 * arguments.tick_seconds),
        collapses_an_hour=arguments.collapses_an_hour,
        silence=silence,
        seed=arguments.seed,
    )
    walked = homes.Walked()
    for part in homes.together(some):
        walked.add(homes.walk(part, plan, coverage=cover(part) if cover is not None else None))
    found = {"command": "homes", "said": read.said, **homes.figures_of(some, walked, plan)}
    if silence is not None:
        found["silent_together"] = homes.silent_together(walked, silence)
    return found, report.homes(found, plan), homes.listed(walked)


def _recorded(arguments: argparse.Namespace) -> Homes:
    if arguments.activity:
        return movements.activity(arguments.activity)
    if arguments.houses:
        return movements.single_residents(arguments.houses)
    return movements.casas(arguments.casas)


def _first_days(home: Home, days: int | None) -> Home:
    if days is None:
        return home
    until_ms = home.begin_ms + days * DAY_MS
    kept: tuple[Said, ...] = tuple(said for said in home.movements if said.at_ms < until_ms)
    return Home(home.name, kept, until_ms)


def _writable(path: Path) -> None:
    """Said before anything is computed."""
    if path.is_dir() or not path.absolute().parent.is_dir():
        raise BadRecording(f"{path} cannot be written: no such folder, or a folder itself")


def _write(path: Path, value: Any) -> None:
    try:
        path.write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise BadRecording(f"{path} cannot be written: {error}") from None


def _complain(line: str) -> int:
    sys.stderr.write(f"pingan evaluate: {line}\n")
    return 1


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is less than 1")
    return number


def _natural(text: str) -> int:
    number = int(text)
    if number < 0:
        raise argparse.ArgumentTypeError(f"{text} is less than 0")
    return number


def _folds(text: str) -> int:
    number = int(text)
    if number < LEAST_FOLDS:
        raise argparse.ArgumentTypeError(f"{text} is less than {LEAST_FOLDS}: nobody would be left to teach")
    return number


def _within(least: float, most: float) -> Callable[[str], float]:
    def read(text: str) -> float:
        number = float(text)
        if not least <= number <= most:
            raise argparse.ArgumentTypeError(f"{text} is not within {least:g} and {most:g}")
        return number

    return read


def _positive(text: str) -> float:
    number = float(text)
    if not 0 < number < 1e6:
        raise argparse.ArgumentTypeError(f"{text} is no such number")
    return number


def _time(text: str) -> int:
    at = datetime.fromisoformat(text)
    return to_ms(at if at.tzinfo else at.replace(tzinfo=CHINA))
