"""Signing in: the right way, every wrong way, and many at once."""

import asyncio
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from care.accounts import FAILURES_A_MINUTE, AccountError, Accounts, Refused, Session, new_password, token_hash
from pingan.database import Database

NOW = datetime(2026, 3, 1, 20, 0, tzinfo=UTC)
PASSWORD = "correct horse battery"


@pytest.fixture
async def accounts(database: Database) -> Accounts:
    accounts = Accounts(database)
    await accounts.add("operator", "王芳", "operator", PASSWORD)
    return accounts


async def signed_in(accounts: Accounts, now: datetime = NOW) -> Session:
    session = await accounts.sign_in("operator", PASSWORD, now)
    assert isinstance(session, Session)
    return session


async def test_a_session_lasts_twelve_hours_and_says_who(accounts: Accounts) -> None:
    session = await signed_in(accounts)
    assert session.expires_at == NOW + timedelta(hours=12)
    who = await accounts.who(session.token, NOW + timedelta(hours=11, minutes=59))
    assert who == session.principal
    assert (who.id, who.name, who.role, who.area, who.machine) == ("operator", "王芳", "operator", None, False)
    assert await accounts.who(session.token, session.expires_at) is None
    assert await accounts.who("another", NOW) is None


async def test_the_database_holds_neither_password_nor_token(accounts: Accounts, postgres_url: str) -> None:
    session = await signed_in(accounts)
    with psycopg.connect(postgres_url) as connection:
        [(stored,)] = connection.execute("select token_hash from sessions").fetchall()
        [(password,)] = connection.execute("select password_hash from accounts").fetchall()
    assert stored == token_hash(session.token)
    assert session.token.encode() not in stored
    assert password.startswith("$argon2id$v=19$m=19456,t=2,p=1$")


@pytest.mark.parametrize(
    ("account", "password"),
    [("operator", "wrong horse battery"), ("nobody", PASSWORD), ("operator'--", PASSWORD), ("", ""), ("operator", "")],
)
async def test_every_wrong_one_gets_the_same_answer(accounts: Accounts, account: str, password: str) -> None:
    assert await accounts.sign_in(account, password, NOW) is Refused.WRONG


async def test_an_account_may_be_typed_in_capitals_and_a_password_may_not(accounts: Accounts) -> None:
    assert isinstance(await accounts.sign_in(" Operator ", PASSWORD, NOW), Session)
    assert await accounts.sign_in("operator", PASSWORD.upper(), NOW) is Refused.WRONG


async def test_a_sixth_try_within_a_minute_is_refused_even_with_the_right_password(accounts: Accounts) -> None:
    for _ in range(FAILURES_A_MINUTE):
        assert await accounts.sign_in("operator", "wrong horse battery", NOW) is Refused.WRONG
    assert await accounts.sign_in("operator", PASSWORD, NOW + timedelta(seconds=59)) is Refused.THROTTLED
    await signed_in(accounts, NOW + timedelta(seconds=60))


async def test_an_unknown_account_is_throttled_like_a_known_one(accounts: Accounts) -> None:
    for _ in range(FAILURES_A_MINUTE):
        assert await accounts.sign_in("nobody", PASSWORD, NOW) is Refused.WRONG
    assert await accounts.sign_in("nobody", PASSWORD, NOW) is Refused.THROTTLED
    await signed_in(accounts)


async def test_fifty_at_once_are_five_tries(database: Database, accounts: Accounts) -> None:
    # Two processes, so that no memory of one of them does the counting.
    ways = (accounts, Accounts(database))
    tries = [ways[n % 2].sign_in("operator", "wrong horse battery", NOW) for n in range(50)]
    answers = await asyncio.gather(*tries)
    assert answers.count(Refused.WRONG) == FAILURES_A_MINUTE
    assert answers.count(Refused.THROTTLED) == 45


async def test_a_flood_is_told_to_come_back(accounts: Accounts) -> None:
    answers = await asyncio.gather(*(accounts.sign_in(f"a{n}", PASSWORD, NOW) for n in range(60)))
    assert answers.count(Refused.BUSY) == 28
    await signed_in(accounts)


async def test_signing_in_again_ends_the_session_one_came_with(accounts: Accounts) -> None:
    first = await signed_in(accounts)
    second = await accounts.sign_in("operator", PASSWORD, NOW, replaces=first.token)
    assert isinstance(second, Session)
    assert second.token != first.token
    assert await accounts.who(first.token, NOW) is None
    assert await accounts.who(second.token, NOW) is not None


async def test_signing_out_ends_one_session_and_a_new_password_all(accounts: Accounts) -> None:
    first, second, third = [await signed_in(accounts) for _ in range(3)]
    await accounts.sign_out(first.token)
    assert await accounts.who(first.token, NOW) is None
    assert await accounts.who(second.token, NOW) is not None
    await accounts.set_password("operator", "another horse battery")
    assert await accounts.who(second.token, NOW) is None
    assert await accounts.who(third.token, NOW) is None
    assert await accounts.sign_in("operator", PASSWORD, NOW) is Refused.WRONG


async def test_a_closed_account_is_out_at_once_and_cannot_come_in(accounts: Accounts) -> None:
    session = await signed_in(accounts)
    await accounts.enable("operator", False)
    assert await accounts.who(session.token, NOW) is None
    assert await accounts.sign_in("operator", PASSWORD, NOW) is Refused.WRONG
    await accounts.enable("operator", True)
    await signed_in(accounts)


async def test_a_hash_of_older_parameters_is_renewed_at_sign_in(database: Database) -> None:
    older = Accounts(database, memory_kib=1024, passes=1)
    await older.add("operator", "王芳", "operator", PASSWORD)
    accounts = Accounts(database)
    await signed_in(accounts)
    async with database.connection() as connection:
        row = await (await connection.execute("select password_hash from accounts")).fetchone()
    assert row is not None
    assert "m=19456" in row["password_hash"]
    await signed_in(accounts)


async def test_a_machine_has_a_token_until_it_is_withdrawn(accounts: Accounts) -> None:
    token = await accounts.create_token("grafana", "auditor", NOW)
    who = await accounts.authorize(token)
    assert who is not None
    assert (who.id, who.role, who.machine) == ("token:grafana", "auditor", True)
    with pytest.raises(AccountError, match="token_exists"):
        await accounts.create_token("grafana", "auditor", NOW)
    assert await accounts.end_token("grafana")
    assert await accounts.authorize(token) is None
    assert not await accounts.end_token("grafana")


async def test_a_session_is_no_bearer_token_and_a_bearer_token_no_session(accounts: Accounts) -> None:
    session = await signed_in(accounts)
    token = await accounts.create_token("grafana", "auditor", NOW)
    assert await accounts.authorize(session.token) is None
    assert await accounts.who(token, NOW) is None


@pytest.mark.parametrize(
    ("account", "role", "password", "area", "reason"),
    [
        ("Big Name", "operator", PASSWORD, None, "account_id"),
        ("second", "root", PASSWORD, None, "role"),
        ("second", "operator", "short", None, "password_length"),
        ("second", "operator", "second second", None, "password_weak"),
        ("second", "operator", "aaaaaaaaaaaaaa", None, "password_weak"),
        ("second", "operator", PASSWORD, "4407", "no_area"),
        ("operator", "operator", PASSWORD, None, "account_exists"),
    ],
)
async def test_what_no_account_can_be(
    accounts: Accounts, account: str, role: str, password: str, area: str | None, reason: str
) -> None:
    with pytest.raises(AccountError) as refused:
        await accounts.add(account, "某", role, password, area=area)  # type: ignore[arg-type]
    assert refused.value.reason == reason
    assert [known.id for known in await accounts.list()] == ["operator"]


async def test_new_passwords_are_accepted_and_differ(accounts: Accounts) -> None:
    passwords = {new_password() for _ in range(1000)}
    assert len(passwords) == 1000
    await accounts.set_password("operator", passwords.pop())
