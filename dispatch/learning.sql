-- name: alone
-- Two who decide on the same are put in order, and the second is told.
select pg_advisory_xact_lock(%(key)s)

-- name: by_home
-- How the alarms of a home were judged, each incident once for each kind; and for how many person-weeks it was watched:
-- since its first device, for everybody who lives there.
with watched as (
    select homes.id as home,
           greatest(1, (select count(*) from people where people.home = homes.id))
           * extract(epoch from %(now)s - greatest(%(since)s, min(devices.enrolled_at)))::float8 / 604800 as person_weeks
    from homes join devices on devices.home = homes.id
    where (%(scope)s::text is null or starts_with(homes.area, %(scope)s)) and (%(home)s::text is null or homes.id = %(home)s)
    group by homes.id
)
select labelled.home, labelled.kind, max(watched.person_weeks) as person_weeks,
       count(distinct incident) as alarms,
       count(distinct incident) filter (where verdict = 'true') as "true",
       count(distinct incident) filter (where verdict = 'false') as "false",
       count(distinct incident) filter (where verdict = 'neither') as neither,
       count(distinct incident) filter (where verdict = 'unknown') as unknown
from labelled_alarms labelled join watched on watched.home = labelled.home
where labelled.raised_at >= %(since)s
group by labelled.home, labelled.kind
order by count(distinct incident) filter (where verdict = 'false') desc, labelled.home, labelled.kind limit %(limit)s

-- name: by_device
-- The same by device, for as long as that has been enrolled.
with watched as (
    select devices.id as device, devices.kind as device_kind, homes.id as home,
           greatest(1, (select count(*) from people where people.home = homes.id))
           * extract(epoch from %(now)s - greatest(%(since)s, devices.enrolled_at))::float8 / 604800 as person_weeks
    from devices join homes on homes.id = devices.home
    where (%(scope)s::text is null or starts_with(homes.area, %(scope)s)) and (%(home)s::text is null or homes.id = %(home)s)
)
select labelled.device, watched.device_kind, watched.home, labelled.kind, max(watched.person_weeks) as person_weeks,
       count(distinct incident) as alarms,
       count(distinct incident) filter (where verdict = 'true') as "true",
       count(distinct incident) filter (where verdict = 'false') as "false",
       count(distinct incident) filter (where verdict = 'neither') as neither,
       count(distinct incident) filter (where verdict = 'unknown') as unknown
from labelled_alarms labelled join watched on watched.device = labelled.device and watched.home = labelled.home
where labelled.raised_at >= %(since)s
group by labelled.device, watched.device_kind, watched.home, labelled.kind
order by count(distinct incident) filter (where verdict = 'false') desc, labelled.device, labelled.kind limit %(limit)s

-- name: presses
-- The calls of each button that can be told how long it must be held, since anybody decided about it.
with counted as (
    select devices.id as device, devices.home, device_configs.hold_seconds, homes.address,
           greatest(%(since)s, devices.enrolled_at, (
               select max(decided_at) from suggestion_decisions one where one.rule = %(rule)s and one.device = devices.id
           )) as counted_since
    from devices
    join device_configs on device_configs.device = devices.id and wanted
    join homes on homes.id = devices.home
    where devices.enabled and devices.kind in ('button', 'pendant', 'watch')
      and (%(scope)s::text is null or starts_with(homes.area, %(scope)s))
)
select counted.*,
       count(distinct incident) filter (where verdict = 'true') as "true",
       count(distinct incident) filter (where verdict = 'false') as "false",
       count(distinct incident) filter (where verdict = 'neither') as neither,
       count(distinct incident) filter (where verdict = 'unknown') as unknown,
       (array_agg(distinct incident order by incident desc))[1:%(named)s] as incidents,
       (select string_agg(name, '、' order by id) from people where people.home = counted.home) as person
from counted join labelled_alarms labelled on labelled.device = counted.device and labelled.home = counted.home
where labelled.kind = 'sos' and labelled.raised_at >= counted.counted_since
group by counted.device, counted.home, counted.hold_seconds, counted.address, counted.counted_since
having count(distinct incident) filter (where verdict = 'false') >= %(least)s
    or count(distinct incident) filter (where verdict in ('true', 'false')) >= %(least)s

-- name: silences
-- The silences of each home that rang, since anybody decided about it, with the hours at which they did.
with counted as (
    select homes.id as home, homes.address, homes.inactivity_hours as ceiling_hours,
           homes.inactivity_floor_hours as floor_hours,
           greatest(%(since)s, (
               select max(decided_at) from suggestion_decisions one where one.rule = %(rule)s and one.home = homes.id
           )) as counted_since
    from homes where %(scope)s::text is null or starts_with(homes.area, %(scope)s)
), judged as (
    select labelled.home, labelled.incident, labelled.verdict,
           case when jsonb_typeof(alarms.evidence->'threshold') = 'number'
                then (alarms.evidence->>'threshold')::float8 end as threshold
    from labelled_alarms labelled join alarms on alarms.id = labelled.alarm
    where labelled.kind = 'inactivity' and labelled.raised_at >= %(since)s
)
select counted.*,
       count(distinct incident) filter (where verdict = 'true') as "true",
       count(distinct incident) filter (where verdict = 'false') as "false",
       count(distinct incident) filter (where verdict = 'neither') as neither,
       count(distinct incident) filter (where verdict = 'unknown') as unknown,
       (array_agg(distinct incident order by incident desc))[1:%(named)s] as incidents,
       min(threshold) as least_threshold,
       coalesce(array_agg(threshold) filter (where verdict = 'false' and threshold is not null), '{}') as thresholds,
       (select string_agg(name, '、' order by id) from people where people.home = counted.home) as person
from counted join judged on judged.home = counted.home
join incidents on incidents.id = judged.incident and incidents.opened_at >= counted.counted_since
group by counted.home, counted.address, counted.ceiling_hours, counted.floor_hours, counted.counted_since
having count(distinct incident) filter (where verdict = 'false') >= %(least)s

-- name: decided
insert into suggestion_decisions (rule, home, device, decision, decided_at, decided_by, account, was, proposed, evidence)
values (%(rule)s, %(home)s, %(device)s, %(decision)s, %(now)s, %(by)s, %(account)s, %(was)s, %(proposed)s, %(evidence)s)

-- name: decisions
select suggestion_decisions.id, rule, home, device, decision, decided_at, decided_by, was, proposed, evidence
from suggestion_decisions left join homes on homes.id = suggestion_decisions.home
where (%(scope)s::text is null or starts_with(homes.area, %(scope)s))
  and (%(home)s::text is null or suggestion_decisions.home = %(home)s)
order by decided_at desc, suggestion_decisions.id desc limit %(limit)s
