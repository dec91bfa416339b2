-- name: my_turn
select pg_try_advisory_xact_lock(hashtext('journal_anchors')) as mine

-- name: last_anchor
select number, at, through, heads, hash from journal_anchors order by number desc limit 1

-- name: new_heads
-- The last entry of every journal that was written in since, as far as it is not anchored. Whoever writes an entry asks
-- the time before the commit: an hour is looked at again, so that what was committed late is covered a day later.
select incident, number, hash from (
    select distinct on (incident) incident, number, hash from journal
    where at < %(through)s and incident in (select incident from journal where at >= %(since)s and at < %(through)s)
    order by incident, number desc
) last
where not exists (select from journal_heads heads where heads.incident = last.incident and heads.number >= last.number)
order by incident

-- name: anchor
insert into journal_anchors (number, at, through, heads, hash)
values (%(number)s, %(now)s, %(through)s, %(heads)s, %(hash)s)

-- name: head
insert into journal_heads (anchor, incident, number, hash) values (%(anchor)s, %(incident)s, %(number)s, %(hash)s)

-- name: anchors
select number, at, through, heads, hash from journal_anchors order by number

-- name: heads
select heads.incident, heads.number, heads.hash, journal.hash as written
from journal_heads heads left join journal on journal.incident = heads.incident and journal.number = heads.number
where anchor = %(anchor)s order by heads.incident

-- name: incidents
select id, home, device, cause, danger, test, state, opened_at, t0, t1, t2, t3, t4, t5, t6, t7, t8, t9, body,
       grouped_by is not null as grouped
from incidents where opened_at >= %(since)s and opened_at < %(until)s and id > %(after)s order by id limit %(rows)s

-- name: journals
select incident, number, at, event, decision, actor, detail, hash from journal
where incident = any(%(incidents)s::bigint[]) order by incident, number

-- name: alarms_of
select id, kind, device, at, raised_at, taken_at, incident, test, evidence from alarms
where incident = any(%(incidents)s::bigint[]) order by raised_at, id

-- name: counts
-- What every press must have: its alarm. What every alarm must have: an incident, in its time.
select (select count(*) from readings where kind like 'alarm:%%' and received_at >= %(since)s and received_at < %(until)s) as presses,
       (select count(*) from alarms where raised_at >= %(since)s and raised_at < %(until)s) as alarms

-- name: presses_without_alarm
select device, received_at, detail->>'id' as event from readings
where kind like 'alarm:%%' and received_at >= %(since)s and received_at < %(until)s
  and not exists (select from alarms where alarms.device = readings.device and evidence->>'event' = detail->>'id')
order by received_at limit %(rows)s

-- name: alarms_without_press
-- Reported ones only: others have no press. A minute is given to the archive. Whoever was erased, their presses are gone.
select id, device, raised_at, evidence->>'event' as event from alarms
where evidence->>'source' = 'reported' and not evidence ? 'erased' and raised_at >= %(since)s and raised_at < %(until)s
  and raised_at < %(archived)s
  and not exists (select from readings where readings.device = alarms.device and kind like 'alarm:%%'
                  and received_at between alarms.received_at - interval '1 day' and alarms.received_at + interval '1 day'
                  and detail->>'id' = evidence->>'event')
order by raised_at limit %(rows)s

-- name: dangers_without_incident
-- Of each the desk has taken, or not yet. What is quiet (a suspicion, what detection takes back, an answer) opens nothing.
select id, kind, device, home, raised_at, taken_at from alarms
where raised_at >= %(since)s and raised_at < %(until)s and raised_at < %(taken)s and incident is null
  and kind <> all(%(quiet)s) and kind <> all(%(answers)s)
order by raised_at limit %(rows)s
