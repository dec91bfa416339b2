-- name: overview
-- How every device of a scope is: looked at once, then counted and listed. A device may stand in several lists, and is
-- counted once, where it is worst.
with states as materialized (
    select states.*, homes.address as place, homes.area
    from device_states states left join homes on homes.id = states.home
    where %(scope)s::text is null or starts_with(homes.area, %(scope)s)
), listed as (
    select 'silent' as list, silent_since as since, states.* from states where enabled and silent_since is not null
    union all
    select 'faulty', (faults->0->>'since')::timestamptz, states.* from states where enabled and faults is not null
    union all
    select 'low_battery', battery_since, states.* from states where enabled and battery_since is not null
    union all
    select 'never_heard', enrolled_at, states.* from states where state = 'never_heard'
    union all
    select 'disabled', enrolled_at, states.* from states where state = 'disabled'
    union all
    select 'unbound', enrolled_at, states.* from states where state = 'unbound'
    union all
    select 'well', last_at, states.* from states where state = 'well'
), numbered as (
    select listed.*, row_number() over (partition by list order by since desc nulls last, id) as place_in_list
    from listed where %(list)s::text is null or list = %(list)s
)
select (select coalesce(jsonb_object_agg(state, devices), '{}') from
            (select state, count(*) as devices from states group by state) counts) as counts,
       (select coalesce(jsonb_agg(to_jsonb(numbered) - 'place_in_list' order by list, place_in_list), '[]')
        from numbered where place_in_list > %(offset)s and place_in_list <= %(offset)s + %(limit)s
            and (%(list)s::text is not null or list not in ('well', 'disabled', 'unbound'))) as rows

-- name: one
select states.*, homes.address as place, homes.area
from device_states states left join homes on homes.id = states.home
where states.id = %(device)s and (%(scope)s::text is null or starts_with(homes.area, %(scope)s))

-- name: history
-- What was raised about a device, the newest first.
select id, kind, home, at, raised_at, test, incident, evidence from alarms
where device = %(device)s and (%(home)s::text is null or home = %(home)s) order by raised_at desc limit %(limit)s

-- name: readings_at_home
-- By the home's index: the newest readings of one of its devices.
select at, received_at, kind, sensor, value, detail from readings
where home = %(home)s and device = %(device)s and at >= %(since)s order by at desc limit %(limit)s

-- name: readings_of_unbound
select at, received_at, kind, sensor, value, detail from readings
where device = %(device)s and at >= %(since)s order by at desc limit %(limit)s

-- name: adoption
-- What is heard and bound to no home. What stands behind the gateway of a home in the asker's area is the asker's to
-- adopt; what stands behind none is for whoever may see everything.
select heard.*, hub.home as gateway_home, homes.address as gateway_place, count(*) over () as total
from devices_unadopted heard
left join devices hub on hub.id = heard.gateway
left join homes on homes.id = hub.home
where (%(scope)s::text is null or starts_with(homes.area, %(scope)s))
  and (%(device)s::text is null or heard.device = %(device)s)
order by heard.last_at desc, heard.device limit %(limit)s offset %(offset)s

-- name: reasons
-- Refused, or taken with a remark, of everybody. Ingest counts by days of UTC.
select reason, coalesce(sum(count) filter (where day = %(today)s), 0)::bigint as today, sum(count)::bigint as week
from rejected_counts where day > %(today)s::date - 7 and day <= %(today)s group by reason order by week desc, reason

-- name: rejected
-- The samples that were kept, the newest first: of the asker's own devices, or behind their gateways.
select rejected.id, rejected.received_at, rejected.device, rejected.topic, rejected.reason, rejected.detail,
       rejected.payload, rejected.payload_bytes, own.id is not null as known
from rejected
left join devices own on own.id = rejected.device
left join devices hub on hub.id = split_part(rejected.device, '/', 1)
left join homes on homes.id = coalesce(own.home, hub.home)
where (%(reason)s::text is null or rejected.reason = %(reason)s)
  and (%(device)s::text is null or rejected.device = %(device)s)
  and (%(scope)s::text is null or starts_with(homes.area, %(scope)s))
order by rejected.received_at desc, rejected.id desc limit %(limit)s offset %(offset)s

-- name: newest_rejected
-- One sample of each reason, the newest.
select newest.* from unnest(%(reasons)s::text[]) with ordinality asked(reason, place)
cross join lateral (
    select id, received_at, device, topic, rejected.reason, detail, payload, payload_bytes,
           exists (select from devices where id = rejected.device) as known
    from rejected where rejected.reason = asked.reason order by received_at desc limit 1
) newest order by asked.place
