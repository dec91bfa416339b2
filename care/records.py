"""What the register keeps: ten kinds of records, their columns, and the words for them. PURE.

The one table of all columns: files, the API and the pages are made from it. A column without a default must be given.
"""

from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, fields
from datetime import date, datetime
from typing import Any

from care import cells
from care.cells import Kind, Value
from care.limits import limits
from care.refusal import Refusal

LANGUAGES = {"zh": "中文", "en": "英文"}
LEVELS = {"city": "市", "district": "县/区", "town": "乡/镇/街道", "village": "村/社区"}
SEXES = {"female": "女", "male": "男"}
COORDINATES = {"WGS-84": "WGS-84", "GCJ-02": "GCJ-02"}
CONTACT_ROLES = {"family": "家属", "neighbour": "邻居", "friend": "朋友", "property": "物业", "carer": "护理员"}
RESPONDER_ROLES = {
    "volunteer": "志愿者",
    "grid_worker": "网格员",
    "social_worker": "社工",
    "property": "物业",
    "station": "服务站点",
    "medical": "医护",
}
DEVICE_KINDS = {
    "button": "呼叫按钮",
    "pendant": "呼叫吊坠",
    "hub": "网关",
    "watch": "手表",
    "motion": "人体感应",
    "door": "门磁",
    "bed": "床垫",
    "smoke": "烟感",
    "gas": "燃气",
    "co": "一氧化碳",
    "water": "水浸",
    "clock": "时钟",
    "vibration": "振动感应",
    "tracker": "定位器",
    "panel": "报警主机",
    "climate": "温湿度",
}
KINDS_BEHIND_NOBODY = frozenset({"hub", "clock"})
HEARTBEATS_SECONDS = (90, 180, 900, 18000, 90000)
WEEKDAYS = {
    "mon": "周一",
    "tue": "周二",
    "wed": "周三",
    "thu": "周四",
    "fri": "周五",
    "sat": "周六",
    "sun": "周日",
}
CONSENTS = {
    "emergency": "紧急呼援",
    "movement": "活动监测",
    "health": "健康监测",
    "location": "定位",
    "share_with_family": "告知家属",
    "share_with_medical": "告知医护",
}
AREA_DIGITS = {"city": 4, "district": 6, "town": 9, "village": 12}
"""How long the codes of each level are in the national statistics' division codes (统计用区划代码). With one length a
level, no area's code is the beginning of its neighbour's, and a scope can be a prefix."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Area:
    code: str
    name: str
    level: str
    parent: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    id: str
    area: str
    address: str
    phone: str | None = None
    way_in: str | None = None
    way_in_proven_on: date | None = None
    latitude: float | None = None
    longitude: float | None = None
    coordinates: str | None = None
    inactivity_hours: float | None = None
    policy: str | None = None
    inactivity_floor_hours: float | None = None
    timezone: str | None = None
    fence_m: float | None = None
    limits: str | None = None
    """As `care.limits` writes them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    id: str
    home: str
    name: str
    born_on: date | None = None
    sex: str | None = None
    language: str = "zh"
    phone: str | None = None
    category: str | None = None
    conditions: str | None = None
    medication: str | None = None
    hospital: str | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    id: str
    home: str
    rank: int
    name: str
    relation: str
    role: str
    phone: str
    language: str = "zh"
    has_key: bool = False
    notify: str | None = None
    """As Apprise writes it. It may hold a secret: no list shows it."""
    told: bool | None = None
    """Told of each stage; None: family are, others are not."""
    digest: bool = False
    quiet: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Responder:
    id: str
    name: str
    role: str
    area: str
    phone: str
    language: str = "zh"
    on_duty: bool = True
    consented_on: date | None = None
    """None: they are not asked, nor are those who are not trained."""
    trained_on: date | None = None
    hours: str | None = None
    """Their rota; None: always."""
    latitude: float | None = None
    longitude: float | None = None
    coordinates: str | None = None
    notify: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    id: str
    kind: str
    home: str | None = None
    model: str | None = None
    heartbeat_seconds: int = 90
    enabled: bool = True
    enrolled_at: datetime | None = None
    """None only in what is asked for: the register fills in the time."""
    mqtt_password_hash: str | None = None
    gateway: str | None = None
    """The hub through which it speaks; then it has no password of its own."""
    address: str | None = None
    """What that hub calls it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Consent:
    person: str
    kind: str
    given_at: datetime
    withdrawn_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Away:
    home: str
    away_from: datetime
    reason: str
    away_until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Absence:
    """When a responder is not there, and who takes their shifts."""

    responder: str
    absent_from: datetime
    absent_until: datetime | None = None
    stand_in: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Holiday:
    """A day that is worked as another day of the week."""

    day: date
    counts_as: str = "sun"


Record = Area | Home | Person | Contact | Responder | Device | Consent | Away | Absence | Holiday
Key = tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Column:
    """`kept_when_empty`: an empty cell leaves what is there, as it does for what the register fills in itself."""

    name: str
    kind: Kind
    chinese: str
    required: bool
    default: Value
    kept_when_empty: bool = False


@dataclass(frozen=True)
class Entity:
    """One kind of record: `key` names it, `refers` says which columns name a record of another kind."""

    name: str
    chinese: str
    record: type[Any]
    key: tuple[str, ...]
    columns: Mapping[str, Column]
    refers: Mapping[str, str]
    check: Callable[[Any], tuple[str, Refusal] | None]

    def key_of(self, record: Any) -> Key:
        return tuple(getattr(record, name) for name in self.key)


def _check_area(area: Area) -> tuple[str, Refusal] | None:
    digits = AREA_DIGITS[area.level]
    if len(area.code) != digits:
        return "code", Refusal("area_digits", level=area.level, digits=digits, code=area.code)
    levels = list(AREA_DIGITS)
    above = levels[levels.index(area.level) - 1] if area.level != "city" else None
    expected = area.code[: AREA_DIGITS[above]] if above else None
    if area.parent != expected:
        return "parent", Refusal("area_parent", code=area.code, expected=expected or "—")
    return None


def _check_home(home: Home) -> tuple[str, Refusal] | None:
    given = [home.latitude is not None, home.longitude is not None, home.coordinates is not None]
    if any(given) and not all(given):
        return "coordinates", Refusal("coordinates_incomplete")
    if home.fence_m is not None and not all(given):
        return "fence_m", Refusal("fence_without_place")
    ceiling, floor = home.inactivity_hours, home.inactivity_floor_hours
    if ceiling is not None and floor is not None and floor > ceiling:
        return "inactivity_floor_hours", Refusal("floor_above_ceiling", ceiling=ceiling)
    return None


def _check_responder(responder: Responder) -> tuple[str, Refusal] | None:
    given = [responder.latitude is not None, responder.longitude is not None, responder.coordinates is not None]
    if any(given) and not all(given):
        return "coordinates", Refusal("coordinates_incomplete")
    return None


def _check_absence(absence: Absence) -> tuple[str, Refusal] | None:
    if absence.absent_until is not None and absence.absent_until <= absence.absent_from:
        return "absent_until", Refusal("absent_until_before_from")
    if absence.stand_in == absence.responder:
        return "stand_in", Refusal("stands_in_for_oneself")
    return None


def _check_device(device: Device) -> tuple[str, Refusal] | None:
    if device.id.startswith(RESERVED):
        return "id", Refusal("device_reserved", id=device.id)
    if device.kind == "clock" and device.home is not None:
        return "home", Refusal("clock_has_no_home")
    if (device.gateway is None) != (device.address is None):
        return "address" if device.address is None else "gateway", Refusal("gateway_and_address")
    if device.gateway is not None and device.kind in KINDS_BEHIND_NOBODY:
        return "gateway", Refusal("behind_nobody", kind=device.kind)
    return None


def heartbeat_seconds(gateway: str | None) -> int:
    """How often a device is expected to be heard of which nobody has said it.

    What is behind a gateway speaks when something happens; a Zigbee sensor checks in about once a day.
    """
    return HEARTBEATS_SECONDS[0] if gateway is None else HEARTBEATS_SECONDS[-1]


def _check_consent(consent: Consent) -> tuple[str, Refusal] | None:
    if consent.withdrawn_at is not None and consent.withdrawn_at < consent.given_at:
        return "withdrawn_at", Refusal("withdrawn_before_given")
    return None


def _check_away(away: Away) -> tuple[str, Refusal] | None:
    if away.away_until is not None and away.away_until <= away.away_from:
        return "away_until", Refusal("away_until_before_from")
    return None


def _nothing(_record: Any) -> tuple[str, Refusal] | None:
    return None


RESERVED = ("ingest", "dispatch", "alerting", "console", "pingan", "gw")
"""How the broker's own users begin: a device of that name would be one of us."""

_id = cells.pattern(r"[A-Za-z0-9_-]{1,64}", "id")
_code = cells.pattern(r"\d{4,12}", "area_code")
_name = cells.text(100)
_line = cells.text(300)
_story = cells.text(4000, lines=True)
_language = cells.choice(LANGUAGES)
_hash = cells.pattern(r"\$7\$\d{1,7}\$[A-Za-z0-9+/]{16}\$[A-Za-z0-9+/]{86}==", "password_hash")


def _entity(
    name: str,
    chinese: str,
    record: type[Any],
    key: tuple[str, ...],
    columns: Mapping[str, tuple[str, Kind]],
    refers: Mapping[str, str] | None = None,
    check: Callable[[Any], tuple[str, Refusal] | None] = _nothing,
    kept_when_empty: tuple[str, ...] = (),
) -> Entity:
    built = {}
    defaults: dict[str, Any] = {field.name: field.default for field in fields(record)}
    for column, (word, kind) in columns.items():
        default = defaults[column]
        required = default is MISSING
        built[column] = Column(column, kind, word, required, None if required else default, column in kept_when_empty)
    return Entity(name, chinese, record, key, built, refers or {}, check)


AREAS = _entity(
    "areas",
    "区域",
    Area,
    ("code",),
    {
        "code": ("区划代码", _code),
        "name": ("名称", _name),
        "level": ("级别", cells.choice(LEVELS)),
        "parent": ("上级代码", _code),
    },
    {"parent": "areas"},
    _check_area,
)
HOMES = _entity(
    "homes",
    "家庭",
    Home,
    ("id",),
    {
        "id": ("家庭编号", _id),
        "area": ("区划代码", _code),
        "address": ("地址", _line),
        "phone": ("电话", cells.phone),
        "way_in": ("进门方式", _story),
        "way_in_proven_on": ("进门方式核实日期", cells.day),
        "latitude": ("纬度", cells.number(-90, 90)),
        "longitude": ("经度", cells.number(-180, 180)),
        "coordinates": ("坐标系", cells.exact(COORDINATES)),
        "inactivity_hours": ("无活动小时数", cells.number(0.1, 720)),
        "policy": ("处置预案", _id),
        "inactivity_floor_hours": ("最短无活动小时数", cells.number(0.1, 720)),
        "timezone": ("时区", cells.zone),
        "fence_m": ("电子围栏半径米", cells.number(20, 100_000)),
        "limits": ("体征限值", limits),
    },
    {"area": "areas"},
    _check_home,
)
PEOPLE = _entity(
    "people",
    "服务对象",
    Person,
    ("id",),
    {
        "id": ("人员编号", _id),
        "home": ("家庭编号", _id),
        "name": ("姓名", _name),
        "born_on": ("出生日期", cells.day),
        "sex": ("性别", cells.choice(SEXES)),
        "language": ("语言", _language),
        "phone": ("电话", cells.phone),
        "category": ("类别", _line),
        "conditions": ("病史", _story),
        "medication": ("用药", _story),
        "hospital": ("就诊医院", _line),
        "note": ("备注", _story),
    },
    {"home": "homes"},
)
CONTACTS = _entity(
    "contacts",
    "联系人",
    Contact,
    ("id",),
    {
        "id": ("联系人编号", _id),
        "home": ("家庭编号", _id),
        "rank": ("顺序", cells.whole(1, 99)),
        "name": ("姓名", _name),
        "relation": ("关系", _name),
        "role": ("角色", cells.choice(CONTACT_ROLES)),
        "phone": ("电话", cells.phone),
        "language": ("语言", _language),
        "has_key": ("有钥匙", cells.flag),
        "notify": ("通知地址", cells.address),
        "told": ("告知进展", cells.flag),
        "digest": ("每周简报", cells.flag),
        "quiet": ("免打扰时段", cells.hours),
    },
    {"home": "homes"},
)
RESPONDERS = _entity(
    "responders",
    "救援人员",
    Responder,
    ("id",),
    {
        "id": ("人员编号", _id),
        "name": ("姓名", _name),
        "role": ("角色", cells.choice(RESPONDER_ROLES)),
        "area": ("区划代码", _code),
        "phone": ("电话", cells.phone),
        "language": ("语言", _language),
        "on_duty": ("在岗", cells.flag),
        "consented_on": ("同意日期", cells.day),
        "trained_on": ("培训日期", cells.day),
        "hours": ("值班时段", cells.shifts),
        "latitude": ("纬度", cells.number(-90, 90)),
        "longitude": ("经度", cells.number(-180, 180)),
        "coordinates": ("坐标系", cells.exact(COORDINATES)),
        "notify": ("通知地址", cells.address),
    },
    {"area": "areas"},
    _check_responder,
)
DEVICES = _entity(
    "devices",
    "设备",
    Device,
    ("id",),
    {
        "id": ("设备编号", _id),
        "home": ("家庭编号", _id),
        "kind": ("类型", cells.choice(DEVICE_KINDS)),
        "model": ("型号", _name),
        "heartbeat_seconds": ("心跳秒数", cells.one_of(*HEARTBEATS_SECONDS)),
        "enabled": ("启用", cells.flag),
        "enrolled_at": ("登记时间", cells.moment),
        "mqtt_password_hash": ("密码散列", _hash),
        "gateway": ("网关编号", _id),
        "address": ("网关内地址", _line),
    },
    {"home": "homes", "gateway": "devices"},
    _check_device,
    kept_when_empty=("enrolled_at", "mqtt_password_hash"),
)
CONSENTS_GIVEN = _entity(
    "consents",
    "同意书",
    Consent,
    ("person", "kind", "given_at"),
    {
        "person": ("人员编号", _id),
        "kind": ("同意事项", cells.choice(CONSENTS)),
        "given_at": ("同意时间", cells.moment),
        "withdrawn_at": ("撤回时间", cells.moment),
    },
    {"person": "people"},
    _check_consent,
)
AWAY = _entity(
    "away",
    "外出",
    Away,
    ("home", "away_from"),
    {
        "home": ("家庭编号", _id),
        "away_from": ("外出时间", cells.moment),
        "away_until": ("返回时间", cells.moment),
        "reason": ("原因", _line),
    },
    {"home": "homes"},
    _check_away,
)

ABSENCES = _entity(
    "responder_absences",
    "救援人员缺勤",
    Absence,
    ("responder", "absent_from"),
    {
        "responder": ("人员编号", _id),
        "absent_from": ("缺勤开始", cells.moment),
        "absent_until": ("缺勤结束", cells.moment),
        "stand_in": ("代班人员编号", _id),
    },
    {"responder": "responders", "stand_in": "responders"},
    _check_absence,
)
HOLIDAYS = _entity(
    "holidays",
    "节假日",
    Holiday,
    ("day",),
    {"day": ("日期", cells.day), "counts_as": ("按周几", cells.choice(WEEKDAYS))},
)

ENTITIES: Mapping[str, Entity] = {
    entity.name: entity
    for entity in (
        AREAS, HOMES, PEOPLE, CONTACTS, RESPONDERS, DEVICES, CONSENTS_GIVEN, AWAY, ABSENCES, HOLIDAYS,
    )
}  # fmt: skip
"""In the order in which they can be written: each refers only to those before it (or to its own kind)."""


def entity_of(record: Record) -> Entity:
    return _OF[type(record)]


_OF: Mapping[type[Any], Entity] = {entity.record: entity for entity in ENTITIES.values()}
