"""What family is told: each stage once, and nobody what they know."""

from pathlib import Path

import msgspec

from dispatch import family
from dispatch import incident as core
from dispatch.incident import Helper
from dispatch.policy import Person
from tests.unit.test_incident import GOING, NOON, WANG, ZHAO, Timeline, close

LI = Person("C1", "李梅", "contacts", 1, "family", "+8613800000101", "zh", told=True)
SON = Person("C3", "陈强", "contacts", 3, "family", "+8613800000103", "en", notify="ntfy://127.0.0.1/x", told=True)
PEOPLE = (LI, WANG, SON, ZHAO)
HOME = {"person": "陈秀英", "address": "幸福路1号", "way_in": "门卫有钥匙", "way_in_proven_on": None}


def told(t: Timeline) -> list[tuple[str, str, str]]:
    return [(row.name, row.channel, row.body["news"]) for row in family.rows(t.decision, PEOPLE, HOME, NOON)]


def test_each_stage_is_told_once_and_nobody_what_they_know() -> None:
    t = Timeline(PEOPLE)
    assert told(t) == [
        ("李梅", "twilio_sms", "opened"), ("陈强", "twilio_sms", "opened"), ("陈强", "apprise", "opened"),
    ]  # fmt: skip
    t.at(5, core.Answer("op", "陈"))
    assert told(t) == []
    t.at(10, core.NoContact("op", "陈"))
    assert told(t) == [], "she is asked: that tells her"
    t.at(20, core.Accept(GOING))
    assert told(t) == [("陈强", "twilio_sms", "accepted"), ("陈强", "apprise", "accepted")], "she knows that she goes"
    t.at(30, core.Moving(msgspec.structs.replace(GOING, eta=NOON)))
    (row, _) = family.rows(t.decision, PEOPLE, HOME, NOON)
    assert (row.body["by"], row.body["eta"]) == ("李梅", NOON.isoformat())
    assert "way_in" not in row.body
    t.at(40, core.Resigned("C1"))
    assert [one[2] for one in told(t)] == ["resigned"] * 3
    assert family.rows(t.decision, PEOPLE, HOME, NOON)[0].body["by"] == "李梅"
    t.at(50, core.OnScene(Helper("R1", "赵志愿", "volunteer"), "赵志愿"))
    assert [one[2] for one in told(t)] == ["on_scene"] * 3
    t.at(60, core.Safe("赵志愿"))
    assert [one[2] for one in told(t)] == ["safe"] * 3
    t.at(70, close(outcome="ambulance"))
    assert [row.body["outcome"] for row in family.rows(t.decision, PEOPLE, HOME, NOON)] == ["ambulance"] * 3
    t.at(80, close())
    assert told(t) == [], "closed never stirs"


def test_who_is_asked_at_once_is_not_told_beside_it() -> None:
    t = Timeline(PEOPLE)
    t.decision = core.open_incident(
        home="H001", device=None, cause="sos", danger=True, test=False, policy=t.incident.policy, press=None,
        t0=NOON, t1=NOON, people=PEOPLE, now=NOON, manned=False,
    )  # fmt: skip
    assert [ask.person for ask in t.decision.asks] == [LI]
    assert {one[0] for one in told(t)} == {"陈强"}


def test_a_flat_battery_and_a_test_are_nobodys_news() -> None:
    t = Timeline(PEOPLE)
    for change in ({"danger": False}, {"test": True}):
        quiet = msgspec.structs.replace(t.incident, **change)
        assert family.news(msgspec.structs.replace(t.decision, incident=quiet)) is None


def test_every_decision_that_is_told_is_one_that_there_is() -> None:
    text = Path(core.__file__).read_text(encoding="utf-8")
    assert not [name for name in family.STAGES if f'"{name}"' not in text]
