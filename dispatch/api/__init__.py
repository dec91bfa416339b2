"""The dispatch room's HTTP: the incidents' API, their stream, and the provider's webhooks."""

from dispatch.api.incidents import router
from dispatch.api.stream import Stream

__all__ = ["Stream", "router"]
