"""The part of the kill campaign that every run of the tests makes: what Kafka adds, under 500 presses.

That everything recovers is tested here; how soon is promised for a machine that does nothing else, and `make faults`
judges it.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests import kafka
from tests.contracts import held_against


@pytest.mark.timeout(400)
def test_a_broker_and_the_detection_are_killed_and_held_while_500_presses_are_made(tmp_path: Path) -> None:
    held_against(f"the kill campaign: Apache Kafka {kafka.need()}")
    report = tmp_path / "report.json"
    told = subprocess.run(
        [sys.executable, "-m", "tests.faults", "--brokers", "1", "--only", "kafka,alerting", "--untimed",
         "--json", str(report)],
        capture_output=True, text=True, check=False, timeout=380,
    )  # fmt: skip
    assert told.returncode == 0, told.stdout[-6000:] + told.stderr[-2000:]
    said = json.loads(report.read_text(encoding="utf-8"))
    struck = {(one["target"], one["fault"]) for one in said["recoveries"]}
    assert struck == {(target, fault) for target in ("kafka 1", "alerting") for fault in ("kill -9", "stop 5 s")}
    assert said["counts"]["presses acknowledged"] == 500
