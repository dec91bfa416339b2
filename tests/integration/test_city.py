"""A city's own commands by themselves: the health check that mends, and a broker that says what it lacks."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pingan.city.health import SILENT_SECONDS, end_silent


def pingan(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PINGAN_")}
    return subprocess.run(
        [sys.executable, "-m", "pingan", *arguments],
        env=clean | environ, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip


def say(data: Path, name: str, pid: int, state: str, at_monotonic: float) -> None:
    (data / "run").mkdir(exist_ok=True)
    said = {"name": name, "pid": pid, "state": state, "detail": "", "at_monotonic": at_monotonic}
    (data / "run" / f"{name}.json").write_text(json.dumps(said))


def test_health_is_what_the_process_says(tmp_path: Path) -> None:
    environ = {"PINGAN_DATA": str(tmp_path)}
    assert pingan("health", **environ).returncode == 1, "nobody has said anything yet"
    say(tmp_path, "urgent-1", os.getpid(), "ready", time.monotonic())
    assert pingan("health", **environ).returncode == 0
    say(tmp_path, "urgent-1", os.getpid(), "waiting", time.monotonic())
    done = pingan("health", **environ)
    assert done.returncode == 1
    assert "urgent-1: waiting" in done.stdout
    say(tmp_path, "urgent-1", os.getpid(), "ready", time.monotonic() - 10)
    assert "silent" in pingan("health", **environ).stdout


def test_without_a_data_folder_it_says_what_to_set() -> None:
    done = pingan("health")
    assert done.returncode == 1
    assert "PINGAN_DATA" in done.stderr


@pytest.fixture
def held() -> subprocess.Popen[bytes]:
    """A process called pingan that is stopped, as by a debugger or a machine that is too small."""
    process = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()", "pingan"])
    process.send_signal(signal.SIGSTOP)
    return process


def test_a_process_that_is_silent_for_long_is_killed_and_no_other(
    tmp_path: Path, held: subprocess.Popen[bytes]
) -> None:
    stranger = subprocess.Popen(["sleep", "600"])
    try:
        now = 1_000.0
        say(tmp_path, "urgent-1", held.pid, "ready", now - SILENT_SECONDS + 1)
        say(tmp_path, "left-over", stranger.pid, "ready", now - 500)
        end_silent(tmp_path, now)
        assert held.poll() is None, "not long enough"
        end_silent(tmp_path, now + 2)
        assert held.wait(10) == -signal.SIGKILL
        assert stranger.poll() is None, "its number has become somebody else's"
    finally:
        for process in (held, stranger):
            process.kill()
            process.wait()


def test_the_broker_says_what_it_lacks(tmp_path: Path) -> None:
    (tmp_path / "secrets").mkdir()
    environ = {
        "PINGAN_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none",
        "PINGAN_DATA": str(tmp_path / "data"),
        "PINGAN_MQTT_STORE": str(tmp_path / "store"),
        "PINGAN_MQTT_SERVICES": str(tmp_path / "secrets"),
        "PINGAN_MQTT_TLS_CERTIFICATE": str(tmp_path / "certificate.pem"),
        "PINGAN_MQTT_TLS_KEY": str(tmp_path / "key.pem"),
    }
    done = pingan("broker", **environ)
    assert done.returncode == 2
    assert "lacks mqtt-ingest-alarm, mqtt-ingest-telemetry, mqtt-dispatch" in done.stderr
    for name in ("ingest-alarm", "ingest-telemetry", "dispatch"):
        (tmp_path / "secrets" / f"mqtt-{name}").write_text("made up")
    done = pingan("broker", **environ)
    assert done.returncode == 2
    assert "certificate.pem is not there" in done.stderr
