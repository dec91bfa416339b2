"""What happens, in sentences that a tired person understands. PURE.

A sentence is a key of the words and what stands in its blanks; the template says it, and marks up names and times.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Literal, NamedTuple

from .language import Say, named
from .times import Times

SOON_SECONDS = 60
"""What is due within this is due soon, and looks like it."""

Tone = Literal["alarm", "soon", "calm"]
Row = Mapping[str, Any]


class Sentence(NamedTuple):
    key: str
    values: dict[str, Any]


def tone(row: Row, now: datetime) -> Tone:
    """Red is for a danger that rings; amber for what is due soon, and for a device that wants to be looked at."""
    if row["ringing"] and row["danger"] and not row["test"]:
        return "alarm"
    if row["ringing"]:
        return "soon"
    return "soon" if row["wake_at"] and row["wake_at"] - now <= timedelta(seconds=SOON_SECONDS) else "calm"


def status(row: Row) -> str:
    """The word beside the shape: a key of the words."""
    if row["state"] == "closed":
        return "status.closed"
    if row["ringing"]:
        if row["operator"] is None and row["helper"] is None:
            return "status.nobody" if row["danger"] else "status.look"
        return "status.again"
    return f"status.{row['state']}"


def due(row: Row, language: str) -> Sentence:
    """What comes next by itself, at `wake_at`, if nobody does anything: the last cell of a row."""
    then = f"then.{row['next_who']}"
    values = {"names": row["awaited"], "helper": _helper(row)}
    if row["state"] == "closed":
        return Sentence("due.closed", values)
    if row["calling"]:
        if row["awaited"]:
            return Sentence("due.calling", {**values, "then": then})
        if row["state"] != "waiting":
            return Sentence("due.again", {**values, "then": then})
        return Sentence("due.desk", {**values, "then": then})
    if row["state"] == "answered":
        return Sentence({None: "due.speak", "made": "due.decide", "none": "due.send"}[row["contact"]], values)
    return Sentence(f"due.{row['state']}", values)


def instruction(row: Row) -> Sentence:
    """What to do now: the one sentence at the head of the middle column."""
    values = {"names": row["awaited"], "helper": _helper(row), "operator": row["operator_name"] or ""}
    state = row["state"]
    if state == "closed":
        return Sentence("now.closed", values)
    if row["ringing"]:
        if row["operator"] is not None or row["helper"] is not None:
            return Sentence("now.again", values)
        if row["awaited"]:
            return Sentence("now.nobody_calling", values)
        return Sentence("now.nobody" if row["danger"] else "now.look", values)
    if row["calling"] and row["awaited"]:
        return Sentence("now.calling" if row["contact"] != "none" else "now.no_contact_calling", values)
    if state == "answered":
        return Sentence({None: "now.speak", "made": "now.decide", "none": "now.send"}[row["contact"]], values)
    return Sentence(f"now.{state}", values)


def _helper(row: Row) -> str:
    return row["helper"]["name"] if row["helper"] else ""


def kind_word(kind: str, language: str) -> str:
    return named(language, "kind", kind)


def entry(one: Row, names: Mapping[str, str], t: Say, language: str, times: Times) -> str:
    """An entry of the journal as a sentence. `names`: the people of the home, by id."""
    detail = one["detail"]
    values = _blanks(one, names, t, language, times)
    decision = one["decision"]
    if f"refused.{decision}" in _known(language):
        why = t(f"refused.{decision}", who=values["who"] or t("somebody"))
        return t("journal.refused", act=named(language, "act", one["event"]), why=why, **values)
    key = f"journal.{one['event']}" if decision == "recorded" else f"journal.{decision}"
    if decision == "on_scene" and detail.get("reported_by") is None:
        key = "journal.on_scene_shown"
    if key not in _known(language):
        return t("journal.other", what=decision.replace("_", " "), **values)
    text = t(key, **values)
    if detail.get("asked"):
        text = t("join", first=text, second=t("journal.asked", names=listed(detail["asked"], t)))
    if decision == "closed" and detail.get("reason"):
        text = t("join", first=text, second=t("journal.reason", reason=detail["reason"]))
    if detail.get("helper", {}).get("eta"):
        text = t("join", first=text, second=t("journal.eta", eta=times.minute(detail["helper"]["eta"])))
    return text


def _known(language: str) -> Mapping[str, str]:
    from .language import words

    return words(language)


def _blanks(one: Row, names: Mapping[str, str], t: Say, language: str, times: Times) -> dict[str, Any]:
    detail = one["detail"]
    person = detail.get("person", "")
    helper = detail.get("helper") or {}
    return {
        "actor": names.get(one["actor"], one["actor"]),
        "kind": kind_word(detail.get("kind", ""), language),
        "who": detail.get("who") or helper.get("name", ""),
        "helper": helper.get("name") or detail.get("who") or t("somebody"),
        "person": names.get(person, person),
        "text": detail.get("text", ""),
        "why": outcome_of_send(detail.get("why", ""), t, language),
        "cause": kind_word(detail.get("cause", ""), language),
        "outcome": named(language, "outcome", detail.get("outcome", "")),
    }


def outcome_of_send(why: str, t: Say, language: str) -> str:
    """`twilio_voice: busy` → "telephone: busy", in the page's language as far as we have the word."""
    channel, colon, rest = why.partition(": ")
    if not colon:
        return named(language, "result", why) if why else ""
    return t("pair", name=named(language, "channel", channel), value=named(language, "result", rest))


def listed(names: list[str], t: Say) -> str:
    """李梅、王强 · Li Mei, Wang Qiang."""
    return t("comma").join(names)


LAST_CALLS = ("help",)


def shown_people(row: Row) -> list[dict[str, Any]]:
    """Whom this home can ask, in order, each with what was last sent to them and how they stand to the incident."""
    helpers = {one["id"] for one in (row["helper"], *row["helpers_beside"]) if one}
    contacts = {one["id"]: one for one in row["card"]["contacts"]} if row["card"] else {}
    shown = []
    for place, one in enumerate(row["people"], 1):
        sends = [send for send in row["sends"] if send["recipient"] == one["id"] and send["purpose"] in LAST_CALLS]
        latest: dict[str, Any] = {}
        for send in sends:
            latest[send["channel"]] = send
        known = contacts.get(one["id"])
        shown.append(
            {
                **one,
                "place": place,
                "relation": known["relation"] if known else None,
                "has_key": bool(known and known["has_key"]),
                "sends": list(latest.values()),
                "goes": one["id"] in helpers,
                "asked": one["name"] in row["awaited"],
            }
        )
    return shown
