"""Whom a home can ask is found the same, whether each is looked up one by one or all at once, in any register."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
import pytest
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from dispatch import choosing, desk
from pingan.database import Queries

NOW = datetime(2026, 11, 22, 3, 10, tzinfo=UTC)
SHANGHAI = ZoneInfo("Asia/Shanghai")
AREAS = ("4407", "440703", "440703901", "440703901001", "440703902", "440704", "4408")
LEVEL = {4: "city", 6: "district", 9: "town", 12: "village"}
ABOVE = {4: 0, 6: 4, 9: 6, 12: 9}
PHONES = [f"+861380000{number:04}" for number in range(30)]
ONE_BY_ONE = Queries(__file__, "people_one_by_one.sql")

Connection = psycopg.Connection[dict[str, Any]]


@pytest.fixture(scope="module")
def connection(shared_url: str) -> Iterator[Connection]:
    with psycopg.connect(shared_url, row_factory=dict_row, options="-c timezone=UTC") as connection:
        yield connection


@pytest.mark.parametrize("seed", range(12))
def test_all_at_once_is_as_one_by_one(connection: Connection, seed: int) -> None:
    random = Random(seed)
    with connection.transaction(force_rollback=True):
        homes = register(connection, random)
        for home in (*homes, "nobody's"):
            asked = {"home": home, "now": NOW}
            expected = connection.execute(ONE_BY_ONE.people, asked).fetchall()
            found = connection.execute(desk.sql.people, asked).fetchall()
            assert found == expected
            # Whatever the order in which the database gave them, so they are asked.
            random.shuffle(expected)
            assert choosing.people(found, NOW, SHANGHAI) == choosing.people(expected, NOW, SHANGHAI)


def register(connection: Connection, random: Random) -> list[str]:
    """Homes, contacts, responders, absences, past and open incidents, telephones that are strangers' now; the homes."""
    with connection.cursor() as cursor:
        cursor.executemany(
            "insert into areas (code, name, level, parent) values (%s, 'x', %s, %s)",
            [(area, LEVEL[len(area)], area[: ABOVE[len(area)]] or None) for area in AREAS],
        )
        homes = [f"H{number}" for number in range(6)]
        for home in homes:
            place = (22.6, 113.07, random.choice(("WGS-84", "GCJ-02"))) if random.random() < 0.5 else (None,) * 3
            cursor.execute(
                "insert into homes (id, area, address, timezone, latitude, longitude, coordinates)"
                " values (%s, %s, 'x', %s, %s, %s, %s)",
                (home, random.choice(AREAS), random.choice((None, "Asia/Urumqi", "nowhere")), *place),
            )
            cursor.executemany(
                "insert into contacts (id, home, rank, name, relation, role, phone, has_key, told)"
                " values (%s, %s, %s, %s, 'x', %s, %s, %s, %s)",
                [
                    (f"C-{home}-{rank}", home, rank, f"李{rank}", random.choice(("family", "neighbour")),
                     random.choice(PHONES), random.random() < 0.3, random.choice((None, True, False)))
                    for rank in range(1, random.randint(1, 5))
                ],
            )  # fmt: skip
        responders = [f"R{number:02}" for number in range(25)]
        cursor.executemany(
            "insert into responders (id, name, role, area, phone, on_duty, consented_on, trained_on, hours, latitude,"
            " longitude, coordinates) values (%s, %s, 'volunteer', %s, %s, %s, %s, %s, %s, %s, %s, %s)",
            [
                (one, f"赵{one}", random.choice(AREAS), random.choice(PHONES), random.random() < 0.8,
                 random.choice((None, date(2026, 1, 1), date(2027, 1, 1))), random.choice((None, date(2026, 1, 1))),
                 random.choice((None, "mon-fri 08:00-18:00", "?")),
                 *((22.6 + random.random(), 113.07, "WGS-84") if random.random() < 0.5 else (None,) * 3))
                for one in responders
            ],
        )  # fmt: skip
        for one in random.sample(responders, 8):
            begun = NOW + timedelta(days=random.randint(-9, 3))
            stand_in = random.choice([None, *(other for other in responders if other != one)])
            until = random.choice((None, begun + timedelta(days=5)))
            cursor.execute("insert into responder_absences values (%s, %s, %s, %s)", (one, begun, until, stand_in))
        cursor.execute("insert into holidays values (%s, 'sun')", (NOW.date() + timedelta(days=random.randint(-3, 3)),))
        cursor.executemany(
            "insert into desk_tasks (kind, subject, detail, opened_at, opened_by, done_at, done_by)"
            " values (%s, %s, '{}', %s, 'x', %s, %s)",
            [
                (random.choice(("wrong_number", "bad_number")), one, NOW, *random.choice(((None, None), (NOW, "x"))))
                for one in random.sample([*responders, "C-H0-1", "C-H1-1"], 8)
            ],
        )
        for _ in range(30):
            past(cursor, random, homes, responders)
    return homes


def past(cursor: psycopg.Cursor[dict[str, Any]], random: Random, homes: list[str], responders: list[str]) -> None:
    """Somebody went, or goes, to a home or to nobody's; perhaps others beside them."""
    goers = [{"id": one} for one in random.sample([*responders, "C-H0-1", ""], random.randint(0, 3))]
    body = {"helper": goers[0] if goers else None, "seconds": goers[1:]}
    is_open = random.random() < 0.5
    cursor.execute(
        "insert into incidents (home, device, cause, danger, test, state, version, wake_at, opened_at, body, t0, t1,"
        " t9) values (%s, 'd', 'battery', false, false, %s, 1, %s, %s, %s, %s, %s, %s) on conflict do nothing",
        (random.choice([*homes, None]), "called" if is_open else "closed", NOW if is_open else None, NOW, Jsonb(body),
         NOW, NOW, None if is_open else NOW),
    )  # fmt: skip
