"""What an alarm rests on, as drawings: an impact's trace, a home's day, a vital sign's fortnight, a distance. PURE.

As in the figures' chart, lengths along the page are in percent and those across it in pixels, so that type keeps its
size on any screen. A line that has no straight sides stands in a box of 1000 by 1000 that is stretched to its place.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import NamedTuple, Protocol
from zoneinfo import ZoneInfo

from .evidence import Band, Trace, Usual

BOX = 1000
DAY_HOURS = 24
DAY = timedelta(hours=DAY_HOURS)
LANES = 6
"""Sensors with a lane of their own; the rest shares the last one."""
LANE_PX, MARK_PX = 32, 10
CURVE_PX = 110
FOOT_PX = 24
TRACE_PX = 150
VITALS_PX = 150
STILL_G = 0.12
"""From 1 g: within it a sensor that somebody wears is lying still, breath and pulse included. Chosen."""
STILL_SECONDS = 1.0
"""What is shorter is no stillness."""
CLIPPED = 0.985
"""Of the range: a magnitude beyond it may have had an axis at its end, and been more. Nobody can tell for sure."""


class Moved(Protocol):
    """A movement as the day's query gives it."""

    @property
    def first(self) -> datetime: ...
    @property
    def last(self) -> datetime: ...
    @property
    def device(self) -> str | None: ...
    @property
    def sensor(self) -> str | None: ...
    @property
    def kind(self) -> str: ...


class Mark(NamedTuple):
    """A stretch along the page, in percent."""

    x: str
    width: str


class Tick(NamedTuple):
    x: str
    anchor: str
    value: float


class TimeTick(NamedTuple):
    x: str
    anchor: str
    at: datetime


class Line(NamedTuple):
    """A level across the page, y in pixels."""

    name: str
    y: float
    value: float


class TraceDrawing(NamedTuple):
    signal: list[str]
    """Lines; between them nothing was heard."""
    lines: list[Line]
    clipped: list[Mark]
    still: Mark | None
    still_seconds: float
    peak_x: str
    peak_g: float
    peak_at_ms: float
    least_g: float
    ticks: list[Tick]
    """Seconds from the impact."""
    saturated: bool
    height: int = TRACE_PX


def draw_trace(trace: Trace, threshold_g: float | None) -> TraceDrawing:
    """The magnitude over time: 1 g, what the sensor cannot measure, the impact, and how still it was after it."""
    g, rate = trace.g, trace.rate_hz
    impact = max(range(len(g)), key=lambda place: g[place])
    saturated = trace.range_g is not None and g[impact] >= trace.range_g * CLIPPED
    levels = {"one_g": 1.0}
    if threshold_g is not None and 0 < threshold_g <= 100:
        levels["threshold"] = threshold_g
    if saturated and trace.range_g is not None:
        levels["range"] = trace.range_g
    top = max(g[impact], *levels.values()) * 1.08
    last = len(g) - 1
    still = _still(g, impact, rate)
    return TraceDrawing(
        signal=_signal(g, top),
        lines=[Line(name, _px(TRACE_PX * (1 - value / top)), value) for name, value in levels.items()],
        clipped=[_mark(begin / last, end / last) for begin, end in _clipped(g, trace.range_g)] if saturated else [],
        still=_mark(still[0] / last, still[1] / last) if still else None,
        still_seconds=(still[1] - still[0]) / rate if still else 0.0,
        peak_x=_percent(impact / last),
        peak_g=g[impact],
        peak_at_ms=trace.start_ms + impact * 1000 / rate,
        least_g=min(value for value in g[: impact + 1] if value > 0),
        ticks=_seconds_from(impact, last, rate),
        saturated=saturated,
    )


def _signal(g: Sequence[float], top: float) -> list[str]:
    lines: list[list[str]] = [[]]
    for place, value in enumerate(g):
        if value > 0:
            lines[-1].append(f"{place * BOX / (len(g) - 1):.1f},{BOX * (1 - value / top):.1f}")
        elif lines[-1]:
            lines.append([])
    return [" ".join(line) for line in lines if line]


def _still(g: Sequence[float], impact: int, rate: float) -> tuple[int, int] | None:
    """The longest stretch after the impact in which the sensor lay still."""
    best, begin = (0, 0), impact
    for place in range(impact, len(g)):
        if abs(g[place] - 1) > STILL_G:
            begin = place + 1
        elif place - begin > best[1] - best[0]:
            best = begin, place
    return best if best[1] - best[0] >= STILL_SECONDS * rate else None


def _clipped(g: Sequence[float], range_g: float | None) -> list[tuple[float, float]]:
    """The stretches that lie beyond what the sensor can measure, a sample wide at least."""
    found: list[tuple[float, float]] = []
    for place, value in enumerate(g):
        if range_g is None or value < range_g * CLIPPED:
            continue
        if found and found[-1][1] >= place - 1:
            found[-1] = found[-1][0], min(len(g) - 1.0, place + 0.5)
        else:
            found.append((max(0.0, place - 0.5), min(len(g) - 1.0, place + 0.5)))
    return found


def _seconds_from(impact: int, last: int, rate: float) -> list[Tick]:
    """Five or so whole marks, counted from the impact."""
    span = last / rate
    step = next((one for one in (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100) if span / one <= 6), span / 4)
    first = -int(impact / rate / step)
    ticks = []
    for count in range(first, first + 12):
        place = impact + count * step * rate
        if place > last:
            break
        ticks.append(Tick(_percent(place / last), _anchor(place / last), round(count * step, 3)))
    return ticks


class Lane(NamedTuple):
    """One sensor's movements. `rest`: how many sensors share it."""

    name: str
    kind: str
    rest: int
    y: int
    marks: list[Mark]
    times: list[datetime]


class Silence(NamedTuple):
    x: str
    width: str
    seconds: float
    label_x: str
    anchor: str
    """Where its length is written: within the page, whatever its place."""


class Curve(NamedTuple):
    """How long it had been silent, against what is usual."""

    points: str
    usual: str
    """A closed shape from nothing up to the usual silence; empty where it is not known."""
    limits: str
    scale: list[tuple[int, float]]
    """Hours and their y."""


class DayDrawing(NamedTuple):
    lanes: list[Lane]
    silence: Silence | None
    rang_x: str | None
    ticks: list[TimeTick]
    curve: Curve | None
    curve_y: int
    lanes_y: int
    lanes_end: int
    height: int
    since: datetime
    until: datetime


def draw_day(
    movements: Sequence[Moved],
    *,
    until: datetime,
    zone: ZoneInfo,
    rang: datetime | None,
    silence: tuple[datetime, datetime] | None,
    band: Band | None,
    limit_hours: float | None,
) -> DayDrawing:
    """The 24 hours before `until`: a lane for each sensor, and how long the silence had lasted at each moment.

    `silence` is marked over all lanes; where there is one, its length stands above them, and else below.
    `limit_hours` is drawn where no band says more.
    """
    since = until - DAY
    along = _along(since, DAY)
    curve = _curve(movements, since, until, zone, band, limit_hours) if movements else None
    room = CURVE_PX + 8 if curve else 0
    lanes_y = room if silence is not None else 0
    lanes = _lanes(movements, since, along, lanes_y)
    lanes_end = lanes_y + len(lanes) * LANE_PX
    marked = None
    if silence is not None:
        begin, end = max(silence[0], since), min(silence[1], until)
        if begin < end:
            mark = _mark(along(begin), along(end))
            middle = (along(begin) + along(end)) / 2
            anchor = _anchor(middle, 1 / 3)
            label = along(begin) if anchor == "start" else along(end) if anchor == "end" else middle
            marked = Silence(mark.x, mark.width, (silence[1] - silence[0]).total_seconds(), _percent(label), anchor)
    return DayDrawing(
        lanes=lanes,
        silence=marked,
        rang_x=_percent(along(rang)) if rang is not None and since <= rang <= until else None,
        ticks=_clock_ticks(since, until, zone, along),
        curve=curve,
        curve_y=0 if silence is not None else lanes_end + 8,
        lanes_y=lanes_y,
        lanes_end=lanes_end,
        height=len(lanes) * LANE_PX + room + FOOT_PX,
        since=since,
        until=until,
    )


Along = Callable[[datetime], float]


def _along(since: datetime, span: timedelta) -> Along:
    return lambda at: (at - since) / span


def _lanes(movements: Sequence[Moved], since: datetime, along: Along, y: int) -> list[Lane]:
    """The sensors that told of most, in the order of their names; what is left over shares a lane."""
    by_sensor: dict[tuple[str, str], list[Moved]] = {}
    for one in movements:
        if one.last >= since:
            by_sensor.setdefault((one.sensor or one.device or "", one.kind), []).append(one)
    ranked = sorted(by_sensor, key=lambda sensor: (-len(by_sensor[sensor]), sensor))
    own = ranked if len(ranked) <= LANES else ranked[: LANES - 1]
    lanes = [
        Lane(name, kind, 0, y + place * LANE_PX, *_marks(by_sensor[name, kind], along))
        for place, (name, kind) in enumerate(sorted(own))
    ]
    if rest := ranked[len(own) :]:
        shared = sorted((one for sensor in rest for one in by_sensor[sensor]), key=lambda one: one.first)
        lanes.append(Lane("", "", len(rest), y + len(own) * LANE_PX, *_marks(shared, along)))
    return lanes


LEAST = 1 / 288
"""Of the day: a mark is five minutes wide at least."""


def _marks(movements: Iterable[Moved], along: Along) -> tuple[list[Mark], list[datetime]]:
    """Movements that follow each other closely are one mark."""
    stretches: list[tuple[float, float]] = []
    for one in movements:
        begin = max(0.0, along(one.first))
        end = min(1.0, max(along(one.last), begin + LEAST))
        if stretches and begin <= stretches[-1][1] + LEAST:
            stretches[-1] = stretches[-1][0], max(end, stretches[-1][1])
        elif begin < end:
            stretches.append((begin, end))
    return [_mark(*stretch) for stretch in stretches], [one.first for one in movements]


def _clock_ticks(since: datetime, until: datetime, zone: ZoneInfo, along: Along) -> list[TimeTick]:
    """Every fourth hour of the home's own clock."""
    whole = since.replace(minute=0, second=0, microsecond=0)
    hours = [whole + timedelta(hours=count) for count in range(1, DAY_HOURS + 1)]
    told = [at for at in hours if at <= until and at.astimezone(zone).hour % 4 == 0]
    return [TimeTick(_percent(along(at)), _anchor(along(at)), at) for at in told]


def _curve(
    movements: Sequence[Moved],
    since: datetime,
    until: datetime,
    zone: ZoneInfo,
    band: Band | None,
    limit_hours: float | None,
) -> Curve:
    moved = sorted((one.first, min(one.last, until)) for one in movements)
    known = max((last for _, last in moved if last <= since), default=since)
    shown = [(since, _hours(since - known))]
    for first, last in moved:
        if last <= since or first >= until:
            continue
        if first <= since:
            shown = [(since, 0.0)]
        elif first > known:
            shown += [(first, _hours(first - known)), (first, 0.0)]
        known = max(known, last)
        shown.append((known, 0.0))
    shown.append((until, _hours(until - known)))
    levels = [hours for _, hours in shown]
    if band is not None:
        levels += band.limits
    elif limit_hours is not None:
        levels.append(limit_hours)
    top = max(1.0, *levels) * 1.06

    def point(at: datetime, hours: float) -> str:
        return f"{BOX * (at - since) / DAY:.1f},{BOX * (1 - min(hours, top) / top):.1f}"

    def stairs(by_hour: Sequence[float]) -> str:
        steps = [since]
        whole = since.replace(minute=0, second=0, microsecond=0)
        steps += [at for count in range(1, DAY_HOURS + 1) if since < (at := whole + timedelta(hours=count)) < until]
        corners = []
        for begin, end in pairwise([*steps, until]):
            hours = by_hour[begin.astimezone(zone).hour]
            corners += [point(begin, hours), point(end, hours)]
        return " ".join(corners)

    limits = stairs(band.limits) if band else stairs([limit_hours] * 24) if limit_hours is not None else ""
    step = next(one for one in (1, 2, 4, 6, 12, 24, 48, 96) if top / one <= 3.2 or one == 96)
    return Curve(
        points=" ".join(point(at, hours) for at, hours in shown),
        usual=f"0,{BOX} {stairs(band.usual)} {BOX},{BOX}" if band and band.usual else "",
        limits=limits,
        scale=[(hours, _px(CURVE_PX * (1 - hours / top))) for hours in range(step, int(top) + 1, step)],
    )


def _hours(span: timedelta) -> float:
    return span.total_seconds() / 3600


class OfDay(Protocol):
    """A day of a vital sign, as the roll-ups give it."""

    @property
    def day(self) -> date: ...
    @property
    def min(self) -> float: ...
    @property
    def avg(self) -> float: ...
    @property
    def max(self) -> float: ...


class Measured(NamedTuple):
    """A day of a vital sign, drawn."""

    day: date
    x: str
    y: float
    height: float
    average_y: float


class VitalsDrawing(NamedTuple):
    days: list[Measured]
    lines: list[Line]
    value: Line | None
    value_x: str
    labels: list[tuple[date, str]]
    rows: list[tuple[str, str, str, str]]
    """The same as a table: day, lowest, average, highest."""
    height: int = VITALS_PX


def draw_vitals(
    days: Sequence[OfDay], value: float | None, limits: Mapping[str, float], first: date, last: date
) -> VitalsDrawing | None:
    """A vital sign's days with the limits, and the value that rang. None: no numbers."""
    numbers = [*limits.values(), *(level for one in days for level in (one.min, one.max))]
    if value is not None:
        numbers.append(value)
    if not numbers or (not days and value is None):
        return None
    low, high = min(numbers), max(numbers)
    spread = (high - low) or abs(high) or 1.0
    low, high = low - spread * 0.12, high + spread * 0.12

    def y(number: float) -> float:
        return _px(VITALS_PX * (high - number) / (high - low))

    count = (last - first).days + 1
    shown = [
        Measured(one.day, _percent(((one.day - first).days + 0.5) / count), y(one.max),
                 max(2.0, _px(y(one.min) - y(one.max))), y(one.avg))
        for one in days if first <= one.day <= last
    ]  # fmt: skip
    return VitalsDrawing(
        days=shown,
        lines=[Line(name, y(number), number) for name, number in limits.items()],
        value=None if value is None else Line("value", y(value), value),
        value_x=_percent((count - 0.5) / count),
        labels=[(first + timedelta(days=place), _percent((place + 0.5) / count)) for place in range(0, count, 4)],
        rows=[(f"{one.day:%m-%d}", f"{one.min:.3g}", f"{one.avg:.3g}", f"{one.max:.3g}") for one in days],
    )


class DistanceDrawing(NamedTuple):
    fence_x: str
    position_x: str
    distance_m: float
    radius_m: float


def draw_distance(distance_m: float, radius_m: float) -> DistanceDrawing | None:
    """How far from home, beside how far is still at home."""
    if distance_m < 0 or radius_m <= 0:
        return None
    end = max(distance_m, radius_m) * 1.15
    return DistanceDrawing(_percent(radius_m / end), _percent(distance_m / end), distance_m, radius_m)


def usual_limits(usual: Usual | None) -> dict[str, float]:
    """What is usual, as levels by name."""
    if usual is None:
        return {}
    levels = {"p50": usual.p50, "p90": usual.p90, "p99": usual.p99}
    return {name: level for name, level in levels.items() if level is not None}


def _mark(begin: float, end: float) -> Mark:
    return Mark(_percent(begin), _percent(max(0.0, end - begin)))


TICK_SHARE = 0.08
"""Of a telephone's page, 360 px wide: half of what `04:00` takes, and a little more."""


def _anchor(share: float, half: float = TICK_SHARE) -> str:
    """How a text at `share` of the width stays on the page, where half of it is as wide as `half`."""
    return "start" if share < half else "end" if share > 1 - half else "middle"


def _percent(share: float) -> str:
    return f"{100 * share:.3f}%"


def _px(value: float) -> float:
    return round(value, 1)
