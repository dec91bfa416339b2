-- name: devices
select id, home, enabled, kind, gateway, address from devices

-- name: device_clocks
select device, offset_ms from device_clocks

-- name: save_device_clock
insert into device_clocks (device, offset_ms, measured_at) values (%(device)s, %(offset_ms)s, %(now)s)
on conflict (device) do update set offset_ms = excluded.offset_ms, measured_at = excluded.measured_at

-- name: ring_for_device_clocks
notify device_clocks

-- name: count_rejected
-- In the order of the reasons, so that two lanes never wait for each other in a circle.
insert into rejected_counts (day, reason, count)
select %(day)s, reason, count from unnest(%(reasons)s::text[], %(counts)s::bigint[]) given(reason, count) order by reason
on conflict (day, reason) do update set count = rejected_counts.count + excluded.count

-- name: keep_rejected
insert into rejected (received_at, device, topic, reason, detail, payload, payload_bytes)
values (%(received_at)s, %(device)s, %(topic)s, %(reason)s, %(detail)s, %(payload)s, %(payload_bytes)s)

-- name: unannounced
select home.id, home.revision, home.inactivity_hours, home.inactivity_floor_hours, home.timezone, home.area,
    home.latitude, home.longitude, home.coordinates, home.fence_m,
    coalesce((select jsonb_agg(jsonb_build_object('kind', given.kind, 'low', given.low, 'high', given.high)
        order by given.kind) from person_limits given where given.home = home.id), '[]') as limits,
    coalesce((select jsonb_agg(jsonb_build_object(
        'id', device.id, 'kind', device.kind, 'heartbeat_seconds', device.heartbeat_seconds) order by device.id)
        from devices device where device.home = home.id and device.enabled), '[]') as devices,
    coalesce((select array_agg(array[away.away_from, away.away_until] order by away.away_from)
        from away where away.home = home.id), '{}') as away,
    coalesce((select jsonb_object_agg(detector, label)
        from versions_in(home.area) where state = 'live'), '{}') as live,
    coalesce((select jsonb_object_agg(detector, labels) from (
        select detector, jsonb_agg(label order by label) as labels
        from versions_in(home.area) where state = 'shadow' group by detector) beside), '{}') as shadow
from homes home where home.revision > home.announced
order by home.id limit 500

-- name: announced
-- Only up to what was told: a change made meanwhile is told next.
update homes set announced = told.revision
from unnest(%(homes)s::text[], %(revisions)s::bigint[]) told(home, revision)
where homes.id = told.home and homes.announced < told.revision

-- name: driven_now
select at, step from driven_clock

-- name: drive
insert into driven_clock (at, step) values (%(at)s, %(step)s)
on conflict (singleton) do update set at = excluded.at, step = excluded.step

-- name: ring_the_clock
select pg_notify('clock', %(now_ms)s::text)

-- name: lane_has_come_to
insert into driven_lanes (lane, at, step) values (%(lane)s, %(at)s, %(step)s)
on conflict (lane) do update set at = excluded.at, step = excluded.step

-- name: lane_is_at
select exists (select from driven_lanes where lane = %(lane)s and at = %(at)s and step = %(step)s) as there

-- name: undrained
-- What has still to be done, besides reading the logs, before the driven clock may go on, each by its name. What is held
-- until later waits for the clock, and not the clock for it.
select waits from (
    select 'an alarm for intake' as waits from alarms where taken_at is null and not held(kind, alone, raised_at, %(now)s)
    union all select 'an incident for the alarm clock' from incidents where wake_at <= %(now)s
    union all select 'a send for the outbox' from sends where state = 'waiting' and due_at <= %(now)s
    union all select 'a home to be announced' from homes where revision > announced
) open limit 1
