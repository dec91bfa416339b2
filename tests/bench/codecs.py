"""How many messages of each family one core decodes in a second of its own time."""

from pathlib import Path

from ingest import families
from ingest.codecs import native
from tests.bench.bench_log import DECODES, PAYLOAD, TOPIC, rate
from tests.bench.table import Effort, Table

RECEIVED_MS = 1_790_000_000_000
NATIVE_TARGET_PER_SECOND = 300_000
LIST_READINGS = 100

ZIGBEE2MQTT = (
    "gw/g1/zigbee2mqtt/living room/door",
    b'{"battery":97,"battery_low":false,"contact":true,"last_seen":"2026-09-21T14:13:19.000Z","linkquality":120,'
    b'"tamper":false,"temperature":21.4,"voltage":3000}',
)
CHIRPSTACK = (
    "gw/g2/chirpstack/application/0b9f0c0e-5c1b-4c0f-9c63-6a1d0c8f7a11/device/24e124535b316c67/event/up",
    b'{"deduplicationId":"3ac7e3c4-4401-4b8d-9386-a5c902f9202d","time":"2026-09-21T14:13:19.300123456+00:00",'
    b'"deviceInfo":{"tenantName":"homes","applicationName":"pendants","deviceProfileName":"tracker",'
    b'"deviceName":"pendant 1","devEui":"24e124535b316c67","tags":{}},"devAddr":"00189440","adr":true,"dr":1,"fCnt":4,'
    b'"fPort":18,"confirmed":false,"data":"A2rBiQ==","object":{"sosFlag":0,"gpsLatitude":31.2304,'
    b'"gpsLongitude":121.4737,"horizontalAccuracy":7.8,"dynamicMotionState":"STATIC"},"rxInfo":[{"gatewayId":'
    b'"0016c001f153a14c","rssi":-48,"snr":9.0}],"txInfo":{"frequency":868100000}}',
)


def codecs(_folder: Path, _nice: int, table: Table, _effort: Effort) -> None:
    found = {
        "native": rate(lambda: native.decode(TOPIC, PAYLOAD, RECEIVED_MS), DECODES),
        "zigbee2mqtt": rate(lambda: families.decode(*ZIGBEE2MQTT, RECEIVED_MS), DECODES),
        "chirpstack": rate(lambda: families.decode(*CHIRPSTACK, RECEIVED_MS), DECODES),
    }
    listed = b"[" + b",".join([PAYLOAD] * LIST_READINGS) + b"]"
    lists = rate(lambda: native.decode(TOPIC, listed, RECEIVED_MS), DECODES // LIST_READINGS)
    table.at_least("codec: native readings, one a message, one core", found["native"], "/s", NATIVE_TARGET_PER_SECOND)
    table.add(f"codec: native readings, {LIST_READINGS} a message, one core", lists * LIST_READINGS, "/s")
    for family in families.FAMILIES:
        table.add(f"codec: {family} messages, one core", found[family], "/s")
    table.found["codecs"] = found | {"native_listed": lists * LIST_READINGS}
