"""How a process of this room starts from the command line."""

import argparse
import sys
from collections.abc import Callable, Coroutine
from typing import Any

from pingan.process import main as run_process
from pingan.settings import Common, SettingsError, load


def run(argv: list[str], name: str, what: str, work: Callable[[Common], Coroutine[Any, Any, None]]) -> int:
    """Run `work` with the settings of the environment until it is told to stop; 1 if a setting is nonsense."""
    argparse.ArgumentParser(prog=f"pingan {name}", description=what).parse_args(argv)
    try:
        settings = load(Common)
    except SettingsError as error:
        sys.stderr.write(f"pingan {name}: {error}\n")
        return 1
    run_process(work(settings))
    return 0
