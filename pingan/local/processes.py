"""Processes named in such a way that a recycled process id is never signalled."""

import contextlib
import os
import pwd
import select
import signal
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict


def boot_id() -> str:
    """Changes with every start of the machine: process ids and start times of another boot mean nothing."""
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


def _stat(pid: int) -> list[str] | None:
    """The fields of /proc/<pid>/stat from the state on, or None when there is no such process."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    # The second field is the program's name in brackets, which may itself hold blanks and brackets.
    return text.rpartition(")")[2].split()


@dataclass(frozen=True, slots=True)
class Identity:
    """One process, for good: `started` is in clock ticks since boot (field 22 of /proc/<pid>/stat)."""

    pid: int
    started: int

    @classmethod
    def of(cls, pid: int) -> "Identity | None":
        """None when the process is gone, or dead and not yet collected by its parent."""
        fields = _stat(pid)
        if fields is None or fields[0] in "ZX":
            return None
        return cls(pid, int(fields[19]))

    def alive(self) -> bool:
        return Identity.of(self.pid) == self

    def stopped(self) -> bool:
        """Whether it is held by SIGSTOP or a debugger."""
        fields = _stat(self.pid)
        return fields is not None and fields[0] in "Tt" and self.alive()

    def _handle(self) -> int | None:
        """A descriptor which holds on to this very process, so that nothing can come between looking and signalling."""
        try:
            handle = os.pidfd_open(self.pid)
        except OSError:
            return None
        fields = _stat(self.pid)
        # A dead one that is not collected counts here: its last threads may still hold locks and ports.
        if fields is not None and int(fields[19]) == self.started:
            return handle
        os.close(handle)
        return None

    def send(self, number: signal.Signals) -> bool:
        """Signal it. False when it is gone."""
        handle = self._handle()
        if handle is None:
            return False
        try:
            signal.pidfd_send_signal(handle, number)
        except ProcessLookupError:
            return False
        finally:
            os.close(handle)
        return True

    def wait_gone(self, timeout_seconds: float) -> bool:
        """Wait until it has ended, all its threads with it. False when it has not within the time."""
        handle = self._handle()
        if handle is None:
            return True
        try:
            poll = select.poll()
            poll.register(handle, select.POLLIN)
            return bool(poll.poll(max(timeout_seconds, 0) * 1000))
        finally:
            os.close(handle)


def end(identities: Iterable[Identity], gently: signal.Signals, patience_seconds: float) -> list[Identity]:
    """Ask all of them to end, wake those that are held, and kill what has not gone in time. Returns those killed."""
    asked = list(identities)
    for identity in asked:
        identity.send(gently)
        identity.send(signal.SIGCONT)  # a stopped process hears nothing else
    deadline = time.monotonic() + patience_seconds
    killed = []
    for identity in asked:
        if not identity.wait_gone(deadline - time.monotonic()):
            identity.send(signal.SIGKILL)
            killed.append(identity)
    for identity in killed:
        identity.wait_gone(5)
    return killed


def working_in(folder: Path, program: str) -> list[Identity]:
    """Every running `program` whose working directory is `folder`. Needs the right to look: root, or the same user."""
    found = []
    wanted = str(folder.resolve())
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        with contextlib.suppress(OSError):
            if os.readlink(entry / "cwd") == wanted and Path(os.readlink(entry / "exe")).name.startswith(program):
                identity = Identity.of(int(entry.name))
                if identity:
                    found.append(identity)
    return found


class AsUser(TypedDict):
    """Arguments for subprocess.Popen which say as whom to run; None means as ourselves."""

    user: int | None
    group: int | None
    extra_groups: list[int] | None


@dataclass(frozen=True, slots=True)
class Owner:
    """The user a program of ours runs as, and to whom its files belong."""

    uid: int
    gid: int
    arguments: AsUser

    def give(self, path: Path) -> None:
        """Make it the owner of `path`. Only root has anything to do here."""
        if os.geteuid() == 0:
            os.chown(path, self.uid, self.gid)


def owner(*names: str) -> Owner:
    """The first of these system users that exists when we are root (never made by us), ourselves otherwise."""
    if os.geteuid() != 0:
        return Owner(os.geteuid(), os.getegid(), AsUser(user=None, group=None, extra_groups=None))
    for name in (*names, "nobody"):
        with contextlib.suppress(KeyError):
            entry = pwd.getpwnam(name)
            return Owner(
                entry.pw_uid,
                entry.pw_gid,
                AsUser(user=entry.pw_uid, group=entry.pw_gid, extra_groups=[]),
            )
    raise OSError("this machine has no user `nobody`: start the platform as an ordinary user instead of root")
