"""More homes like those of the sample, as many as a benchmark wants: the same for the same seed. All of it is invented.

China keeps no phone numbers for fiction. Ours begin with +861380000, are given out in order, and leave out what ends
in 500: numbers of that form were a carrier's service lines. Nothing of ours dials them: the sample's phone network is
the simulator's.
"""

from datetime import date, datetime, timedelta
from random import Random

from care.cells import CHINA
from care.records import Consent, Contact, Device, Home, Person, Record

FIRST_NUMBER = 300
"""The sample's own are below."""
HOMES_LIMIT = 20_000

_VILLAGES = {
    "440703901001": ("荷清街道晚晴路", 22.6021, 113.0713),
    "440703901002": ("荷清街道邻安街", 22.5968, 113.0795),
    "440703902001": ("榕岸镇榕荫村", 22.6534, 113.1187),
    "440703902002": ("榕岸镇石桥村", 22.6617, 113.1302),
}
_SURNAMES = (
    "陈李张黄何区周吴徐孙胡朱高林郭马罗梁宋郑谢韩唐冯于董萧程曹袁邓许"
    "傅沈曾彭吕苏卢蒋蔡贾丁魏薛叶阎余潘杜戴夏钟汪田任姜范方石姚谭廖邹熊"
)
_WOMEN = ("秀英", "桂兰", "玉珍", "凤英", "素芬", "丽华", "月娥", "淑贞", "惠芳", "美玲", "瑞英", "彩莲")
_MEN = ("建国", "志明", "德明", "国强", "永年", "福生", "金水", "树根", "文华", "伟民", "海生", "兆基")
_YOUNG = ("敏", "伟", "佳", "俊", "志豪", "晓燕", "嘉欣", "家明", "婉仪", "子轩")
_CATEGORIES = ("独居", "独居、80岁以上", "空巢", "空巢、80岁以上", "独居、肢体残疾", "农村留守", "失能", "低保")
_CONDITIONS = ("高血压", "2型糖尿病", "冠心病", "骨质疏松", "慢阻肺", "脑卒中后遗症", "轻度认知障碍", "关节炎")
_WAYS_IN = (
    "密码盒在门框上方，密码 {code}",
    "密码锁 {code}",
    "邻居有钥匙",
    "物业有备用钥匙，需登记",
    "院门不锁，大门密码 {code}",
)
_RELATIONS = (("女儿", "family"), ("儿子", "family"), ("邻居", "neighbour"), ("朋友", "friend"), ("护理员", "carer"))


class _Numbers:
    def __init__(self) -> None:
        self._last = FIRST_NUMBER - 1

    def next(self) -> str:
        self._last += 1
        if self._last % 1000 == 500:
            self._last += 1
        return f"+86138{self._last:08d}"


def homes(first: int, last: int, seed: int) -> list[list[Record]]:
    """The records of homes `first` to `last`: homes, people, contacts, devices and consents, each in its list."""
    random = Random(seed)  # noqa: S311 - a repeatable world, no secret
    numbers = _Numbers()
    made: list[list[Record]] = [[], [], [], [], []]
    for place in range(first, last + 1):
        for into, records in zip(made, _home(f"{place:03d}", random, numbers), strict=True):
            into.extend(records)
    return made


def _home(place: str, random: Random, numbers: _Numbers) -> tuple[list[Record], ...]:
    home = f"H{place}"
    area = random.choice(list(_VILLAGES))
    street, latitude, longitude = _VILLAGES[area]
    lives: list[Record] = [
        Home(
            id=home,
            area=area,
            address=f"{street}{random.randint(1, 199)}号{random.randint(1, 12)}栋{random.randint(101, 1804)}室",
            way_in=random.choice(_WAYS_IN).format(code=random.randint(1000, 9999)),
            way_in_proven_on=date(2026, 1, 1) + timedelta(days=random.randrange(300)),
            latitude=round(latitude + random.uniform(-0.01, 0.01), 6),
            longitude=round(longitude + random.uniform(-0.01, 0.01), 6),
            coordinates="WGS-84",
            inactivity_hours=random.choice((8.0, 12.0, 12.0, 12.0, None)),
        )
    ]
    surname = random.choice(_SURNAMES)
    watch = random.random() < 0.25
    given = datetime(2026, 2, 1, 9, tzinfo=CHINA) + timedelta(days=random.randrange(200))
    people: list[Record] = []
    consents: list[Record] = []
    for ordinal in range(1 if random.random() < 0.85 else 2):
        person = f"P{place}" if ordinal == 0 else f"P{place}-{ordinal + 1}"
        female = random.random() < 0.6
        people.append(
            Person(
                id=person,
                home=home,
                name=random.choice(_SURNAMES) + random.choice(_WOMEN if female else _MEN),
                born_on=date(1934, 1, 1) + timedelta(days=random.randrange(20 * 365)),
                sex="female" if female else "male",
                phone=numbers.next() if random.random() < 0.4 else None,
                category=random.choice(_CATEGORIES),
                conditions="；".join(random.sample(_CONDITIONS, random.randint(0, 3))) or None,
            )
        )
        kinds = ("emergency", "movement", "share_with_family") + (("health", "location") if watch else ())
        consents += [Consent(person=person, kind=kind, given_at=given) for kind in kinds]
    contacts: list[Record] = []
    for rank, (relation, role) in enumerate(random.sample(_RELATIONS, random.randint(1, 3)), 1):
        family = surname if role == "family" else random.choice(_SURNAMES)
        contacts.append(
            Contact(
                id=f"{home}-c{rank}",
                home=home,
                rank=rank,
                name=family + random.choice(_YOUNG),
                relation=relation,
                role=role,
                phone=numbers.next(),
                has_key=random.random() < 0.5,
            )
        )
    kinds_of_device = (("button", 90), ("hub", 180), *((("watch", 900),) if watch else ()))
    devices: list[Record] = [
        Device(id=f"{home}-{kind}", home=home, kind=kind, heartbeat_seconds=seconds, enrolled_at=given)
        for kind, seconds in kinds_of_device
    ]
    return lives, people, contacts, devices, consents
