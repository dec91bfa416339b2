"""What the broker shows to devices, and whose certificates it refuses: files beside its own, kept up to date.

Written at each start, so that a broker which was down for a year begins with a list of revoked certificates that holds;
then by whoever follows the register. What it returns as changed is read by the broker's next reload.
"""

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from pingan.authority import RENEW_BEFORE, Authority, Revoked, alternative_names, expires_at, is_key_of
from pingan.clock import Clock

from .places import write_private
from .processes import Owner

log = logging.getLogger(__name__)

AUTHORITY, REVOKED, SERVER, SERVER_KEY = "authority.pem", "revoked.pem", "server.pem", "server_key.pem"
SIGN_EVERY = timedelta(days=1)
HALF_OPEN = timedelta(seconds=120)
"""Longer than Mosquitto keeps a connection on which nobody signs in (90 s). It looks at a certificate in the handshake
and not again: whoever had one behind them when it was revoked would be let in by it."""


class Certificates:
    """The certificates of one broker.

    `names`: the host names and addresses for which the server's certificate is to be ours. Without them it is
    `certificate`, somebody else's, and only devices have certificates of this authority.
    """

    def __init__(
        self,
        authority: Authority,
        folder: Path,
        owner: Owner,
        clock: Clock,
        *,
        names: Sequence[str] = (),
        certificate: Path | None = None,
    ) -> None:
        self._authority, self._folder, self._owner, self._clock = authority, folder, owner, clock
        self._names = names
        self._certificate = certificate or folder / SERVER
        self._revoked: Revoked | None = None
        self._first_device: datetime | None = None
        self.leaving: set[str] = set()
        """Devices whose certificate was accepted until now: their connections are to be ended."""
        self._again: dict[str, datetime] = {}
        """Device → until when it is put out again at each look, and once after that."""

    def prepare(self) -> None:
        """Write all that the broker needs to start. Who was refused before is refused again."""
        self._write(AUTHORITY, self._authority.pem)
        self._renew_server()
        self._revoked = self._read_list()
        self._sign(self._revoked.serials if self._revoked else frozenset())

    def keep(self, refused: Mapping[str, str], first_device: datetime | None) -> bool:
        """Bring the files up to date: serials that are refused, with their devices. True when the broker must reload.

        `first_device`: when the first of the devices' certificates in use expires.
        """
        self._first_device = first_device
        changed = self._renew_server()
        serials, before = frozenset(refused), self._revoked
        known = before.serials if before else frozenset()
        now = self._clock.now()
        new = {refused[serial] for serial in serials - known}
        self.leaving |= new | (self._again.keys() & set(refused.values()))
        self._again = {device: until for device, until in self._again.items() if until > now}
        self._again |= dict.fromkeys(new, now + HALF_OPEN)
        if before is None or serials != known or self._aged(before):
            self._sign(serials)
            changed = True
        return changed or bool(self.leaving)

    def expire(self) -> dict[str, datetime]:
        """When each of what can run out does so."""
        found = {"authority": self._authority.expires_at}
        if self._revoked:
            found["revoked"] = self._revoked.expires_at
        if self._first_device:
            found["device"] = self._first_device
        try:
            found["server"] = expires_at(self._certificate.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            log.warning("%s cannot be read: %s", self._certificate, error)
        return found

    def _aged(self, revoked: Revoked) -> bool:
        now = self._now()
        aged = now - revoked.signed_at > SIGN_EVERY or revoked.expires_at - now < RENEW_BEFORE
        return aged or revoked.signed_at > now

    def _sign(self, serials: frozenset[str]) -> None:
        text, signed = self._authority.revoke(serials, self._now(), self._revoked)
        self._write(REVOKED, text)
        self._revoked = signed  # only now: what could not be written is signed again at the next look

    def _read_list(self) -> Revoked | None:
        try:
            return self._authority.revoked(self._text(REVOKED))
        except OSError:
            return None

    def _renew_server(self) -> bool:
        """A new certificate when there is none, its names have changed, or it expires soon."""
        if not self._names:
            return False
        now = self._now()
        try:
            found, key = self._authority.signed(self._text(SERVER)), self._text(SERVER_KEY)
        except OSError:
            found, key = None, ""
        # They are written one after the other: with two that do not belong together the broker would not start.
        if found is not None and is_key_of(key, found):
            lasts = found.not_valid_after_utc - now >= min(RENEW_BEFORE, self._authority.expires_at - now)
            if lasts and alternative_names(found) == set(self._names):
                return False
        issued = self._authority.server(self._names, now)
        self._write(SERVER_KEY, issued.key)
        self._write(SERVER, issued.certificate)
        return True

    def _now(self) -> datetime:
        """By the wall clock, also after somebody has moved it: the broker goes by that one."""
        return self._clock.now() + timedelta(milliseconds=self._clock.step_ms())

    def _text(self, name: str) -> str:
        """What is torn is text all the same, which nobody takes for anything. OSError: it is not there."""
        return (self._folder / name).read_text(encoding="utf-8", errors="replace")

    def _write(self, name: str, text: str) -> None:
        write_private(self._folder / name, text, self._owner, durable=True)
