"""What family is told: each stage once, and nobody what they know."""

from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest

from dispatch import family
from dispatch import incident as core
from dispatch.channels.words import LANGUAGES, family_news, words
from dispatch.incident import Helper
from dispatch.policy import Person
from tests.unit.test_incident import GOING, NOON, WANG, ZHAO, Timeline, close

LI = Person("C1", "李梅", "contacts", 1, "family", "+8613800000101", "zh", told=True)
SON = Person("C3", "陈强", "contacts", 3, "family", "+8613800000103", "en", notify="ntfy://127.0.0.1/x", told=True)
PEOPLE = (LI, WANG, SON, ZHAO)
HOME = {
    "person": "陈秀英", "address": "幸福路1号", "way_in": "门卫有钥匙", "way_in_proven_on": None, "shared": True,
    "timezone": "Asia/Shanghai",
}  # fmt: skip
UNSHARED = {**HOME, "shared": False}


def told(t: Timeline, home: dict[str, Any] = HOME) -> list[tuple[str, str, str]]:
    return [(row.name, row.channel, row.body["news"]) for row in family.rows(t.decision, PEOPLE, home, NOON)]


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
    arrives = NOON.astimezone(ZoneInfo("Asia/Shanghai")).isoformat(timespec="minutes")
    assert (row.body["by"], row.body["eta"]) == ("李梅", arrives), "by the home's own clock"
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


def test_whose_consent_is_missing_of_them_is_told_that_they_called_and_who_goes() -> None:
    t = Timeline(PEOPLE)
    (row, *_) = family.rows(t.decision, PEOPLE, UNSHARED, NOON)
    assert (row.body["news"], row.body["person"], row.body["shared"]) == ("opened", "陈秀英", False)
    assert not {"cause", "address", "phone", "way_in"} & row.body.keys()
    t.at(20, core.Accept(Helper("R1", "赵志愿", "volunteer")))
    assert family.rows(t.decision, PEOPLE, UNSHARED, NOON)[0].body["by"] == "赵志愿"
    t.at(30, core.OnScene(Helper("R1", "赵志愿", "volunteer"), "赵志愿"))
    assert [one[2] for one in told(t, UNSHARED)] == ["on_scene"] * 3
    t.at(40, core.Safe("赵志愿"))
    assert told(t, UNSHARED) == [], "how they are"
    t.at(50, close(outcome="ambulance"))
    assert [row.body["outcome"] for row in family.rows(t.decision, PEOPLE, UNSHARED, NOON)] == [None] * 3


def test_it_had_been_called_safe_and_rings_again() -> None:
    t = Timeline(PEOPLE)
    t.at(10, core.Accept(GOING))
    t.at(15, core.Raised("sos"))
    assert told(t) == [], "somebody goes: it is the same call"
    t.at(20, core.Safe("李梅"))
    t.at(30, core.Raised("sos"))
    assert {one[2] for one in told(t)} == {"again"}


def test_a_death_is_told_by_a_person() -> None:
    t = Timeline(PEOPLE)
    t.at(10, core.Answer("op", "陈"))
    t.at(20, core.Safe("陈"))
    t.at(30, close(outcome="found_deceased"))
    assert {(row.body["news"], row.body["outcome"]) for row in family.rows(t.decision, PEOPLE, HOME, NOON)} == {
        ("closed_called", None)
    }


@pytest.mark.parametrize(
    ("change", "known"),
    [({}, True), ({"by": "王"}, False), ({"eta": "2026-01-01T12:00+08:00"}, False), ({"news": "on_scene"}, False)],
)
def test_the_same_again_is_no_news(change: dict[str, str], known: bool) -> None:
    t = Timeline(PEOPLE)
    t.at(20, core.Accept(GOING))
    row, _ = family.rows(t.decision, PEOPLE, HOME, NOON)
    assert family.known(row, {("C3", "twilio_sms"): {**row.body, **change}}) == known
    assert not family.known(row, {("C9", "twilio_sms"): row.body})


def test_each_stage_has_words_in_both_languages() -> None:
    stages = {*family.STAGES.values(), family.AGAIN, family.CALLED}
    for language in LANGUAGES:
        said = words("twilio_sms", language)
        for stage in stages:
            for eta, outcome in ((None, None), ("2026-01-01T03:20+08:00", None), (None, "ambulance")):
                if (eta and stage not in ("accepted", "moving")) or (outcome and stage != "closed"):
                    continue
                text = family_news(
                    {"news": stage, "person": "陈秀英", "by": "李梅", "eta": eta, "outcome": outcome}, said
                )
                assert "陈秀英" in text
                assert ("03:20" in text) == bool(eta)
        for outcome in set(core.OUTCOMES) - family.SAID_BY_A_PERSON:
            assert said(f"outcomes.{outcome}")


def test_whoever_has_heard_that_they_call_is_told_when_they_did_not() -> None:
    incident = Timeline(PEOPLE).incident
    stranger = msgspec.structs.replace(SON, stranger=True)
    home = {"id": "H001", **UNSHARED}
    rows = family.mistaken(incident, {"C1", "C3", "R1"}, (LI, WANG, stranger, ZHAO), home, NOON)
    assert [(row.recipient, row.channel, row.body["news"]) for row in rows] == [
        ("C1", "twilio_sms", "not_theirs"), (ZHAO.id, "twilio_sms", "not_theirs"),
    ]  # fmt: skip
    assert not {"address", "cause", "phone", "way_in"} & {*rows[0].body}
