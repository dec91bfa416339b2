"""Any record that the register can hold, for properties."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from care.records import (
    CONSENTS,
    CONTACT_ROLES,
    COORDINATES,
    DEVICE_KINDS,
    HEARTBEATS_SECONDS,
    LANGUAGES,
    RESPONDER_ROLES,
    WEEKDAYS,
    Absence,
    Area,
    Away,
    Consent,
    Contact,
    Device,
    Holiday,
    Home,
    Person,
    Responder,
)

_awkward = st.sampled_from([*"=+-@＝＋－＠\"',;\n\t 陈李梅a1", "'=", "\r\n"[1:], "<script>", "_x0041_", "\ufffe"])
_line = st.lists(_awkward.filter(lambda one: one not in "\n\t"), max_size=8).map(lambda parts: "".join(parts).strip())
_story = st.lists(_awkward, max_size=12).map(lambda parts: "".join(parts).strip())
_name = _line.filter(bool)
_id = st.from_regex(r"[A-Za-z0-9_-]{1,12}", fullmatch=True)
_phone = st.integers(0, 9999).map(lambda number: f"+86138{number:08d}")
_moment = st.timedeltas(timedelta(0), timedelta(days=100_000)).map(
    lambda since: datetime(1900, 1, 2, tzinfo=UTC) + since
)
_day = st.dates(date(1900, 1, 1), date(2199, 1, 1))
_address = st.sampled_from(["mailtos://a:b@mail.example", "wecombot://0123-45-6789", "dingtalk://=token@"])
_language = st.sampled_from(list(LANGUAGES))


def _maybe(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | strategy


def _text(strategy: st.SearchStrategy[str]) -> st.SearchStrategy[str | None]:
    return strategy.map(lambda text: text or None)


RECORDS: dict[str, st.SearchStrategy[Any]] = {
    "areas": st.builds(Area, code=st.just("4407"), name=_name, level=st.just("city"), parent=st.none()),
    "homes": st.builds(
        Home,
        id=_id,
        area=st.just("4407"),
        address=_name,
        phone=_maybe(_phone),
        way_in=_text(_story),
        way_in_proven_on=_maybe(st.dates(date(1900, 1, 1), date(2199, 1, 1))),
        latitude=_maybe(st.floats(-90, 90)),
        longitude=_maybe(st.floats(-180, 180)),
        coordinates=_maybe(st.sampled_from(list(COORDINATES))),
        inactivity_hours=_maybe(st.floats(0.1, 720)),
        policy=_maybe(_id),
        inactivity_floor_hours=_maybe(st.floats(0.1, 720)),
        timezone=_maybe(st.sampled_from(["Asia/Shanghai", "Asia/Urumqi", "Europe/London"])),
        fence_m=_maybe(st.floats(20, 100_000)),
        limits=_maybe(st.sampled_from(["heart_rate 50–110", "diastolic –95; spo2 90–", "body_temperature 35.5–37.8"])),
    ),
    "people": st.builds(
        Person,
        id=_id,
        home=_id,
        name=_name,
        born_on=_maybe(st.dates(date(1900, 1, 1), date(2199, 1, 1))),
        sex=st.sampled_from([None, "female", "male"]),
        language=_language,
        phone=_maybe(_phone),
        category=_text(_line),
        conditions=_text(_story),
        medication=_text(_story),
        hospital=_text(_line),
        note=_text(_story),
    ),
    "contacts": st.builds(
        Contact,
        id=_id,
        home=_id,
        rank=st.integers(1, 99),
        name=_name,
        relation=_name,
        role=st.sampled_from(list(CONTACT_ROLES)),
        phone=_phone,
        language=_language,
        has_key=st.booleans(),
        notify=_maybe(_address),
        told=_maybe(st.booleans()),
        digest=st.booleans(),
        quiet=_maybe(st.sampled_from(["22:00-07:00", "13:00-14:30"])),
    ),
    "responders": st.builds(
        Responder,
        id=_id,
        name=_name,
        role=st.sampled_from(list(RESPONDER_ROLES)),
        area=st.just("4407"),
        phone=_phone,
        language=_language,
        on_duty=st.booleans(),
        consented_on=_maybe(_day),
        trained_on=_maybe(_day),
        hours=_maybe(st.sampled_from(["mon-fri 08:00-18:00; sat,sun 09:00-12:00", "周一至周五 20:00-08:00"])),
        latitude=_maybe(st.floats(-90, 90)),
        longitude=_maybe(st.floats(-180, 180)),
        coordinates=_maybe(st.sampled_from(list(COORDINATES))),
        notify=_maybe(_address),
    ),
    "devices": st.builds(
        Device,
        id=_id,
        home=_maybe(_id),
        kind=st.sampled_from(list(DEVICE_KINDS)),
        model=_text(_line),
        heartbeat_seconds=st.sampled_from(HEARTBEATS_SECONDS),
        enabled=st.booleans(),
        enrolled_at=_moment,
        mqtt_password_hash=st.sampled_from([f"$7$101${letter * 16}${letter * 86}==" for letter in "aB/+9"]),
        gateway=_maybe(_id),
        address=_text(_line),
    ),
    "consents": st.builds(
        Consent,
        person=_id,
        kind=st.sampled_from(list(CONSENTS)),
        given_at=_moment,
        withdrawn_at=_maybe(_moment),
    ),
    "away": st.builds(Away, home=_id, away_from=_moment, away_until=_maybe(_moment), reason=_name),
    "responder_absences": st.builds(
        Absence, responder=_id, absent_from=_moment, absent_until=_maybe(_moment), stand_in=_maybe(_id)
    ),
    "holidays": st.builds(Holiday, day=_day, counts_as=st.sampled_from(list(WEEKDAYS))),
}
