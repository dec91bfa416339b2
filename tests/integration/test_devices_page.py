"""The devices' page and its API: how each device is, what was refused, what may be adopted, and by whom."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from psycopg.types.json import Jsonb

from care import devices_view as view
from dispatch import measuring
from pingan import metrics
from pingan.clock import SystemClock
from pingan.database import Database
from tests.integration.web_support import Site, site

REGISTER = """
insert into homes (id, area, address) values ('H009', '440704', '江海路9号');
insert into devices (id, home, kind, enrolled_at) values
    ('H001-hub', 'H001', 'hub', '2026-01-01Z'), ('H009-hub', 'H009', 'hub', '2026-01-01Z'),
    ('H001-door', 'H001', 'door', '2026-01-01Z'), ('H002-motion', 'H002', 'motion', '2026-01-01Z'),
    ('H003-watch', 'H003', 'watch', '2026-01-01Z'), ('spare', null, 'pendant', '2026-01-01Z'),
    ('sim-clock', null, 'clock', '2026-01-01Z');
"""
NASTY = "<script>alert(3)</script>"


@pytest.fixture
async def at(postgres_url: str) -> AsyncIterator[Site]:
    async with site(postgres_url) as one:
        await one.furnish()
        async with one.process.database.connection() as connection:
            await connection.execute(REGISTER)
        yield one


class Field:
    """What happens in the homes, as alerting and ingest write it down."""

    def __init__(self, database: Database, now: datetime) -> None:
        self.database, self.now = database, now

    async def heard(self, *devices: str, ago: float = 5, battery: float | None = 80, kind: str = "status") -> None:
        async with self.database.connection() as connection:
            for device in devices:
                await connection.execute(
                    "insert into device_heard (device, first_at, last_at, messages, last_kind, battery_percent)"
                    " values (%s, %s, %s, 7, %s, %s) on conflict (device) do update set last_at = excluded.last_at",
                    (device, self.now - timedelta(days=1), self.now - timedelta(seconds=ago), kind, battery),
                )

    async def raised(
        self, kind: str, device: str, home: str, ago: float = 60, restores: UUID | None = None, **evidence: Any
    ) -> UUID:
        alarm, at = uuid4(), self.now - timedelta(seconds=ago)
        told = {"source": "derived", **evidence} | ({"restores": str(restores)} if restores else {})
        async with self.database.connection() as connection:
            await connection.execute(
                "insert into alarms (id, kind, home, device, at, received_at, raised_at, test, evidence, taken_at)"
                " values (%s, %s, %s, %s, %s, %s, %s, false, %s, %s)",
                (alarm, kind, home, device, at, at, at, Jsonb(told), at),
            )
        return alarm

    async def refused(self, reason: str, device: str | None, payload: bytes, topic: str = "pingan/v1/x/up") -> None:
        async with self.database.connection() as connection:
            await connection.execute(
                "insert into rejected (received_at, device, topic, reason, detail, payload, payload_bytes)"
                " values (%s, %s, %s, %s, %s, %s, %s)",
                (self.now, device, topic, reason, f"detail {NASTY}", payload, len(payload)),
            )
            await connection.execute(
                "insert into rejected_counts values (%s, %s, 1) on conflict (day, reason)"
                " do update set count = rejected_counts.count + 1",
                (self.now.date(), reason),
            )

    async def states(self, scope: str | None = None) -> dict[str, str]:
        async with self.database.connection() as connection:
            query = (
                "select s.id, state from device_states s left join homes h on h.id = s.home"
                " where %(scope)s::text is null or starts_with(h.area, %(scope)s)"
            )
            rows = await (await connection.execute(query, {"scope": scope})).fetchall()
        return {row["id"]: row["state"] for row in rows}


@pytest.fixture
def field(at: Site) -> Field:
    return Field(at.process.database, SystemClock().now())


async def test_a_state_is_what_was_raised_and_not_taken_back(field: Field) -> None:
    await field.heard("H001-button", "H001-hub", "H001-door", "spare")
    await field.heard("H003-watch", ago=500)
    lost = await field.raised("heartbeat_lost", "H001-button", "H001", 900)
    await field.raised("device_restored", "H001-button", "H001", 600, restores=lost)
    low = await field.raised("battery_low", "H001-door", "H001", 900)
    await field.raised("battery_critical", "H001-door", "H001", 600)
    await field.raised("battery_restored", "H001-door", "H001", 300, restores=low)
    await field.raised("fault", "H001-hub", "H001", 900, value="fault:E1")
    other = await field.raised("fault", "H001-hub", "H001", 800, value="fault:E2")
    await field.raised("fault_restored", "H001-hub", "H001", 700, restores=other)
    await field.raised("heartbeat_lost", "H003-watch", "H003", 100)
    assert await field.states() == {
        "H001-button": "well", "H001-door": "low_battery", "H001-hub": "faulty", "H009-hub": "never_heard",
        "H002-motion": "never_heard", "H003-watch": "silent", "spare": "unbound",
    }  # fmt: skip
    await field.heard("H003-watch", ago=1)  # heard since: its restore is on its way
    assert (await field.states())["H003-watch"] == "well"


async def test_a_gateway_is_heard_in_those_behind_it(field: Field) -> None:
    """Most say nothing of their own, and a network server belongs to no home."""
    async with field.database.connection() as connection:
        await connection.execute(
            "insert into devices (id, home, kind, mqtt_password_hash, enrolled_at) select id, home, 'hub', 'x', %s"
            " from (values ('lora', null), ('zigbee', 'H001'), ('idle', null)) given(id, home)",
            [field.now],
        )
        await connection.execute("update devices set gateway = 'zigbee', address = 'door' where id = 'H001-door'")
    await field.heard("lora/24e124535b316056", "H001-door")
    states = await field.states()
    assert [states[one] for one in ("lora", "zigbee", "idle")] == ["well", "well", "never_heard"]
    async with field.database.connection() as connection:
        row = await (await connection.execute("select last_at from device_states where id = 'lora'")).fetchone()
    assert row
    assert row["last_at"] is not None


async def test_a_device_that_was_moved_or_disabled_is_not_what_it_was(field: Field) -> None:
    await field.heard("H001-button", "H001-door", ago=500)
    for device in ("H001-button", "H001-door"):
        await field.raised("heartbeat_lost", device, "H001")
    async with field.database.connection() as connection:
        await connection.execute("update devices set home = 'H002' where id = 'H001-button'")
        await connection.execute("update devices set enabled = false where id = 'H001-door'")
    states = await field.states()
    assert (states["H001-button"], states["H001-door"]) == ("well", "disabled")


async def test_each_is_counted_once_and_listed_wherever_it_has_to_be_looked_after(field: Field) -> None:
    await field.heard("H003-watch", ago=500, battery=12)
    await field.raised("battery_low", "H003-watch", "H003", 400)
    await field.raised("heartbeat_lost", "H003-watch", "H003", 100)
    async with field.database.connection() as connection:
        counts, lists = await view.overview(connection, None)
        narrow, within = await view.overview(connection, "440704")
        _, second = await view.listed(connection, None, "never_heard", 2)
    assert (counts["silent"], counts["low_battery"], sum(counts.values())) == (1, 0, 7)
    assert [row["id"] for row in lists["silent"]] == [row["id"] for row in lists["low_battery"]] == ["H003-watch"]
    assert sum(narrow.values()) == 2
    assert [row["id"] for row in within["silent"]] == ["H003-watch"]
    assert [row["id"] for row in within["never_heard"]] == ["H009-hub"]
    assert second.rows == []


async def test_lists_are_paged_to_their_end(field: Field) -> None:
    async with field.database.connection() as connection:
        await connection.execute(
            "insert into devices (id, home, kind, enrolled_at)"
            " select 'many-' || lpad(n::text, 3, '0'), 'H002', 'door', '2026-02-01Z' from generate_series(1, 120) n"
        )
        seen: list[str] = []
        page: int | None = 1
        while page is not None:
            _, found = await view.listed(connection, None, "never_heard", page)
            seen += [row["id"] for row in found.rows]
            page = found.next
    assert len(seen) == len(set(seen)) == 127
    assert {f"many-{n:03}" for n in range(1, 121)} <= set(seen)


@pytest.mark.parametrize(
    ("payload", "shown"),
    [
        (b'{"a": 1}', '{"a": 1}'),
        ("你好".encode(), "你好"),
        (b"\xff\x00\x07", "\\xff\\x00\\x07"),
        ("\u202eevil\u200b".encode(), "\\u202eevil\\u200b"),
        (b"a" * 500, "a" * 300 + "…"),
        (b"", ""),
    ],
)
def test_whatever_came_is_shown_as_text_that_shows_what_it_is(payload: bytes, shown: str) -> None:
    assert view.readable(payload) == shown


async def test_what_was_refused_is_seen_by_whose_device_it_is(at: Site, field: Field) -> None:
    await field.refused("not_json", "H001-button", f"{NASTY}\x00\xff".encode("latin-1"))
    await field.refused("unknown_topic", None, b"x", topic=f"pingan/v1/{NASTY}")
    await field.refused("not_json", "H009-hub/0x1", b"[")
    async with await at.signed_in("operator") as client:
        page = (await client.get("/devices")).text
        both = (await client.get("/devices/rejected", params={"reason": "not_json"})).text
    assert NASTY not in page
    assert "&lt;script&gt;alert(3)&lt;/script&gt;" in page
    assert "\\x00\\xff" in both
    assert "H009-hub/0x1" in both
    async with await at.signed_in("operator", "440704") as client:
        page = (await client.get("/devices")).text
        found = (await client.get("/api/v1/rejected")).json()
    assert "H001" not in page
    assert [row["device"] for row in found["items"]] == ["H009-hub/0x1"]
    assert found["week"] is None
    async with await at.machine("operator") as client:
        found = (await client.get("/api/v1/rejected", params={"reason": "not_json"})).json()
    assert [row["payload"] for row in found["items"]] == ["[", f"{NASTY}\\x00\\xff"]
    assert found["week"] == {"not_json": 2, "unknown_topic": 1}


async def test_a_device_has_its_own_page_and_never_its_password(at: Site, field: Field) -> None:
    await field.heard("H001-button")
    await field.raised("sos", "H001-button", "H001", source="reported", attempt=2)
    async with field.database.connection() as connection:
        await connection.execute("update devices set mqtt_password_hash = '$7$secret' where id = 'H001-button'")
        await connection.execute("select readings_day(%s::date)", (field.now.date(),))
        await connection.execute(
            "insert into readings (at, received_at, device, home, boot, seq, kind, detail)"
            " values (%(now)s, %(now)s, 'H001-button', 'H001', 'b', 1, 'status', %(detail)s)",
            {"now": field.now, "detail": Jsonb({"note": NASTY})},
        )
    async with await at.signed_in("operator") as client:
        for language in ("zh", "en"):
            client.cookies.set("pingan_language", language)
            page = await client.get("/devices/H001-button")
            assert page.status_code == 200
            assert "$7$secret" not in page.text
            assert NASTY not in page.text
        assert (await client.get("/devices/nobody")).status_code == 404
    async with await at.machine("supervisor") as client:
        found = (await client.get("/api/v1/devices/H001-button")).json()
        figures = (await client.get("/api/v1/device-figures")).json()
    assert found["state"] == "well"
    assert [row["kind"] for row in found["history"]] == ["sos"]
    assert found["readings"][0]["detail"] == {"note": NASTY}
    assert not any("password" in name for name in found)
    assert [(row["device"], row["failed"]) for row in figures["failing"]] == [("H001-button", 1)]
    async with await at.signed_in("operator", "440704") as client:
        assert (await client.get("/devices/H001-button")).status_code == 404
        assert (await client.get("/devices/H003-watch")).status_code == 200


async def test_pages_are_for_the_desk(at: Site) -> None:
    async with await at.signed_in("auditor") as client:
        for path in ("/devices", "/devices/list/silent", "/devices/adoption", "/api/v1/devices", "/api/v1/rejected"):
            assert (await client.get(path)).status_code == 403, path
    async with at.client() as client:
        assert (await client.get("/api/v1/devices")).status_code == 401
    async with await at.signed_in("operator") as client:
        assert (await client.get("/devices/list/broken")).status_code == 422
        assert (await client.get("/devices/list/silent?page=0")).status_code == 422
        for state in (*view.STATES,):
            assert (await client.get(f"/devices/list/{state}")).status_code == 200


async def test_what_is_heard_and_is_nobodys_is_adopted_once(at: Site, field: Field) -> None:
    strange = f"H001-hub/{NASTY} 床头"
    await field.heard(strange, kind="sos")
    await field.heard("H009-hub/0x02", "spare", "H001-button", "H001-hub", "sim-clock")
    async with await at.signed_in("operator") as client:
        page = (await client.get("/devices/adoption")).text
        assert NASTY not in page
        assert "床头" in page
        assert "/devices/adopt?" not in page
        form = {"device": strange, "id": "H001-sos", "home": "H001", "kind": "button", "heartbeat_seconds": "90000"}
        assert (await client.post("/devices/adopt", data=form)).status_code == 403
    async with await at.machine("supervisor") as client:
        found = (await client.get("/api/v1/adoption")).json()
        assert {row["device"] for row in found["items"]} == {strange, "H009-hub/0x02", "spare"}
    async with await at.signed_in("supervisor") as client:
        page = (await client.get("/devices/adopt", params={"device": strange})).text
        assert "晚晴路12号3栋402室" in page  # the home of its gateway is offered first
        taken = await client.post("/devices/adopt", data={**form, "id": "H001-button"})
        assert taken.status_code == 422
        assert "H001-button" in taken.text
        assert (await client.post("/devices/adopt", data={**form, "home": "H404"})).status_code == 422
        assert (await client.post("/devices/adopt", data={**form, "heartbeat_seconds": "7"})).status_code == 422
        assert (await client.post("/devices/adopt", data={**form, "id": ""})).status_code == 422
        done = await client.post("/devices/adopt", data=form)
        assert (done.status_code, done.headers.get("location")) == (303, "/devices/H001-sos?said=adopted")
        assert (await client.post("/devices/adopt", data={**form, "id": "H001-again"})).status_code == 404
        assert (await client.get("/devices/adopt", params={"device": "a\0b"})).status_code == 404
    async with field.database.connection() as connection:
        query = "select id, home, kind, gateway, address, heartbeat_seconds from devices where gateway is not null"
        rows = await (await connection.execute(query)).fetchall()
    assert rows == [
        {"id": "H001-sos", "home": "H001", "kind": "button", "gateway": "H001-hub", "address": f"{NASTY} 床头",
         "heartbeat_seconds": 90_000}
    ]  # fmt: skip


async def test_nobody_adopts_what_stands_in_another_area(at: Site, field: Field) -> None:
    await field.heard("H001-hub/0x01", "H009-hub/0x02", "spare")
    async with await at.signed_in("supervisor", "440704") as client:
        assert [row["device"] for row in (await client.get("/api/v1/adoption")).json()["items"]] == ["H009-hub/0x02"]
        wish = {"device": "H001-hub/0x01", "id": "mine", "home": "H003", "kind": "door"}
        assert (await client.post("/api/v1/adoption", json=wish)).status_code == 404
        wish = {"device": "H009-hub/0x02", "id": "mine", "home": "H001", "kind": "door"}
        assert (await client.post("/api/v1/adoption", json=wish)).status_code == 422
        done = await client.post("/api/v1/adoption", json={**wish, "home": "H009"})
        assert done.json()["what"] == "added"


async def test_a_device_that_speaks_for_itself_keeps_its_name(at: Site, field: Field) -> None:
    await field.heard("spare")
    async with await at.machine("supervisor") as client:
        wish = {"device": "spare", "id": "another", "home": "H001", "kind": "pendant", "heartbeat_seconds": 900}
        assert (await client.post("/api/v1/adoption", json=wish)).status_code == 422
        done = (await client.post("/api/v1/adoption", json={**wish, "id": "spare"})).json()
    assert (done["id"], done["what"]) == ("spare", "changed")
    assert (await field.states())["spare"] == "well"


async def test_what_the_page_counts_is_measured(field: Field) -> None:
    await field.heard("H003-watch", ago=500)
    await field.raised("heartbeat_lost", "H003-watch", "H003", 100)
    await field.heard("H001-hub/0x01", "spare")
    async with field.database.connection() as connection:
        counts, _ = await view.overview(connection, None)
        adoption = await view.adoption(connection, None)
    await measuring.look_at_devices(field.database)
    (family,) = metrics.DEVICES.collect()
    assert {one.labels["state"]: one.value for one in family.samples} == counts
    assert counts["silent"] == 1
    (family,) = metrics.DEVICES_UNADOPTED.collect()
    assert [one.value for one in family.samples] == [len(adoption.rows)] == [2]
    assert set(measuring.DEVICE_STATES) == set(view.STATES)
    metrics.hide(*measuring.DEVICES_LOOKED_AT)


async def test_a_device_is_told_and_tested_from_its_page(at: Site, field: Field) -> None:
    await field.heard("H001-button")
    form = {"heartbeat_seconds": "900", "volume": "7", "weekday": "2", "hour": "10", "hold_seconds": "2"}
    async with await at.signed_in("operator") as client:
        assert (await client.post("/devices/H001-button/config", data=form)).status_code == 403
        asked = await client.post("/devices/H001-button/self-test")
        assert (asked.status_code, asked.headers["location"]) == (303, "/devices/H001-button?said=asked#tests")
        client.cookies.set("pingan_language", "en")
        again = await client.post("/devices/H001-button/self-test")
        assert again.status_code == 409
        assert "under way already" in again.text
        assert (await client.post("/devices/nobody/self-test")).status_code == 404
    async with await at.signed_in("supervisor") as client:
        assert (await client.post("/devices/H001-button/config", data=form)).status_code == 303
        for wrong in (
            {"volume": "11"},
            {"heartbeat_seconds": ""},
            {"weekday": "9"},
            {"hour": "x"},
            {"hold_seconds": "6"},
        ):
            assert (await client.post("/devices/H001-button/config", data=form | wrong)).status_code == 422, wrong
        page = (await client.get("/devices/H001-button")).text
    assert "周二" in page
    async with field.database.connection() as connection:
        columns = "volume, reminder_weekday, reminder_hour, hold_seconds"
        query = f"select {columns} from device_configs where device = 'H001-button'"
        row = await (await connection.execute(query)).fetchone()
    assert row == {"volume": 7, "reminder_weekday": 2, "reminder_hour": 10, "hold_seconds": 2}
