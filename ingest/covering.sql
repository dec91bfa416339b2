-- name: members
-- Whose device it is, where, how often it speaks, and when it was last heard before we began.
select devices.id as device, devices.home, homes.area, devices.heartbeat_seconds, device_heard.last_at
from devices join homes on homes.id = devices.home left join device_heard on device_heard.device = devices.id
where devices.enabled

-- name: areas
select code from areas

-- name: known
select area, known from coverage

-- name: keep
insert into coverage (area, known, deaf, kept_at)
select area, known, deaf, %(now)s
from unnest(%(areas)s::text[], %(known)s::jsonb[], %(deaf)s::boolean[]) given(area, known, deaf) order by area
on conflict (area) do update set known = excluded.known, deaf = excluded.deaf, kept_at = excluded.kept_at
