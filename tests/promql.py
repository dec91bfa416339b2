"""What rules and boards may ask for: the names, labels and bounds of what is measured, and what an expression uses."""

import functools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import promql_parser
import yaml
from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.utils import floatToGoString

from dispatch import measuring
from dispatch.incident import State
from dispatch.outbox import FINAL
from ingest.bridge import LOGS
from pingan import metrics
from pingan.log import GROUPS

ROOT = Path(__file__).parents[1]
PROMETHEUS = ROOT / "dashboards" / "prometheus"
RULES = sorted((PROMETHEUS / "rules").glob("*.yml"))
RULE_TESTS = sorted((PROMETHEUS / "tests").glob("*.yml"))

OF_THE_SCRAPE = {"job", "instance"}

OF_PROMETHEUS: dict[str, set[str]] = {
    "up": set(),
    "ALERTS": {"alertname", "alertstate", "severity", "board", "lane", "log", "group", "le", "channel", "disk"},
    "process_start_time_seconds": set(),
    "process_resident_memory_bytes": set(),
    "process_cpu_seconds_total": set(),
    "process_open_fds": set(),
    "process_max_fds": set(),
    "prometheus_rule_evaluation_failures_total": {"rule_group"},
    "prometheus_notifications_dropped_total": {"alertmanager"},
    "alertmanager_notifications_failed_total": {"integration", "reason"},
}
"""What is not ours: every name that is used of Prometheus, Alertmanager and the client library, and its labels."""

SPAN = re.compile(r"\$__(range|rate_interval|interval)\b")


@functools.cache
def read(path: Path) -> Any:
    """What the file says, read once: nobody changes it."""
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def rules() -> Iterator[tuple[Path, dict[str, Any]]]:
    for path in RULES:
        for group in read(path)["groups"]:
            yield from ((path, rule) for rule in group["rules"])


@functools.cache
def alerts() -> dict[str, dict[str, Any]]:
    found = [rule for _, rule in rules() if "alert" in rule]
    names = [rule["alert"] for rule in found]
    assert len(names) == len(set(names)), "two alerts have one name"
    return dict(zip(names, found, strict=True))


@functools.cache
def series() -> dict[str, set[str]]:
    """The name of each series that Prometheus may have of us → its labels, without the scrape's."""
    found = {name: set(labels) for name, labels in OF_PROMETHEUS.items()}
    for metric in vars(metrics).values():
        if isinstance(metric, MetricWrapperBase):
            (family,) = metric.describe()
            labels = set(metric._labelnames)  # the library has no public way to ask
            if family.type == "counter":
                found[f"{family.name}_total"] = labels
            elif family.type == "histogram":
                found[f"{family.name}_count"] = found[f"{family.name}_sum"] = labels
                found[f"{family.name}_bucket"] = labels | {"le"}
            else:
                found[family.name] = labels
    return found


@functools.cache
def recorded() -> set[str]:
    return {rule["record"] for _, rule in rules() if "record" in rule}


def bounds(bucket: str) -> set[str]:
    """The values of `le` that a histogram's series has, as Prometheus spells them."""
    for metric in vars(metrics).values():
        if isinstance(metric, MetricWrapperBase) and bucket == f"{metric._name}_bucket":
            return {floatToGoString(bound) for bound in metric._kwargs["buckets"]} | {"+Inf"}
    raise LookupError(bucket)


@functools.cache
def known_values() -> dict[str, set[str]]:
    """Of labels that have few values: which."""
    return {
        "lane": set(LOGS),
        "log": set(GROUPS),
        "group": {group for groups in GROUPS.values() for group in groups},
        "result": set(FINAL),
        "state": {*map(str, State), *measuring.DEVICE_STATES},
        "danger": {"true", "false"},
        "part": {"database", "broker", "log"},
        "job": {job["job_name"] for job in read(PROMETHEUS / "prometheus.yml")["scrape_configs"]},
        "severity": {"critical", "warning", "info", "none"},
        "board": {"line", "people", "machines"},
        "alertname": set(alerts()),
        "alertstate": {"firing", "pending"},
    }


def wrong(expression: str) -> list[str]:
    """What an expression asks for that nobody shows. ValueError when it is no PromQL."""
    found: list[str] = []
    known, own, few = series(), recorded(), known_values()

    def look(node: promql_parser.Expr) -> None:
        if not isinstance(node, promql_parser.VectorSelector):
            return
        if node.name in own:
            return
        if node.name not in known:
            found.append(f"{node.name} is nobody's")
            return
        for matcher in node.matchers.matchers:
            values = matcher.value.split("|")
            if matcher.value.startswith("$"):
                continue
            if matcher.name not in known[node.name] | OF_THE_SCRAPE:
                found.append(f"{node.name} has no label {matcher.name}")
            elif matcher.name == "le" and not set(values) <= bounds(node.name):
                found.append(f"{node.name} has no bucket {matcher.value}")
            elif not set(values) <= few.get(matcher.name, set(values)):
                found.append(f"{node.name} is never {matcher.name}={matcher.value}")

    promql_parser.walk(promql_parser.parse(SPAN.sub("1h", expression)), look)
    return found
