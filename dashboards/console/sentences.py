"""What happens, in sentences that a tired person understands.

A sentence is a key of the words and what stands in its blanks; the template says it, and marks up names and times.
"""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from functools import reduce
from typing import Any, Literal, NamedTuple

from dispatch.acting import NOBODY_KNOWN
from dispatch.policy_sentences import titled
from dispatch.policy_words import reason, reasons, said

from .language import Say, known, named, say
from .telephone import read_aloud
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
    if row["calling"] or row["state"] == "waiting":
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
    if row["group"] and row["group"]["back"] >= row["group"]["devices"]:
        return Sentence("now.all_back", values)
    if row["ringing"] or state == "waiting":
        if row["operator"] is not None or row["helper"] is not None:
            return Sentence("now.again", values)
        if row["awaited"]:
            return Sentence("now.nobody_calling", values)
        if row["group"]:
            return Sentence("now.look_group", values)
        return Sentence("now.nobody" if row["danger"] else "now.look", values)
    if row["calling"] and row["awaited"]:
        return Sentence("now.calling" if row["contact"] != "none" else "now.no_contact_calling", values)
    if state == "answered":
        return Sentence({None: "now.speak", "made": "now.decide", "none": "now.send"}[row["contact"]], values)
    return Sentence(f"now.{state}", values)


def _helper(row: Row) -> str:
    return row["helper"]["name"] if row["helper"] else ""


class Teller:
    """Tells an incident's journal. `names`: the people of its home, by id; `devices`: those that raised it."""

    def __init__(self, names: Mapping[str, str], devices: Collection[str], language: str, times: Times) -> None:
        self._names = names
        self._devices = devices
        self._language = language
        self._times = times
        self._t = say(language)

    def tell(self, one: Row) -> str:
        """An entry as a sentence."""
        t, detail, decision = self._t, one["detail"], one["decision"]
        values = self._blanks(one)
        if known(self._language, f"refused.{decision}"):
            why = t(f"refused.{decision}", who=values["who"] or t("somebody"))
            return t("journal.refused", **{**values, "act": named(self._language, "act", one["event"]), "why": why})
        key = self._key(one)
        if not known(self._language, key):
            return t("journal.other", **values, what=decision.replace("_", " "))
        parts = [t(key, **values)]
        if detail.get("chosen_by") in ("home", "rule"):
            by = said(f"by_{detail['chosen_by']}", self._language, rule=detail.get("rule"))
            policy = titled(detail["policy"], detail.get("titles") or ("", ""), self._language)
            parts.append(t("journal.under", policy=policy, by=by))
        if detail.get("asked"):
            parts.append(t("journal.asked", names=listed(self._asked_why(detail), t)))
        if detail.get("overrides"):
            parts.append(t("journal.overrides", why=reason(detail["overrides"], self._language)))
        if decision == "closed" and detail.get("positive"):
            parts.append(t("journal.reason", reason=named(self._language, "positive", detail["positive"])))
        if decision == "closed" and detail.get("reason"):
            parts.append(t("journal.reason", reason=detail["reason"]))
        if decision != "on_scene" and (detail.get("helper") or {}).get("eta"):
            parts.append(t("journal.eta", eta=self._times.minute(detail["helper"]["eta"])))
        return reduce(lambda first, second: t("join", first=first, second=second), parts)

    def _asked_why(self, detail: Mapping[str, Any]) -> list[str]:
        """The names of who was asked; of somebody who is no contact of the home, why they were."""
        told = []
        for name, whys in zip(detail["asked"], detail.get("chosen") or [()] * len(detail["asked"]), strict=True):
            more = () if OF_HOME in whys else whys
            why = reasons(more, self._language)
            told.append(self._t("journal.asked_why", name=name, why=why) if more else name)
        return told

    def _key(self, one: Row) -> str:
        decision = one["decision"]
        if decision == "recorded" and one["event"] == "restored" and one["detail"].get("devices", 1) > 1:
            return "journal.restored_many"
        if one["event"] == "resident_asked":
            return f"journal.resident_asked_{_asked(one['detail'])}"
        if one["event"] == "bridged":
            return f"journal.bridged_{one['detail']['what']}"
        if one["event"] == "handed":
            return f"journal.handed_{one['detail']['what']}"
        if decision == "recorded":
            return "journal.change_noted" if one["event"] == "changed" else f"journal.{one['event']}"
        if decision == "opened" and one["detail"].get("by"):
            return "journal.opened_homes" if one["detail"].get("kind") == "cannot_hear" else "journal.opened_group"
        if decision == "on_scene" and one["detail"].get("reported_by") is None:
            return "journal.on_scene_proven" if one["event"] == "proven" else "journal.on_scene_shown"
        if decision in ("opened", "rang_again") and one["detail"].get("caller"):
            return f"journal.{decision}_by_{one['detail']['caller']['source']}"
        if decision in ("opened", "rang_again") and one["actor"] == NOBODY_KNOWN:
            return f"journal.{decision}_by_itself"
        if decision in ("opened", "rang_again") and one["actor"] not in self._devices:
            return f"journal.{decision}_for_caller"
        return f"journal.{decision}"

    def _blanks(self, one: Row) -> dict[str, Any]:
        detail, language = one["detail"], self._language
        person = detail.get("person", "")
        helper = detail.get("helper") or {}
        caller = detail.get("caller") or {}
        return {
            "actor": self._names.get(one["actor"], one["actor"]),
            "kind": named(language, "kind", detail.get("kind", "")),
            "n": detail.get("devices", 1),
            "who": detail.get("who") or helper.get("name", ""),
            "helper": helper.get("name") or detail.get("who") or self._t("somebody"),
            "how": named(language, "proof", detail.get("how", "press")),
            "person": self._names.get(person, person),
            "text": detail.get("text", "") or caller.get("text") or self._t("incident.empty_text"),
            "caller": _called(caller, self._t, language) if caller else "",
            "why": outcome_of_send(detail.get("why", ""), self._t, language),
            "cause": named(language, "kind", detail.get("cause", "")),
            "outcome": named(language, "outcome", detail.get("outcome", "")),
            "because": named(language, "because", detail.get("not_asked") or detail.get("reason", "")),
            "answer": named(language, "kind", detail.get("answer", "")),
            "until": self._times.clock(detail["until"]) if detail.get("until") else "",
            "to": detail.get("to", ""),
            "version": detail.get("version", 1),
            "parts": listed([self._t(f"packet.part.{part}") for part in detail.get("parts", ())], self._t),
        }


def _asked(detail: Mapping[str, Any]) -> str:
    if detail.get("answer"):
        return "answered"
    return "not" if detail.get("not_asked") else "unanswered"


def _called(caller: Mapping[str, Any], t: Say, language: str) -> str:
    """李梅（家属）138 0000 0101 · a caller as far as they are known."""
    number = read_aloud(caller.get("number")) or t("board.caller_withheld")
    known_as = filter(None, (caller.get("name"), caller.get("role") and named(language, "role", caller["role"])))
    return " ".join((*known_as, number))


def outcome_of_send(why: str, t: Say, language: str) -> str:
    """`twilio_voice: busy` → "telephone: busy", in the page's language as far as we have the word."""
    channel, colon, rest = why.partition(": ")
    if not colon:
        return named(language, "result", why) if why else ""
    return t("pair", name=named(language, "channel", channel), value=named(language, "result", rest))


def listed(names: list[str], t: Say) -> str:
    """李梅、王强 · Li Mei, Wang Qiang."""
    return t("comma").join(names)


OF_HOME = "contact_of_home"
"""The reason that says no more than the list does in which its contact stands."""


def why_chosen(one: Row, language: str) -> str:
    """Why somebody stands where they stand in the list, or is passed over."""
    told = [why for why in one["why"] if why != OF_HOME]
    passed = [said("sent_over", language, why=reason(one["passed"], language))] if one["passed"] else []
    return " · ".join((*passed, *([reasons(told, language)] if told else [])))


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
