"""Whoever goes, as the incident's page shows them: whether they are there, how far, what they have not read. PURE."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from dispatch.incident import State

OVER = (State.SAFE, State.CLOSED)


def goers(
    row: Mapping[str, Any], there: Mapping[str, bool], away: Mapping[str, tuple[float, datetime]]
) -> list[dict[str, Any]]:
    """The first first. `there`: who has said that they are; `away`: metres and when, of those who have agreed to it."""
    found = []
    for one in (row["helper"], *row["helpers_beside"]):
        if one is None:
            continue
        unread = sum(one["id"] not in change["confirmed"] for change in row["changes"])
        metres, at = away.get(one["id"], (None, None))
        found.append(
            {
                **one,
                "there": there.get(one["id"], False),
                # Of what is over nobody is asked whether they have read it.
                "unread": unread if row["state"] not in OVER else 0,
                "changes": len(row["changes"]),
                "metres": metres,
                "at": at,
            }
        )
    return found
