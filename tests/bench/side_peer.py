"""Peers of the side-by-side table: what an engineer would write first, each at its best fair setting.

python -m tests.bench.side_peer insert PORT USER DSN    paho: an INSERT, a commit, the acknowledgement for each
python -m tests.bench.side_peer copy PORT USER DSN      paho: whatever came during the last commit, by one COPY

An SOS is answered after its commit. The password comes in `PEER_PASSWORD`. Prints `ready`, runs until SIGTERM, then
prints how many it stored.
"""

import json
import os
import signal
import sys
import threading
from collections import deque
from typing import Any

import psycopg
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

TABLE = """
create table if not exists side (device text, boot text, seq bigint, at text, kind text, payload bytea);
truncate side
"""
COLUMNS = "side (device, boot, seq, at, kind, payload)"


def row(message: MQTTMessage) -> tuple[Any, ...]:
    said = json.loads(message.payload)
    return message.topic.split("/")[2], said["boot"], said["seq"], said["at"], said["kind"], message.payload


def answer(client: Client, message: MQTTMessage) -> None:
    client.ack(message.mid, message.qos)
    if message.topic.endswith("/alarm"):
        body = json.dumps({"id": json.loads(message.payload)["id"], "stage": "received"})
        client.publish(f"pingan/v1/{message.topic.split('/')[2]}/down/ack", body, qos=1)


def main(mode: str, port: int, user: str, dsn: str) -> None:
    client = Client(CallbackAPIVersion.VERSION2, client_id=f"side-{mode}", manual_ack=True)
    client.username_pw_set(user, os.environ["PEER_PASSWORD"])
    client.max_inflight_messages_set(10_000)
    connection = psycopg.connect(dsn, autocommit=True)
    connection.execute(TABLE)  # type: ignore[arg-type]
    waiting: deque[MQTTMessage] = deque()
    some, over = threading.Event(), threading.Event()

    def insert(_client: Client, _data: Any, message: MQTTMessage) -> None:
        connection.execute(f"insert into {COLUMNS} values (%s, %s, %s, %s, %s, %s)", row(message))
        answer(client, message)

    def keep(_client: Client, _data: Any, message: MQTTMessage) -> None:
        waiting.append(message)
        some.set()

    def copy() -> None:
        while not over.is_set():
            some.wait(0.5)
            some.clear()
            batch = [waiting.popleft() for _ in range(len(waiting))]
            if not batch:
                continue
            with connection.transaction(), connection.cursor().copy(f"copy {COLUMNS} from stdin") as target:
                for message in batch:
                    target.write_row(row(message))
            for message in batch:
                answer(client, message)

    def stop(*_: object) -> None:
        over.set()
        client.disconnect()

    signal.signal(signal.SIGTERM, stop)
    client.on_message = insert if mode == "insert" else keep
    client.on_connect = lambda *_: client.subscribe([("pingan/v1/+/up/reading", 1), ("pingan/v1/+/up/alarm", 1)])
    client.on_subscribe = lambda *_: sys.stdout.write("ready\n") and sys.stdout.flush()
    copier = threading.Thread(target=copy)
    if mode == "copy":
        copier.start()
    client.connect("127.0.0.1", port)
    client.loop_forever()
    if mode == "copy":
        copier.join()
    stored = connection.execute("select count(*) from side").fetchone()
    sys.stdout.write(json.dumps({"stored": stored[0] if stored else 0}) + "\n")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4])
