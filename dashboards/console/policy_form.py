"""The editor's forms: what stands in their fields, into a policy or rules, and back. PURE.

What was written is kept as it was written, so that a page with a mistake on it loses nothing.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from dispatch.book import CHANNELS, PROMISES, ROLES, Fault, Rule
from dispatch.policy import Policy, Step
from pingan.hours import WEEKDAYS

WHO = ("desk", "contacts", "responders", "everyone")
ALL_PLACES = ("1", "99")
WAIT_SECONDS = "60"

Row = dict[str, Any]


class Form(Protocol):
    """What a browser has sent."""

    def get(self, key: str, default: str, /) -> Any: ...
    def getlist(self, key: str, /) -> list[Any]: ...


@dataclass
class PolicyDraft:
    """A policy as it stands in the fields."""

    name: str
    steps: list[Row]
    promises: dict[str, str]
    heeds_quiet: bool = False
    title: str = ""
    title_en: str = ""


@dataclass
class Wrong:
    """Faults by where they are shown."""

    above: list[Fault] = field(default_factory=list)
    at: dict[tuple[int | None, str], list[Fault]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.above) + sum(len(found) for found in self.at.values())


def draft_of(policy: Policy) -> PolicyDraft:
    promises = {name: str(getattr(policy, name)) for name in PROMISES}
    steps = [_row(step) for step in policy.steps]
    return PolicyDraft(policy.name, steps, promises, policy.heeds_quiet, policy.title, policy.title_en)


def read_policy(form: Form) -> PolicyDraft:
    steps = [
        {
            "who": _text(form, f"who_{number}"),
            "wait_seconds": _text(form, f"wait_seconds_{number}"),
            "unseen_seconds": _text(form, f"unseen_seconds_{number}"),
            "channels": _several(form, f"channels_{number}"),
            "low": _text(form, f"low_{number}"),
            "high": _text(form, f"high_{number}"),
            "roles": _several(form, f"roles_{number}"),
            "many": _text(form, f"many_{number}"),
        }
        for number in _numbers(form)
    ]
    promises = {name: _text(form, name) for name in PROMISES}
    titles = _text(form, "title"), _text(form, "title_en")
    return PolicyDraft(_text(form, "name"), steps, promises, _text(form, "heeds_quiet") == "yes", *titles)


def policy_of(draft: PolicyDraft) -> tuple[Policy | None, list[Fault]]:
    """The policy, or which of its numbers are none. Whether it is a good one, the book says."""
    wrong: list[Fault] = []

    def whole(text: str, step: int | None, column: str) -> int:
        if re.fullmatch(r"\d{1,9}", text):
            return int(text)
        wrong.append(Fault("bad_number", draft.name, step, None, column, (("text", text),)))
        return 0

    steps = []
    for number, row in enumerate(draft.steps):
        wait = whole(row["wait_seconds"], number, "wait_seconds")
        if row["who"] == "desk":
            unseen = whole(row["unseen_seconds"], number, "unseen_seconds") if row["unseen_seconds"] else None
            steps.append(Step("desk", wait, unseen_seconds=unseen))
            continue
        ranks = (
            whole(row["low"] or ALL_PLACES[0], number, "ranks"),
            whole(row["high"] or ALL_PLACES[1], number, "ranks"),
        )
        known = {role for group, roles in ROLES.items() if row["who"] in (group, "everyone") for role in roles}
        steps.append(
            Step(
                row["who"], wait, tuple(row["channels"]), ranks, tuple(role for role in row["roles"] if role in known),
                whole(row["many"] or "0", number, "many"),
            )
        )  # fmt: skip
    rest: dict[str, Any] = {name: whole(text, None, name) for name, text in draft.promises.items()}
    rest |= {"heeds_quiet": draft.heeds_quiet, "title": draft.title, "title_en": draft.title_en}
    policy = Policy(draft.name, 0, tuple(steps), **rest)
    return (None if wrong else policy), wrong


def rule_rows(rules: Sequence[Rule]) -> list[Row]:
    return [
        {
            "policy": rule.policy,
            "causes": list(rule.causes),
            "areas": " ".join(rule.areas),
            "homes": " ".join(rule.homes),
            "people": " ".join(rule.people),
            "hours": rule.hours,
            "weekdays": list(rule.weekdays),
        }
        for rule in rules
    ]


def read_rules(form: Form) -> list[Row]:
    return [
        {
            **{name: _text(form, f"{name}_{number}") for name in ("policy", "areas", "homes", "people", "hours")},
            "causes": _several(form, f"causes_{number}"),
            "weekdays": _several(form, f"weekdays_{number}"),
        }
        for number in _numbers(form)
    ]


def rules_of(rows: Sequence[Row]) -> tuple[Rule, ...]:
    return tuple(
        Rule(
            row["policy"], tuple(row["causes"]), _words(row["areas"]), _words(row["homes"]), _words(row["people"]),
            row["hours"], tuple(day for day in WEEKDAYS if day in row["weekdays"]),
        )
        for row in rows
    )  # fmt: skip


def new_step() -> Row:
    return _row(Step("contacts", int(WAIT_SECONDS), CHANNELS[:2]))


def new_rule(policy: str) -> Row:
    return rule_rows([Rule(policy)])[0]


def rearranged(rows: list[Row], do: str, added: Callable[[], Row]) -> list[Row]:
    """After one of the row buttons: `add`, `remove:2`, `up:2`, `down:2`. Anything else leaves them as they are."""
    act, _, place = do.partition(":")
    number = int(place) if place.isascii() and place.isdecimal() and len(place) < 4 else -1
    if act == "add":
        return [*rows, added()]
    if not 0 <= number < len(rows):
        return rows
    if act == "remove":
        return rows[:number] + rows[number + 1 :]
    other = {"up": number - 1, "down": number + 1}.get(act, -1)
    if 0 <= other < len(rows):
        rows = list(rows)
        rows[number], rows[other] = rows[other], rows[number]
    return rows


def placed(faults: Sequence[Fault], policy: str | None) -> Wrong:
    """Where each fault is shown on the page of `policy`; of None, on that of the rules."""
    wrong = Wrong()
    for fault in faults:
        here = fault.policy == policy if policy is not None else fault.rule is not None
        place = fault.step if policy is not None else fault.rule
        if here and fault.field:
            wrong.at.setdefault((place, fault.field), []).append(fault)
        elif here and place is not None:
            wrong.at.setdefault((place, ""), []).append(fault)
        else:
            wrong.above.append(fault)
    return wrong


def _row(step: Step) -> Row:
    return {
        "who": step.who,
        "wait_seconds": str(step.wait_seconds),
        "unseen_seconds": "" if step.unseen_seconds is None else str(step.unseen_seconds),
        "channels": list(step.channels),
        "low": str(step.ranks[0]),
        "high": str(step.ranks[1]),
        "roles": list(step.roles),
        "many": str(step.many),
    }


def _numbers(form: Form) -> list[int]:
    """The rows that were sent, in their order; a row without its number was never there."""
    return [int(one) for one in form.getlist("row") if isinstance(one, str) and re.fullmatch(r"\d{1,3}", one)]


def _text(form: Form, name: str) -> str:
    return str(form.get(name, "")).replace("\0", "").strip()


def _several(form: Form, name: str) -> list[str]:
    return [str(one) for one in form.getlist(name)]


def _words(text: str) -> tuple[str, ...]:
    return tuple(re.split(r"[\s,;，、；]+", text.strip())) if text.strip() else ()
