-- name: askable
-- The devices of a home that speak for themselves and can ask somebody.
select devices.id from devices join device_configs on device_configs.device = devices.id and wanted
where devices.home = %(home)s and enabled and devices.kind = any(%(kinds)s) order by devices.id

-- name: withdrawal_of
-- What took one of these back, at the same time or later; an alarm that comes again is not taken back by what was said
-- before.
select evidence->>'reason' as reason from alarms
where kind = 'withdrawn' and evidence->>'restores' = any(%(alarms)s) and raised_at >= %(since)s
order by raised_at limit 1

-- name: danger_of
-- The danger that has followed a suspicion already.
select id, incident from alarms
where home = %(home)s and raised_at >= %(since)s and evidence->>'follows' = %(alarm)s order by raised_at limit 1

-- name: begin
-- A suspicion is asked about once, however often it comes.
insert into askings (alarm, kind, home, begun_at, until, devices, not_asked, ended_at, reason, danger)
values (%(alarm)s, %(kind)s, %(home)s, %(now)s, %(until)s, %(devices)s, %(not_asked)s, %(ended_at)s, %(reason)s, %(danger)s)
on conflict do nothing
returning devices, asked_at, until, answer, not_asked

-- name: answered
-- The first answer counts. It answers what had been asked by then.
update askings set answered_at = %(at)s, answer = %(kind)s, answered_by = %(device)s
where home = %(home)s and answered_at is null and begun_at <= %(at)s and until + %(late)s >= %(at)s

-- name: pressed
-- A press (a fall, smoke, …) while the question stands is an answer too. It rang by its own way.
update askings set answered_at = press.received_at, answer = press.kind, answered_by = press.device
from (
    select distinct on (askings.alarm) askings.alarm, alarms.received_at, alarms.kind, alarms.device
    from askings join alarms on alarms.home = askings.home and alarms.raised_at >= askings.begun_at
    where askings.ended_at is null and askings.answered_at is null and askings.until > %(now)s
      and alarms.evidence->>'source' = 'reported' and not alarms.test and alarms.incident is not null
      and alarms.received_at between askings.begun_at and askings.until
    order by askings.alarm, alarms.received_at
) press
where askings.alarm = press.alarm and askings.answered_at is null

-- name: confirm
-- The danger has come: the question is over, unless it was before.
update askings set danger = %(danger)s, ended_at = coalesce(ended_at, %(now)s), reason = coalesce(reason, %(reason)s)
where alarm = %(suspicion)s
returning devices, asked_at, until, answer, not_asked

-- name: end
-- Detection takes a suspicion back. One that has become a danger is over since; the danger is what is taken back then.
update askings set ended_at = coalesce(ended_at, %(now)s), reason = coalesce(reason, %(reason)s)
where alarm = %(alarm)s
returning danger

-- name: lock
-- Whoever takes it at this moment is waited for.
select kind, incident, restored_at from alarms where id = %(alarm)s for update

-- name: restore
update alarms set restored_at = %(now)s where id = any(%(alarms)s::uuid[]) and restored_at is null

-- name: to_tell
-- Questions that no broker has yet; and those that are over or answered before their time, for every device that was
-- asked.
select alarm, devices, until, least(ended_at, answered_at) as over from askings
where not_asked is null and taken_back_at is null and until > %(now)s
  and (asked_at is null) = (ended_at is null and answered_at is null)
order by begun_at limit %(limit)s

-- name: told
update askings set asked_at = case when alarm = any(%(asked)s::uuid[]) then coalesce(asked_at, %(now)s) else asked_at end,
    taken_back_at = case when alarm = any(%(back)s::uuid[]) then %(now)s else taken_back_at end
where alarm = any(%(asked)s::uuid[]) or alarm = any(%(back)s::uuid[])

-- name: under_way
-- Who is being asked now.
select askings.alarm, askings.kind, askings.home, begun_at, asked_at, until, askings.devices, not_asked, answered_at,
       answer, answered_by, homes.address, areas.name as area_name,
       (select string_agg(name, '、' order by id) from people where people.home = askings.home) as person
from askings left join homes on homes.id = askings.home left join areas on areas.code = homes.area
where ended_at is null and until > %(now)s and (%(scope)s::text is null or starts_with(homes.area, %(scope)s))
order by until, alarm limit %(limit)s

-- name: of_home
select askings.alarm, askings.kind, askings.home, begun_at, asked_at, until, askings.devices, not_asked, answered_at,
       answer, answered_by, ended_at, reason, danger
from askings left join homes on homes.id = askings.home
where askings.home = %(home)s and (%(scope)s::text is null or starts_with(homes.area, %(scope)s))
order by begun_at desc, alarm limit %(limit)s

-- name: of_incident
select askings.alarm, askings.kind, begun_at, asked_at, until, askings.devices, not_asked, answered_at, answer,
       answered_by, ended_at, askings.reason, danger
from alarms join askings on askings.danger = alarms.id
where alarms.incident = %(incident)s order by begun_at, askings.alarm

-- name: note
insert into visit_notes (alarm, kind, home, noted_at) values (%(id)s, %(kind)s, %(home)s, %(at)s)
on conflict do nothing

-- name: notes
select visit_notes.alarm as id, visit_notes.kind, visit_notes.home, noted_at, acknowledged_at, acknowledged_by,
       alarms.evidence, homes.address,
       (select string_agg(name, '、' order by id) from people where people.home = visit_notes.home) as person
from visit_notes join alarms on alarms.id = visit_notes.alarm left join homes on homes.id = visit_notes.home
where (%(home)s::text is null or visit_notes.home = %(home)s) and (%(every)s or acknowledged_at is null)
  and (%(scope)s::text is null or starts_with(homes.area, %(scope)s))
order by noted_at desc, visit_notes.alarm limit %(limit)s

-- name: acknowledge
-- Whoever was first stays named.
update visit_notes set acknowledged_at = coalesce(acknowledged_at, %(now)s),
    acknowledged_by = coalesce(acknowledged_by, %(by)s)
where alarm = %(note)s and (%(scope)s::text is null
    or exists (select from homes where homes.id = visit_notes.home and starts_with(homes.area, %(scope)s)))
returning home
