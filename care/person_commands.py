"""`pingan export` and `pingan erase`: one person's data, handed over or deleted."""

import argparse
import getpass
import sys
from pathlib import Path

from care import certificate as paper
from care import erasure, person_data
from care.commands import Work, carry_out, chosen_language
from care.person_words import say
from care.transfer import write_private
from pingan.clock import SystemClock
from pingan.database import Database
from pingan.settings import Common, SettingsError, load


def export(argv: list[str]) -> int:
    """`pingan export PERSON --to FOLDER`. 0: done. 1: refused, with the reason on standard error. 2: not understood."""
    parser = argparse.ArgumentParser(prog="pingan export", description="Everything of one person, as JSON and CSV.")
    parser.add_argument("person", help="the person's number in the register")
    parser.add_argument("--to", type=Path, required=True, metavar="FOLDER", help="a new folder, for your eyes only")
    return _run("export", _export, parser.parse_args(argv))


def erase(argv: list[str]) -> int:
    """`pingan erase PERSON --reason … [--yes]`. As `export`."""
    parser = argparse.ArgumentParser(
        prog="pingan erase",
        description="Delete one person's data, with a certificate. Without --yes only say what would.",
    )
    parser.add_argument("person", help="the person's number in the register")
    parser.add_argument("--reason", choices=erasure.REASONS, required=True)
    parser.add_argument("--by", default=getpass.getuser(), help="who does it (default: this user)")
    parser.add_argument("--to", type=Path, default=Path(), metavar="FOLDER", help="where the certificate goes")
    parser.add_argument("--yes", action="store_true", help="do it: it cannot be undone")
    return _run("erase", _erase, parser.parse_args(argv))


def _run(name: str, work: Work, arguments: argparse.Namespace) -> int:
    try:
        url = load(Common).database_url
    except SettingsError as error:
        sys.stderr.write(f"pingan {name}: {error}\n")
        return 1
    return carry_out(f"pingan {name}", url, work, arguments)


def _tell(key: str, **values: object) -> None:
    sys.stdout.write(say(key, chosen_language(), **values) + "\n")


async def _export(database: Database, arguments: argparse.Namespace) -> None:
    manifest = await person_data.export(database, arguments.person, arguments.to, SystemClock().now())
    count = sum(file["rows"] for name, file in manifest["files"].items() if not name.endswith(".csv"))
    _tell("exported", path=arguments.to, files=len(manifest["files"]) + 1, rows=count)


async def _erase(database: Database, arguments: argparse.Namespace) -> None:
    now = SystemClock().now()
    if not arguments.yes:
        found = await erasure.plan(database, arguments.person)
        household = say("shared_home" if found["shared_home"] else "whole_home", chosen_language())
        _tell("would_erase", person=arguments.person, incidents=found["incidents"], household=household)
        _tell_elsewhere(found["elsewhere"])
        if found["open"] is not None:
            _tell("blocked", what=found["open"])
        _tell("add_yes")
        return
    if (count := await erasure.go_on(database, now)) > 0:
        _tell("went_on", count=count)
    certificate = await erasure.erase(database, arguments.person, arguments.reason, arguments.by, now)
    path: Path = arguments.to / f"erasure-{certificate['certificate']}.json"
    write_private(path, erasure.as_json(certificate))
    write_private(path.with_suffix(".html"), paper.page(certificate).encode())
    _tell("erased", number=certificate["certificate"], path=path)
    _tell_elsewhere(certificate["elsewhere"])


def _tell_elsewhere(found: list[erasure.Row]) -> None:
    if found:
        _tell("elsewhere", places=", ".join(f"{row['what']} {row['id']}" for row in found))
