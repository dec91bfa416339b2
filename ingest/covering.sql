-- name: members
-- Whose device it is, where, and how often it speaks.
select devices.id as device, devices.home, homes.area, devices.heartbeat_seconds
from devices join homes on homes.id = devices.home
where devices.enabled order by devices.id

-- name: last_heard
-- When each was last heard, before we began.
select device, last_at from device_heard join devices on devices.id = device

-- name: areas
select code from areas

-- name: known
select area, known from coverage

-- name: keep
insert into coverage (area, known, deaf, kept_at)
select area, known, deaf, %(now)s
from unnest(%(areas)s::text[], %(known)s::jsonb[], %(deaf)s::boolean[]) given(area, known, deaf) order by area
on conflict (area) do update set known = excluded.known, deaf = excluded.deaf, kept_at = excluded.kept_at
