"""Whatever happens to an incident can be said, in both languages."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from string import Formatter
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dashboards.console import acts, rows, sentences
from dashboards.console.language import LANGUAGES, named, reading_named, say, words
from dashboards.console.telephone import read_aloud
from dashboards.console.times import Times
from dispatch import incident as core
from dispatch import views
from dispatch.desk import policies
from dispatch.policy import TECHNICAL, Person
from pingan.messages import ANSWERS, RINGING

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
PEOPLE = (
    Person("C1", "李梅", "contacts", 1, "family", "+8613800000101", "zh"),
    Person("R1", "赵志愿", "responders", 1, "volunteer", "+8613800000201", "zh"),
)
LI = core.Helper("C1", "李梅", "family", NOW + timedelta(minutes=20))

EVENTS: tuple[core.Event, ...] = (
    core.Raised("sos"), core.ResidentAnswered("ok"), core.Restored("mains_restored"), core.Due(), core.Shown("x"),
    core.Restored("device_restored", 2, left=3, back=2, all=5),
    core.Restored("device_restored", left=0, back=5, all=5),
    core.Joined("heartbeat_lost", 2, 7, "44"),
    core.Answer("a", "王芳"), core.Answer("b", "林志强"), core.Contact("a", "王芳"), core.NoContact("a", "王芳"),
    core.Assign("a", "王芳", "C1"), core.Assign("a", "王芳", "nobody"), core.Accept(LI),
    core.Accept(core.Helper("R1", "赵志愿", "volunteer")), core.Decline("C1"), core.Decline("R1"),
    core.Unreached("C1", "twilio_voice: busy"), core.Moving(LI, "王芳"), core.Moving(None), core.OnScene(LI),
    core.OnScene(None, "王芳"), core.Safe("王芳"), core.Note("王芳", "{curly} <b>"),
    core.Close("a", "王芳", "sos", "accidental", 99), core.Close("a", "王芳", "sos", "accidental", 99, "a reason"),
    core.Raised("sos", None, core.Caller("telephone", "+8613800000101", "李梅", "family")),
    core.Raised("sos", None, core.Caller("sms", None, text="{curly} <b>")), core.Connected("x"),
    core.Proven(LI, "code"), core.Resigned("C1"), core.Resigned("R1"), core.MoreHelp("李梅"),
    core.Changed("王芳", "{curly} <b>"), core.Confirmed("C1", 1), core.OnScene(LI, "李梅"),
    core.OnScene(core.Helper("R1", "赵志愿", "volunteer"), "赵志愿"),
    core.Raised("sos", core.Press("b", "e2"), own=True),
    core.Close("a", "王芳", "sos", "accidental", 99, positive="seen_well"),
    core.Identify("a", "王芳", "H1", "陈秀英", policies()["danger"]),
    core.Identify("a", "王芳", "H2", "林海", policies()["danger"]),
    core.Bridged("asked", "C1", "王芳"), core.Bridged("rung", "C1"), core.Bridged("joined", "C1"),
    core.Bridged("left", "C1"), core.Handed("issued", "王芳", "{curly} <b>"), core.Handed("opened", "急诊"),
    core.Handed("reissued", core.SYSTEM, "", 2, ("medication", "going")),
)  # fmt: skip


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name}


def test_the_languages_have_the_same_phrases_with_the_same_blanks() -> None:
    zh, en = words("zh"), words("en")
    assert zh.keys() == en.keys()
    assert not [key for key in zh if placeholders(zh[key]) != placeholders(en[key])]
    assert not [key for key, text in en.items() if re.search(r"[\u4e00-\u9fff]", text) and key != "head.language"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_name_of_the_domain_has_a_word(language: str) -> None:
    phrases = words(language)
    kinds = {*core.CAUSES, *TECHNICAL, *RINGING, *ANSWERS}
    names = {f"kind.{kind}" for kind in kinds} | {f"outcome.{outcome}" for outcome in core.OUTCOMES}
    names |= {f"positive.{one}" for one in core.POSITIVE} | {f"proof.{one}" for one in ("press", "code", "location")}
    names |= {f"stamp.{stamp}" for stamp in core.STAMPS} | {f"act.{act}" for act in acts.KEYS}
    assert not names - phrases.keys()


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_reading_of_a_gateways_devices_has_a_word(language: str) -> None:
    page = Path("docs/families.md").read_text(encoding="utf-8")
    told = page[page.index("- **Readings**") : page.index("- `availability`")].partition("One reading `status`")[0]
    kinds = set(re.findall(r"`(\w+)`", told)) | {"status", "availability", "door_still", "bed_still", "panel_report"}
    assert len(kinds) >= 20
    assert not {f"reading.{kind}" for kind in kinds} - words(language).keys()


@pytest.mark.parametrize(
    ("kind", "zh", "en"), [("alarm:sos", "紧急呼叫", "SOS"), ("bed", "床", "bed"), ("new_kind",) * 3]
)
def test_an_alarm_beside_readings_is_named_as_an_alarm(kind: str, zh: str, en: str) -> None:
    assert [reading_named(language, kind) for language in ("zh", "en")] == [zh.replace("_", " "), en.replace("_", " ")]


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(EVENTS), st.integers(0, 900)), max_size=12),
    st.sampled_from(LANGUAGES),
    st.sampled_from(["sos", "battery_low", "mains_lost"]),
)
def test_every_incident_can_be_shown(happened: list[tuple[core.Event, int]], language: str, kind: str) -> None:
    t, at, danger = say(language), NOW, kind == "sos"
    decision = core.open_incident(
        home="H1", device="b", cause=kind, danger=danger, test=False,
        policy=policies()["danger" if danger else "technical"], press=None, t0=NOW, t1=NOW, people=PEOPLE, now=NOW,
        group=core.Group("area", "44", "44", NOW, 5) if kind == "mains_lost" else None,
    )  # fmt: skip
    incident = decision.incident
    for event, seconds in [(None, 0), *happened]:
        at += timedelta(seconds=seconds)
        if event is not None:
            decision = core.decide(incident, event, PEOPLE, at)
            incident = decision.incident
            look_at_the_journal(event, decision, language, at)
        row = shown(incident)
        one = rows.shown(row, at, language)
        for sentence in (one.due, sentences.instruction(row)):
            values = {**sentence.values, "names": "", "since": ""}
            assert "{" not in t(sentence.key, **values)
            if "then" in values:
                assert t(values["then"])
        assert t(one.status)
        todo = acts.acts(row, "a")
        assert [act.name for act in todo] == list(acts.KEYS)
        assert sum(act.next for act in todo) <= 1
        for act in todo:
            assert act.why_not is None or t(f"refused.{act.why_not}", who=act.who)


def shown(incident: core.Incident) -> dict[str, Any]:
    """The incident as the views give it."""
    names = {person.id: person.name for person in PEOPLE}
    row = {
        "id": 1, "version": incident.version, "state": incident.state.value, "cause": incident.cause,
        "danger": incident.danger, "test": incident.test, "opened_at": incident.opened_at, "home": incident.home,
        "wake_at": incident.wake_at, "device": incident.device, "body": msgspec.to_builtins(incident), "names": names,
    }  # fmt: skip
    return views._shown(row)


def look_at_the_journal(event: core.Event, decision: core.Decision, language: str, at: datetime) -> None:
    detail = {key: value for key, value in msgspec.to_builtins(event).items() if key != "type" and value is not None}
    if decision.asks:
        detail["asked"] = [ask.person.name for ask in decision.asks]
    if decision.who:
        detail["who"] = decision.who
    entry = {"event": core.tag(event), "decision": decision.name, "actor": "王芳", "detail": detail, "at": at}
    times = Times(ZoneInfo("Asia/Shanghai"), say(language), at)
    text = sentences.Teller({"C1": "李梅"}, {"b"}, language, times).tell(entry)
    other = say(language)("journal.other", actor="王芳", what=decision.name.replace("_", " "))
    assert text != other, f"nobody wrote a sentence for {decision.name}"


def test_who_opened_it_is_told_as_it_was() -> None:
    times = Times(ZoneInfo("Asia/Shanghai"), say("en"), NOW)
    teller = sentences.Teller({}, {"H1-button"}, "en", times)

    def told(actor: str, **detail: Any) -> str:
        return teller.tell({"event": "opened", "decision": "opened", "actor": actor, "at": NOW, "detail": detail})

    assert told("H1-button", kind="sos") == "SOS: a call came in (H1-button)."
    assert told("王芳", kind="fall") == "王芳 opened it for a caller: Fall."
    assert told("system", kind="inactivity") == "The platform noticed: No movement."
    group = {"kind": "mains_lost", "devices": 200, "by": "area", "of": "44"}
    assert told("system", **group) == "200 devices fell silent together: Mains lost."


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_the_telephone_says_is_said_in_words(language: str) -> None:
    text = sentences.outcome_of_send("twilio_voice: busy", say(language), language)
    assert text == {"zh": "电话：占线", "en": "telephone: busy"}[language]
    assert named(language, "kind", "new_kind") == "new kind"


@pytest.mark.parametrize(
    ("seconds", "zh", "en", "count"),
    [
        (0, "0 秒", "0 s", "0:00"), (48, "48 秒", "48 s", "0:48"), (60, "1 分", "1 min", "1:00"),
        (125, "2 分 5 秒", "2 min 5 s", "2:05"), (3723, "1 小时 2 分", "1 h 2 min", "1:02:03"),
        (180_000, "2 天 2 小时", "2 d 2 h", "50:00:00"), (-3, "0 秒", "0 s", "0:00"),
    ],
)  # fmt: skip
def test_durations(seconds: float, zh: str, en: str, count: str) -> None:
    at = [Times(ZoneInfo("Asia/Shanghai"), say(language), NOW) for language in ("zh", "en")]
    assert [times.lasting(seconds) for times in at] == [zh, en]
    assert at[0].count(seconds) == count


def test_times_are_the_centres() -> None:
    times = Times(ZoneInfo("Asia/Shanghai"), say("zh"), NOW)
    assert times.clock(NOW) == "20:00:00"
    assert times.clock(NOW + timedelta(hours=5)) == "03-02 01:00:00"
    assert times.age("1941-03-02") == 84
    assert times.age("1941-03-01") == 85


@pytest.mark.parametrize(
    ("number", "said"),
    [
        ("+8613800000149", "138 0000 0149"), ("+867503001234", "0750 300 1234"), ("+8675030012345", "0750 3001 2345"),
        ("+861012345678", "010 1234 5678"), ("+85221234567", "+852 2123 4567"), ("+442079460018", "+4420 7946 0018"),
        ("120", "120"), (None, ""),
    ],
)  # fmt: skip
def test_numbers_are_read_aloud_in_groups(number: str | None, said: str) -> None:
    assert read_aloud(number) == said


def test_the_journal_says_under_which_policy_who_was_asked_and_why() -> None:
    detail = {
        "kind": "sos", "policy": "direct", "chosen_by": "rule", "rule": 2, "asked": ["李梅", "赵志愿"],
        "chosen": [["contact_of_home", "has_key"], ["metres:350", "attended_before"]],
    }  # fmt: skip
    opened = {"event": "opened", "decision": "opened", "actor": "b", "at": NOW, "number": 1, "detail": detail}
    sent = {**opened, "event": "assign", "decision": "assigned", "actor": "王芳"}
    for language, said in (
        ("en", ("Policy “direct” (rule 2).", "Calling 李梅, 赵志愿 (350 m away, knows the home).", "is not on shift")),
        ("zh", ("预案“direct”（第 2 条规则）。", "正在呼叫李梅、赵志愿（距离 350 米、熟悉这家）。", "不在值班时段")),
    ):
        teller = sentences.Teller({}, {"b"}, language, Times(ZoneInfo("Asia/Shanghai"), say(language), NOW))
        assert said[0] in teller.tell(opened)
        titled = {**opened, "detail": {**detail, "titles": ["直接呼叫", "Direct"]}}
        assert said[0].replace("direct", "Direct" if language == "en" else "直接呼叫") in teller.tell(titled)
        assert said[1] in teller.tell(opened)
        assert said[2] in teller.tell({**sent, "detail": {"person": "R1", "overrides": "off_rota"}})
