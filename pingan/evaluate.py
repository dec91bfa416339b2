"""`pingan evaluate`: alerting's evaluation, with what ingest knows of what it hears."""

from collections.abc import Sequence

from alerting.evaluate import everything, homes
from alerting.evaluate.command import main as evaluate
from alerting.evaluate.movements import Home
from ingest.coverage import Coverage, Member


def main(argv: list[str]) -> int:
    """`pingan evaluate falls | homes | everything`."""
    if argv[:1] == ["everything"]:
        return everything.main(argv[1:], _coverage)
    return evaluate(argv, _coverage)


def _coverage(some: Sequence[Home]) -> homes.Coverage:
    return Coverage(
        [Member(homes.device_of(home.name), home.name, homes.AREA, homes.HEARTBEAT_SECONDS) for home in some]
    )
