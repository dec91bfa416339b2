"""Who goes first when one machine has less processor than everybody wants: whoever answers a press.

Linux shares a processor among sessions first (`sched_autogroup`), and within a session by niceness; our services and
each of PostgreSQL's backends are sessions of their own, so both are set. Measured on two cores at 10,000 messages a
second with 500 presses among them: without it half of the presses waited three seconds for their answer, with it 21 ms.
Where any of this cannot be set (another system, another machine's database) everything works as it did without.
"""

import contextlib
import os
from pathlib import Path
from typing import Any

from psycopg import AsyncConnection

NICE_MAX = 19


def step_back(nice: int, pid: int | None = None) -> None:
    """Let others go before this process, or before `pid`: by so many steps of niceness, of which each gives up some
    tenth of what was left. 0 changes nothing.
    """
    if nice <= 0:
        return
    with contextlib.suppress(OSError):
        Path(f"/proc/{pid or 'self'}/autogroup").write_text(str(nice), encoding="ascii")
    with contextlib.suppress(OSError, AttributeError):
        os.setpriority(os.PRIO_PROCESS, pid or 0, nice)


def backend_steps_back(connection: AsyncConnection[Any], nice: int) -> None:
    """The same for the backend that serves `connection`, if it is a process of this machine."""
    if not connection.info.host.startswith("/"):  # only by its socket is it surely here
        return
    pid = connection.info.backend_pid
    with contextlib.suppress(OSError):
        if Path(f"/proc/{pid}/comm").read_text(encoding="ascii").strip() == "postgres":
            step_back(nice, pid)
