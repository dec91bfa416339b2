"""What was received and is not yet durable: in order, or in turn by home. Pure."""

from collections import deque
from collections.abc import Callable
from typing import NamedTuple, Protocol

from pingan.log import Record


class Waiting(NamedTuple):
    """One message that waits for its append, and what is to be done after it, and never before."""

    records: list[Record]
    ticket: int
    size: int
    then: Callable[[], None] | None = None
    came_at: float | None = None
    """By this process's monotonic clock; None for what nobody waits for."""


class Queue(Protocol):
    def put(self, key: str, item: Waiting) -> None: ...
    def take(self, most: int) -> list[Waiting]: ...
    def __len__(self) -> int: ...


class InOrder:
    """First come, first served: the order in which the broker gave them is the order in the log."""

    def __init__(self) -> None:
        self._items: deque[Waiting] = deque()

    def put(self, key: str, item: Waiting) -> None:
        self._items.append(item)

    def take(self, most: int) -> list[Waiting]:
        if most >= len(self._items):
            taken = list(self._items)
            self._items.clear()
            return taken
        return [self._items.popleft() for _ in range(most)]

    def __len__(self) -> int:
        return len(self._items)


class InTurn:
    """One from each key in turn, in order within a key: a stuck button delays its own home and nobody else's."""

    def __init__(self) -> None:
        self._queues: dict[str, deque[Waiting]] = {}
        self._turn: deque[str] = deque()
        self._count = 0

    def put(self, key: str, item: Waiting) -> None:
        queue = self._queues.get(key)
        if queue is None:
            queue = self._queues[key] = deque()
            self._turn.append(key)
        queue.append(item)
        self._count += 1

    def take(self, most: int) -> list[Waiting]:
        taken: list[Waiting] = []
        while self._turn and len(taken) < most:
            key = self._turn.popleft()
            queue = self._queues[key]
            taken.append(queue.popleft())
            if queue:
                self._turn.append(key)
            else:
                del self._queues[key]
        self._count -= len(taken)
        return taken

    def __len__(self) -> int:
        return self._count
