-- name: devices
-- What each device's alarms and gaps say of its line. `told` are those whose device says how often it had sent them;
-- only the native family does. The first of an alarm's transmissions that came made its row, and a later one changes
-- nothing: more than 1 there means that the first was not acknowledged.
select alarms.device, devices.home, homes.area, devices.kind, devices.model, devices.gateway,
       count(*) filter (where evidence->>'source' = 'reported') as alarms,
       count(attempt) as told,
       count(*) filter (where attempt > 1) as failed,
       count(*) filter (where alarms.kind = 'sequence_gap') as gaps,
       coalesce(sum(missing), 0)::bigint as missing,
       max(raised_at) filter (where alarms.kind = 'sequence_gap') as last_gap_at
from alarms
left join devices on devices.id = alarms.device
left join homes on homes.id = coalesce(devices.home, alarms.home)
cross join lateral (
    select case when evidence->>'source' = 'reported' and coalesce(evidence->>'family', 'native') = 'native'
                     and jsonb_typeof(evidence->'attempt') = 'number' then (evidence->'attempt')::numeric end as attempt,
           case when alarms.kind = 'sequence_gap' and jsonb_typeof(evidence->'missing') = 'number'
                then (evidence->'missing')::numeric end as missing
) said
where raised_at >= %(since)s and alarms.device is not null
  and (evidence->>'source' = 'reported' or alarms.kind = 'sequence_gap')
  and (%(devices)s::text[] is null or alarms.device = any(%(devices)s::text[]))
  and (%(scope)s::text is null or starts_with(homes.area, %(scope)s))
group by alarms.device, devices.home, homes.area, devices.kind, devices.model, devices.gateway
order by count(*) filter (where attempt > 1) desc, coalesce(sum(missing), 0) desc, alarms.device
limit %(limit)s

-- name: areas
-- The same of every area that has any, whatever its level: an area holds what lies within it.
with known as (
    select homes.area, alarms.device, alarms.kind,
           case when coalesce(evidence->>'family', 'native') = 'native' and evidence->>'source' = 'reported'
                     and jsonb_typeof(evidence->'attempt') = 'number' then (evidence->'attempt')::numeric end as attempt,
           case when jsonb_typeof(evidence->'missing') = 'number' then (evidence->'missing')::numeric end as missing,
           evidence->>'source' = 'reported' as reported
    from alarms
    left join devices on devices.id = alarms.device
    join homes on homes.id = coalesce(devices.home, alarms.home)
    where raised_at >= %(since)s and (evidence->>'source' = 'reported' or alarms.kind = 'sequence_gap')
      and (%(scope)s::text is null or starts_with(homes.area, %(scope)s))
)
select areas.code, areas.name, areas.level,
       count(distinct device) as devices,
       count(*) filter (where reported) as alarms,
       count(attempt) as told,
       count(*) filter (where attempt > 1) as failed,
       count(*) filter (where kind = 'sequence_gap') as gaps,
       coalesce(sum(missing) filter (where kind = 'sequence_gap'), 0)::bigint as missing
from areas join known on starts_with(known.area, areas.code)
where %(scope)s::text is null or starts_with(areas.code, %(scope)s)
group by areas.code, areas.name, areas.level order by areas.code
