-- name: person
select * from people where id = %(person)s

-- name: everybody
-- All who live in a home, or are called for it; and everybody who works with us, whose names stand in journals.
select 'resident' as what, id, name, phone from people where home = %(home)s
union all select 'contact', id, name, phone from contacts where home = %(home)s
union all select 'responder', id, name, phone from responders
union all select 'account', id, name, null from accounts
order by 1, 2

-- name: home
select id, area, address, phone, way_in, way_in_proven_on, latitude, longitude, coordinates, inactivity_hours, policy,
    inactivity_floor_hours, timezone, fence_m,
    (select jsonb_agg(jsonb_build_object('kind', kind, 'low', low, 'high', high, 'set_by', set_by, 'set_at', set_at)
        order by kind) from person_limits where home = homes.id) as limits
from homes where id = %(home)s

-- name: contacts
-- Of those who are called for a home: what they are to it. Who they are is theirs.
select id, rank, relation, role, has_key from contacts where home = %(home)s order by rank

-- name: consents
select kind, given_at, withdrawn_at from consents where person = %(person)s order by given_at, kind

-- name: away
select away_from, away_until, reason from away where home = %(home)s order by away_from

-- name: devices
select devices.id, kind, model, heartbeat_seconds, enabled, enrolled_at, gateway, address,
       heard.first_at, heard.last_at, heard.messages, heard.battery_percent, heard.firmware
from devices left join device_heard heard on heard.device = devices.id where home = %(home)s order by devices.id

-- name: alarms
select id, kind, device, at, device_at, clock, received_at, raised_at, test, evidence, incident, restored_at from alarms
where home = %(home)s or device = any(%(callers)s::text[]) or incident = any(%(incidents)s::bigint[])
order by raised_at, id

-- name: askings
-- When they were asked whether they are all right, and what was answered.
select alarm, kind, begun_at, asked_at, until, devices, not_asked, answered_at, answer, answered_by, ended_at, reason, danger
from askings where home = %(home)s order by begun_at, alarm

-- name: visit_notes
select alarm, kind, noted_at, acknowledged_at, acknowledged_by from visit_notes where home = %(home)s order by noted_at, alarm

-- name: packets
-- When medical staff were given what is known of them, and what of it was opened.
select packets.id, incident, issued_at,
       (select max(number) from packet_openings where packet = packets.id) as version_opened
from packets where incident = any(%(incidents)s::bigint[]) order by packets.id

-- name: packet_versions
-- Which parts of it were new, and when; of what it said only fingerprints are kept.
select incident, number, made_at, changed from packet_versions
where incident = any(%(incidents)s::bigint[]) order by incident, number

-- name: home_code
-- What is printed and put up in the home.
select code, made_at, made_by from home_codes where home = %(home)s

-- name: home_code_tries
select incident, at from home_code_tries where incident = any(%(incidents)s::bigint[]) order by id

-- name: errands
-- What was sent for no incident: letters of the week about the home, and tests of whether those who are called for it can
-- be reached; and tests of the person's own number, whoever's sake it is registered for.
select id, errand, purpose, channel, recipient, name, address, language, body, due_at, state, dialled_at, finished_at,
       result
from sends
where errand is not null and (body->>'home' = %(home)s or address = any(%(numbers)s::text[])
    or recipient in (select id from contacts where home = %(home)s))
order by id

-- name: tasks
-- What a person at the desk had to do about the home, or about those who are called for it.
select id, kind, subject, detail - 'phone' as detail, opened_at, opened_by, done_at, done_by, note from desk_tasks
where subject = %(home)s or subject in (select id from contacts where home = %(home)s) order by id

-- name: words_pending
-- A word that came by text message and that we have asked back about.
select text, at from words_pending
where number = any(%(numbers)s::text[]) or incidents && %(incidents)s::bigint[] order by at

-- name: policy_rules
-- Rules of each version of the policies that name the person, or the home.
select version, saved_at, rule - 'people' - 'homes' as rule
from policy_books, jsonb_array_elements(coalesce(body->'rules', '[]')) as rule
where rule->'people' ? %(person)s or rule->'homes' ? %(home)s order by version

-- name: routines
-- What was learned of how they live, as detection keeps it.
select detector, label, state, written_at from routines where home = %(home)s order by detector, label

-- name: shadow_alarms
-- What versions in shadow would have rung for.
select id, detector, label, kind, rule, device, at, raised_at, restores, follows, evidence
from shadow_alarms where home = %(home)s order by raised_at, id

-- name: incidents
-- Of the home, of the person, or of a number of theirs that nobody has named.
select id, home, person, device, cause, danger, test, state, opened_at, body, t0, t1, t2, t3, t4, t5, t6, t7, t8, t9
from incidents
where home = %(home)s or person = %(person)s or home is null and device = any(%(callers)s::text[])
order by id

-- name: journal
select incident, number, at, event, decision, actor, detail, hash from journal
where incident = any(%(incidents)s::bigint[]) order by incident, number

-- name: sends
select id, incident, step, repeat, purpose, channel, recipient, name, address, language, body, due_at, state,
       dialled_at, finished_at, result,
       exists (select from responders where responders.id = sends.recipient) as to_responder
from sends where incident = any(%(incidents)s::bigint[]) order by id

-- name: activity
select hour, sensor, kind, count from activity_hourly where home = %(home)s order by hour, sensor, kind

-- name: vitals
select hour, device, kind, count, lowest, total, highest, diastolic_lowest, diastolic_total, diastolic_highest
from vitals_hourly where home = %(home)s order by hour, device, kind

-- name: readings
select at, received_at, device, boot, seq, kind, sensor, value, detail, clock, device_at from readings
where home = %(home)s order by at

-- name: neighbours
-- Whoever else lives there.
select id from people where home = %(home)s and id <> %(person)s order by id

-- name: open
-- What may still be somebody calling for help: an incident that is open, an alarm that no desk has taken.
select id::text as what from incidents where state <> 'closed' and (home = %(home)s or person = %(person)s
    or device = any(%(callers)s::text[]))
union all
select 'alarm ' || id from alarms where taken_at is null and (home = %(home)s or device = any(%(callers)s::text[]))
limit 1

-- name: elsewhere
-- The same number in the register, for another home's sake: that is not deleted unasked.
select 'contacts' as what, contacts.id, contacts.home from contacts
where phone = any(%(numbers)s::text[]) and home <> %(home)s
union all
select 'responders', responders.id, null from responders where phone = any(%(numbers)s::text[])
order by 1, 2

-- name: begin
insert into erasures (at, by, reason, shared_home, counts, pending)
values (%(now)s, %(by)s, %(reason)s, %(shared)s, '{}', %(pending)s) returning id

-- name: erase_incident
select erase_incident(%(incident)s, %(person)s, %(device)s, %(body)s)

-- name: erase_entry
select erase_entry(%(incident)s, %(number)s, %(actor)s, %(detail)s)

-- name: seal
select seal_journal(%(incident)s, %(number)s, %(at)s, %(actor)s, %(detail)s, %(hash)s)

-- name: erase_alarm
update alarms set device = %(device)s, evidence = %(evidence)s where id = %(alarm)s

-- name: erase_send
update sends set recipient = %(recipient)s, name = %(name)s, address = %(address)s, body = %(body)s,
    result = %(result)s, provider_id = case when %(forget)s then null else provider_id end
where id = %(send)s

-- name: delete_consents
delete from consents where person = %(person)s

-- name: delete_person
delete from people where id = %(person)s

-- name: delete_contacts
delete from contacts where home = %(home)s

-- name: delete_home_code
delete from home_codes where home = %(home)s

-- name: mask_packets
-- Who was given it may have been written down as theirs: "her doctor".
update packets set name = %(mark)s, phone = null where incident = any(%(incidents)s::bigint[]) and name <> %(mark)s

-- name: delete_packet_versions
-- Keyed fingerprints of what is gone: whoever has the key could try whether a guess was right.
delete from packet_versions where incident = any(%(incidents)s::bigint[])

-- name: delete_code_tries
delete from home_code_tries where incident = any(%(incidents)s::bigint[])

-- name: delete_words_pending
delete from words_pending where number = any(%(numbers)s::text[]) or incidents && %(incidents)s::bigint[]

-- name: delete_tasks
delete from desk_tasks where subject = %(home)s

-- name: mask_task
update desk_tasks set note = %(note)s where id = %(task)s

-- name: called
-- Whoever was called or told for these incidents and is no volunteer: the register may have forgotten them since. An
-- address of Apprise is no number.
select distinct name, case when starts_with(address, '+') then address end as phone from sends
where incident = any(%(incidents)s::bigint[]) and purpose in ('help', 'family', 'change') and channel <> 'device'
  and name <> %(mark)s and not exists (select from responders where responders.id = sends.recipient)
order by 1, 2

-- name: policy_books
select version, why, body from policy_books order by version

-- name: erase_policy_book
select erase_policy_book(%(version)s, %(why)s, %(body)s)

-- name: delete_away
delete from away where home = %(home)s

-- name: empty_home
-- The place stays: figures of its area count what happened in it, and somebody else may live there one day.
update homes set address = %(mark)s, phone = null, way_in = null, way_in_proven_on = null, latitude = null,
    longitude = null, coordinates = null, inactivity_hours = null, policy = null,
    inactivity_floor_hours = null, timezone = null, fence_m = null, revision = revision + 1
where id = %(home)s

-- name: delete_limits
delete from person_limits where home = %(home)s

-- name: delete_devices_behind
-- What stands behind a gateway has no credentials of its own; its address may be a name that somebody gave it.
delete from devices where home = %(home)s and gateway is not null

-- name: unbind_devices
-- A watch that is worn on would go on telling: what is bound to nobody is switched off until somebody adopts it. Not a
-- gateway behind which other homes' devices stand: their presses would go nowhere.
update devices set home = null, enabled = enabled and exists (
    select from devices behind where behind.gateway = devices.id and behind.home <> %(home)s
) where home = %(home)s

-- name: delete_heard
delete from device_heard where device = any(%(devices)s::text[])
    or split_part(device, '/', 1) = any(%(devices)s::text[]) and strpos(device, '/') > 0

-- name: delete_clocks
delete from device_clocks where device = any(%(devices)s::text[])
    or split_part(device, '/', 1) = any(%(devices)s::text[]) and strpos(device, '/') > 0

-- name: delete_rejected
delete from rejected where device = any(%(devices)s::text[]) or split_part(device, '/', 1) = any(%(devices)s::text[])
    or exists (select from unnest(%(devices)s::text[]) one where split_part(topic, '/', 3) = one)

-- name: delete_parked
-- Entries that could not be read: those in which one of the devices is named.
delete from parked where exists (select from unnest(%(devices)s::text[]) one
                                 where position(convert_to(one, 'UTF8') in body) > 0)

-- name: delete_test_windows
delete from test_windows where home = %(home)s or device = any(%(devices)s::text[])

-- name: delete_askings
delete from askings where home = %(home)s

-- name: delete_visit_notes
delete from visit_notes where home = %(home)s

-- name: delete_detection
-- With what it has learned of the home, and what versions in shadow found there.
with routine as (delete from routines where home = %(home)s),
     shadow as (delete from shadow_alarms where home = %(home)s)
delete from detection_homes where home = %(home)s

-- name: unfinished
select id, pending, counts from erasures where pending is not null order by id

-- name: emptied
-- Homes in which nobody lives, emptied by an erasure, with readings that were on their way just then.
select id as home from homes where address = %(mark)s and not exists (select from people where people.home = homes.id)
    and exists (select from readings where readings.home = homes.id) order by id

-- name: first_reading
select min(at) as at from readings where home = %(home)s

-- name: delete_readings
-- A slice of time at once, so that nobody waits long and nothing grows large.
delete from readings where home = %(home)s and at < %(until)s

-- name: delete_rollups_due
delete from rollups_due where home = %(home)s

-- name: delete_activity
delete from activity_stored where home = %(home)s

-- name: delete_vitals
delete from vitals_stored where home = %(home)s

-- name: count
update erasures set counts = %(counts)s where id = %(erasure)s

-- name: finish
update erasures set pending = null, finished_at = %(now)s where id = %(erasure)s

-- name: certify
update erasures set certificate = %(digest)s where id = %(erasure)s

-- name: erasure
select * from erasures where id = %(erasure)s
