-- name: board
-- A danger of nobody's home yet is everybody's to see: who knows in whose area the caller is?
-- Everything open, what rings and has waited longest first; or what was closed last. Open ⇔ wake_at is set: that has an
-- index, so that years of closed incidents cost the board nothing.
select incidents.id, incidents.version, incidents.state, incidents.cause, incidents.danger, incidents.test,
       incidents.opened_at, incidents.wake_at, incidents.home, incidents.device, incidents.body,
       homes.address, areas.name as area_name,
       (select name from areas where grouped_by = 'area' and code = grouped_of) as group_name,
       (select string_agg(name, '、' order by id) from people where people.home = incidents.home) as person,
       (select jsonb_object_agg(id, name) from (
            select id, name from contacts where home = incidents.home
            union all select id, name from responders
            where id in (select jsonb_array_elements_text(incidents.body->'awaited'))) known) as names
from incidents
left join homes on homes.id = incidents.home
left join areas on areas.code = coalesce(homes.area, incidents.area)
where (incidents.wake_at is not null) = %(open)s and (%(incident)s::bigint is null or incidents.id = %(incident)s)
  and (%(area)s::text is null or starts_with(homes.area, %(area)s)
       or incidents.danger and incidents.home is null
       or grouped_by is not null and incidents.home is null and exists (
           select from alarms left join homes own on own.id = alarms.home
           where alarms.incident = incidents.id and (starts_with(own.area, %(area)s) or of_area(alarms)
               and (starts_with(evidence->>'area', %(area)s) or starts_with(%(area)s, evidence->>'area')))))
order by case when %(open)s then not (incidents.body->>'ringing')::boolean end,
         case when %(open)s then incidents.danger end desc,
         case when %(open)s then incidents.opened_at end, incidents.t9 desc
limit %(limit)s

-- name: came_to_nobody
select count(*) as calls, min(incidents.opened_at) as since
from incidents
join journal on journal.incident = incidents.id and journal.number = 1 and journal.decision = 'opened_desk_empty'
left join homes on homes.id = incidents.home
where wake_at is not null and t3 is null
  and (%(area)s::text is null or starts_with(homes.area, %(area)s) or incidents.home is null)

-- name: visible
-- Whether an incident lies within a scope; one of many homes does as soon as one of them does.
select 1 from incidents left join homes on homes.id = incidents.home
where incidents.id = %(incident)s
  and (%(area)s::text is null or starts_with(homes.area, %(area)s)
       or incidents.danger and incidents.home is null
       or grouped_by is not null and incidents.home is null and exists (
           select from alarms left join homes own on own.id = alarms.home
           where alarms.incident = incidents.id and (starts_with(own.area, %(area)s) or of_area(alarms)
               and (starts_with(evidence->>'area', %(area)s) or starts_with(%(area)s, evidence->>'area')))))

-- name: was_anybodys
-- Whether it was everybody's to see until somebody said whose home it is: they look once more, and may see it no longer.
select 1 from incidents where id = %(incident)s and body->>'named_by' is not null

-- name: state
select state <> 'closed' as open from incidents where id = %(incident)s

-- name: alarms
-- Of a group a few: its rows say the same in short.
select alarms.id, kind, at, device_at, clock, received_at, raised_at, restored_at, device, test, evidence from alarms
left join homes on homes.id = alarms.home
where incident = %(incident)s and (%(scope)s::text is null or starts_with(homes.area, %(scope)s))
order by raised_at, alarms.id limit %(alarms)s

-- name: related
-- Suspicions that an incident's alarms follow, and what has withdrawn either: they open nothing, so they are of none.
with own as (
    select id::text as id, evidence->>'follows' as follows, raised_at from alarms where incident = %(incident)s
)
select alarms.id, kind, at, device_at, clock, received_at, raised_at, restored_at, device, test, evidence from alarms
where home = %(home)s and kind = any(%(kinds)s) and incident is distinct from %(incident)s
  and raised_at between (select min(raised_at) from own) - interval '1 day'
                    and (select max(raised_at) from own) + interval '7 days'
  and (alarms.id::text in (select follows from own)
       or evidence->>'restores' in (select id from own union all select follows from own))
order by raised_at, alarms.id limit %(rows)s

-- name: rows
-- The devices of a group, those that are silent first.
select alarms.device, alarms.home, homes.address, areas.name as area_name, devices.kind as device_kind, devices.model,
       (select string_agg(name, '、' order by id) from people where people.home = alarms.home) as person,
       array_agg(distinct alarms.kind) as kinds, min(alarms.at) as at,
       case when count(restored_at) = count(*) then max(restored_at) end as restored_at
from alarms
left join devices on devices.id = alarms.device
left join homes on homes.id = alarms.home
left join areas on areas.code = homes.area
where incident = %(incident)s and alarms.kind = any(%(ending)s) and not of_area(alarms)
  and (%(scope)s::text is null or starts_with(homes.area, %(scope)s))
group by alarms.device, alarms.home, homes.address, areas.name, devices.kind, devices.model
order by count(restored_at) = count(*), alarms.home, alarms.device limit %(rows)s

-- name: unheard_homes
-- The homes of an area that is not heard, those that have been silent for the longest first: its alarm names none.
select null as device, homes.id as home, homes.address, areas.name as area_name, null as device_kind, null as model,
       (select string_agg(name, '、' order by id) from people where people.home = homes.id) as person,
       array[alarms.kind] as kinds, coalesce(last.at, alarms.at) as at,
       coalesce(alarms.restored_at, case when last.at > alarms.at then last.at end) as restored_at
from alarms
join homes on starts_with(homes.area, alarms.evidence->>'area')
join areas on areas.code = homes.area
join lateral (
    select max(device_heard.last_at) as at from devices left join device_heard on device_heard.device = devices.id
    where devices.home = homes.id and devices.enabled having count(*) > 0
) last on true
where incident = %(incident)s and of_area(alarms) and (%(scope)s::text is null or starts_with(homes.area, %(scope)s))
order by coalesce(alarms.restored_at, case when last.at > alarms.at then last.at end) is not null, last.at nulls first,
         homes.id limit %(rows)s

-- name: journal
select number, at, event, decision, actor, detail from journal where incident = %(incident)s order by number

-- name: journal_rows
select incident, number, at, event, decision, actor, detail, hash from journal
where incident = %(incident)s order by number

-- name: sends
-- `place`: of what waits for its turn at a provider that takes so many a second, how far from the head of the line.
select id, step, repeat, purpose, channel, recipient, name, address, state, result, due_at, dialled_at, finished_at,
       case when state = 'waiting' and due_at <= %(now)s and exists (select from send_turns where send_turns.channel = own.channel)
       then (
           select count(*) from sends other left join incidents on incidents.id = other.incident,
               (select send_rank(own.purpose, danger, cause) as rank from incidents where id = own.incident) mine
           where other.state = 'waiting' and other.due_at <= %(now)s and other.channel = own.channel
             and (send_rank(other.purpose, incidents.danger, incidents.cause), other.due_at, other.id)
                 <= (mine.rank, own.due_at, own.id)
       ) end as place
from sends own where incident = %(incident)s order by id

-- name: history
select id, opened_at, t9 as closed_at, body->'closing'->>'cause' as cause, body->'closing'->>'outcome' as outcome
from incidents where home = %(home)s and id <> %(incident)s order by id desc limit 20

-- name: home
select homes.*, areas.name as area_name from homes join areas on areas.code = homes.area where homes.id = %(home)s

-- name: area_path
with recursive path as (
    select code, name, parent, 1 as depth from areas where code = %(area)s
    union all select areas.code, areas.name, areas.parent, path.depth + 1 from areas join path on areas.code = path.parent
) select name from path order by depth desc

-- name: persons
select id, name, born_on, sex, language, phone, category, conditions, medication, hospital, note
from people where home = %(home)s order by id

-- name: contacts
select id, name, relation, role, rank, phone, language, has_key from contacts where home = %(home)s order by rank

-- name: devices
select id, kind, model, heartbeat_seconds, enabled from devices where home = %(home)s order by id

-- name: away
select away_from, away_until, reason from away
where home = %(home)s and (away_until is null or away_until > %(now)s) order by away_from
