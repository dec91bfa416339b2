"""Falls: what detection says of each trial, and the figures of each set, position and age."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from alerting.detectors.table import Table
from alerting.evaluate import figures
from alerting.evaluate.figures import Scored
from alerting.evaluate.playing import Raised
from alerting.evaluate.trials import Trial, by_set
from alerting.evaluate.wearing import BEGIN_MS, Sensor, impact_ms, run

FALL, SUSPECTED, WITHDRAWN = "fall", "fall_suspected", "withdrawn"
BEFORE_FALL_S = 1.0
"""An alarm that came sooner than so long before a fall of which the time is known did not find it."""
SE_ASKED = 0.98
SETTLED_WITHIN_S = 30.0
HOURS_A_WEEK = 168
"""As if every hour of the week were as dense with movement as a script: no real week is."""
AGES: dict[str, Callable[[Trial], bool]] = {
    "all": lambda trial: True,
    "younger": lambda trial: trial.older is False,
    "older": lambda trial: trial.older is True,
}


class Outcome(NamedTuple):
    """What detection made of a trial."""

    trial: Trial
    raised: tuple[Raised, ...]
    """With the model's own thresholds: as it rings."""
    scores: tuple[float, ...]
    """The confidence of each thing that it looked at, from a second run in which the thresholds let everything pass."""
    failures: tuple[str, ...] = ()
    """Of detectors, in either run."""

    @property
    def rung(self) -> list[Raised]:
        return [one for one in self.raised if one.alarm.kind == FALL and counts(self.trial, one)]

    @property
    def spoke(self) -> Raised | None:
        """The first suspicion, or alarm without one."""
        kinds = (FALL, SUSPECTED)
        return next((one for one in self.raised if one.alarm.kind in kinds and counts(self.trial, one)), None)

    @property
    def settled(self) -> Raised | None:
        """What became of the first suspicion."""
        spoke = self.spoke
        if spoke is None or spoke.alarm.kind == FALL:
            return spoke
        of = str(spoke.alarm.id)
        return next((one for one in self.raised if of in _names(one)), None)


def counts(trial: Trial, one: Raised) -> bool:
    """Whether it may have found the fall: one of which the time is known is not found before it."""
    if not trial.fall or trial.fell_s is None:
        return True
    return (one.raised_ms - BEGIN_MS) / 1000 >= trial.fell_s[0] - BEFORE_FALL_S


def _names(one: Raised) -> tuple[str | None, str | None]:
    return one.alarm.evidence.get("follows"), one.alarm.evidence.get("restores")


def scores_of(raised: Iterable[Raised]) -> tuple[float, ...]:
    """One confidence for each thing looked at: of the alarm if it rang, and else of the last word."""
    found: dict[str, tuple[bool, float]] = {}
    for one in raised:
        alarm = one.alarm
        confidence = alarm.evidence.get("confidence")
        if alarm.kind not in (FALL, SUSPECTED, WITHDRAWN) or confidence is None:
            continue
        of = next((name for name in _names(one) if name in found), str(alarm.id))
        rang, _ = found.get(of, (False, 0.0))
        if not rang:
            found[of] = (alarm.kind == FALL, float(confidence))
    return tuple(score for _, score in found.values())


def assess(trials: Iterable[Trial], sensor: Sensor, table: Table, lowered: Table | None) -> list[Outcome]:
    """Each trial through the detectors of `table`; and again through those of `lowered`, for the curves."""
    outcomes = []
    for trial in trials:
        raised, failures = run(trial, sensor, table)
        everything, more = (raised, []) if lowered is None else run(trial, sensor, lowered)
        scores = scores_of(one for one in everything if counts(trial, one))
        outcomes.append(Outcome(trial, tuple(raised), scores, (*failures, *more)))
    return outcomes


def person(trial: Trial) -> tuple[str, str]:
    return trial.named.dataset, trial.named.subject


def anywhere(dataset: str, subject: str) -> tuple[str, str]:
    """The same person in another table: one that was read as numbers writes 01 as 1 or 1.0."""
    return dataset, subject.removesuffix(".0").lstrip("0")


def folds(trials: Sequence[Trial], count: int, seed: int = figures.SEED) -> list[list[int]]:
    """Subject-wise folds: places in `trials`. People of a set and an age are dealt out evenly, in a seeded order."""
    chance = np.random.default_rng(seed)
    groups: dict[tuple[str, bool], set[tuple[str, str]]] = {}
    for trial in trials:
        groups.setdefault((trial.named.dataset, bool(trial.older)), set()).add(person(trial))
    fold_of: dict[tuple[str, str], int] = {}
    for group in sorted(groups):
        # One whose trials are marked with both ages is one person all the same.
        for who in chance.permutation(sorted(groups[group])).tolist():
            fold_of.setdefault((who[0], who[1]), len(fold_of) % count)
    dealt: list[list[int]] = [[] for _ in range(count)]
    for place, trial in enumerate(trials):
        dealt[fold_of[person(trial)]].append(place)
    return [fold for fold in dealt if fold]


def table_of(outcomes: Sequence[Outcome]) -> list[dict[str, Any]]:
    """The figures of each set, position and age group that has trials."""
    of = {outcome.trial.row: outcome for outcome in outcomes}
    rows = []
    # In the order of the file, so that the draws of the intervals are the same however the work was parted.
    for dataset, position, members in by_set([of[row].trial for row in sorted(of)]):
        for age, belongs in AGES.items():
            chosen = [of[trial.row] for trial in members if belongs(trial)]
            if chosen:
                rows.append({"dataset": dataset, "position": position, "age": age, **figures_of(chosen)})
    return rows


def failures_of(outcomes: Iterable[Outcome]) -> dict[str, int]:
    return dict(Counter(one for outcome in outcomes for one in outcome.failures))


def _scored(outcome: Outcome) -> Scored:
    trial = outcome.trial
    return Scored(person(trial), trial.fall, trial.seconds / 3600, len(outcome.rung), outcome.scores)


def figures_of(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    tally = figures.Tally([_scored(outcome) for outcome in outcomes])
    falls = [outcome for outcome in outcomes if outcome.trial.fall]
    daily = [outcome for outcome in outcomes if not outcome.trial.fall]
    rates, curve = tally.rates(), tally.curve()
    spoken = _latencies((one.trial, one.spoke) for one in falls)
    settled = _latencies((one.trial, one.settled) for one in falls)
    per_hour, poisson = rates["fa_per_hour"], _per_hour(tally.alarms, tally.hours)
    return {
        "subjects": tally.people,
        "falls": len(falls),
        "daily": len(daily),
        "daily_hours": tally.hours,
        **rates,
        "intervals": {name: None if one is None else list(one) for name, one in tally.intervals().items()},
        "false_alarms": tally.alarms,
        "fa_per_hour_poisson": poisson,
        "fa_per_person_week": None if per_hour is None else per_hour * HOURS_A_WEEK,
        "fa_per_person_week_poisson": None if poisson is None else [bound * HOURS_A_WEEK for bound in poisson],
        "fa_per_hour_at_se_98": figures.fa_per_hour_at(curve, SE_ASKED),
        "se_suspected": len(spoken) / len(falls) if falls else None,
        "asked_in_vain": sum(one.spoke is not None and one.spoke.alarm.kind == SUSPECTED for one in daily),
        "impact_to_suspected_s": figures.summary([seconds for seconds in spoken if seconds >= 0]),
        "impact_to_settled_s": figures.summary([seconds for seconds in settled if seconds >= 0]),
        # Of something else than the impact: no latency, which it would only make look shorter.
        "spoke_before_impact": sum(seconds < 0 for seconds in spoken),
        "settled_late": sum(seconds > SETTLED_WITHIN_S for seconds in settled),
        "unsettled": sum(one.spoke is not None and one.settled is None for one in outcomes),
        "curve": _thinned(curve),
    }


def _latencies(some: Iterable[tuple[Trial, Raised | None]]) -> list[float]:
    """Seconds from the impact to what was said, where anything was."""
    return [(one.raised_ms - impact_ms(trial)) / 1000 for trial, one in some if one is not None]


def _per_hour(count: int, hours: float) -> list[float] | None:
    return [bound / hours for bound in figures.poisson_interval(count)] if hours else None


CURVE_POINTS = 60


def _thinned(points: list[dict[str, float]]) -> list[dict[str, float]]:
    """Few enough points to be read; the first and the last among them."""
    return points if len(points) <= CURVE_POINTS else [points[at] for at in _spread(len(points))]


def _spread(count: int) -> list[int]:
    return [round(at * (count - 1) / (CURVE_POINTS - 1)) for at in range(CURVE_POINTS)]


def listed(outcomes: Iterable[Outcome]) -> list[dict[str, Any]]:
    """Every alarm, for comparing with what a running platform has raised."""
    return [
        {
            "id": str(one.alarm.id),
            "kind": one.alarm.kind,
            "home": one.alarm.home,
            "rule": one.alarm.evidence.get("rule"),
            "at_ms": one.alarm.at_ms,
            "raised_ms": one.raised_ms,
        }
        for outcome in outcomes
        for one in outcome.raised
    ]
