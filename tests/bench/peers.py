"""Two small programs to compare with: what a reading costs when nothing is stored, and when each is stored by itself.

python -m tests.bench.peers loop PORT USER COUNT            paho's own loop; hears, counts, and that is all
python -m tests.bench.peers insert PORT USER COUNT DSN      a decode and an INSERT for each message, then its PUBACK

The password comes in `PEER_PASSWORD`. Prints `ready`, and when COUNT messages have come, JSON.
"""

import json
import os
import resource
import sys
import time
from datetime import datetime
from typing import Any

import psycopg
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

TABLE = """
create table if not exists one_by_one (
    device text, boot text, seq bigint, at timestamptz, kind text, value jsonb, primary key (device, boot, seq)
)
"""
INSERT = "insert into one_by_one values (%s, %s, %s, %s, %s, %s) on conflict do nothing"


def main(mode: str, port: int, user: str, count: int, dsn: str = "") -> None:
    client = Client(CallbackAPIVersion.VERSION2, client_id=f"peer-{mode}", manual_ack=mode == "insert")
    client.username_pw_set(user, os.environ["PEER_PASSWORD"])
    came, first = 0, 0.0

    def hear(_client: Client, _data: Any, message: MQTTMessage) -> None:
        nonlocal came, first
        came += 1
        first = first or time.monotonic()
        if connection is not None:
            said = json.loads(message.payload)
            device = message.topic.split("/")[2]
            at = datetime.fromisoformat(said["at"])
            value = json.dumps(said.get("value"))
            connection.execute(INSERT, (device, said["boot"], said["seq"], at, said["kind"], value))
            client.ack(message.mid, message.qos)
        if came >= count:
            client.disconnect()

    connection = psycopg.connect(dsn, autocommit=True) if dsn else None
    if connection is not None:
        connection.execute(TABLE)
    client.on_message = hear
    client.on_connect = lambda *_: client.subscribe("pingan/v1/+/up/reading", 1)
    client.on_subscribe = lambda *_: sys.stdout.write("ready\n") and sys.stdout.flush()
    client.connect("127.0.0.1", port)
    client.loop_forever()
    used = resource.getrusage(resource.RUSAGE_SELF)
    seconds = time.monotonic() - first
    sys.stdout.write(json.dumps({"seconds": seconds, "cpu_seconds": used.ru_utime + used.ru_stime}) + "\n")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4]), *sys.argv[5:])
