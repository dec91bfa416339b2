-- name: turn
-- One at a time groups what fell silent. Whoever stops in the middle loses the turn, and all that they did, after a while.
select pg_try_advisory_xact_lock(hashtext('dispatch silence')) as mine, set_config('idle_in_transaction_session_timeout', '10s', true)

-- name: waiting
-- What waits for its fellows, and where its device stands in the register.
select alarms.id, alarms.kind, alarms.device, coalesce(homes.id, alarms.home) as home, devices.gateway,
       coalesce(homes.area, case when of_area(alarms) then evidence->>'area' end) as area,
       case when of_area(alarms) then coalesce((evidence->>'homes')::integer, 1) else 0 end as homes,
       devices.model, alarms.at, alarms.raised_at, alarms.restored_at, alarms.evidence->'value' as value,
       held(alarms.kind, alone, raised_at, %(now)s) as held
from alarms
left join devices on devices.id = alarms.device
left join homes on homes.id = coalesce(devices.home, alarms.home)
where taken_at is null and not alone and alarms.kind = any(%(causes)s)
order by raised_at, alarms.id limit %(limit)s
for update of alarms skip locked

-- name: restores
-- What says that something held is over, once what it ends is in the table.
select id, kind, device, evidence->>'restores' as restores from alarms
where taken_at is null and not alone and kind = any(%(restores)s)
order by raised_at, id limit %(limit)s
for update skip locked

-- name: over
-- What these restores end; of what is over already nothing is said again.
update alarms set restored_at = %(now)s where id = any(%(alarms)s::uuid[]) and restored_at is null
returning id, incident

-- name: open_groups
select id, body->'group' as body from incidents where grouped_by is not null and wake_at is not null
order by id

-- name: areas
-- The areas in which losses lie, each with the one above it.
select distinct areas.code, areas.parent from unnest(%(areas)s::text[]) given(code)
join areas on starts_with(given.code, areas.code)

-- name: area_homes
-- How many homes of an area have a device: no further than it matters.
select given.code, (select count(*) from (
    select from homes where starts_with(homes.area, given.code)
        and exists (select from devices where devices.home = homes.id and enabled)
    limit given.lost * %(share)s + 1) counted) as size
from unnest(%(codes)s::text[], %(lost)s::bigint[]) given(code, lost)

-- name: model_devices
select given.model, (select count(*) from (
    select from devices where devices.model = given.model and enabled limit given.lost * %(share)s + 1) counted) as size
from unnest(%(codes)s::text[], %(lost)s::bigint[]) given(model, lost)

-- name: taken
update alarms set taken_at = %(now)s, incident = %(incident)s where id = any(%(alarms)s::uuid[])

-- name: alone
-- Each of them goes to an incident of its own home, as any other alarm does.
with alone as (update alarms set alone = true where id = any(%(alarms)s::uuid[]) returning id)
select pg_notify('alarm', '') from alone limit 1

-- name: all_alone
-- Everything that has waited its time, when grouping fails.
with alone as (
    update alarms set alone = true
    where taken_at is null and not alone and kind = any(%(kinds)s) and not held(kind, alone, raised_at, %(now)s)
    returning id
)
select pg_notify('alarm', '') from alone limit 1

-- name: rows
-- What of an incident's alarms is not over, and how many devices it is of: homes, where an alarm names no device; where
-- it names no home either but an area, as many as were expected to be heard there.
select count(*) filter (where restored_at is null) as "left",
       case when count(device) > 0 then count(distinct device) when count(home) > 0 then count(distinct home)
            else coalesce(max((evidence->>'homes')::integer), 1) end as devices,
       case when count(device) > 0 then count(distinct device) filter (where restored_at is null)
            when count(home) > 0 then count(distinct home) filter (where restored_at is null)
            else coalesce(max(coalesce((evidence->>'homes')::integer, 1)) filter (where restored_at is null), 0)
            end as silent
from alarms where incident = %(incident)s and kind = any(%(kinds)s)
