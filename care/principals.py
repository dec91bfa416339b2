"""Who asks, and what a role may do in the register. PURE."""

from dataclasses import dataclass
from typing import Literal, Protocol

Role = Literal["operator", "supervisor", "administrator", "responder", "auditor"]

ROLES: tuple[Role, ...] = ("operator", "supervisor", "administrator", "responder", "auditor")
MACHINE_ROLES: tuple[Role, ...] = ("operator", "supervisor", "administrator", "auditor")

READERS = frozenset({"operator", "supervisor", "administrator"})
"""Who may read personal data. Auditors see figures, responders their own incidents: neither reads the register."""
WRITERS: frozenset[Role] = frozenset({"supervisor", "administrator"})


class Asker(Protocol):
    """What the register needs to know of whoever asks. `area` None: everywhere."""

    @property
    def id(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def role(self) -> str: ...
    @property
    def area(self) -> str | None: ...


@dataclass(frozen=True, slots=True)
class Principal:
    """Somebody who has shown who they are: a person by a session, or a machine (`machine`) by a bearer token."""

    id: str
    name: str
    role: Role
    area: str | None = None
    language: str = "zh"
    machine: bool = False
