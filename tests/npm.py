"""The npm packages of tests/tools: where they are, or a line that says how they come."""

import os
import shutil
from pathlib import Path

import pytest

MODULES = Path(__file__).parents[1] / ".venv/tools/npm/node_modules"


def need(*packages: str) -> Path:
    """The folder of the packages. Without them the test is skipped on a user's machine, and fails in CI."""
    if shutil.which("node") and all((MODULES / package / "package.json").is_file() for package in packages):
        return MODULES
    reason = f"{', '.join(packages)} not here: it needs Node.js; `sh pingan/local/install.sh tools` says why not"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)
