"""Why an alarm rang: what is drawn of evidence, what is said of it, and that no evidence breaks the page."""

from base64 import b64encode
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import uuid4
from xml.etree import ElementTree
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.requests import Request

from dashboards.console import evidence as read
from dashboards.console import why
from dashboards.console.language import LANGUAGES, say
from dashboards.console.page import Pages
from dashboards.console.times import Times
from dashboards.console.why_drawings import (
    CURVE_PX,
    LANES,
    TRACE_PX,
    VITALS_PX,
    draw_day,
    draw_distance,
    draw_trace,
    draw_vitals,
)
from dispatch.home_day import Day, Movement
from pingan.clock import DrivenClock
from pingan.messages import SUSPICIONS, WITHDRAWN
from pingan.rollups import VitalDay
from tests.why_support import HOUR, MINUTE, fall_evidence, lived, ms, samples, silence_evidence

ZONE = ZoneInfo("Asia/Shanghai")
NOW = datetime(2026, 3, 2, 6, 22, tzinfo=UTC)
"""14:22 there."""
SINCE = NOW - timedelta(hours=3, minutes=40)


def movements(until: datetime = SINCE) -> tuple[Movement, ...]:
    ordered = sorted(lived(until, ZONE), key=lambda one: one[0])
    return tuple(Movement(at, at, at, device, sensor, kind, 1) for at, device, sensor, kind, _ in ordered)


def alarm(kind: str, evidence: Any, at: datetime = NOW, **more: Any) -> dict[str, Any]:
    return {"id": uuid4(), "kind": kind, "at": at, "raised_at": at, "device": None, "evidence": evidence, **more}


def incident(*alarms: dict[str, Any], related: Any = (), state: str = "waiting", **more: Any) -> dict[str, Any]:
    return {
        "alarms": list(alarms), "related": list(related), "state": state, "stamps": {"t9": {"at": None}},
        "card": {"devices": [{"kind": "motion"}]}, "home": "H001", **more,
    }  # fmt: skip


def times(language: str = "en", now: datetime = NOW) -> Times:
    return Times(ZONE, say(language), now)


def told(row: dict[str, Any], day: Day | None = None, language: str = "en", now: datetime = NOW) -> why.Why:
    return why.explain(row, day or Day(NOW - 36 * HOUR, NOW, movements()), [], language, times(language, now))


# What is read of an evidence.


@pytest.mark.parametrize(
    ("value", "found"),
    [(3, 3.0), (2.5, 2.5), (True, None), ("3", None), (None, None), (float("nan"), None), (float("inf"), None),
     (10**400, None), ([], None)],
)  # fmt: skip
def test_a_number_is_a_finite_one_or_none(value: Any, found: float | None) -> None:
    assert read.number({"n": value}, "n") == found


@pytest.mark.parametrize(
    ("value", "unit", "found"),
    [(2, "hours heard without a movement", 7200), (90, "s", 90), (1500, "ms", 1.5), (3, "Min", 180), (7, "bpm", None),
     (7, "", None), (7, "  ", None), (None, "hours", None)],
)  # fmt: skip
def test_a_duration_is_known_by_the_first_word_of_its_unit(value: Any, unit: str, found: float | None) -> None:
    assert read.seconds(value, unit) == found


@pytest.mark.parametrize("bad", [
    {"g": "!!"}, {"g": None}, {"g": ""}, {"g": "AAA"}, {"rate_hz": 0}, {"rate_hz": "50"}, {"rate_hz": 1e9},
    {"start_ms": 1e30}, {"start_ms": None}, {"g": b64encode(b"\1\2").decode()},
])  # fmt: skip
def test_a_trace_that_is_none_is_not_drawn_and_is_shown_as_it_came(bad: dict[str, Any]) -> None:
    good = {"rate_hz": 50, "start_ms": 0, "range_g": 4, "position": "wrist", "g": samples()}
    assert read.trace({"trace": good}) is not None
    assert read.trace({"trace": {**good, **bad}}) is None
    assert "trace" in read.unread({"trace": {**good, **bad}})
    assert read.trace({"trace": "a text"}) is None


def test_magnitudes_are_little_endian_thousandths_and_at_most_four_hundred() -> None:
    counts = b"".join(value.to_bytes(2, "little") for value in (1000, 258, 65535))
    part = {"rate_hz": 50, "start_ms": 0, "g": b64encode(counts).decode()}
    found = read.trace({"trace": part})
    assert found is not None
    assert found.g == [1.0, 0.258, 65.535]
    longer = read.trace({"trace": {**part, "g": b64encode(counts * 300).decode()}})
    assert longer is not None
    assert len(longer.g) == read.SAMPLES_MAX


def test_a_band_has_a_day_of_hours() -> None:
    hours = [1.0] * 24
    assert read.band({"band": {"hours": hours, "limits": hours}}) == read.Band(hours, hours)
    for bad in (hours[:23], [*hours[:23], None], [*hours[:23], -1], "x", None):
        assert read.band({"band": {"hours": hours, "limits": bad}}) is None
        assert read.band({"band": {"hours": bad, "limits": hours}}) == read.Band(None, hours)


def test_what_no_page_knows_is_a_plain_table_within_bounds() -> None:
    assert read.plain({"a": {"b": 1, "c": [1, "x"]}, "d": None, "rule": "r"}, frozenset({"rule"})) == [
        ("a.b", "1"), ("a.c", "1, x"), ("d", "None"),
    ]  # fmt: skip
    assert len(read.plain({str(n): n for n in range(1000)})) == read.ROWS_MAX + 1
    [(_, shown)] = read.plain({"long": "x" * 9999})
    assert len(shown) == read.TEXT_MAX
    assert read.plain({"digits": 10**9999}) == [("digits", "…")]


# What is drawn.


def within(mark: Any) -> bool:
    x, width = float(mark.x[:-1]), float(mark.width[:-1])
    return x >= 0 and width >= 0 and x + width <= 100.01


def drawn_trace(**more: Any) -> Any:
    trace = read.trace(fall_evidence(NOW, **more))
    assert trace is not None
    return draw_trace(trace, None)


def test_a_trace_shows_the_impact_where_it_was_and_how_still_it_was_after_it() -> None:
    one = drawn_trace()
    assert one.peak_g == pytest.approx(3.2, abs=0.2)
    assert one.peak_at_ms == pytest.approx(ms(NOW), abs=100)
    assert one.least_g == 0.3
    assert one.still_seconds == pytest.approx(5.0, abs=0.5)
    assert one.still is not None
    assert float(one.still.x[:-1]) > float(one.peak_x[:-1])
    assert not one.saturated
    assert one.clipped == []
    assert [line.name for line in one.lines] == ["one_g"]
    assert 0.0 in [tick.value for tick in one.ticks]


def test_a_sensor_at_the_end_of_its_range_is_said_to_be() -> None:
    one = drawn_trace(range_g=2.0, peak_g=3.4)
    assert one.saturated
    assert one.clipped
    assert [line.name for line in one.lines] == ["one_g", "range"]


def test_where_nothing_was_heard_nothing_is_drawn() -> None:
    counts = b"".join((0 if 40 <= n < 60 else 1000 + n).to_bytes(2, "little") for n in range(100))
    trace = read.trace({"trace": {"rate_hz": 25, "start_ms": 0, "range_g": 8, "g": b64encode(counts).decode()}})
    assert trace is not None
    one = draw_trace(trace, None)
    assert [len(line.split(" ")) for line in one.signal] == [40, 40]
    assert one.least_g == 1.0


def test_who_walks_on_does_not_lie_still() -> None:
    counts = b"".join((2600 if n == 100 else 600 + n % 2 * 900).to_bytes(2, "little") for n in range(400))
    part = {"rate_hz": 50, "start_ms": 0, "range_g": 8, "g": b64encode(counts).decode()}
    trace = read.trace({"trace": part})
    assert trace is not None
    assert draw_trace(trace, 2.0).still is None
    assert [line.name for line in draw_trace(trace, 2.0).lines] == ["one_g", "threshold"]


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.integers(0, 65535), min_size=2, max_size=500), st.floats(1, 10_000),
    st.none() | st.floats(0.1, 64), st.none() | st.floats(-10, 1000),
)  # fmt: skip
def test_any_trace_stays_within_its_drawing(
    counts: list[int], rate: float, range_g: float | None, limit: float | None
) -> None:
    raw = b64encode(b"".join(count.to_bytes(2, "little") for count in counts)).decode()
    trace = read.trace({"trace": {"rate_hz": rate, "start_ms": 0, "range_g": range_g, "g": raw}})
    assert (trace is None) == (sum(count > 0 for count in counts[: read.SAMPLES_MAX]) < 2)
    if trace is None:
        return
    one = draw_trace(trace, limit)
    points = [tuple(map(float, point.split(","))) for line in one.signal for point in line.split(" ")]
    assert all(0 <= x <= 1000 and -0.1 <= y <= 1000.1 for x, y in points)
    assert all(0 <= line.y <= TRACE_PX for line in one.lines)
    marks = [*one.clipped, *([one.still] if one.still else [])]
    assert all(within(mark) for mark in marks)
    assert all(-0.01 <= float(tick.x[:-1]) <= 100.01 for tick in one.ticks)


def day_of(moved: tuple[Movement, ...], **more: Any) -> Any:
    given = {"until": NOW, "zone": ZONE, "rang": NOW, "silence": None, "band": None, "limit_hours": None, **more}
    return draw_day(moved, **given)


def test_a_day_has_a_lane_for_each_sensor_and_one_for_the_rest() -> None:
    few = day_of(movements())
    assert [lane.name for lane in few.lanes] == ["入户门", "卧室", "卫生间", "厨房", "客厅"]
    many = tuple(Movement(SINCE, SINCE, SINCE, f"d{n}", None, "motion", 1) for n in range(20))
    lanes = day_of(many).lanes
    assert len(lanes) == LANES
    assert lanes[-1].rest == 20 - (LANES - 1)
    assert len(lanes[-1].times) == lanes[-1].rest


def test_the_silence_is_marked_where_it_was_and_grows_to_its_length() -> None:
    one = day_of(movements(), silence=(SINCE, NOW), limit_hours=3.0)
    assert one.silence.seconds == 13_200
    assert float(one.silence.x[:-1]) == pytest.approx(100 * (1 - 13_200 / 86_400), abs=0.01)
    assert float(one.silence.x[:-1]) + float(one.silence.width[:-1]) == pytest.approx(100, abs=0.01)
    heights = [float(point.split(",")[1]) for point in one.curve.points.split(" ")]
    top = max(3.0, 4.2) * 1.06  # the night's silence is the longest of this day
    assert heights[-1] == pytest.approx(1000 * (1 - (13_200 / 3600) / top), abs=60)
    assert len(one.ticks) == 6
    assert {tick.at.astimezone(ZONE).hour % 4 for tick in one.ticks} == {0}


@pytest.mark.parametrize("minute", range(0, 24 * 60, 10))
def test_what_stands_at_the_edge_of_the_day_stays_on_a_telephones_page_at_any_time(minute: int) -> None:
    page, hour = 300, 40  # px
    until = NOW + timedelta(minutes=minute)
    for tick in day_of((), until=until).ticks:
        x = float(tick.x[:-1]) / 100 * page
        left = {"start": x, "middle": x - hour / 2, "end": x - hour}[tick.anchor]
        assert 0 <= left <= page - hour


def test_a_silence_that_began_before_the_day_begins_high() -> None:
    """The curve at the page's left edge knows of what was before it."""
    moved = tuple(Movement(at, at, at, "d", None, "motion", 1) for at in (NOW - 30 * HOUR, NOW - HOUR))
    first, *_ = day_of(moved).curve.points.split(" ")
    _, second, *_ = day_of(moved).curve.points.split(" ")
    assert float(first.split(",")[1]) < 850  # six hours already
    assert float(second.split(",")[1]) < float(first.split(",")[1])


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.tuples(st.integers(-40 * 60, 60), st.integers(0, 90), st.integers(0, 9)), max_size=60),
    st.booleans(), st.none() | st.floats(0.1, 72), st.integers(-5000, 5000), st.integers(-5000, 5000),
)  # fmt: skip
def test_any_day_stays_within_its_drawing(
    moved: list[tuple[int, int, int]], banded: bool, limit: float | None, begin: int, rang: int
) -> None:
    found = tuple(
        Movement(at, at, at + length * MINUTE, f"d{sensor}", None, "motion", 1)
        for minutes, length, sensor in sorted(moved)
        for at in [NOW + minutes * MINUTE]
    )
    band = read.Band([1.0] * 24 if rang % 2 else None, [n / 3 for n in range(24)]) if banded else None
    one = day_of(found, rang=NOW + rang * MINUTE, silence=(NOW + begin * MINUTE, NOW), band=band, limit_hours=limit)
    for mark in [mark for lane in one.lanes for mark in lane.marks] + ([one.silence] if one.silence else []):
        assert within(mark)
    if one.curve:
        lines = f"{one.curve.points} {one.curve.usual} {one.curve.limits}".split()
        pairs = [tuple(map(float, point.split(","))) for point in lines]
        assert all(-0.1 <= x <= 1000.1 and -0.1 <= y <= 1000.1 for x, y in pairs)
        xs = [float(point.split(",")[0]) for point in one.curve.points.split(" ")]
        assert xs == sorted(xs)
        assert all(0 <= y <= CURVE_PX for _, y in one.curve.scale)


def test_a_vital_sign_stands_among_its_days() -> None:
    first, last = date(2026, 2, 17), date(2026, 3, 2)
    days = [VitalDay(first + timedelta(days=n), "w", "heart_rate", 4, 60 + n, 70 + n, 80 + n) for n in range(13)]
    one = draw_vitals(days, 134, {"threshold": 120, "p50": 72}, first, last)
    assert one is not None
    assert one.value is not None
    limit, usual = one.lines
    assert 0 < one.value.y < limit.y < usual.y < VITALS_PX
    assert len(one.days) == 13
    assert one.rows[0] == ("02-17", "60", "70", "80")
    assert draw_vitals([], None, {"threshold": 3.0}, first, last) is None
    flat = draw_vitals([], 0.0, {}, first, last)
    assert flat is not None


def test_a_distance_beyond_the_circle_is_drawn_beyond_it() -> None:
    one = draw_distance(820, 500)
    assert one is not None
    assert float(one.position_x[:-1]) > float(one.fence_x[:-1])
    assert draw_distance(5, 0) is None


# What is said.


def test_a_silence_is_said_in_sentences() -> None:
    one = told(incident(alarm("inactivity", silence_evidence(SINCE, 3.667))))
    [panel] = one.panels
    assert " ".join(panel.sentences) == (
        "No movement for 3 h 40 min, since 10:42. At this hour it is hardly ever longer than 1 h 51 min"
        " (from 30 days). It rings after 3 h 36 min."
    )
    assert panel.opposes == ["the door was opened, 10:38:00 (4 min before)"]
    assert one.day_first
    assert one.day_sentences == [
        "Last movement before the alarm: 厨房 at 10:42 (3 h 40 min before).", "None since the alarm.",
    ]  # fmt: skip
    assert one.day is not None
    assert one.day.silence is not None
    zh = told(incident(alarm("inactivity", silence_evidence(SINCE, 3.667))), language="zh").panels[0]
    assert zh.sentences[0] == "已有3 小时 40 分没有活动，从10:42起。"


def test_a_silence_by_the_fixed_rule_is_said_too() -> None:
    evidence = {
        "source": "derived", "rule": "inactivity_fixed_hours", "threshold": 8.0, "value": 8.001, "readings": [],
        "unit": "hours heard without a movement", "since_ms": ms(NOW - 8 * HOUR),
    }  # fmt: skip
    [panel] = told(incident(alarm("inactivity", evidence))).panels
    assert panel.sentences == ["No movement for 8 h 0 min, since 06:22.", "It rings after 8 h 0 min."]


def test_an_impact_is_said_in_sentences() -> None:
    [panel] = told(incident(alarm("fall", fall_evidence(NOW - MINUTE)))).panels
    assert panel.sentences[0].startswith("An impact of 3.2")
    assert panel.sentences[0].endswith("g at the wrist, at 14:20:59.") or "14:21:00" in panel.sentences[0]
    assert panel.sentences[1].startswith("It lay still for 5.")
    assert panel.sentences[2] == "Fall: 87\u00a0% confidence; it rings from 60\u00a0% on."
    facts = {fact.name: fact.value for fact in panel.facts}
    assert facts["Detector and version"] == "fall/wrist-1"
    assert facts["Readings"].endswith("… (8)")


@pytest.mark.parametrize(
    ("kind", "evidence", "said"),
    [
        ("vitals", {"measure": "heart_rate", "threshold": 120, "value": 134, "unit": "beats a minute"},
         "The heart rate was 134 beats a minute; the limit is 120 beats a minute."),
        ("wandering", {"threshold": 500, "value": 820.4, "unit": "metres from home"},
         "820 m from home; the circle ends at 500 m."),
        ("wandering", {"threshold": 20, "value": 25, "unit": "minutes heard without a movement inside",
                       "since_ms": ms(NOW - 25 * MINUTE)},
         "The door was opened at 13:57; nobody has come back for 25 min."),
        ("co", {"threshold": True, "value": True, "unit": "said by the sensor"}, "The sensor says so itself."),
        ("fall", {"threshold": None, "confidence": 0.4}, "Fall: 40\u00a0% confidence."),
    ],
)  # fmt: skip
def test_other_kinds_are_said_in_a_sentence(kind: str, evidence: dict[str, Any], said: str) -> None:
    [panel] = told(incident(alarm(kind, {"rule": "r", **evidence}))).panels
    assert panel.sentences == [said]


def test_a_press_is_what_it_is_and_has_the_homes_day() -> None:
    one = told(incident(alarm("sos", {"source": "reported", "event_id": "e"})))
    assert one.panels == []
    assert one.day is not None
    assert not one.day_first
    assert one.day_sentences


def test_movement_since_the_alarm_is_said() -> None:
    moved = (*movements(), Movement(NOW, NOW + MINUTE, NOW + MINUTE, None, "厨房", "motion", 1))
    one = told(incident(alarm("inactivity", silence_evidence(SINCE, 3.667))), Day(SINCE, NOW, moved), now=NOW + HOUR)
    assert one.day_sentences[-1] == "Since the alarm there was movement: 厨房, last at 14:23."
    assert one.day is not None
    assert one.day.silence is not None
    assert one.day.silence.seconds == 13_260  # it ended when somebody moved


def test_its_way_is_told_step_by_step_and_a_withdrawal_closes_nothing() -> None:
    suspected = alarm("inactivity_suspected", silence_evidence(SINCE, 3.58, until_ms=ms(NOW)), NOW - 5 * MINUTE)
    rang = alarm("inactivity", silence_evidence(SINCE, 3.667, follows=str(suspected["id"])))
    back = alarm(WITHDRAWN, {"rule": "w", "restores": str(rang["id"]), "reason": "room_movement"}, NOW + 20 * MINUTE)
    row = incident(rang, related=[suspected, back])
    assert [step.text for step in told(row).steps] == [
        "No movement suspected. Unless something speaks against it, it rings at 14:22:00.",
        "No movement: confirmed, and it rang.",
        "Taken back: moved again. The incident stays yours to close.",
    ]
    assert told({**row, "state": "closed"}).steps[-1].text == "Taken back: moved again."
    # Whether dispatch keeps the suspicion with its incident or beside it, it is explained once.
    both = told(incident(suspected, rang, back))
    assert [panel.kind for panel in both.panels] == ["inactivity"]
    assert len(both.steps) == 3


def test_a_home_without_sensors_of_movement_has_no_day() -> None:
    row = incident(alarm("sos", {}), card={"devices": [{"kind": "button"}]})
    one = told(row, Day(SINCE, NOW, ()))
    assert (one.day, one.day_sentences) == (None, [])
    assert told(incident(alarm("sos", {})), Day(SINCE, NOW, ())).day_sentences == [
        "No movement is on record for the 36 hours before the alarm."
    ]


def test_a_home_of_another_zone_is_told_by_its_own_clock() -> None:
    row = incident(card={"timezone": "Europe/London", "devices": []})
    assert why.home_zone(row, ZONE).key == "Europe/London"
    assert why.home_zone(incident(), ZONE) is ZONE
    assert why.home_zone(incident(card={"timezone": "No/Where", "devices": []}), ZONE) is ZONE
    assert why.home_zone(incident(card=None), ZONE) is ZONE


# Whatever stands in an evidence, the page is drawn.

NAMES = st.sampled_from([
    "detector", "rule", "threshold", "value", "unit", "since_ms", "until_ms", "readings", "confidence", "usual",
    "reason", "supports", "opposes", "trace", "band", "restores", "follows", "measure", "side", "p50", "p99", "days",
    "hour", "what", "at_ms", "rate_hz", "start_ms", "range_g", "position", "g", "hours", "limits", "source", "caller",
    "new",
])  # fmt: skip
TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=12)
LEAF = (
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT | st.just(samples())
    | st.sampled_from(["hours", "s", "score", "m", "g", "metres from home", "{curly}", "<b>", "got_up"])
    | st.sampled_from([10**30, -(10**30), 10**400])
)  # fmt: skip
VALUE = st.recursive(
    LEAF, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES | TEXT, inner, max_size=6), max_leaves=12
)
NUMBERS = st.integers(-(10**15), 10**15) | st.floats() | st.sampled_from([0, 1, 0.5, 24, 50, ms(NOW), ms(SINCE)])
USUAL_PART = st.dictionaries(st.sampled_from(["p50", "p90", "p99", "days", "hour", "unit"]), NUMBERS | TEXT)
TRACE_PART = st.fixed_dictionaries(
    {"rate_hz": NUMBERS, "start_ms": NUMBERS, "g": st.binary(max_size=900).map(lambda raw: b64encode(raw).decode())},
    optional={"range_g": NUMBERS, "position": VALUE},
)
BAND_PART = st.fixed_dictionaries({name: st.lists(NUMBERS, min_size=24, max_size=24) for name in ("hours", "limits")})
SIGNS = st.lists(st.fixed_dictionaries({"what": TEXT}, optional={"at_ms": NUMBERS, "value": VALUE}), max_size=14)
NEAR = st.fixed_dictionaries(
    {"rule": TEXT, "threshold": NUMBERS, "value": NUMBERS,
     "unit": st.sampled_from(["hours", "score", "m", "g", "bpm"])},
    optional={"since_ms": NUMBERS, "until_ms": NUMBERS, "usual": USUAL_PART, "trace": TRACE_PART, "band": BAND_PART,
              "supports": SIGNS, "opposes": SIGNS, "confidence": NUMBERS, "measure": TEXT},
)  # fmt: skip
EVIDENCE = st.dictionaries(NAMES | TEXT, VALUE, max_size=12) | NEAR
KINDS = st.sampled_from([
    "fall", "inactivity", "vitals", "wandering", "smoke", "sos", "technical", *SUSPICIONS, WITHDRAWN,
    "of a device's own",
])  # fmt: skip
PAGES = Pages(DrivenClock(ms(NOW)), ZONE)


def rendered(one: why.Why, language: str) -> str:
    cookie = f"pingan_language={language}".encode()
    request = Request(
        {"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": [(b"cookie", cookie)]}
    )
    return "".join(PAGES.piece(request, "why.html", part=part, why=one) for part in ("why", "day"))


@settings(max_examples=120, deadline=None)
@given(
    st.lists(st.tuples(KINDS, EVIDENCE, st.integers(-3000, 3000)), min_size=1, max_size=4),
    st.booleans(),
    st.sampled_from(LANGUAGES),
)
def test_no_evidence_breaks_the_page(alarms: list[tuple[str, dict[str, Any], int]], quiet: bool, language: str) -> None:
    row = incident(*(alarm(kind, evidence, NOW + minutes * MINUTE) for kind, evidence, minutes in alarms))
    vitals = [VitalDay(NOW.date(), "w", "heart_rate", 2, 60, 70, 80)]
    day = Day(NOW - 36 * HOUR, NOW, () if quiet else movements())
    html = rendered(why.explain(row, day, vitals, language, times(language)), language)
    page = ElementTree.fromstring(f"<div>{html}</div>")
    ids = [found.get("id") for found in page.iter() if found.get("id")]
    assert len(ids) == len(set(ids))
    assert not page.findall(".//b[@class]")
    for figure in page.iter("svg"):
        assert figure.get("role") != "img" or figure.get("aria-labelledby") or figure.get("aria-label")


@pytest.mark.parametrize("language", LANGUAGES)
def test_everything_that_is_drawn_has_its_words_and_a_table(language: str) -> None:
    vital = alarm("vitals", {"rule": "r", "measure": "heart_rate", "value": 134, "threshold": 120, "unit": "bpm"})
    row = incident(alarm("fall", fall_evidence(NOW)), alarm("inactivity", silence_evidence(SINCE, 3.7)), vital)
    vitals = [VitalDay(NOW.date(), "w", "heart_rate", 2, 60, 70, 80)]
    one = why.explain(row, Day(NOW - 36 * HOUR, NOW, movements()), vitals, language, times(language))
    page = ElementTree.fromstring(f"<div>{rendered(one, language)}</div>")
    pictures = [found for found in page.iter("svg") if found.get("role") == "img"]
    assert len(pictures) == 3
    ids = {found.get("id"): found for found in page.iter() if found.get("id")}
    for picture in pictures:
        for label in (picture.get("aria-labelledby") or "").split():
            assert ids[label].text
    assert len(page.findall(".//figure//table")) == 2  # the trace's numbers stand in the panel's own
    assert len(page.findall(".//article//details")) == 4
