"""After a run that failed: the files of the few tests that failed, once more by themselves, and said aloud.

A test that fails among all others and passes alone has found something: a race of ours, or of its own. It's named at
the end of the run, to be mended like any fault, but it does not keep everybody else's work from landing. More than
a few are no accident and fail the run, and so does one that fails twice.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
MOST = 3
TESTS_FAILED = 1
"""How pytest says that it ran to its end, and some tests failed."""


def _cached(name: str) -> Any:
    path = ROOT / ".pytest_cache/v" / name
    return json.loads(path.read_text("utf-8")) if path.exists() else None


def main() -> int:
    if _cached("pingan/exit") != TESTS_FAILED:
        print("the run was not brought to its end: nothing is looked at again", file=sys.stderr)  # noqa: T201
        return 1
    failed = sorted(_cached("cache/lastfailed") or ())
    if not failed or len(failed) > MOST:
        print(f"{len(failed)} tests failed: not looked at again (1 to {MOST} would be)", file=sys.stderr)  # noqa: T201
        return 1
    # Whole files: tests of one house follow each other.
    files = sorted({test.partition("::")[0] for test in failed})
    code = subprocess.call([sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *files], cwd=ROOT)
    verdict = "passed by itself: UNSTABLE, to be mended" if code == 0 else "was among those looked at again"
    for test in failed:
        print(f"{test}: failed among all others; {verdict}", file=sys.stderr)  # noqa: T201
    return code


if __name__ == "__main__":
    sys.exit(main())
