"""Something that a device says is wrong, from when it first says so until it says that it is well again. PURE.

A condition is raised once an episode, restores by itself, and is limited: a flapping one raises no more often than its
rule allows, and is raised late rather than never if it still holds by then.
"""

from typing import NamedTuple

import msgspec

from alerting.detectors import DAY_MS, HOUR_MS


class Rule(NamedTuple):
    kind: str
    restored_kind: str
    limit_ms: int
    """Raised at most once in so long (heard)."""


BATTERY_LOW_PERCENT = 20.0
BATTERY_CRITICAL_PERCENT = 5.0
BATTERY_WELL_PERCENT = 30.0
"""Chosen well above "low": a cold night moves a battery by 5 to 10 %."""

BATTERY_LOW = Rule("battery_low", "battery_restored", DAY_MS)
BATTERY_CRITICAL = Rule("battery_critical", "battery_restored", DAY_MS)
MAINS_LOST = Rule("mains_lost", "mains_restored", HOUR_MS)
FAULTS = {
    "tamper": Rule("tamper", "tamper_restored", HOUR_MS),
    "sensor_lost": Rule("sensor_lost", "sensor_restored", DAY_MS),
    "radio_jam": Rule("radio_jam", "radio_restored", HOUR_MS),
    "link_lost": Rule("link_lost", "link_restored", HOUR_MS),
    "self_test": Rule("self_test", "fault_restored", DAY_MS),
}
"""The domain's own codes (§4.7) as they stand in a status' `faults`."""
OTHER_FAULT = Rule("fault", "fault_restored", DAY_MS)

_FAULT = "fault:"
_RULES = FAULTS | {rule.kind: rule for rule in (BATTERY_LOW, BATTERY_CRITICAL, MAINS_LOST)}
KINDS = frozenset(kind for rule in (*_RULES.values(), OTHER_FAULT) for kind in (rule.kind, rule.restored_kind))


def fault_name(fault: str) -> str:
    """Under which name the condition of a fault code is kept."""
    return fault if fault in FAULTS else _FAULT + fault


def rule_of(name: str) -> Rule:
    """The rule of the condition kept under `name`."""
    return OTHER_FAULT if name.startswith(_FAULT) else _RULES[name]


class Condition(msgspec.Struct, array_like=True):
    holds: bool = False
    episode: str = ""
    """The id of the status that first said so."""
    since_ms: int = 0
    """That status' own time."""
    value: float | bool | None = None
    raised: str | None = None
    """The episode that was raised and is not restored yet."""
    raised_at: int | None = None
    """heard_ms of the last time it was raised."""

    def hold(self, episode: str, at_ms: int, value: float | bool | None) -> None:
        if not self.holds:
            self.holds, self.episode, self.since_ms = True, episode, at_ms
        self.value = value

    def due(self, limit_ms: int) -> int | None:
        """The heard_ms from which it may be raised; None if there is nothing to raise."""
        if not self.holds or self.raised is not None:
            return None
        return 0 if self.raised_at is None else self.raised_at + limit_ms

    @property
    def forgettable(self) -> bool:
        return not self.holds and self.raised is None and self.raised_at is None


def battery(conditions: dict[str, Condition], percent: float, episode: str, at_ms: int) -> None:
    """What a battery of so many percent means. Low is not raised after critical."""
    low, critical = (conditions.setdefault(rule.kind, Condition()) for rule in (BATTERY_LOW, BATTERY_CRITICAL))
    if percent <= BATTERY_CRITICAL_PERCENT:
        critical.hold(episode, at_ms, percent)
    elif percent <= BATTERY_LOW_PERCENT and not critical.holds:
        low.hold(episode, at_ms, percent)
    elif percent >= BATTERY_WELL_PERCENT:
        low.holds = critical.holds = False


def battery_low(conditions: dict[str, Condition], low: bool, episode: str, at_ms: int) -> None:
    """What a device means that names no percent, only whether its battery is low."""
    condition = conditions.setdefault(BATTERY_LOW.kind, Condition())
    if low:
        condition.hold(episode, at_ms, None)
    else:
        condition.holds = False


def link(conditions: dict[str, Condition], reached: bool, episode: str, at_ms: int) -> None:
    """Whether a device is reached by its gateway."""
    condition = conditions.setdefault("link_lost", Condition())
    if reached:
        condition.holds = False
    else:
        condition.hold(episode, at_ms, None)


def mains(conditions: dict[str, Condition], present: bool, episode: str, at_ms: int) -> None:
    condition = conditions.setdefault(MAINS_LOST.kind, Condition())
    if present:
        condition.holds = False
    else:
        condition.hold(episode, at_ms, present)


def faults(conditions: dict[str, Condition], said: list[str], episode: str, at_ms: int, most: int) -> None:
    """The whole list of a device's faults: what is not in it is over. Of unknown codes no more than `most` are kept."""
    names = {fault_name(fault) for fault in said}
    for name, condition in conditions.items():
        if (name in FAULTS or name.startswith(_FAULT)) and name not in names:
            condition.holds = False
    for name in sorted(names):
        if name in conditions or name in FAULTS or len(conditions) < most:
            conditions.setdefault(name, Condition()).hold(episode, at_ms, None)
