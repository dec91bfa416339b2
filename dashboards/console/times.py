"""Times as people read them: the clock of the centre, and how long."""

from datetime import date, datetime
from zoneinfo import ZoneInfo

from .language import Say


class Times:
    """The times of one page: its zone, its language, its now."""

    def __init__(self, zone: ZoneInfo, t: Say, now: datetime) -> None:
        self.zone = zone
        self.now = now
        self._t = t

    def clock(self, at: datetime | str | None) -> str:
        """14:03:20, with the date before it when it isn't today's."""
        if at is None:
            return ""
        local = _moment(at).astimezone(self.zone)
        today = self.now.astimezone(self.zone).date()
        return f"{local:%H:%M:%S}" if local.date() == today else f"{local:%m-%d %H:%M:%S}"

    def minute(self, at: datetime | str | None) -> str:
        """14:03, for times that nobody knows to the second."""
        if at is None:
            return ""
        local = _moment(at).astimezone(self.zone)
        today = self.now.astimezone(self.zone).date()
        return f"{local:%H:%M}" if local.date() == today else f"{local:%Y-%m-%d %H:%M}"

    def hour(self, at: datetime) -> str:
        """14:00, on the axis of a day."""
        return f"{at.astimezone(self.zone):%H:%M}"

    def day(self, at: datetime | date | str | None) -> str:
        if at is None:
            return ""
        if isinstance(at, str) and len(at) == 10:
            return at
        if isinstance(at, date) and not isinstance(at, datetime):
            return at.isoformat()
        return _moment(at).astimezone(self.zone).date().isoformat()

    def days_since(self, day: date | str) -> int:
        that = date.fromisoformat(day) if isinstance(day, str) else day
        return (self.now.astimezone(self.zone).date() - that).days

    def age(self, born_on: date | str | None) -> int | None:
        """Full years."""
        if born_on is None:
            return None
        born = date.fromisoformat(born_on) if isinstance(born_on, str) else born_on
        today = self.now.astimezone(self.zone).date()
        return today.year - born.year - ((today.month, today.day) < (born.month, born.day))

    def since(self, at: datetime | str) -> str:
        """How long ago, in words."""
        return self.lasting((self.now - _moment(at)).total_seconds())

    def lasting(self, seconds: float) -> str:
        """48 s · 2 min 5 s · 3 h 12 min · 2 d 3 h."""
        return lasting(self._t, seconds)

    @staticmethod
    def count(seconds: float) -> str:
        """0:48 · 12:05 · 3:12:40, for what goes on counting."""
        whole = max(0, int(seconds))
        hours, minutes = divmod(whole // 60, 60)
        return f"{hours}:{minutes:02}:{whole % 60:02}" if hours else f"{minutes}:{whole % 60:02}"

    def counted(self, at: datetime | str) -> str:
        return self.count((self.now - _moment(at)).total_seconds())

    @staticmethod
    def ms(at: datetime | str | None) -> str:
        """Milliseconds since 1970, for the page's own counting; empty for none."""
        return "" if at is None else str(int(_moment(at).timestamp() * 1000))


def lasting(t: Say, seconds: float) -> str:
    whole = max(0, int(seconds))
    minutes, rest = divmod(whole, 60)
    if minutes < 1:
        return t("script.seconds", s=rest)
    if minutes < 60:
        return t("script.minutes", m=minutes, s=rest) if rest else t("script.only_minutes", m=minutes)
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return t("script.hours", h=hours, m=minutes)
    return t("script.days", d=hours // 24, h=hours % 24)


def _moment(at: datetime | str) -> datetime:
    return datetime.fromisoformat(at) if isinstance(at, str) else at
