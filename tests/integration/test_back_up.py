"""The scripts of the runbook's "Back up" and "Restore", on a real PostgreSQL: the very files the containers run."""

import os
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import psycopg
import pytest
import yaml

from pingan.local.postgres import Postgres
from tests import compose

Until = Callable[[Callable[[], Awaitable[object] | object]], Awaitable[object]]
SCRIPTS = compose.ROOT / "deploy/postgres"


@pytest.fixture
def folder() -> Iterator[Path]:
    """A place which PostgreSQL's user may enter, with the scripts and an empty folder for backups."""
    folder = Path(tempfile.mkdtemp(prefix="pingan-test-"))
    folder.chmod(0o755)
    shutil.copytree(SCRIPTS, folder / "scripts")
    for name in ("wal", "base"):
        (folder / "backup" / name).mkdir(parents=True)
        (folder / "backup" / name).chmod(0o777)
    yield folder
    shutil.rmtree(folder)


def archiving(folder: Path) -> str:
    """The archive_command of docker-compose.yml, with its places mapped to ours."""
    words = yaml.safe_load(compose.FILE.read_text(encoding="utf-8"))["services"]["timescaledb"]["command"]
    (command,) = [word.partition("=")[2] for word in words if word.startswith("archive_command=")]
    command = command.replace("/etc/pingan/", f"{folder}/scripts/")
    return f"BACKUP={shlex.quote(str(folder / 'backup'))} {command}"


def script(postgres: Postgres, folder: Path, name: str, *arguments: str, **environ: str) -> str:
    """Run one of the scripts as a person in the container does. AssertionError with what it said when it fails."""
    tools = Path(postgres.programs)
    done = subprocess.run(
        ["sh", folder / "scripts" / name, *arguments],
        env={
            "PATH": f"{tools}:{os.environ['PATH']}",
            "BACKUP": str(folder / "backup"),
            "PGHOST": str(postgres.socket),
            "PGPASSFILE": str(postgres.data / "secrets/pgpass"),
            **environ,
        },
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def restored(first: Postgres, folder: Path, data: Path, *arguments: str) -> Postgres:
    """Another server on what `restore.sh` makes of a backup, as a volume that was lost and made anew."""
    shutil.copytree(first.data / "secrets", data / "secrets")
    server = Postgres(data)
    server.prepare()
    for path in server.cluster.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    script(first, folder, "restore.sh", *arguments, PGDATA=str(server.cluster))
    for path in (server.cluster, *server.cluster.rglob("*")):
        server.owner.give(path)  # in the container the script is run by PostgreSQL's own user
    server.start()
    server.ready(60)
    return server


def notes(server: Postgres) -> list[str]:
    with psycopg.connect(server.superuser_dsn, autocommit=True) as connection:
        return [text for (text,) in connection.execute("select text from notes order by text").fetchall()]


async def test_what_was_lost_is_restored_to_any_moment(folder: Path, until: Until) -> None:
    first = Postgres(folder / "first")
    first.prepare()
    with (first.cluster / "postgresql.conf").open("a", encoding="utf-8") as file:
        file.write(f"archive_mode = on\narchive_command = '{archiving(folder)}'\n")
    servers = [first]
    first.start()
    try:
        first.ready(60)
        with psycopg.connect(first.superuser_dsn, autocommit=True) as connection:
            connection.execute("create table notes (text text)")
            connection.execute("insert into notes values ('1 before the backup')")
            script(first, folder, "back_up.sh", "monday")
            connection.execute("insert into notes values ('2 after the backup')")
            row = connection.execute("select clock_timestamp()::text").fetchone()
            assert row
            connection.execute("update notes set text = 'by mistake'")
            last = connection.execute("select pg_walfile_name(pg_switch_wal())").fetchone()
            assert last
            await until(lambda: (folder / "backup/wal" / last[0]).exists())
        first.stop("immediate")
        servers.append(restored(first, folder, folder / "second", "monday"))
        assert notes(servers[-1]) == ["by mistake", "by mistake"], "to the end of what was archived"
        servers.append(restored(first, folder, folder / "third", "monday", row[0]))
        assert notes(servers[-1]) == ["1 before the backup", "2 after the backup"], "to the moment before"
    finally:
        for server in servers:
            server.remove()


def archive(folder: Path, piece: Path, name: str) -> int:
    environ = {"PATH": os.environ["PATH"], "BACKUP": str(folder / "backup")}
    command = ["sh", folder / "scripts/archive.sh", piece, name]
    return subprocess.run(command, env=environ, capture_output=True, check=False).returncode


def test_a_piece_of_the_log_is_archived_whole_once_and_never_replaced(folder: Path) -> None:
    piece, target = folder / "piece", folder / "backup/wal/000000010000000000000001"
    piece.write_bytes(b"one" * 1000)
    target.with_name(target.name + ".part").write_bytes(b"cut short")
    assert archive(folder, piece, target.name) == 0
    assert target.read_bytes() == piece.read_bytes()
    assert archive(folder, piece, target.name) == 0, "killed before it could say so: it says so now"
    piece.write_bytes(b"two" * 1000)
    assert archive(folder, piece, target.name) != 0, "another log under the same name is somebody else's"
    assert target.read_bytes() == b"one" * 1000
    shutil.rmtree(folder / "backup/wal")
    assert archive(folder, piece, "000000010000000000000002") != 0, "a disk that is not mounted"
    (folder / "backup/wal").mkdir()


def test_a_restore_never_overwrites(folder: Path) -> None:
    (folder / "backup/base/monday").mkdir()
    (folder / "data").mkdir()
    (folder / "data/PG_VERSION").write_text("17")
    environ = {"PATH": os.environ["PATH"], "BACKUP": str(folder / "backup"), "PGDATA": str(folder / "data")}
    command = ["sh", folder / "scripts/restore.sh", "monday"]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "is not empty" in done.stderr
