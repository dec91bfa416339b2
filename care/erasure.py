"""Deleting one person's data at their request, with a certificate of what was deleted, what is kept, and why.

1. Nothing, while an incident of theirs is open: they may need help, and who helps must know where.
2. In one short transaction: the register's rows, and every text in which somebody is named. The journals of their
   incidents are kept, and are about nobody from then on; each is sealed (`pingan.journal`).
3. What is much (readings, roll-ups) in slices after it, so that no press waits for it. Whatever ends in between is gone
   on with by the next call.

Where others live in the same home, only what is the person's alone is deleted; where nobody does, the home is emptied.
"""

import hashlib
import json
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from psycopg.types.json import Jsonb

from care import person_data, register
from care.masking import MARK, Mask
from care.person_data import Subject, rows
from care.refusal import Refusal
from pingan.database import Connection, Database, Queries
from pingan.journal import ERASED, broken_at, entry_hash, seal

sql: Queries = person_data.sql

Row = dict[str, Any]

REASONS = ("request", "withdrawn", "left", "deceased", "mistake")
"""Why: asked for, consent withdrawn, no longer served, died, registered by mistake. A name and no text: it is kept."""

SLICE = timedelta(days=7)
TECHNICAL = ("source", "rule", "attempt", "family", "restores", "missing", "unit", "threshold")
"""What an alarm's evidence may keep: of the line, and of nobody."""

OF_NOBODY = ("cause", "danger", "role", "stage", "at")
"""What a message's body may keep."""

DESK = "desk"
"""Whom a call of the desk's own telephone is for."""
HANDED = "handed"
"""The event of a hand-over packet that was given out or opened: to whom, somebody wrote down as they liked."""

KEPT = ("incidents", "journal", "home", "devices", "responders", "staff")
KEPT_SHARED = ("incidents", "journal", "household")
LATER = ("log", "process_logs", "backups", "provider")


async def plan(database: Database, person: str) -> Row:
    """What an erasure would find, and what forbids it; nothing is changed. Refusal when there is no such person."""
    async with database.connection() as connection, connection.transaction():
        subject = await person_data.find(connection, person)
        incidents = await person_data.incidents_of(connection, subject)
        return {
            "person": person,
            "shared_home": subject.shared,
            "incidents": len(incidents),
            "open": await _open(connection, subject),
            "elsewhere": await _elsewhere(connection, subject),
        }


async def erase(database: Database, person: str, reason: str, by: str, now: datetime) -> Row:
    """Delete; the certificate. Refusal: nothing was deleted, and why."""
    if reason not in REASONS:
        raise Refusal("not_one_of", text=reason, choices=", ".join(REASONS))
    await go_on(database, now)
    async with database.transaction() as connection:
        await connection.execute(register.sql.lock)
        subject = await person_data.find(connection, person)
        if (waiting := await _open(connection, subject)) is not None:
            raise Refusal("incident_open", incident=waiting)
        elsewhere = await _elsewhere(connection, subject)
        erasure, counts = await _short(connection, subject, reason, by, now)
    counts = await _slices(database, erasure, now) or counts
    certificate = {
        "certificate": erasure,
        "person": person,
        "at": now.isoformat(),
        "by": by,
        "reason": reason,
        "shared_home": subject.shared,
        "deleted": dict(sorted(counts.items())),
        "kept": list(KEPT_SHARED if subject.shared else KEPT),
        "elsewhere": elsewhere,
        "later": list(LATER),
    }
    async with database.connection() as connection:
        await connection.execute(sql.certify, {"erasure": erasure, "digest": digest(certificate)})
    return certificate


async def go_on(database: Database, now: datetime) -> int:
    """Finish what was begun and not finished; how many there were. What was on its way when a home was emptied, and was
    stored after it, goes too.
    """
    async with database.connection() as connection:
        begun = await rows(connection, sql.unfinished)
    for one in begun:
        await _slices(database, one["id"], now)
    async with database.connection() as connection:
        for one in await rows(connection, sql.emptied, mark=MARK):
            async for _ in _readings_gone(connection, one["home"]):
                pass
            await _rollups_gone(connection, one["home"])
    return len(begun)


def digest(certificate: Row) -> bytes:
    """What the table keeps of a certificate, so that one that is shown can be told from another."""
    return hashlib.sha256(as_json(certificate)).digest()


def as_json(certificate: Row) -> bytes:
    return json.dumps(certificate, ensure_ascii=False, indent=1, sort_keys=True).encode() + b"\n"


async def _open(connection: Connection, subject: Subject) -> str | None:
    found = await rows(connection, sql.open, **subject.names)
    return found[0]["what"] if found else None


async def _elsewhere(connection: Connection, subject: Subject) -> list[Row]:
    return await rows(connection, sql.elsewhere, numbers=subject.numbers, home=subject.home["id"])


async def _short(
    connection: Connection, subject: Subject, reason: str, by: str, now: datetime
) -> tuple[int, Counter[str]]:
    """All that is quickly done; the erasure's number, and what was done."""
    home, whole = subject.home["id"], not subject.shared
    devices = [one["id"] for one in await rows(connection, sql.devices, home=home)] if whole else []
    pending = {"home": home} if whole else {}
    (begun,) = await rows(
        connection, sql.begin, now=now, by=by, reason=reason, shared=subject.shared, pending=Jsonb(pending)
    )
    counts: Counter[str] = Counter()
    await _mask_what_happened(connection, subject, begun["id"], now, counts)
    await _mask_policies(connection, subject, begun["id"], counts)

    async def delete(what: str, query: str, **values: Any) -> None:
        counts[what] += (await connection.execute(query, values)).rowcount

    await delete("consents", sql.delete_consents, person=subject.id)
    await delete("person", sql.delete_person, person=subject.id)
    if whole:
        await delete("contacts", sql.delete_contacts, home=home)
        await delete("away", sql.delete_away, home=home)
        await delete("home_code", sql.delete_home_code, home=home)
        await delete("tasks", sql.delete_tasks, home=home)
        await delete("limits", sql.delete_limits, home=home)
        await delete("devices_behind_gateways", sql.delete_devices_behind, home=home)
        await delete("devices_unbound", sql.unbind_devices, home=home)
        await delete("device_heard", sql.delete_heard, devices=devices)
        await delete("device_clocks", sql.delete_clocks, devices=devices)
        await delete("rejected", sql.delete_rejected, devices=devices)
        await delete("parked", sql.delete_parked, devices=devices)
        await delete("self_tests", sql.delete_test_windows, home=home, devices=devices)
        await delete("askings", sql.delete_askings, home=home)
        await delete("visit_notes", sql.delete_visit_notes, home=home)
        await delete("detection", sql.delete_detection, home=home)
        await delete("home", sql.empty_home, home=home, mark=MARK)
    await connection.execute(sql.count, {"erasure": begun["id"], "counts": Jsonb(dict(counts))})
    return begun["id"], counts


async def _mask_what_happened(
    connection: Connection, subject: Subject, erasure: int, now: datetime, counts: Counter[str]
) -> None:
    whole = not subject.shared
    incidents = await person_data.incidents_of(connection, subject)
    names = {**subject.names, "incidents": [one["id"] for one in incidents]}
    called = await rows(connection, sql.called, **names, mark=MARK) if whole else []
    mask = _mask(subject, called)
    journal = await rows(connection, sql.journal, **names)
    # Where others live, a row is still about them: counted is in how many the person was found.
    done = "" if whole else "_masked"
    for one in incidents:
        body, device = mask.value(one["body"], free=whole), _device(mask, one["device"])
        values = {"incident": one["id"], "person": subject.id, "device": device, "body": Jsonb(body)}
        await connection.execute(sql.erase_incident, values)
        entries = [entry for entry in journal if entry["incident"] == one["id"]]
        counts["journal_entries"] += await _mask_journal(connection, entries, mask, whole, erasure, now)
        counts[f"incidents{done}"] += whole or (body, device) != (one["body"], one["device"])
    if whole:
        masked = await connection.execute(sql.mask_packets, {**names, "mark": MARK})
        counts["packets"] += masked.rowcount
        counts["packets"] += (await connection.execute(sql.delete_packet_versions, names)).rowcount
        counts["home_code"] += (await connection.execute(sql.delete_code_tries, names)).rowcount
    else:
        counts["tasks_masked"] += await _mask_tasks(connection, names, mask)
    theirs = {**names, "numbers": _numbers(subject)} if whole else {**names, "incidents": []}
    counts["words_pending"] += (await connection.execute(sql.delete_words_pending, theirs)).rowcount
    for alarm in await rows(connection, sql.alarms, **names):
        evidence = _evidence(alarm["evidence"], erasure) if whole else mask.value(alarm["evidence"], free=False)
        device = _device(mask, alarm["device"])
        if (evidence, device) != (alarm["evidence"], alarm["device"]):
            values = {"alarm": alarm["id"], "device": device, "evidence": Jsonb(evidence)}
            await connection.execute(sql.erase_alarm, values)
            counts[f"alarms{done}"] += 1
    for send in await rows(connection, sql.sends, **names):
        left = _send(send, mask, whole)
        if any(left[name] != send[name] for name in ("recipient", "name", "address", "result", "body")):
            body = Jsonb({**left["body"], ERASED: erasure})
            await connection.execute(sql.erase_send, {**left, "send": send["id"], "body": body, "forget": whole})
            counts[f"sends{done}"] += 1


async def _mask_tasks(connection: Connection, names: Row, mask: Mask) -> int:
    """Take a person out of what somebody has noted at a task about the household; in how many they were found."""
    found = 0
    for task in await rows(connection, sql.tasks, **names):
        if task["note"] and (note := mask.text(task["note"])) != task["note"]:
            await connection.execute(sql.mask_task, {"task": task["id"], "note": note})
            found += 1
    return found


async def _mask_policies(connection: Connection, subject: Subject, erasure: int, counts: Counter[str]) -> None:
    """Take a person out of every version of the policies, the one that holds among them.

    A rule for them alone becomes a rule for nobody: without its people it would be one for all.
    """
    mask = _mask(subject)
    for book in await rows(connection, sql.policy_books):
        rules = [_of_nobody(rule, subject.id) for rule in book["body"].get("rules", [])]
        why = mask.text(book["why"])
        if (rules, why) == (book["body"].get("rules", []), book["why"]):
            continue
        body = Jsonb({**book["body"], "rules": rules, ERASED: erasure})
        await connection.execute(sql.erase_policy_book, {"version": book["version"], "why": why, "body": body})
        counts["policy_books"] += 1


def _of_nobody(rule: Row, person: str) -> Row:
    if person not in rule.get("people", []):
        return rule
    return {**rule, "people": [MARK if one == person else one for one in rule["people"]]}


async def _mask_journal(
    connection: Connection, entries: list[Row], mask: Mask, whole: bool, erasure: int, now: datetime
) -> int:
    """Take a person out of one incident's journal, and seal what is left; how many entries were changed.

    Refusal when the journal is not what was written: then it is evidence, and somebody must look at it first.
    """
    if (broken := broken_at(entries)) is not None:
        raise Refusal("journal_broken", incident=entries[0]["incident"], number=broken)
    sealed = {}
    for entry in entries:
        if entry["event"] == ERASED:
            continue
        actor, detail = mask.text(entry["actor"]), mask.value(entry["detail"], free=whole)
        if whole and entry["event"] == HANDED:
            actor, detail = _handed(actor, detail)
        if (actor, detail) == (entry["actor"], entry["detail"]):
            continue
        left = {**entry, "actor": actor, "detail": {**detail, ERASED: erasure}}
        where = {"incident": entry["incident"], "number": entry["number"]}
        await connection.execute(sql.erase_entry, {**where, "actor": actor, "detail": Jsonb(left["detail"])})
        sealed[str(entry["number"])] = seal(left)
    if sealed:
        last = entries[-1]
        told = {"erasure": erasure, "sealed": sealed}
        fields = (last["incident"], last["number"] + 1, now, ERASED, ERASED, "system")
        values = {
            "incident": fields[0], "number": fields[1], "at": now, "actor": "system", "detail": Jsonb(told),
            "hash": entry_hash(last["hash"], *fields, told),
        }  # fmt: skip
        await connection.execute(sql.seal, values)
    return len(sealed)


async def _slices(database: Database, erasure: int, now: datetime) -> Counter[str] | None:
    """What is much, a week at a time, each in a transaction of its own. None: it was finished already."""
    async with database.connection() as connection:
        found = await rows(connection, sql.unfinished)
        one = next((one for one in found if one["id"] == erasure), None)
        if one is None:
            return None
        counts: Counter[str] = Counter(one["counts"])
        home = one["pending"].get("home")
        if home is not None:
            async for gone in _readings_gone(connection, home):
                counts["readings"] += gone
                await connection.execute(sql.count, {"erasure": erasure, "counts": Jsonb(dict(counts))})
        async with connection.transaction():
            if home is not None:
                counts["rollups"] += await _rollups_gone(connection, home)
            await connection.execute(sql.count, {"erasure": erasure, "counts": Jsonb(dict(counts))})
            await connection.execute(sql.finish, {"erasure": erasure, "now": now})
    return counts


async def _readings_gone(connection: Connection, home: str) -> AsyncIterator[int]:
    """Delete a home's readings, a slice at once; how many each time, within the slice's own transaction."""
    while (at := (await rows(connection, sql.first_reading, home=home))[0]["at"]) is not None:
        async with connection.transaction():
            yield (await connection.execute(sql.delete_readings, {"home": home, "until": at + SLICE})).rowcount


async def _rollups_gone(connection: Connection, home: str) -> int:
    queries = (sql.delete_rollups_due, sql.delete_activity, sql.delete_vitals)
    return sum([(await connection.execute(query, {"home": home})).rowcount for query in queries])


def _mask(subject: Subject, called: Sequence[Row] = ()) -> Mask:
    """Whom to find: the person; and with a home that is emptied, where it was, and who is or was `called` for it."""
    named = [subject.person]
    texts: list[str | None] = []
    if not subject.shared:
        named += [*_contacts(subject), *called]
        texts = [subject.home["address"], subject.home["way_in"]]
    return Mask([one["name"] for one in named], [*subject.numbers, *(one["phone"] for one in named)], texts)


def _contacts(subject: Subject) -> list[Row]:
    return [one for one in subject.everybody if one["what"] == "contact"]


def _numbers(subject: Subject) -> list[str]:
    return [*subject.numbers, *(one["phone"] for one in _contacts(subject))]


def _handed(actor: str, detail: Row) -> tuple[str, Row]:
    """An entry of the hand-over packet without whom it was given to: "her doctor" says whose doctor it is."""
    if detail.get("what") == "opened":
        return MARK, {**detail, "by": MARK}
    return actor, {**detail, "to": MARK} if detail.get("to") else detail


def _device(mask: Mask, device: str | None) -> str | None:
    """A caller's number may stand where a device's id does."""
    return mask.text(device) if device is not None and device.startswith("tel:") else device


def _evidence(evidence: Row, erasure: int) -> Row:
    return {name: evidence[name] for name in TECHNICAL if name in evidence} | {ERASED: erasure}


def _send(send: Row, mask: Mask, whole: bool) -> Row:
    """A message without what it said of the person; of a home that is emptied, without whom it was for either."""
    # What the outbox tells a button has the button's id; what it tells a person, theirs.
    if whole and send["channel"] != "device" and not send["to_responder"]:
        recipient = DESK if send["recipient"] == DESK else f"{ERASED}-{send['id']}"
        to = {"recipient": recipient, "name": MARK, "address": MARK, "result": None}
    else:
        to = {name: send[name] and mask.text(send[name]) for name in ("name", "address", "result")}
        to["recipient"] = send["recipient"]
    body = {name: value for name, value in send["body"].items() if name in OF_NOBODY} if whole else send["body"]
    return {**to, "body": mask.value(body, free=False)}
