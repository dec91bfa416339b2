"""The protocol page is true: its example works as it stands, and its names and limits are the codec's."""

import asyncio
import os
import re
import sys
from pathlib import Path

from ingest.bridge import ALARM, House
from ingest.codecs import Reason, Remark
from ingest.codecs.native import LIST_READINGS_MAX
from ingest.codecs.strict import INTEGER_MAX, PAYLOAD_BYTES_MAX, VALUE_DEPTH_MAX
from pingan.database import Database
from pingan.messages import ANSWERS, RINGING, Event
from tests.conftest import Broker, Until
from tests.integration.ingest_support import PASSWORD, admit_devices, fill_register, messages, running, settings

PAGE = (Path(__file__).parents[2] / "docs" / "protocol.md").read_text(encoding="utf-8")


async def test_the_page_s_own_device_raises_an_alarm_and_is_answered(
    database: Database, broker: Broker, postgres_url: str, until: Until
) -> None:
    (program,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    await fill_register(database)
    admit_devices(broker)
    environment = os.environ | {"HOST": broker.host, "PORT": str(broker.port), "DEVICE": "H001-button"}
    async with running(House(settings(broker, postgres_url, ALARM, "alarm-1"), ALARM)) as house:
        await until(lambda: house.state.ready and not house.state.describe()["detail"])
        device = await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-c", program),
            env=environment | {"PASSWORD": PASSWORD},
            stdout=asyncio.subprocess.PIPE,
        )
        printed, _ = await device.communicate()
    assert device.returncode == 0
    (event,) = await messages(database, "urgent", Event)
    assert "'stage': 'received'" in printed.decode()
    assert event.id in printed.decode()


def test_the_page_names_every_reason_and_remark_and_no_other() -> None:
    table = PAGE[PAGE.index("| `error` | when |") :]
    of_gateways = {Reason.UNKNOWN_FAMILY, Reason.RETAINED_ALARM, Reason.FLOOD}  # docs/families.md has them
    assert set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)) - {"error"} == {*Reason} - of_gateways
    for remark in Remark:
        assert f"`{remark}`" in table


def test_the_page_s_limits_are_the_codec_s() -> None:
    assert f"{PAYLOAD_BYTES_MAX:,} bytes" in PAGE
    assert f"at most {LIST_READINGS_MAX:,} of them" in PAGE
    assert f"nested at most {VALUE_DEPTH_MAX} deep" in PAGE
    assert INTEGER_MAX == 2**53 - 1
    for kind in RINGING | ANSWERS:
        assert f"`{kind}`" in PAGE
