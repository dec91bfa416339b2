"""Prometheus' rules: they ask for what there is, every alert is explained, tested and told to somebody."""

import re
from typing import Any

import promql_parser
import pytest
import yaml

from pingan.messages import PARTITIONS
from tests.promql import PROMETHEUS, ROOT, RULE_TESTS, RULES, alerts, read, recorded, rules, series, wrong

ALERTS = alerts()
ASKED = re.compile(r"alertname=~?\"([\w|]+)\"")
HAN = re.compile(r"[\u4e00-\u9fff]")
SERVICES = ("ingest-alarm", "ingest-telemetry", "receiver", "urgent", "alerting", "archive", "dispatch", "console")

TOLD_ALWAYS = {
    "AlarmLaneDeaf", "PressParked", "AlarmsNotOnIncident", "DangerUnanswered180s", "NobodyAtTheDesk", "CallUnseen",
    "SendsOverdue", "DeadlinesOverdue", "CallsFail", "ServiceGone", "DatabaseAway", "Watchdog",
}  # fmt: skip
"""Somebody waits, or nobody would know: no other alert may hold these back."""


def cases() -> list[dict[str, Any]]:
    return [case for path in RULE_TESTS for case in read(path)["tests"]]


def test_there_is_a_test_file_for_every_file_of_rules() -> None:
    tested = {name.rpartition("/")[2] for path in RULE_TESTS for name in read(path)["rule_files"]}
    assert tested == {path.name for path in RULES}


@pytest.mark.parametrize("rule", [pytest.param(rule, id=f"{rule.get('alert', rule.get('record'))}-{number}")
                                  for number, (_, rule) in enumerate(rules())])  # fmt: skip
def test_a_rule_asks_only_for_what_is_measured(rule: dict[str, Any]) -> None:
    assert wrong(rule["expr"]) == []


@pytest.mark.parametrize(
    ("expression", "why"),
    [
        ("max(pingan_heart)", "pingan_heart is nobody's"),
        ('pingan_heard{home="1"}', "pingan_heard has no label home"),
        ('pingan_heard{lane="alarms"}', "pingan_heard is never lane=alarms"),
        ('pingan_answer_seconds_bucket{le="60"}', "pingan_answer_seconds_bucket has no bucket 60"),
        ('sum(rate(pingan_answer_seconds_bucket{le="61.0"}[5m]))', "pingan_answer_seconds_bucket has no bucket 61.0"),
    ],
)
def test_what_nobody_shows_is_found(expression: str, why: str) -> None:
    assert wrong(expression) == [why]
    with pytest.raises(ValueError, match="parenthes"):
        wrong("sum(")


def test_the_series_of_the_rule_tests_are_real_too() -> None:
    known = series()
    for case in cases():
        for given in case["input_series"]:
            selector = promql_parser.parse(given["series"])
            assert isinstance(selector, promql_parser.VectorSelector)
            labels = {matcher.name for matcher in selector.matchers.matchers}
            assert selector.name in known, given
            assert labels <= known[selector.name] | {"job", "instance"}, given


@pytest.mark.parametrize("name", ALERTS)
def test_an_alert_says_what_it_is_how_bad_and_what_to_do_in_both_languages(name: str) -> None:
    alert = ALERTS[name]
    assert alert["labels"]["severity"] in {"critical", "warning", "info", "none"}
    assert alert["labels"]["board"] in {"line", "people", "machines"}
    said = alert["annotations"]
    assert set(said) == {"summary_en", "summary_zh", "description_en", "description_zh", "runbook"}
    for key in ("summary", "description"):
        assert HAN.search(said[f"{key}_zh"])
        assert not HAN.search(said[f"{key}_en"])
    assert said["runbook"] == f"docs/alerts.md#{name.lower()}"


@pytest.mark.parametrize("name", ALERTS)
def test_an_alert_does_not_hesitate(name: str) -> None:
    """One that looks at a moment waits (`for`); one that counts over time, or says so of itself, need not."""
    alert = ALERTS[name]
    counts = re.search(r"increase|rate\(|changes|min_over_time|offset", alert["expr"])
    says_how_long = {"DangerUnanswered60s", "DangerUnanswered180s", "CallUnseen", "Watchdog"}
    assert "for" in alert or counts or name in says_how_long


@pytest.mark.parametrize("name", ALERTS)
def test_an_alert_is_tested_when_it_fires_and_when_it_must_not(name: str) -> None:
    fires = silent = False
    for case in cases():
        for test in case.get("promql_expr_test", ()):
            asked = ASKED.search(test["expr"])
            if asked is None or name not in asked[1].split("|") or 'alertstate="firing"' not in test["expr"]:
                continue
            told = [sample["labels"] for sample in test["exp_samples"]]
            fires |= any(f'alertname="{name}"' in labels for labels in told)
            silent |= not told
    assert fires, "no test in which it has to fire"
    assert silent or name == "Watchdog", "no test in which it must not fire"


def test_every_alert_has_its_section_in_the_runbook_and_every_section_its_alert() -> None:
    page = (ROOT / "docs/alerts.md").read_text(encoding="utf-8")
    sections = dict(re.findall(r"^### (\w+)\n(.*?)(?=^##|\Z)", page, re.MULTILINE | re.DOTALL))
    assert set(sections) == set(ALERTS)
    for name, section in sections.items():
        assert f"*{ALERTS[name]['labels']['severity']}*" in section, name
        assert HAN.search(section), name
        assert "**Now**" in section, name


def test_the_number_of_partitions_in_the_rules_is_ours() -> None:
    assert ALERTS["PartitionsUnowned"]["expr"].endswith(f"< {PARTITIONS}")
    (lag,) = (rule["expr"] for _, rule in rules() if rule.get("record") == "log_group:pingan_lag:seconds")
    assert f"({PARTITIONS} + " in lag


def test_every_service_is_asked_and_missed_when_it_is_gone() -> None:
    jobs = {job["job_name"]: job for job in read(PROMETHEUS / "prometheus.yml")["scrape_configs"]}
    assert set(jobs) == {*SERVICES, "mosquitto", "prometheus", "alertmanager"}
    for service in (*SERVICES, "mosquitto"):
        (names,) = jobs[service]["dns_sd_configs"]
        assert (names["names"], names["type"], names["port"]) == ([service], "A", 9100)
    # One machine's broker is no process of ours: there it would be missed for ever. AlarmLaneDeaf speaks for both.
    for service in SERVICES:
        assert f'absent(up{{job="{service}"}})' in ALERTS["ServiceGone"]["expr"]


def matched(matchers: list[str]) -> set[str]:
    """The alerts that a list of Alertmanager's matchers means by name."""
    for matcher in matchers:
        label, operator, value = re.split(r"\s*(=~|=)\s*", matcher, maxsplit=1)
        if label == "alertname":
            return set(value.strip('"').split("|")) if operator == "=~" else {value.strip('"')}
    return set()


def test_alertmanager_holds_back_symptoms_and_never_that_somebody_waits() -> None:
    config = read(PROMETHEUS / "alertmanager.yml")
    held_back: set[str] = set()
    for rule in config["inhibit_rules"]:
        sources, targets = matched(rule["source_matchers"]), matched(rule["target_matchers"])
        assert sources
        assert targets
        assert sources | targets <= set(ALERTS)
        assert not sources & targets, "it would hold back itself"
        # What is told in its place is as loud.
        loud = [ALERTS[name]["labels"]["severity"] for name in sources]
        assert loud == ["critical"]
        held_back |= targets
    assert not held_back & TOLD_ALWAYS
    assert set(ALERTS) >= TOLD_ALWAYS


def test_alertmanager_sends_to_whom_it_knows_and_repeats_the_watchdog_within_a_minute() -> None:
    config = read(PROMETHEUS / "alertmanager.yml")
    receivers = {receiver["name"]: receiver for receiver in config["receivers"]}
    routes = [config["route"], *config["route"]["routes"]]
    assert {route["receiver"] for route in routes} == set(receivers)
    (heartbeat,) = (route for route in routes if matched(route.get("matchers", [])) == {"Watchdog"})
    interval, repeat = (int(heartbeat[key].removesuffix("s")) for key in ("group_interval", "repeat_interval"))
    assert repeat < interval <= 20
    # No address is in the repository: each stands in a file of the operator's.
    for receiver in receivers.values():
        assert [set(webhook) for webhook in receiver["webhook_configs"]] == [{"url_file", "send_resolved"}]


def test_compose_keeps_what_the_rules_look_back_at_and_mounts_what_they_name() -> None:
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))["services"]
    assert set(SERVICES) <= set(services)
    kept = re.search(r"retention\.time=(\d+)d", " ".join(services["prometheus"]["command"]))
    looked_back = max(int(days) for _, rule in rules() for days in re.findall(r"\[(\d+)d\]", rule["expr"]))
    assert kept is not None
    assert int(kept[1]) > looked_back
    mounts = " ".join(services["prometheus"]["volumes"])
    assert "dashboards/prometheus/prometheus.yml:/etc/prometheus/prometheus.yml" in mounts
    assert "dashboards/prometheus/rules:/etc/prometheus/rules" in mounts
    secrets = {f"/run/secrets/{name}" for name in services["alertmanager"]["secrets"]}
    config = read(PROMETHEUS / "alertmanager.yml")
    assert {hook["url_file"] for to in config["receivers"] for hook in to["webhook_configs"]} <= secrets


def test_what_is_recorded_is_used() -> None:
    boards = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "dashboards/grafana/json").glob("*.json"))
    asked = boards + "".join(rule["expr"] for _, rule in rules())
    assert [name for name in sorted(recorded()) if name not in asked] == []
