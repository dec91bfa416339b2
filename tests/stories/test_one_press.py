"""One press, end to end, on the whole platform: button, broker, log, desk, phone, lamp, closing."""

import asyncio
import json
import os
import re
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from paho.mqtt import publish
from playwright.async_api import Browser, expect
from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families

from pingan import metrics
from tests.conftest import LogEnviron, Until
from tests.faults.house import RealHouse
from tests.stories.support import WIDE

ROOT = Path(__file__).parents[2]
SHARED = ROOT.parent / "shared" / "data"
DAUGHTER = "+8613800000101"


@pytest.fixture(scope="module")
def house(memory: Path, log_environ: LogEnviron) -> Iterator[RealHouse]:
    house = RealHouse(memory)
    try:
        house.rise(**log_environ())
        yield house
    finally:
        house.fall(keep=False)


def lamp(house: RealHouse, event: str) -> dict[str, Any]:
    """What the button of the simulated home shows: stage → when and by whom."""
    told = house.phones(f"/sim/events/{event}")
    return {stage["stage"]: stage for stage in told["stages"]}


async def test_from_the_press_to_the_closing(house: RealHouse, browser: Browser, until: Until, tmp_path: Path) -> None:
    context = await browser.new_context(viewport=WIDE, locale="zh-CN")
    page = await context.new_page()
    errors: list[str] = []
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    console, operator = house.access["console"], house.access["operator"]
    await page.goto(console)
    await page.fill("input[name=account]", operator["user"])
    await page.fill("input[type=password]", operator["password"])
    await page.keyboard.press("Enter")
    await page.wait_for_url(f"{console}/")
    await page.keyboard.press("Shift")  # a browser lets no page sound before somebody has touched it

    told = house.pingan("sim", "press", "--home", "H001", "--wait", "received").stdout
    event = re.search(r"[0-9a-f-]{36}", told)
    assert event, told
    await expect(page.get_by_role("link", name="陈秀英").first).to_be_visible()
    (opened,) = house.api("/api/v1/incidents")
    number = opened["id"]

    async def drawn() -> Any:
        return house.api(f"/api/v1/incidents/{number}")["stamps"]["t2"]["at"]

    await until(drawn)
    if folder := os.environ.get("PINGAN_SCREENSHOTS"):
        await page.screenshot(path=f"{folder}/board.png")

    await page.goto(f"{console}/incidents/{number}")
    await page.keyboard.press("a")
    await until(lambda: house.api(f"/api/v1/incidents/{number}")["state"] == "answered")
    await page.keyboard.press("x")  # nobody speaks: it escalates by itself
    await until(lambda: house.phones(f"/sim/phones/{DAUGHTER}")["state"] == "ringing")
    house.pingan("sim", "phone", DAUGHTER, "answer")
    house.pingan("sim", "phone", DAUGHTER, "press", "1")
    await until(lambda: house.api(f"/api/v1/incidents/{number}")["state"] == "accepted")
    house.pingan("sim", "phone", DAUGHTER, "press", "12#")
    await until(lambda: "on_the_way" in lamp(house, event[0]))
    shown = lamp(house, event[0])
    assert shown["accepted"]["by"] == "李梅" or "李梅" in json.dumps(shown, ensure_ascii=False)
    if folder := os.environ.get("PINGAN_SCREENSHOTS"):
        await page.screenshot(path=f"{folder}/incident.png")

    await page.keyboard.press("o")
    await until(lambda: house.api(f"/api/v1/incidents/{number}")["state"] == "on_scene")
    await page.keyboard.press("f")
    await until(lambda: house.api(f"/api/v1/incidents/{number}")["state"] == "safe")
    version = house.api(f"/api/v1/incidents/{number}")["version"]
    closing = {"cause": "sos", "outcome": "family_attended", "as_of": version}
    house.api(f"/api/v1/incidents/{number}/close", closing)
    await until(lambda: "closed" in lamp(house, event[0]))
    await context.close()

    closed = house.api(f"/api/v1/incidents/{number}")
    stamps = closed["stamps"]
    assert [name for name, stamp in stamps.items() if not (stamp["at"] or stamp["absent"])] == []
    assert {name for name, stamp in stamps.items() if stamp["at"]} == {f"t{n}" for n in range(10)}
    times = {name: datetime.fromisoformat(stamp["at"]) for name, stamp in stamps.items()}
    assert sorted(times, key=times.__getitem__) == sorted(times), "in this story each comes after the one before"
    assert stamps["t7"]["reported"], "an arrival that the home itself has not shown says so"
    calls = [call for call in house.phones("/sim/calls") if call["to"] == DAUGHTER]
    assert len(calls) == 1
    assert not errors, errors


async def test_whatever_is_measured_is_shown_at_the_one_door(house: RealHouse, until: Until) -> None:
    """After that press: every name of docs/metrics.md, found by Prometheus' own way of finding, with what happened."""
    with pytest.raises(urllib.error.HTTPError, match="401"):
        scrape(house, "/metrics/targets", token="")
    device = next(one for one in house.access["devices"] if one["id"] == "H004-button")
    await asyncio.to_thread(
        publish.single,
        f"pingan/v1/{device['id']}/up/alarm", b"nonsense", qos=1, client_id=device["id"],
        hostname=house.access["mqtt"]["host"], port=house.access["mqtt"]["port"],
        auth={"username": device["id"], "password": device["password"]},
    )  # fmt: skip
    found: dict[str, Metric] = {}

    def say(name: str, **labels: str) -> float:
        samples = found[re.sub("_(total|count|bucket|sum)$", "", name)].samples
        return sum(one.value for one in samples if one.name == name and labels.items() <= one.labels.items())

    def settled() -> bool:
        waiting = ("unanswered_seconds", "deadlines_overdue", "sends_overdue", "alarms_waiting", "waiting")
        return (
            all(say(f"pingan_{name}") == 0 for name in waiting)
            and say("pingan_ready") == len({*house.names()} - {"postgres", "mosquitto"})
            and 0 <= say("pingan_tick_age_seconds") < 5
            and say("pingan_rejected_total", lane="alarm", reason="not_json") == 1
            and say("pingan_archived_rows_total") >= 1
            and say("pingan_sends_total", channel="device", result="delivered") >= 3
            and all(say("pingan_heard", lane=lane) == 1 for lane in ("alarm", "telemetry"))
            and all(
                say("pingan_partitions", log=log, group=group) == 64
                for log, group in (("readings", "archive"), ("readings", "alerting"), ("urgent", "urgent"))
            )
        )

    def complete() -> bool:
        found.clear()
        targets = json.loads(scrape(house, "/metrics/targets"))
        assert {target["labels"]["process"] for target in targets} == set(house.names()) - {"postgres", "mosquitto"}
        for target in targets:
            assert target["targets"] == [house.access["console"].removeprefix("http://")]
            text = scrape(house, target["labels"]["__metrics_path__"])
            for family in text_string_to_metric_families(text):
                if family.name in found:
                    found[family.name].samples += family.samples
                else:
                    found[family.name] = family
        shown = {name for name, family in found.items() if family.samples}
        # Nothing was parked, there is no TimescaleDB, and nobody has a certificate. What is looked at every few seconds
        # may be as old as that.
        absent = {"pingan_parked", "pingan_timescale_job_failures", "pingan_certificate_expires_seconds"}
        all_there = {*described()} - shown <= absent
        return all_there and settled()

    await until(complete)

    assert say("pingan_alarms_total", kind="sos", source="reported") >= 1
    assert say("pingan_received_total", lane="alarm") >= 2
    assert say("pingan_acknowledge_seconds_count", lane="alarm") >= 1
    assert say("pingan_append_seconds_count", log="urgent") >= 1
    assert say("pingan_append_seconds_count", log="readings") >= 1
    assert say("pingan_raise_seconds_count") >= 1
    for name in ("shown", "answer", "press_to_answer", "dispatch", "arrival"):
        assert say(f"pingan_{name}_seconds_count") == 1, name
        assert say(f"pingan_{name}_seconds_bucket", le="300.0" if name != "shown" else "60.0") == 1, name
    assert say("pingan_closed_total", cause="sos", outcome="family_attended") == 1
    assert say("pingan_sends_total", channel="twilio_voice", result="answered") == 1
    assert say("pingan_database_bytes") > 1e6


def scrape(house: RealHouse, path: str, token: str | None = None) -> str:
    bearer = house.access["token"] if token is None else token
    request = urllib.request.Request(house.access["console"] + path, headers={"Authorization": f"Bearer {bearer}"})
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=60) as answer:
        return str(answer.read().decode())


def described() -> list[str]:
    """The family of every metric that is named in pingan/metrics.py."""
    every = [metric for metric in vars(metrics).values() if isinstance(metric, MetricWrapperBase)]
    return [family.name for metric in every for family in metric.describe()]


async def test_a_device_of_ones_own_is_ten_lines(house: RealHouse, until: Until) -> None:
    """The script of the README, as it stands there."""
    (script,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    assert "pingan." not in script.replace("pingan/v1", "")
    device = next(one for one in house.access["devices"] if one["id"] == "H004-button")
    mqtt = house.access["mqtt"]
    told = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-c", script],
        env={**os.environ, "DEVICE": device["id"], "PASSWORD": device["password"], "HOST": mqtt["host"],
             "PORT": str(mqtt["port"])},
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    assert "'stage': 'received'" in told.stdout
    await until(lambda: any(row["home"] == "H004" for row in house.api("/api/v1/incidents")))


def replay(house: RealHouse, *arguments: str) -> Any:
    """What `pingan sim replay` says that it has sent."""
    told = subprocess.run(
        [sys.executable, "-m", "pingan", "sim", "replay", *arguments],
        env=house.environ, capture_output=True, text=True, check=False, timeout=500,
    )  # fmt: skip
    assert told.returncode == 0, told.stderr
    return json.loads(told.stdout)


@pytest.mark.timeout(900)
@pytest.mark.skipif(not SHARED.exists(), reason="the recordings (../shared/data) are not on this machine")
def test_recordings_go_through_mqtt_into_the_archive_and_silences_raise_incidents(
    memory: Path, log_environ: LogEnviron
) -> None:
    house = RealHouse(memory)
    try:
        house.rise(PINGAN_CLOCK="driven", PINGAN_SIM="0", **log_environ())
        days, minutes = 10, 60  # what is learned is learned by then, and a day of smaller steps shows the same
        driven = ("--home", "H001", "--driven", "--data", str(SHARED))
        home = replay(house, "--tihm", "0d5ef", "--days", str(days), "--step-minutes", str(minutes), *driven)
        assert home["readings"] > 400 * days
        assert home["incidents"].get("inactivity", 0) >= 1, "the home's silences raise incidents"
        trials = replay(house, "--falls", "weda", "--trials", "10", *driven)
        assert trials["sent"]["accel"] >= 10
        stored = {row["kind"]: row["n"] for row in house.rows("select kind, count(*) n from readings group by kind")}
        sent: dict[str, int] = {}
        for told in (home, trials):
            for kind, count in told["sent"].items():
                sent[kind] = sent.get(kind, 0) + count
        assert stored == sent, "counted in = counted stored"
        causes = {row["cause"] for row in house.rows("select cause from incidents")}
        assert "inactivity" in causes
    finally:
        house.fall(keep=False)
