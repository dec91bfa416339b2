"""Accounts of people, bearer tokens of machines, and the sessions of those who have signed in.

Passwords are kept as argon2id, tokens as SHA-256: a stolen database signs nobody in. An attempt is counted before its
password is looked at, and the counting is in the database, so neither a burst nor a restart gives extra tries. An
unknown account costs the same work and gets the same answer as a wrong password.
"""

import asyncio
import hashlib
import re
import secrets
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from psycopg.errors import ForeignKeyViolation

from care.principals import MACHINE_ROLES, ROLES, Principal, Role
from care.refusal import Refusal
from pingan.database import Database, Queries

sql = Queries(__file__, "accounts.sql")

SESSION_HOURS = 12
"""One shift and its hand-over."""
FAILURES_A_MINUTE = 5
TOKEN_BYTES = 32
PASSWORD_CHARACTERS = (12, 256)
WAITING_LIMIT = 32
"""Sign-ins that may wait for their turn to be verified; more are told to come back, so a flood costs no memory."""
ACCOUNT = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
TOKEN_NAME = re.compile(r"[\w][\w .-]{0,63}")


class Refused(Enum):
    """Why there is no session. The first is all that a stranger is told about accounts."""

    WRONG = "wrong"
    THROTTLED = "throttled"
    """Five wrong ones within a minute: wait a minute."""
    BUSY = "busy"
    """Too many sign-ins at once: try again."""


class AccountError(Refusal):
    """An account or token cannot be made so."""


@dataclass(frozen=True, slots=True)
class Session:
    """Signed in. `token` goes into the cookie and is kept nowhere else."""

    token: str
    principal: Principal
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Account:
    id: str
    name: str
    role: Role
    area: str | None
    language: str
    enabled: bool


def token_hash(token: str) -> bytes:
    """What is stored of a token. It is random and long: nothing slower is needed."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def _password(text: str) -> str:
    # The same characters typed on two keyboards may be two sequences of code points.
    return unicodedata.normalize("NFKC", text)


class Accounts:
    """One process's way to the accounts. Its parameters are OWASP's for argon2id: 19 MiB, two passes, one lane."""

    def __init__(self, database: Database, *, memory_kib: int = 19456, passes: int = 2) -> None:
        self._database = database
        self._hasher = PasswordHasher(time_cost=passes, memory_cost=memory_kib, parallelism=1)
        self._nobody = self._hasher.hash(secrets.token_urlsafe())
        # One at a time: signing in must not take both cores, nor much memory, from answering calls.
        self._turn = asyncio.Semaphore(1)
        self._waiting = 0

    async def sign_in(
        self, account: str, password: str, now: datetime, *, replaces: str | None = None
    ) -> Session | Refused:
        """A new session, or why there is none. `replaces`: the token the browser came with; it ends."""
        account = account.strip().lower()
        if not ACCOUNT.fullmatch(account) or len(password) > PASSWORD_CHARACTERS[1]:
            return Refused.WRONG
        if self._waiting >= WAITING_LIMIT:
            return Refused.BUSY
        self._waiting += 1
        try:
            if not await self._count(account, now):
                return Refused.THROTTLED
            async with self._database.connection() as connection:
                row = await (await connection.execute(sql.account, {"id": account})).fetchone()
            stored = row["password_hash"] if row is not None else self._nobody
            right = await self._verify(stored, password)
            if row is None or not right or not row["enabled"]:
                return Refused.WRONG
            principal = Principal(row["id"], row["name"], row["role"], row["area"], row["language"])
            return await self._open(principal, stored, password, now, replaces)
        finally:
            self._waiting -= 1

    async def _count(self, account: str, now: datetime) -> bool:
        """Record the attempt as failed until it is shown to be right. False when there were too many."""
        since = now - timedelta(minutes=1)
        async with self._database.transaction() as connection:
            await connection.execute(sql.lock_attempts, {"account": account})
            await connection.execute(sql.forget_failures, {"before": since})
            row = await (await connection.execute(sql.count_failures, {"account": account, "since": since})).fetchone()
            if row is None or row["count"] >= FAILURES_A_MINUTE:
                return False
            await connection.execute(sql.add_failure, {"account": account, "at": now})
        return True

    async def _verify(self, stored: str, password: str) -> bool:
        async with self._turn:
            try:
                return await asyncio.to_thread(self._hasher.verify, stored, _password(password))
            except (VerificationError, InvalidHashError):
                return False

    async def hash(self, password: str) -> str:
        """What is stored of a password. Not looked at for strength: see `add`."""
        async with self._turn:
            return await asyncio.to_thread(self._hasher.hash, _password(password))

    async def _open(
        self, principal: Principal, stored: str, password: str, now: datetime, replaces: str | None
    ) -> Session | Refused:
        renewed = await self.hash(password) if self._hasher.check_needs_rehash(stored) else None
        token = secrets.token_urlsafe(TOKEN_BYTES)
        session = Session(token, principal, now + timedelta(hours=SESSION_HOURS))
        async with self._database.transaction() as connection:
            await connection.execute(sql.forget_sessions, {"now": now})
            if replaces is not None:
                await connection.execute(sql.end_session, {"token_hash": token_hash(replaces)})
            opened = await connection.execute(
                sql.add_session,
                {
                    "token_hash": token_hash(token),
                    "account": principal.id,
                    "verified": stored,
                    "now": now,
                    "expires_at": session.expires_at,
                },
            )
            if opened.rowcount != 1:
                return Refused.WRONG
            await connection.execute(sql.clear_failures, {"account": principal.id})
            if renewed is not None:
                change = {"id": principal.id, "password_hash": renewed, "verified": stored}
                await connection.execute(sql.rehash_password, change)
        return session

    async def sign_out(self, token: str) -> None:
        """End the session of `token`; nothing happens when there is none."""
        async with self._database.connection() as connection:
            await connection.execute(sql.end_session, {"token_hash": token_hash(token)})

    async def who(self, token: str, now: datetime) -> Principal | None:
        """Whose session `token` is. None: nobody's, or expired, or the account is closed."""
        async with self._database.connection() as connection:
            found = await connection.execute(sql.whose_session, {"token_hash": token_hash(token), "now": now})
            row = await found.fetchone()
        if row is None:
            return None
        return Principal(row["id"], row["name"], row["role"], row["area"], row["language"])

    async def authorize(self, bearer: str) -> Principal | None:
        """Which machine `bearer` (the token alone, without the word `Bearer`) belongs to, or None."""
        async with self._database.connection() as connection:
            found = await connection.execute(sql.whose_token, {"token_hash": token_hash(bearer)})
            row = await found.fetchone()
        if row is None:
            return None
        return Principal(f"token:{row['name']}", row["name"], row["role"], row["area"], machine=True)

    async def create_token(self, name: str, role: Role, now: datetime, *, area: str | None = None) -> str:
        """A bearer token, shown this once. AccountError: bad name or role, the name is taken, no such area."""
        if not TOKEN_NAME.fullmatch(name):
            raise AccountError("token_name", name=name)
        if role not in MACHINE_ROLES:
            raise AccountError("role", role=role, roles=", ".join(MACHINE_ROLES))
        token = secrets.token_urlsafe(TOKEN_BYTES)
        values = {"token_hash": token_hash(token), "name": name, "role": role, "area": area, "now": now}
        if await self._write(sql.add_token, values) != 1:
            raise AccountError("token_exists", name=name)
        return token

    async def end_token(self, name: str) -> bool:
        """Withdraw a bearer token. False when there is none of that name."""
        return await self._write(sql.end_token, {"name": name}) == 1

    async def add(
        self, account: str, name: str, role: Role, password: str, *, area: str | None = None, language: str = "zh"
    ) -> None:
        """Make an account. AccountError: bad id, role or password, it exists already, no such area."""
        if not ACCOUNT.fullmatch(account):
            raise AccountError("account_id", account=account)
        if role not in ROLES:
            raise AccountError("role", role=role, roles=", ".join(ROLES))
        _refuse_weak(account, password)
        values = {"id": account, "name": name, "role": role, "area": area, "language": language}
        if await self._write(sql.add_account, {**values, "password_hash": await self.hash(password)}) != 1:
            raise AccountError("account_exists", account=account)

    async def set_password(self, account: str, password: str) -> None:
        """Give a new password and end every session of the account. AccountError: too weak, no such account."""
        _refuse_weak(account, password)
        hashed = await self.hash(password)
        async with self._database.transaction() as connection:
            changed = await connection.execute(sql.set_password, {"id": account, "password_hash": hashed})
            if changed.rowcount != 1:
                raise AccountError("no_account", account=account)
            await connection.execute(sql.end_sessions, {"id": account})
            await connection.execute(sql.clear_failures, {"account": account})

    async def enable(self, account: str, enabled: bool) -> None:
        """Open or close an account; closing ends its sessions. AccountError: no such account."""
        async with self._database.transaction() as connection:
            changed = await connection.execute(sql.enable_account, {"id": account, "enabled": enabled})
            if changed.rowcount != 1:
                raise AccountError("no_account", account=account)
            if not enabled:
                await connection.execute(sql.end_sessions, {"id": account})

    async def list(self) -> list[Account]:
        async with self._database.connection() as connection:
            rows = await (await connection.execute(sql.accounts)).fetchall()
        return [Account(**row) for row in rows]

    async def _write(self, statement: str, values: Mapping[str, object]) -> int:
        try:
            async with self._database.connection() as connection:
                return (await connection.execute(statement, values)).rowcount
        except ForeignKeyViolation as error:
            raise AccountError("no_area", area=values["area"]) from error


def new_password() -> str:
    """A password to hand over once: 20 characters that are told apart when read aloud, 100 bits."""
    letters = "abcdefghjkmnpqrstuvwxyz23456789"
    return "-".join("".join(secrets.choice(letters) for _ in range(5)) for _ in range(4))


def _refuse_weak(account: str, password: str) -> None:
    # Length is what counts (NIST SP 800-63B); rules of composition only make people write it down.
    shortest, longest = PASSWORD_CHARACTERS
    if not shortest <= len(password) <= longest:
        raise AccountError("password_length", shortest=shortest, longest=longest)
    if account in password.lower() or len(set(password)) < 5:
        raise AccountError("password_weak")
