"""What the processes of an installation say of themselves, each second, in the files `run/*.json` of its folder."""

import json
from pathlib import Path
from typing import Any

FRESH_SECONDS = 6.0
"""A process writes its state each second. One that has not for so long does not work, whatever it said last."""


def said(data: Path, monotonic: float) -> list[dict[str, Any]]:
    """What the processes of the installation `data` say of themselves: `name`, `state` and `detail` of each.

    `monotonic`: seconds, of the clock by which they write.
    """
    return [_process(path, monotonic) for path in sorted((data / "run").glob("*.json"))]


def _process(path: Path, monotonic: float) -> dict[str, Any]:
    """What a process says of itself, if it is still saying it."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        name, state, detail = str(found["name"]), str(found["state"]), str(found["detail"])
        silent = monotonic - float(found["at_monotonic"])
    except (OSError, ValueError, KeyError, TypeError):
        return {"name": path.stem, "state": "unreadable", "detail": "its state file cannot be read"}
    # Written before the machine's last start: its clock has begun anew since.
    if not -1 <= silent <= FRESH_SECONDS:
        return {"name": name, "state": "silent", "detail": f"has said nothing for {max(0, int(silent))} s"}
    return {"name": name, "state": state, "detail": detail}
