"""A small platform for testing the supervisor: real database, broker and migrations; services that only say they live.

python local_stand_in.py supervise            the supervisor, with the table below
python local_stand_in.py service [--mute]     one service
python local_stand_in.py console              a service that answers on /healthz
python local_stand_in.py simulator            something outside our walls
python local_stand_in.py sample               fills the register with one device
"""

import http.server
import json
import os
import signal
import socket
import sys
import threading
import time
from pathlib import Path

import psycopg

from pingan.local.mosquitto_password import hash_password
from pingan.local.platform import PYTHON, Platform
from pingan.local.services import Preparations, Service
from pingan.local.supervisor import Supervisor, supervise
from pingan.local.watchdog import Limits

ME = (sys.executable, str(Path(__file__).resolve()))
LIMITS = Limits(silence=2, first_sign=4, gap=1.5)
DEVICE = {"id": "H001-button", "password": "sample", "home": "H001", "kind": "button"}


def table(platform: Platform) -> list[Service]:
    services = [
        Service("one", (*ME, "service"), mqtt_user="ingest-alarm"),
        Service("two", (*ME, "service")),
        Service("console", (*ME, "console"), listens=True),
        Service("sim", (*ME, "simulator"), needs_access_file=True, watched=False),
    ]
    if "STAND_IN_MUTE" in os.environ:
        services.append(Service("mute", (*ME, "service", "--mute")))
    return services


def live(mute: bool = False) -> None:
    """Beat until SIGTERM. Beside the state a file tells the test what environment this process was given."""
    data, name = Path(os.environ["PINGAN_DATA"]), os.environ["PINGAN_NAME"]
    told = {key: value for key, value in os.environ.items() if key.startswith("PINGAN_")}
    (data / f"told-{name}.json").write_text(json.dumps(told))
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    path = data / "run" / f"{name}.json"
    while not stop.wait(0.1):
        if not mute:
            beside = path.with_suffix(".new")
            beside.write_text(json.dumps({"pid": os.getpid(), "state": "ready", "at_monotonic": time.monotonic()}))
            beside.rename(path)


class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/healthz" else 404)
        self.end_headers()


def console() -> None:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page, bind_and_activate=False)
    server.socket.close()
    server.socket = socket.socket(fileno=int(os.environ["PINGAN_HTTP_LISTENING"]))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    live()


def simulator() -> None:
    """Listens, and says nothing of itself: the supervisor knows only that it runs."""
    port = int(os.environ["PINGAN_SIM_PORT"])
    http.server.ThreadingHTTPServer(("127.0.0.1", port), Page).serve_forever()


def sample() -> None:
    text = json.dumps({"operator": {"user": "operator", "password": "sample"}, "token": "t", "devices": [DEVICE],
                       "homes": [{"id": "H001"}]})  # fmt: skip
    (Path(os.environ["PINGAN_DATA"]) / "sample.json").write_text(text)
    with psycopg.connect(os.environ["PINGAN_DATABASE_URL"]) as connection:
        enrol(connection, DEVICE["id"], DEVICE["password"])


def enrol(connection: psycopg.Connection, device: str, password: str) -> None:
    connection.execute(
        "insert into devices (id, kind, mqtt_password_hash, enrolled_at) values (%s, 'button', %s, '2026-01-01Z')",
        (device, hash_password(password)),
    )


if __name__ == "__main__":
    if sys.argv[1] == "supervise":
        commands = Preparations(migrate=(*PYTHON, "migrate"), sample=(*ME, "sample"))
        make = lambda found: Supervisor(found, table(found), commands=commands, limits=LIMITS)  # noqa: E731
        sys.exit(supervise(Path(os.environ["PINGAN_DATA"]), make))
    verbs = {
        "service": lambda: live("--mute" in sys.argv),
        "console": console,
        "simulator": simulator,
        "sample": sample,
    }
    verbs[sys.argv[1]]()
