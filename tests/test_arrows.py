"""The house's walls: who may import whom, what a pure file may not touch, who alone may write and send.

ARCHITECTURE.md draws these arrows; this holds them.
"""

import ast
import functools
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = ("pingan", "ingest", "alerting", "dispatch", "care", "dashboards", "device_sim")

MAY_IMPORT = {
    "pingan": set(),
    "ingest": {"pingan"},
    "alerting": {"pingan"},
    "dispatch": {"pingan"},
    "care": {"pingan"},
    "dashboards": {"pingan", "dispatch", "care"},
    "device_sim": set(),
}
"""Beside itself. Rooms meet in the log, in the database and in pingan.messages; the simulator meets nobody."""

WIRES_ALL = {"pingan/__main__.py", "pingan/web.py", "pingan/evaluate.py"}
"""The command line, the web process that mounts each room's routes, and the evaluation, which hears as ingest does: the
only files that know every room."""

PURE = (
    "pingan/journal.py",
    "pingan/messages.py",
    "pingan/times.py",
    "dispatch/auditing.py",
    "dispatch/acting.py",
    "dispatch/family.py",
    "dispatch/following.py",
    "dispatch/grouping.py",
    "dispatch/incident.py",
    "dispatch/policy.py",
    "dispatch/reachable.py",
    "dispatch/journal.py",
    "ingest/codecs/*.py",
    "ingest/device_time.py",
    "ingest/ticks.py",
    "ingest/floods.py",
    "ingest/numbering.py",
    "alerting/detectors/*.py",
    "alerting/routines/silence.py",
    "alerting/routines/population.py",
    "alerting/watch.py",
    "alerting/reported.py",
    "device_sim/household/*.py",
    "device_sim/weather.py",
)

PURE_MODULES = {
    "__future__", "abc", "base64", "binascii", "bisect", "collections", "csv",
    "dataclasses", "datetime", "enum", "functools", "hashlib",
    "heapq", "io", "itertools", "json", "math", "msgspec", "numpy", "operator", "re", "statistics",
    "string", "typing", "types", "unicodedata", "uuid", "xml", "zlib", "zoneinfo",
}  # fmt: skip

OWN_DATA = {"alerting/falls/shipped.py"}
"""These read a file of their own package as they are imported, as fixed as their code."""

DRAWN_FROM_A_SEED = {"device_sim/household", "device_sim/weather.py"}
"""These take a seeded generator as an argument, and name its type."""

IMPURE_CALLS = re.compile(r"\b(datetime\.now|datetime\.utcnow|date\.today|time\.time|uuid1|uuid4|open)\(")
ASKS_THE_TIME = re.compile(r"\b(datetime\.(now|utcnow|today)|date\.today|time\.(time|time_ns|clock_gettime\w*))\(")
TIME_IN_SQL = re.compile(
    r"\b(now\(\)|current_timestamp|current_date|clock_timestamp\(\)|statement_timestamp\(\))", re.I
)
WRITES_INCIDENTS = re.compile(r"\b(insert\s+into|update|delete\s+from)\s+(incidents|journal)\b", re.I)


def files(*rooms: str) -> Iterator[Path]:
    for room in rooms or ROOMS:
        yield from sorted((ROOT / room).rglob("*.py"))


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@functools.cache
def imports(path: Path) -> tuple[str, ...]:
    """Every module that a file imports, absolute."""
    package = path.relative_to(ROOT).parent.parts
    found: list[str] = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found += (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package[: len(package) - node.level + 1]) if node.level else ""
            module = ".".join(filter(None, (base, node.module)))
            found += (module, *(f"{module}.{alias.name}" for alias in node.names))
    return tuple(found)


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_only_what_it_may(room: str) -> None:
    allowed = MAY_IMPORT[room] | {room}
    wrong = [
        f"{name(path)} imports {module}"
        for path in files(room)
        if name(path) not in WIRES_ALL
        for module in imports(path)
        if module.split(".")[0] in ROOMS and module.split(".")[0] not in allowed
    ]
    assert not wrong, "\n".join(wrong)


def test_what_runs_imports_neither_the_generator_of_boards_nor_its_library() -> None:
    wrong = [
        f"{name(path)} imports {module}"
        for path in files()
        if not name(path).startswith("dashboards/grafana/")
        for module in imports(path)
        if module.startswith(("grafana_foundation_sdk", "dashboards.grafana"))
    ]
    assert not wrong, "\n".join(wrong)


def test_only_one_file_knows_where_the_log_is() -> None:
    """Whoever appends or reads has the contract; only `pingan/logs.py` knows the implementations, and they no other."""
    implementations = ("pingan.postgres_log", "pingan.kafka_log", "aiokafka")
    knowing = {name(path) for path in files() for module in imports(path) if module.startswith(implementations)}
    # The command that makes Kafka's topics asks for no log.
    assert knowing == {"pingan/logs.py", "pingan/kafka_log.py", "pingan/kafka_salvage.py", "pingan/commands.py"}


def test_nobody_imports_the_command_line_or_the_tests() -> None:
    wrong = [
        f"{name(path)} imports {module}"
        for path in files()
        for module in imports(path)
        if module.startswith(("tests", "pingan.__main__"))
    ]
    assert not wrong, "\n".join(wrong)


def pure_files() -> list[Path]:
    found = {path for pattern in PURE for path in ROOT.glob(pattern)}
    assert all(list(ROOT.glob(pattern)) for pattern in PURE), "a pure file was moved: say where to"
    # Whoever says so of itself is held to it too.
    found |= {
        path for path in files(*ROOMS[:5]) if "PURE" in (ast.get_docstring(ast.parse(path.read_text("utf-8"))) or "")
    }
    return sorted(found)


def test_pure_files_touch_nothing_outside_themselves() -> None:
    pure = {name(path) for path in pure_files()}
    modules = {entry.removesuffix(".py").removesuffix("/__init__").replace("/", ".") for entry in pure}
    wrong = []
    for path in pure_files():
        seeded = any(name(path).startswith(prefix) for prefix in DRAWN_FROM_A_SEED)
        for module in imports(path):
            top = module.split(".")[0]
            package = ROOT.joinpath(*module.split("."), "__init__.py")
            empty = package.is_file() and not package.read_text(encoding="utf-8").strip()
            ours = top in ROOMS and (module in modules or module.rpartition(".")[0] in modules or empty)
            own_data = name(path) in OWN_DATA and module.startswith("importlib.resources")
            if not (ours or top in PURE_MODULES or (seeded and top == "random") or own_data):
                wrong.append(f"{name(path)} imports {module}")
        if found := IMPURE_CALLS.search(path.read_text(encoding="utf-8")):
            wrong.append(f"{name(path)} calls {found[0]}…)")
    assert not wrong, "\n".join(wrong)


def test_only_the_clock_asks_the_time() -> None:
    platform = [room for room in ROOMS if room != "device_sim"]
    wrong = [
        f"{name(path)}: {found[0]}"
        for path in files(*platform)
        if name(path) != "pingan/clock.py" and (found := ASKS_THE_TIME.search(path.read_text(encoding="utf-8")))
    ]
    assert not wrong, "\n".join(wrong)


def test_no_query_asks_the_database_for_the_time() -> None:
    wrong = [
        f"{name(path)}: {found[0]}"
        for room in ROOMS
        for path in sorted((ROOT / room).rglob("*.sql"))
        if (found := TIME_IN_SQL.search(path.read_text(encoding="utf-8")))
    ]
    assert not wrong, "\n".join(wrong)


def test_only_the_desk_writes_incidents_and_their_journal() -> None:
    sources = [path for room in ROOMS for pattern in ("*.sql", "*.py") for path in sorted((ROOT / room).rglob(pattern))]
    wrong = [
        name(path)
        for path in sources
        if "migrations" not in path.parts
        and name(path) != "pingan/schema.sql"  # what the migrations make
        and name(path) != "dispatch/desk.sql"
        and WRITES_INCIDENTS.search(path.read_text(encoding="utf-8"))
    ]
    assert not wrong, "\n".join(wrong)


def test_only_the_outbox_sends() -> None:
    allowed = {"dispatch/service.py", "dispatch/outbox.py", "dispatch/channels/twilio_voice/answers.py"}
    wrong = [
        f"{name(path)} imports {module}"
        for path in files()
        if name(path) not in allowed and not name(path).endswith("/send.py")
        for module in imports(path)
        if re.match(r"dispatch\.channels\.\w+\.send$", module)
    ]
    assert not wrong, "\n".join(wrong)
