"""The sample neighbourhood: whole, fictional, loaded once, and its credentials where they are expected."""

import asyncio
import json
import re
import stat
from pathlib import Path

import psycopg
import pytest

from care.accounts import Accounts, Session
from care.refusal import Refusal
from care.sample import load_sample
from pingan.clock import SystemClock
from pingan.database import Database


def test_it_fills_an_empty_register_once(postgres_url: str, tmp_path: Path) -> None:
    assert load_sample(postgres_url, tmp_path)
    path = tmp_path / "sample.json"
    written = path.read_bytes()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not load_sample(postgres_url, tmp_path)
    assert path.read_bytes() == written
    with psycopg.connect(postgres_url) as connection:
        counts = {
            table: connection.execute(f"select count(*) from {table}").fetchone()[0]  # type: ignore[index]
            for table in ("homes", "people", "devices", "accounts", "tokens")
        }
        unannounced = connection.execute("select count(*) from homes where revision > announced").fetchone()
    assert counts == {"homes": 20, "people": 22, "devices": 53, "accounts": 3, "tokens": 1}
    assert unannounced == (20,)


def test_what_it_writes_is_what_the_simulator_reads(postgres_url: str, tmp_path: Path) -> None:
    load_sample(postgres_url, tmp_path)
    access = json.loads((tmp_path / "sample.json").read_text())
    assert set(access) == {
        "operator",
        "supervisor",
        "admin",
        "token",
        "devices",
        "gateways",
        "homes",
        "phones",
        "clock",
    }
    assert access["homes"][0] == {"id": "H001", "person": "陈秀英", "language": "zh", "seed": 1, "area": "440703901001"}
    assert access["phones"][0] == {
        "number": "+8613800000101",
        "name": "李梅",
        "home": "H001",
        "role": "family",
        "language": "zh",
    }
    assert [device["id"] for device in access["devices"][:3]] == ["H001-button", "H001-hub", "H001-watch"]
    assert sum(device["kind"] == "watch" for device in access["devices"]) == 5
    assert access["clock"]["id"] == "sim-clock"
    passwords = [one["password"] for one in [*access["devices"], *access["gateways"], access["clock"]]]
    assert len(set(passwords)) == 48
    assert {one["id"]: (one["family"], len(one["devices"])) for one in access["gateways"]} == {
        "H005-zigbee": ("zigbee2mqtt", 3),
        "G01-lora": ("chirpstack", 2),
    }
    assert sum(home["language"] == "en" for home in access["homes"]) == 3


def test_no_number_of_it_is_anybodys(postgres_url: str, tmp_path: Path) -> None:
    load_sample(postgres_url, tmp_path, homes=400)
    numbers = [phone["number"] for phone in json.loads((tmp_path / "sample.json").read_text())["phones"]]
    assert len(numbers) == len(set(numbers)) > 400
    for number in numbers:
        assert re.fullmatch(r"\+861380000\d{4}", number)
        assert not number.endswith("500")


async def test_its_accounts_and_its_token_work(database: Database, postgres_url: str, tmp_path: Path) -> None:
    await asyncio.to_thread(load_sample, postgres_url, tmp_path)
    access = json.loads((tmp_path / "sample.json").read_text())
    accounts = Accounts(database)
    for name, role in {"operator": "operator", "supervisor": "supervisor", "admin": "administrator"}.items():
        session = await accounts.sign_in(access[name]["user"], access[name]["password"], SystemClock().now())
        assert isinstance(session, Session)
        assert session.principal.role == role
    machine = await accounts.authorize(access["token"])
    assert machine is not None
    assert machine.role == "operator"


def test_a_register_in_use_is_left_alone(postgres_url: str, tmp_path: Path) -> None:
    with psycopg.connect(postgres_url) as connection:
        connection.execute("insert into areas (code, name, level) values ('4406', '佛山市', 'city')")
    assert not load_sample(postgres_url, tmp_path)
    assert not (tmp_path / "sample.json").exists()


def test_a_thousand_homes_are_the_same_each_time(postgres_url: str, tmp_path: Path) -> None:
    load_sample(postgres_url, tmp_path, homes=1000)
    with psycopg.connect(postgres_url) as connection:
        found = connection.execute("select name from people where id in ('P021', 'P1000') order by id").fetchall()
        homes = connection.execute("select count(*) from homes").fetchone()
    assert homes == (1000,)
    assert found == [("田秀英",), ("黄金水",)]


def test_nonsense_is_refused(postgres_url: str, tmp_path: Path) -> None:
    with pytest.raises(Refusal, match="sample_homes"):
        load_sample(postgres_url, tmp_path, homes=3)
