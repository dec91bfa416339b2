"""Which devices fell silent together: by gateway, by area, by model; the rest each for itself. PURE.

A power cut is one thing to see to, and not five thousand. What is counted is *units*: a home, or a gateway that serves
several homes. Six devices of one home say nothing about its village, and fifty pendants behind one gateway say that
the gateway is gone.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Literal, NamedTuple
from uuid import UUID

By = Literal["gateway", "area", "model"]

HOLD_SECONDS = 60
"""Domain §4: a device-lost alarm waits so long for its fellows. `held()` in the database says the same."""
LATER_SECONDS = 900
"""What fell silent so long after the last of a group still belongs to it. Chosen: a network falls in parts, and the
batteries of routers last for minutes; what falls silent later in the same place is news."""
LEAST = 5
"""Units that make a group of an area or of a model. Chosen: of a village's 600 devices, each lost once a month, five
within a minute by chance is one minute in a thousand centuries; three would be one a year."""
SHARE = 100
"""And at least one in so many of the area's homes, or of the model's devices: in a city five are lost each minute."""
BEHIND_LEAST = 2
"""Devices behind one gateway that make a group of it while the gateway itself is heard."""

CAUSES = ("mains_lost", "heartbeat_lost", "cannot_hear")
"""Kinds that are held and grouped. A group is called by the first of them that it has."""
RESTORES = ("mains_restored", "device_restored", "hearing_restored")


class Loss(NamedTuple):
    """A held alarm, and where its device stands in the register."""

    id: UUID
    kind: str
    device: str | None
    home: str | None
    gateway: str | None
    area: str | None
    model: str | None
    since: datetime
    """When it fell silent, by our own clock."""
    ripe: bool
    """Whether it has waited its time."""
    homes: int = 0
    """Of how many homes it is, where it is of a whole area and of no one device; 0: it is of one."""


class Open(NamedTuple):
    """A group whose incident is open; what fell silent until then belongs to it."""

    incident: int
    by: By
    of: str
    until: datetime


class Cluster(NamedTuple):
    by: By
    of: str
    losses: tuple[Loss, ...]

    @property
    def until(self) -> datetime:
        return max(loss.since for loss in self.losses) + timedelta(seconds=LATER_SECONDS)


class Areas:
    """The tree of areas, as far as losses lie in it: code → parent."""

    def __init__(self, parents: Mapping[str, str | None]) -> None:
        self._parents = parents

    def path(self, area: str | None) -> list[str]:
        """From an area up to the city."""
        found = []
        while area is not None and area in self._parents:
            found.append(area)
            area = self._parents[area]
        return found

    def common(self, losses: Iterable[Loss]) -> str | None:
        """The smallest area in which all of them lie; None if there is none."""
        shared: list[str] | None = None
        for area in {loss.area for loss in losses}:
            path = self.path(area)
            shared = path if shared is None else [one for one in shared if one in path]
        return shared[0] if shared else None

    def widened(self, area: str | None, losses: Iterable[Loss]) -> str | None:
        """The smallest area in which these lie, too. A code begins with those of the areas that it lies in."""
        return next((one for one in self.path(self.common(losses)) if (area or "").startswith(one)), None)


def joined(losses: Iterable[Loss], groups: Sequence[Open]) -> tuple[dict[int, list[Loss]], list[Loss]]:
    """Which of `losses` belong to a group that is open, by its incident; and the others."""
    mine: dict[int, list[Loss]] = {}
    others = []
    # The narrowest first: a gateway, then the smallest area, then a model.
    order = sorted(groups, key=lambda one: (("gateway", "area", "model").index(one.by), -len(one.of), one.incident))
    for loss in losses:
        for one in order:
            if loss.since <= one.until and _within(loss, one.by, one.of):
                mine.setdefault(one.incident, []).append(loss)
                break
        else:
            others.append(loss)
    return mine, others


def _within(loss: Loss, by: By, of: str) -> bool:
    if by == "gateway":
        return of in (loss.gateway, loss.device)
    if by == "area":
        return loss.area is not None and loss.area.startswith(of)
    return loss.model == of


def to_be_sized(losses: Sequence[Loss], areas: Areas) -> tuple[dict[str, int], dict[str, int]]:
    """Of which areas and models the size must be known, and how many are lost there: what is too few needs no size."""
    found: dict[str, set[str]] = {}
    models: dict[str, set[str]] = {}
    units = _units(losses)
    for loss in losses:
        for area in areas.path(loss.area):
            found.setdefault(area, set()).add(units[loss.id])
        if loss.model is not None:
            models.setdefault(loss.model, set()).add(units[loss.id])
    return (
        {area: len(there) for area, there in found.items() if len(there) >= LEAST},
        {model: len(there) for model, there in models.items() if len(there) >= LEAST},
    )


def clusters(
    losses: Sequence[Loss], areas: Areas, area_homes: Mapping[str, int], model_devices: Mapping[str, int]
) -> tuple[list[Cluster], list[Loss]]:
    """What belongs together, and what is alone. The sizes are of `to_be_sized`; what is not in them is too few."""
    found, left = _by_whole_area(losses, areas)
    units = _units(losses)
    by_area, left = _by_area(left, areas, area_homes, units)
    found += by_area
    by_gateway, left = _by_gateway(left)
    found += by_gateway
    by_model: dict[str, list[Loss]] = {}
    for loss in left:
        if loss.model in model_devices:
            by_model.setdefault(loss.model or "", []).append(loss)
    for model, some in sorted(by_model.items()):
        if _enough({units[loss.id] for loss in some}, model_devices[model]):
            found.append(Cluster("model", model, tuple(some)))
    grouped = {loss.id for cluster in found for loss in cluster.losses}
    return found, [loss for loss in losses if loss.id not in grouped]


def cause_of(kinds: Collection[str]) -> str:
    """What a group of alarms of these kinds is called."""
    return next(kind for kind in CAUSES if kind in kinds)


def devices_of(losses: Iterable[Loss]) -> int:
    """How many devices they are of, or homes, where no device is named."""
    some = list(losses)
    return len({loss.device or loss.home for loss in some} - {None}) or max(loss.homes for loss in some) or 1


def _enough(units: Collection[str], size: int) -> bool:
    return len(units) >= LEAST and len(units) * SHARE >= size


def _units(losses: Iterable[Loss]) -> dict[UUID, str]:
    """Of which unit each loss is: its gateway's, where that has lost devices of several homes; else its home's."""
    homes: dict[str, set[str | None]] = {}
    for loss in losses:
        if loss.gateway is not None:
            homes.setdefault(loss.gateway, set()).add(loss.home)
    shared = {gateway for gateway, some in homes.items() if len(some) > 1}
    return {loss.id: _unit(loss, shared) for loss in losses}


def _unit(loss: Loss, shared: set[str]) -> str:
    for gateway in (loss.gateway, loss.device):
        if gateway in shared:
            return f"gateway {gateway}"
    return f"home {loss.home}" if loss.home is not None else f"device {loss.device}"


def _by_whole_area(losses: Sequence[Loss], areas: Areas) -> tuple[list[Cluster], list[Loss]]:
    """Of an area that is not heard as a whole, all that is lost there is a part; the widest first."""
    found: list[Cluster] = []
    left = list(losses)
    for area in sorted({loss.area for loss in losses if loss.homes and areas.path(loss.area)} - {None}, key=str):
        mine = [loss for loss in left if area in areas.path(loss.area)]
        if any(loss.homes for loss in mine):
            found.append(Cluster("area", area or "", tuple(mine)))
            left = [loss for loss in left if area not in areas.path(loss.area)]
    return found, left


def _by_area(
    losses: Sequence[Loss], areas: Areas, homes: Mapping[str, int], units: Mapping[UUID, str]
) -> tuple[list[Cluster], list[Loss]]:
    """The smallest areas with enough units; a larger one takes the place of two such within it if it has enough, too,
    and of one if it has enough besides.
    """
    within: dict[str, list[Loss]] = {}
    for loss in losses:
        for area in areas.path(loss.area):
            within.setdefault(area, []).append(loss)
    chosen: dict[str, set[UUID]] = {}
    # From the leaves up: a path's length is its depth.
    for area in sorted(within, key=lambda one: (-len(areas.path(one)), one)):
        below = [one for one in chosen if area in areas.path(one)]
        covered = {loss for one in below for loss in chosen[one]} if len(below) < 2 else set()
        rest = {units[loss.id] for loss in within[area] if loss.id not in covered}
        if area in homes and _enough(rest, homes[area]):
            for one in below:
                del chosen[one]
            chosen[area] = {loss.id for loss in within[area]}
    taken = {loss for some in chosen.values() for loss in some}
    found = [
        Cluster("area", area, tuple(loss for loss in within[area] if loss.id in some))
        for area, some in sorted(chosen.items())
    ]
    return found, [loss for loss in losses if loss.id not in taken]


def _by_gateway(losses: Sequence[Loss]) -> tuple[list[Cluster], list[Loss]]:
    behind: dict[str, list[Loss]] = {}
    for loss in losses:
        if loss.gateway is not None:
            behind.setdefault(loss.gateway, []).append(loss)
    own: dict[str, list[Loss]] = {}
    for loss in losses:
        if loss.device in behind:
            own.setdefault(loss.device, []).append(loss)
    found = []
    taken: set[UUID] = set()
    for gateway, some in sorted(behind.items()):
        if gateway in own or len({loss.device for loss in some}) >= BEHIND_LEAST:
            mine = tuple(dict.fromkeys(loss for loss in (*own.get(gateway, ()), *some) if loss.id not in taken))
            taken |= {loss.id for loss in mine}
            if mine:  # else all that it serves are gateways, each with a group of its own
                found.append(Cluster("gateway", gateway, mine))
    return found, [loss for loss in losses if loss.id not in taken]
