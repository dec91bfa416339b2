"""The simulator stands outside: it imports nothing of the platform's, and its pure files import no I/O."""

import ast
from pathlib import Path

import pytest

SIM = Path(__file__).parents[2] / "device_sim"
OURS = {"pingan", "ingest", "alerting", "dispatch", "care", "dashboards"}
PURE = (
    "household/life.py",
    "household/sensors.py",
    "household/tumble.py",
    "weather.py",
    "wire/press.py",
    "wire/protocol.py",
)
PURE += ("phone/twiml.py", "phone/signature.py", "phone/errors.py")
IMPURE = {
    "asyncio",
    "socket",
    "time",
    "os",
    "logging",
    "pathlib",
    "subprocess",
    "urllib",
    "secrets",
    "uuid",
    "threading",
}


def imported(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module or "")
    return names


@pytest.mark.parametrize("path", sorted(SIM.rglob("*.py")), ids=lambda path: str(path.relative_to(SIM)))
def test_nothing_of_ours_is_imported(path: Path) -> None:
    assert not {name.split(".")[0] for name in imported(path)} & OURS


@pytest.mark.parametrize("name", PURE)
def test_pure_files_are_pure(name: str) -> None:
    names = imported(SIM / name)
    assert not {imported_name.split(".")[0] for imported_name in names} & IMPURE
    ours = {imported_name for imported_name in names if imported_name.startswith("device_sim")}
    assert ours <= {f"device_sim.{pure.removesuffix('.py').replace('/', '.')}" for pure in PURE}
    assert "datetime.now" not in (SIM / name).read_text(encoding="utf-8")
