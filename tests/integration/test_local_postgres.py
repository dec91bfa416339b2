"""The embedded database: made, reached, killed, started again; in a folder its user can reach and in one it cannot."""

import os
import shutil
import signal
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from pingan.local.places import NOTE, PlaceError
from pingan.local.postgres import Postgres


@pytest.fixture(params=["open to pass", "closed to others"])
def data(memory: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    """A data folder below one that PostgreSQL's user may pass through, and below one that it may not."""
    outer = Path(tempfile.mkdtemp(prefix="pingan-test-", dir=memory))
    outer.chmod(0o711 if request.param == "open to pass" else 0o700)
    data = outer / "data"
    yield data
    shutil.rmtree(outer)


@pytest.fixture
def postgres(data: Path) -> Iterator[Postgres]:
    postgres = Postgres(data)
    postgres.prepare()
    yield postgres
    postgres.remove()


def start(postgres: Postgres) -> subprocess.Popen[bytes]:
    process = postgres.start()
    postgres.ready(20)
    return process


def test_the_database_is_made_and_keeps_what_is_committed_through_a_clean_stop(postgres: Postgres) -> None:
    process = start(postgres)
    with psycopg.connect(postgres.dsn) as connection:
        connection.execute("create table kept (what text)")
        connection.execute("insert into kept values ('this')")
        settings = {
            name: connection.execute(f"show {name}").fetchone()  # type: ignore[call-overload]
            for name in ("fsync", "synchronous_commit", "jit", "timezone", "listen_addresses", "shared_buffers")
        }
    assert settings == {
        "fsync": ("on",),
        "synchronous_commit": ("on",),
        "jit": ("off",),
        "timezone": ("UTC",),
        "listen_addresses": ("",),
        "shared_buffers": ("64MB",),
    }
    postgres.stop("fast")
    assert process.wait(5) == 0
    start(postgres)
    with psycopg.connect(postgres.dsn) as connection:
        assert connection.execute("select what from kept").fetchall() == [("this",)]


def test_our_role_is_no_superuser_and_needs_its_password(postgres: Postgres) -> None:
    start(postgres)
    with psycopg.connect(postgres.dsn) as connection:
        assert connection.execute("select rolsuper from pg_roles where rolname = current_user").fetchone() == (False,)
    without = postgres.dsn.partition("&passfile=")[0] + "&passfile=/dev/null"
    with pytest.raises(psycopg.OperationalError, match="no password supplied"):
        psycopg.connect(without)


def test_it_starts_again_after_kill_9_with_a_backend_in_the_middle_of_a_statement(postgres: Postgres) -> None:
    process = start(postgres)
    with psycopg.connect(postgres.dsn, autocommit=True) as connection:
        connection.execute("create table kept (what integer)")
        connection.execute("insert into kept values (1)")
        backend = connection.info.backend_pid
        os.kill(backend, signal.SIGSTOP)  # one that cannot notice its postmaster's death
        process.kill()
        process.wait()
        again = start(postgres)
        assert again.poll() is None
    with psycopg.connect(postgres.dsn) as connection:
        assert connection.execute("select what from kept").fetchall() == [(1,)]


def test_starting_replaces_a_postmaster_left_by_a_supervisor_that_was_killed(postgres: Postgres) -> None:
    orphan = start(postgres)
    later = Postgres(postgres.data)
    later.prepare()
    later.start()
    later.ready(20)
    assert orphan.wait(5) == 0
    assert later.postmaster() is not None


def test_a_stale_process_id_is_nobody_of_ours(postgres: Postgres) -> None:
    process = start(postgres)
    process.kill()
    process.wait()
    pid_file = postgres.cluster / "postmaster.pid"
    lines = pid_file.read_text().split("\n")
    pid_file.write_text("\n".join([str(os.getpid()), *lines[1:]]))  # recycled: now it is this test
    assert postgres.postmaster() is None
    start(postgres)


def test_secrets_are_private_and_parents_keep_their_permissions(postgres: Postgres) -> None:
    outer = postgres.data.parent
    before = stat.S_IMODE(outer.stat().st_mode)
    start(postgres)
    assert stat.S_IMODE(outer.stat().st_mode) == before
    for secret in (postgres.data / "secrets").iterdir():
        assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    assert stat.S_IMODE(postgres.cluster.stat().st_mode) == 0o700


def test_a_copied_data_folder_does_not_open_the_database_of_the_original(postgres: Postgres) -> None:
    if not (postgres.data / NOTE).exists():
        pytest.skip("its database lies inside, so a copy has its own")
    copy = postgres.data.with_name("copy")
    shutil.copytree(postgres.data, copy)
    with pytest.raises(PlaceError, match="was moved or copied"):
        Postgres(copy).prepare()
