"""Policies, rules, faults and timelines in plain sentences. PURE."""

from collections.abc import Iterable, Mapping
from typing import Any

from dispatch.book import Fault, Rule
from dispatch.policy import Policy, Step
from dispatch.policy_words import lasting, reason, reasons, said


def titled(name: str, titles: tuple[str, str], language: str) -> str:
    """What people call a policy: in their language, else in the other one, else by the name that rules know it by."""
    zh, en = titles
    return (zh or en if language == "zh" else en or zh) or name


def title(name: str, policies: Mapping[str, Policy], language: str) -> str:
    """The same of one that a book may not have."""
    policy = policies.get(name)
    return titled(name, (policy.title, policy.title_en), language) if policy else name


def steps(policy: Policy, language: str) -> list[str]:
    """Each step as a sentence; the last one says that it repeats."""
    told = [step(one, language) for one in policy.steps]
    return [*told[:-1], told[-1] + said("step_last", language)] if told else []


def step(one: Step, language: str) -> str:
    wait = lasting(one.wait_seconds, language)
    if one.who == "desk":
        unseen = one.unseen_seconds
        more = said("step_unseen", language, unseen=lasting(unseen, language)) if unseen else ""
        return said("step_desk", language, wait=wait) + more
    comma = said("comma", language)
    whom = [said(f"who_{one.who}", language)]
    low, high = one.ranks
    if low == high:
        whom.append(said("place", language, low=low))
    elif (low, high) != (1, 99):
        whom.append(said("places", language, low=low, high=high))
    if one.roles:
        whom.append(said("of_roles", language, roles=comma.join(said(f"role_{role}", language) for role in one.roles)))
    how = said("how_many", language, many=one.many) if one.many else said("how_all", language)
    channels = comma.join(said(f"channel_{channel}", language) for channel in one.channels)
    return said("step_people", language, whom=comma.join(whom), how=how, channels=channels, wait=wait)


def rule(one: Rule, number: int, language: str, policies: Mapping[str, Policy]) -> str:
    comma = said("comma", language)
    when = [
        said("rule_causes", language, causes=comma.join(said(f"cause_{cause}", language) for cause in one.causes))
        if one.causes
        else said("rule_help", language)
    ]
    for field in ("areas", "homes", "people"):
        if given := getattr(one, field):
            when.append(said(f"rule_{field}", language, **{field: comma.join(given)}))
    if one.hours:
        when.append(said("rule_hours", language, hours=one.hours))
    if one.weekdays:
        days = comma.join(said(f"day_{day}", language) for day in one.weekdays)
        when.append(said("rule_weekdays", language, weekdays=days))
    return said("rule", language, number=number, when=" · ".join(when), policy=title(one.policy, policies, language))


def fault(one: Fault, language: str, *, where: bool = True) -> str:
    """What is wrong; `where` says in which policy, step or rule."""
    blanks = {"policy": one.policy, **dict(one.values)}
    what = said(one.name, language, **blanks)
    if not where or one.name in ("policy_missing", "named_by_home"):
        return what
    if one.rule is not None:
        return said("where_rule", language, rule=one.rule + 1, what=what)
    if one.step is not None:
        return said("where_step", language, policy=one.policy, step=one.step + 1, what=what)
    return said("where_policy", language, policy=one.policy, what=what) if one.policy else what


def fault_shown(one: Fault, language: str) -> dict[str, Any]:
    """A fault for a program: steps and rules counted from 1, as people do."""
    return {
        "name": one.name,
        "policy": one.policy,
        "step": None if one.step is None else one.step + 1,
        "rule": None if one.rule is None else one.rule + 1,
        "field": one.field,
        "said": fault(one, language),
    }


def chosen_by(told: Mapping[str, Any], language: str) -> str:
    return said(f"by_{told['chosen_by']}", language, rule=told["rule"])


def timeline(told: Mapping[str, Any], language: str) -> Iterable[str]:
    """What `explaining.explain` found, line by line."""
    comma = said("comma", language)

    def by(channels: list[str]) -> str:
        return comma.join(said(f"channel_{channel}", language) for channel in channels)

    policy = titled(told["policy"], told["titles"], language)
    yield said(
        "head", language, person=told["person"] or "—", home=told["home"], local=told["local"], policy=policy,
        cause=said(f"cause_{told['cause']}", language), version=told["version"], by=chosen_by(told, language),
    )  # fmt: skip
    if told["own_unknown"]:
        yield said("own_unknown", language, policy=told["own_unknown"])
    for tier in told["tiers"]:
        yield said(
            "tier", language, at=count(tier["at_seconds"]), step=tier["step"], whom=said(f"who_{tier['who']}", language)
        )
        for one in tier["asked"]:
            unreached = said("tier_unreached", language, channels=by(one["unreached"])) if one["unreached"] else ""
            why = said("tier_why", language, why=reasons(one["why"], language)) if one["why"] else ""
            yield said(
                "tier_asked", language, name=one["name"], role=said(f"role_{one['role']}", language),
                channels=by(one["channels"]) or "—", why=unreached + why,
            )  # fmt: skip
        for one in tier["passed"]:
            yield said("tier_passed", language, name=one["name"], why=reason(one["passed"], language))
        if tier["skipped"]:
            yield said("tier_skipped", language)
        else:
            yield said("tier_waits", language, wait=lasting(tier["wait_seconds"], language))
        if tier["repeats"]:
            yield said("tier_repeats", language)
    if told["never"]:
        yield said("never", language)
    for one in told["never"]:
        role = said(f"role_{one['role']}", language)
        yield said("never_one", language, name=one["name"], role=role, why=reason(one["passed"], language))


def count(seconds: int) -> str:
    """0:20 · 12:05 · 3:12:40."""
    hours, minutes = divmod(seconds // 60, 60)
    return f"{hours}:{minutes:02}:{seconds % 60:02}" if hours else f"{minutes}:{seconds % 60:02}"
