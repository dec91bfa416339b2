"""Commands of the shared package itself."""

import argparse
import logging
import sys

from pingan.migrate import MigrationError
from pingan.migrate import migrate as apply
from pingan.settings import Common, SettingsError, load


def migrate(argv: list[str]) -> int:
    """`pingan migrate [pre|post]`."""
    parser = argparse.ArgumentParser(prog="pingan migrate", description="Bring the database's schema up to date.")
    parser.add_argument("phase", nargs="?", choices=("pre", "post"), help="only this phase (default: both)")
    phase = parser.parse_args(argv).phase
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        applied = apply(load(Common).database_url, phase)
    except (MigrationError, SettingsError) as error:
        sys.stderr.write(f"pingan migrate: {error}\n")
        return 1
    sys.stdout.write(f"{len(applied)} applied\n")
    return 0
