"""Planted bugs: each must make a test fail, or the tests prove nothing.

    python -m tests.faults.mutants [--only PATTERN]

Each mutant is applied in a copy of the tree, never in the tree itself, and the tests named beside it are run there. It
is caught when a test fails; a mutant which lives, whose text is not found any more, or whose tests fail without it, is
an error.
"""

import argparse
import os
import queue
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
LEFT_OUT = shutil.ignore_patterns(".git", ".venv", ".*_cache", "__pycache__", ".hypothesis")
TEST_SECONDS = 150
INTEGRATION = "tests/integration"
INQUIRIES = "tests/stories/test_inquiries.py"
VOLANTE = f"{INQUIRIES}::test_volante_the_history_goes_with_the_first_word_and_each_change_goes_again"
REEVES = f"{INQUIRIES}::test_reeves_the_way_in_is_in_the_first_word_and_no_home_waits_for_another"


@dataclass(frozen=True, slots=True)
class Mutant:
    name: str
    file: str
    text: str
    """Stands in the file exactly once."""
    instead: str
    tests: tuple[str, ...]


MUTANTS = (
    Mutant(
        "the device is told before the append",
        "ingest/lane.py",
        """            await self._append(items)
            self._done(items)
            for item in items:
                if item.then is not None:
                    item.then()
""",
        """            for item in items:
                if item.then is not None:
                    item.then()
            await self._append(items)
            self._done(items)
""",
        (f"{INTEGRATION}/test_ingest_bridge.py::test_nothing_is_acknowledged_before_the_append",),
    ),
    Mutant(
        "the broker is told before the append",
        "ingest/lane.py",
        """            await self._append(items)
            self._done(items)
""",
        """            self._done(items)
            await self._append(items)
""",
        (f"{INTEGRATION}/test_ingest_bridge.py::test_nothing_is_acknowledged_before_the_append",),
    ),
    Mutant(
        "the broker is told by itself",
        "ingest/bridge.py",
        "            manual_ack=True,\n",
        "            manual_ack=False,\n",
        (f"{INTEGRATION}/test_ingest_bridge.py::test_nothing_is_acknowledged_before_the_append",),
    ),
    Mutant(
        "the lane's session dies with its bridge",
        "ingest/bridge.py",
        "            manual_ack=True,\n",
        "            manual_ack=True,\n            clean_session=True,\n",
        (f"{INTEGRATION}/test_ingest_bridge.py::test_the_standby_takes_over_and_whoever_wakes_does_no_harm",),
    ),
    Mutant(
        "urgent: position before the alarm",
        "alerting/urgent.py",
        """            await self._raise(works)
            await self._tell(works)
            await self._store(works)
""",
        """            await self._store(works)
            await self._raise(works)
            await self._tell(works)
""",
        (f"{INTEGRATION}/test_alerting_urgent.py::test_mutant_position_before_the_effect_would_lose_this_press",),
    ),
    Mutant(
        "alerting: the checkpoint passes alarms that are not committed",
        "alerting/checkpoint.py",
        "        return self.position > self.stored and not self.unwritten and not self.shadows\n",
        "        return self.position > self.stored\n",
        (f"{INTEGRATION}/test_alerting_runner.py::test_mutant_position_before_the_effect_would_lose_this_alarm",),
    ),
    Mutant(
        "archive: position before the rows",
        "ingest/archive.py",
        """                async with self._database.transaction() as connection:
                    repeated = await write(connection, rows, merge=merge)
                    if repeated:
                        await _count(connection, REPEATED_READING, repeated, max(row.received_at for row in rows))
                    for partition, part in self._open.items():
                        await self._consumer.store(connection, partition, part.position)
                return
""",
        """                async with self._database.transaction() as connection:
                    for partition, part in self._open.items():
                        await self._consumer.store(connection, partition, part.position)
                async with self._database.transaction() as connection:
                    await write(connection, rows, merge=merge)
                return
""",
        (f"{INTEGRATION}/test_ingest_archive.py::test_a_position_is_stored_with_its_rows_and_not_before",),
    ),
    Mutant(
        "alarm clock: deadlines count from the process's start",
        "dispatch/desk.py",
        """            query = sql.put_back if put_back else sql.due
""",
        """            self.born = getattr(self, "born", self._clock.now())
            query = sql.due.replace("wake_at <= ", "greatest(wake_at, %(born)s + interval '10 s') <= ")
            parameters["born"] = self.born
""",
        (f"{INTEGRATION}/test_dispatch.py::test_a_deadline_outlives_the_process_that_set_it",),
    ),
    Mutant(
        "detection: a timer in memory",
        "alerting/checkpoint.py",
        "        time = Time(**found) if found else Time()\n",
        "        time = Time()\n",
        (f"{INTEGRATION}/test_alerting_runner.py::test_mutant_a_timer_in_memory_would_forget_this_silence",),
    ),
    Mutant(
        "all presses of a button are one alarm",
        "pingan/messages.py",
        'f"reported\\0{device}\\0{event_id}"',
        'f"reported\\0{device}"',
        (f"{INTEGRATION}/test_alerting_urgent.py::test_every_press_is_its_own_alarm_and_a_retry_is_none",),
    ),
    Mutant(
        "a retry is a new alarm",
        "alerting/reported.py",
        "        id=reported_alarm_id(event.device, event.id),\n",
        '        id=reported_alarm_id(event.device, f"{event.id}/{event.attempt}"),\n',
        (f"{INTEGRATION}/test_alerting_urgent.py::test_every_press_is_its_own_alarm_and_a_retry_is_none",),
    ),
    Mutant(
        "a webhook's signature is not looked at",
        "dispatch/api/webhooks.py",
        "        if not genuine(",
        "        if False and not genuine(",
        (f"{INTEGRATION}/test_dispatch.py::test_forged_and_stray_webhooks_have_no_effect",),
    ),
    Mutant(
        "a send is recorded after its request",
        "dispatch/outbox.sql",
        "update sends set state = 'dialling', dialled_at",
        "update sends set dialled_at",
        (f"{INTEGRATION}/test_dispatch.py::test_about_to_send_is_committed_before_the_request",),
    ),
    Mutant(
        "what is unclear is sent again without looking",
        "dispatch/outbox.py",
        "                return await channel.find(_send(row))\n",
        "                return ()\n",
        (f"{INTEGRATION}/test_dispatch.py::"
         "test_dispatch_dies_between_dialling_and_recording_and_the_call_is_found",),
    ),
    Mutant(
        "another incident's call is taken for ours",
        "dispatch/outbox.sql",
        "    where not exists (select from sends where provider_id = given.id)\n",
        "",
        (f"{INTEGRATION}/test_sends_contract.py"
         "::test_an_unclear_attempt_is_concluded_by_one_and_repeated_as_declared",),
    ),
    Mutant(
        "a send that woke too late is sent",
        "dispatch/outbox.py",
        "            if now >= send.deadline_at:\n",
        "            if False:\n",
        (f"{INTEGRATION}/test_dispatch.py::test_a_send_that_woke_too_late_is_abandoned_before_the_request",),
    ),
    Mutant(
        "what the provider had no time for is tried again after the answer",
        "dispatch/outbox.sql",
        " and incidents.body->'awaited' ? sends.recipient)\n          when 'family'",
        ")\n          when 'family'",
        (f"{INTEGRATION}/test_sends_contract.py"
         "::test_whoever_is_awaited_no_more_is_neither_tried_nor_called_again",),
    ),
    Mutant(
        "a call whose clock was put back is looked up by nobody",
        "dispatch/outbox.sql",
        "\n       or sends.dialled_at < %(long_before)s or sends.dialled_at > %(ahead)s)",
        "\n       or sends.dialled_at < %(long_before)s)",
        (f"{INTEGRATION}/test_sends_contract.py"
         "::test_what_nobody_finished_is_looked_up_by_its_own_process_soon_and_by_others_later",),
    ),
    Mutant(
        "when everybody has been asked no screen rings again",
        "dispatch/incident.py",
        "    return _replace(begun, incident=_replace(begun.incident, ringing=True))\n",
        "    return begun\n",
        ("tests/unit/test_incident_going.py::test_when_nobody_answers_an_operator_who_has_it_hears_of_it_again",),
    ),
    Mutant(
        "calls go on after the answer",
        "dispatch/desk.py",
        "        if decision.stop_calling:\n",
        "        if False:\n",
        (f"{INTEGRATION}/test_dispatch.py::test_an_answer_withdraws_calls_that_still_wait",),
    ),
    Mutant(
        "the fence does not look at the epoch",
        "pingan/lease.sql",
        "where name = %(name)s and partition = %(partition)s and epoch = %(epoch)s for update",
        "where name = %(name)s and partition = %(partition)s for update",
        (f"{INTEGRATION}/test_lease_stray.py::"
         "test_whoever_does_not_know_yet_that_it_has_lost_a_partition_is_fenced",),
    ),
    Mutant(
        "a position is stored whatever the epoch",
        "pingan/lease.sql",
        """update leases set position = greatest(position, %(position)s)
where name = %(name)s and partition = %(partition)s and epoch = %(epoch)s
""",
        """update leases set position = greatest(position, %(position)s)
where name = %(name)s and partition = %(partition)s
""",
        (f"{INTEGRATION}/test_log_contract.py::test_a_stopped_consumer_is_taken_over_and_can_do_no_harm_when_it_wakes",),
    ),
    Mutant(
        "Kafka: an append returns when it is on its way",
        "pingan/kafka_log.py",
        "        await asyncio.gather(*under_way)\n",
        "",
        (f"{INTEGRATION}/test_kafka_log.py::test_a_broker_that_falls_silent_is_away_and_nothing_is_lost_when_it_goes_on",),
    ),
    Mutant(
        "Kafka: reading begins at the beginning and not behind what is stored",
        "pingan/leased.py",
        "                self._read_to[lease.partition] = lease.position\n",
        "                self._read_to[lease.partition] = 0\n",
        (f"{INTEGRATION}/test_log_contract.py::test_reading_goes_on_behind_the_stored_position[kafka]",),
    ),
    Mutant(
        "Kafka: a position beyond the log's end stays",
        "pingan/kafka_log.py",
        "                await self._leases.reset(where.partition, first)\n",
        "                pass\n",
        (f"{INTEGRATION}/test_kafka_log.py::test_a_broker_that_falls_silent_while_we_begin_again_is_away",),
    ),
    Mutant(
        "Kafka: positions in a topic that is gone stay for the new one",
        "pingan/kafka_log.py",
        """                await connection.execute(sql.begin_again, {"groups": _groups(cluster, name)})\n""",
        "                pass\n",
        (f"{INTEGRATION}/test_kafka_log.py::test_no_position_of_a_topic_that_is_gone_hides_what_the_new_one_gets",),
    ),
    Mutant(
        "Kafka: where a broker finds no way through its own copy a partition stands still for ever",
        "pingan/kafka_log.py",
        "                stand.append(partition)\n",
        "",
        (f"{INTEGRATION}/test_kafka_log.py::test_of_three_copies_one_is_spoiled_and_nothing_is_lost[wipe]",),
    ),
    Mutant(
        "Kafka: a topic keeps the retention that somebody else gave it",
        "pingan/kafka_log.py",
        "                await _put_right(cluster, client, topic)\n",
        "",
        (
            f"{INTEGRATION}/test_kafka_log.py"
            "::test_a_topic_that_somebody_else_made_loses_its_own_retention_and_nothing_else",
        ),
    ),
    Mutant(
        "Kafka: trimming looks at one group only",
        "pingan/kafka_log.sql",
        "select partition, min(position) as position from leases where name = any(%(groups)s)\n"
        "group by partition having count(*) = cardinality(%(groups)s::text[])",
        "select partition, max(position) as position from leases where name = any(%(groups)s)\ngroup by partition",
        (f"{INTEGRATION}/test_log_contract.py::test_trimming_waits_for_every_group_even_before_its_first_start[kafka]",),
    ),
    Mutant(
        "the journal's hashes do not cover what came before",
        "pingan/journal.py",
        "hashlib.sha256(before + _canonical.encode(fields))",
        "hashlib.sha256(_canonical.encode(fields))",
        ("tests/unit/test_journal.py",),
    ),
    Mutant(
        "a commit does not wait for the disk",
        "pingan/local/postgres.py",
        '    "synchronous_commit": "on",\n',
        '    "synchronous_commit": "off",\n',
        (f"{INTEGRATION}/test_local_postgres.py::"
         "test_the_database_is_made_and_keeps_what_is_committed_through_a_clean_stop",),
    ),
    Mutant(
        "a self-test: a device's word alone is believed",
        "dispatch/desk.py",
        "await self._raise(connection, alarm, now, test=window is not None)",
        'await self._raise(connection, alarm, now, test=alarm["test"])',
        (f"{INTEGRATION}/test_self_test.py"
         "::test_without_a_window_after_it_and_a_second_time_it_rings_as_a_call",),
    ),
    Mutant(
        "a self-test: a call joins it",
        "dispatch/desk.sql",
        " and test = %(test)s",
        "",
        (f"{INTEGRATION}/test_self_test.py::test_a_test_and_a_call_never_absorb_each_other",),
    ),
    Mutant(
        "a self-test: it runs by the policy of a call",
        "dispatch/desk.py",
        'alarm["kind"], home, test=test)',
        'alarm["kind"], home)',
        (f"{INTEGRATION}/test_self_test.py"
         "::test_a_test_walks_the_whole_way_calls_nobody_and_closes_when_it_is_seen",),
    ),
    Mutant(
        "policies: quiet hours silence a call for help",
        "dispatch/book.py",
        "return msgspec.structs.replace(policy, heeds_quiet=False) if danger else policy",
        "return policy",
        ("tests/unit/test_book.py::test_quiet_hours_never_silence_a_call_for_help_whatever_a_book_says",),
    ),
    Mutant(
        "policies: an incident goes by the book that holds now",
        "dispatch/desk.py",
        "        acts, entries = happen(incident, events, people, now)\n",
        "        book = await books.current(connection)\n"
        "        incident = msgspec.structs.replace(incident, policy=book.policies['direct'])\n"
        "        acts, entries = happen(incident, events, people, now)\n",
        (f"{INTEGRATION}/test_policies.py"
         "::test_a_policy_that_is_edited_meanwhile_changes_nothing_of_an_incident",),
    ),
    Mutant(
        "policies: whoever is not on shift is asked",
        "dispatch/policy.py",
        "        not person.passed\n        and (step.who",
        "        (step.who",
        ("tests/unit/test_book.py::test_nobody_who_is_passed_over_is_asked_and_everybody_is_accounted_for",),
    ),
    Mutant(
        "configuration: a broker that came back is believed to have forgotten nothing",
        "dispatch/configuring.py",
        "                await self._look_at_store(mqtt, connection)\n",
        "                pass\n",
        (f"{INTEGRATION}/test_device_config.py::test_a_broker_whose_store_is_older_or_empty_is_told_again",),
    ),
    Mutant(
        "configuration: a shorter heartbeat level holds before the device can know of it",
        "alerting/detectors/supervision.py",
        "if device.level_ms is None or level_ms >= device.level_ms:",
        "if True:",
        ("tests/unit/test_detector_supervision.py"
         "::test_a_shorter_level_waits_until_the_device_is_heard_and_can_know_of_it",),
    ),
    Mutant(
        "telephone: a caller is told that they were heard, and was not",
        "dispatch/channels/twilio_in/answers.py",
        "        if await self._desk.hear(heard.alarm, known.home, stranger, caller, heard.more):\n",
        "        if stranger is None:\n",
        (f"{INTEGRATION}/test_calls_in.py::test_strangers_are_kept_apart_named_and_known_from_then_on",),
    ),
    Mutant(
        "telephone: two who show no number are one",
        "dispatch/channels/twilio_in/heard.py",
        'return f"tel:{self.number or self.sid}"',
        'return f"tel:{self.number or None}"',
        ("tests/unit/test_calls_in.py::test_a_call_told_twice_is_one_and_another_is_another",),
    ),
    Mutant(
        "telephone: a voicemail is the desk",
        "dispatch/channels/desk_line.py",
        '        return "no_key"\n',
        "        return None\n",
        ("tests/stories/test_phones.py::test_a_voicemail_at_the_desk_is_not_the_desk",),
    ),
    Mutant(
        "telephone: a home that is named after the steps ran has nobody called",
        "dispatch/incident.py",
        """    begun = _run("identified", named, _past_desk(event.policy, 0) if first or at_desk else step, people, now)
""",
        '    begun = Decision("identified", named)\n',
        ("tests/unit/test_incident_named.py"
         "::test_named_after_the_steps_ran_with_nobody_to_ask_the_first_contact_is_asked_at_once",),
    ),
    Mutant(
        "asking: a device's own word is quiet, too",
        "dispatch/asking.py",
        'alarm["evidence"].get("source") == DERIVED and alarm["home"] is not None',
        'alarm["home"] is not None',
        (f"{INTEGRATION}/test_asking.py::test_only_detection_may_be_quiet_from_a_device_every_kind_rings",),
    ),
    Mutant(
        "asking: what detection takes back falls silent",
        "dispatch/incident.py",
        'return Decision("withdrawn", _replace(incident, withdrawn=event.reason))',
        'return Decision("withdrawn", _replace(incident, withdrawn=event.reason, ringing=False))',
        (f"{INTEGRATION}/test_asking.py::test_what_is_taken_back_after_it_rang_is_told_and_closes_nothing",),
    ),
    Mutant(
        "MacAuley: who hears nothing on the line has to decide what to do",
        "dispatch/incident.py",
        """    begun = _run("no_contact_escalates", silent, _past_desk(incident.policy, number), people, now)
    return _replace(begun, tell=change)
""",
        """    return Decision("no_contact", silent, tell=change)
""",
        (f"{INQUIRIES}::test_macauley_silence_on_the_line_is_no_nuisance",),
    ),
    Mutant(
        "MacAuley: silence is closed without a positive reason",
        "dispatch/incident.py",
        """    if nobody_reached(incident.contact, incident.state, "t7" in incident.stamps) and not event.positive:
""",
        """    if False:
""",
        (f"{INQUIRIES}::test_macauley_silence_on_the_line_is_no_nuisance",),
    ),
    Mutant(
        "MacAuley: the screen does not ask what is known",
        "dashboards/console/templates/incident.html",
        "{% if positives %}<fieldset",
        "{% if false %}<fieldset",
        (f"{INQUIRIES}::test_macauley_the_screen_asks_what_is_known_before_it_closes",),
    ),
    Mutant(
        "Volante: what was said before anybody went stays at the desk",
        "dispatch/incident.py",
        """    kept = _replace(incident, changes=(*incident.changes, change))
    return Decision("changed", kept, tell""",
        """    kept = _replace(incident, changes=(*incident.changes, change) if incident.helper else ())
    return Decision("changed", kept, tell""",
        (VOLANTE,),
    ),
    Mutant(
        "Volante: medical staff are told of no illness and no medication",
        "dispatch/helping.py",
        """return "share_with_medical" in given or "share_with_medical" not in withdrawn""",
        """return False""",
        (VOLANTE,),
    ),
    Mutant(
        "Volante: a change is shown to whoever looks, and sent to nobody",
        "dispatch/following.py",
        "    if decision.tell:\n",
        "    if False:\n",
        (VOLANTE,),
    ),
    Mutant(
        "Volante: what was heard by key is not confirmed",
        "dispatch/channels/twilio_voice/answers.py",
        "            await self._deeds.confirm(send, _once(send, form, digit))\n",
        "",
        (VOLANTE,),
    ),
    Mutant(
        "Reeves: the way in is not in the first word",
        "dispatch/following.py",
        """"way_in": home.get("way_in"),""",
        """"way_in": None,""",
        (REEVES,),
    ),
    Mutant(
        "Reeves: nobody says when the way in was last proven",
        "dispatch/following.py",
        """"way_in_proven_on": proven.isoformat() if proven else None,""",
        """"way_in_proven_on": None,""",
        (REEVES,),
    ),
    Mutant(
        "Reeves: one open incident takes the calls of other homes",
        "dispatch/desk.sql",
        "      else home = %(home)s end\n",
        "      else home is not null end\n",
        (REEVES,),
    ),
    Mutant(
        "Reeves: an engaged desk has not heard who calls",
        "dispatch/channels/twilio_in/answers.py",
        """        known = await self._hear(heard)
        phones""",
        """        known = await self._known(heard.number)
        phones""",
        (REEVES,),
    ),
)  # fmt: skip


def main(argv: Sequence[str] | None = None) -> int:
    """Exit status 0 when every mutant is caught."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.mutants", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--only", default="", help="mutants in whose name or file this is found")
    parser.add_argument("--jobs", type=int, default=4, help="how many at a time: they mostly wait for what never comes")
    given = parser.parse_args(argv)
    only = re.compile(given.only)
    chosen = [mutant for mutant in MUTANTS if only.search(mutant.name) or only.search(mutant.file)]
    with tempfile.TemporaryDirectory(prefix="pingan-mutants-", dir="/var/tmp") as outer:
        Path(outer).chmod(0o711)  # PostgreSQL's user passes through
        trees: queue.SimpleQueue[Path] = queue.SimpleQueue()
        for number in range(given.jobs):
            trees.put(Path(shutil.copytree(ROOT, Path(outer) / f"tree-{number}", ignore=LEFT_OUT)))
        with ThreadPoolExecutor(given.jobs) as pool:
            # A test that fails anyway would seem to catch everything.
            sound = pool.submit(_without, trees, sorted({test for mutant in chosen for test in mutant.tests}))
            caught = list(pool.map(lambda mutant: _try(trees, mutant), chosen))
    _say(f"{sum(caught)} of {len(chosen)} caught")
    return 0 if all(caught) and sound.result() else 1


def _without(trees: "queue.SimpleQueue[Path]", tests: Sequence[str]) -> bool:
    tree = trees.get()
    verdict, seconds, said = _run(tree, tests)
    trees.put(tree)
    _say(f"  {'✓' if verdict == 'passed' else '✗'} {'without a mutant':<62} {seconds:4.0f} s  {verdict}")
    if verdict != "passed":
        _say(said)
    return verdict == "passed"


def _try(trees: "queue.SimpleQueue[Path]", mutant: Mutant) -> bool:
    tree = trees.get()
    path = tree / mutant.file
    text = path.read_text(encoding="utf-8")
    try:
        if text.count(mutant.text) != 1:
            _say(f"  ✗ {mutant.name}: its text stands {text.count(mutant.text)} times in {mutant.file}")
            return False
        path.write_text(text.replace(mutant.text, mutant.instead), encoding="utf-8")
        verdict, seconds, said = _run(tree, mutant.tests)
    finally:
        path.write_text(text, encoding="utf-8")
        trees.put(tree)
    caught = verdict == "failed"
    why = [line for line in re.findall(r"^E +(.*)", said, re.MULTILINE) if "CancelledError" not in line]
    reason = why[0][:60] if caught and why else verdict
    _say(f"  {'✓' if caught else '✗'} {mutant.name:<62} {seconds:4.0f} s  {reason}")
    return caught


def _run(tree: Path, tests: Sequence[str]) -> tuple[str, float, str]:
    """passed, failed (a test said no) or broken (it could not be asked); seconds; the tests' words."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PINGAN_")}
    # Before the editable install, also in the processes that the tests start.
    environment["PYTHONPATH"] = str(tree)
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-x", "--no-header", "-p", "no:cacheprovider",
         f"--timeout={TEST_SECONDS}", *tests],
        cwd=tree, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    failed = re.search(r"^FAILED ", done.stdout, re.MULTILINE)
    verdict = "passed" if done.returncode == 0 else "failed" if done.returncode == 1 and failed else "broken"
    return verdict, time.monotonic() - began, done.stdout[-6000:] + done.stderr[-2000:]


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
