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
from incidents where opened_at >= %(since)s and opened_at < %(until)s order by id

-- name: journals
select incident, number, at, event, decision, actor, detail, hash from journal
where incident = any(%(incidents)s::bigint[]) order by incident, number

-- name: alarms_of
select id, kind, device, at, raised_at, taken_at, incident, test, evidence from alarms
where incident = any(%(incidents)s::bigint[]) order by raised_at, id

-- name: presses
-- What every press must have: its alarm. What every alarm that a device reported must have: its press, which is in the
-- archive some minutes later; whoever was erased, their presses are gone. The archive is looked through once for both, and
-- only days in which such a press may stand: its own time lies within a week before its arrival, or an hour after it.
with reported as materialized (
    select id, device, received_at, raised_at, evidence->>'event' as event from alarms
    where evidence->>'source' = 'reported' and not evidence ? 'erased'
      and raised_at >= %(since)s and raised_at < %(until)s and raised_at < %(archived)s
), bounds as materialized (
    select least(%(since)s, min(received_at)) - interval '1 day' as since,
           greatest(%(until)s, max(received_at)) + interval '1 day' as until
    from reported
), pressed as materialized (
    select device, received_at, detail->>'id' as event from readings
    where kind like 'alarm:%%'
      and received_at >= (select since from bounds) and received_at < (select until from bounds)
      and at >= (select since - interval '8 days' from bounds) and at < (select until + interval '1 day' from bounds)
), rang as materialized (
    select device, evidence->>'event' as event from alarms where raised_at >= %(since)s::timestamptz - interval '1 day'
), amiss as (
    select 'press_without_alarm' as what, null::uuid as alarm, device, event, received_at as at from pressed
    where received_at >= %(since)s and received_at < %(until)s
      and not exists (select from rang where rang.device = pressed.device and rang.event = pressed.event)
    union all
    select 'alarm_without_press', id, device, event, raised_at from reported
    where not exists (
        select from pressed where pressed.device = reported.device and pressed.event = reported.event
          and pressed.received_at between reported.received_at - interval '1 day' and reported.received_at + interval '1 day')
)
select 'presses' as what, null::uuid as alarm, null as device, null as event, null::timestamptz as at, count(*) as count
from pressed where received_at >= %(since)s and received_at < %(until)s
union all
select 'alarms', null, null, null, null, count(*) from alarms where raised_at >= %(since)s and raised_at < %(until)s
union all
(select what, alarm, device, event, at, null from amiss order by at)

-- name: dangers_without_incident
-- Of each the desk has taken, or not yet. What is quiet (a suspicion, what detection takes back, an answer) opens nothing.
select id, kind, device, home, raised_at, taken_at from alarms
where raised_at >= %(since)s and raised_at < %(until)s and raised_at < %(taken)s and incident is null
  and kind <> all(%(quiet)s)
order by raised_at
