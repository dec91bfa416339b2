-- name: make_day
select readings_day(%(day)s) as kept

-- name: copy
copy readings (at, received_at, device, home, boot, seq, kind, sensor, value, detail, clock, device_at)
from stdin (format binary)

-- name: make_incoming
-- For what may be there already. It is empty again after each transaction.
create temporary table if not exists incoming (like readings) on commit delete rows

-- name: copy_incoming
copy incoming (at, received_at, device, home, boot, seq, kind, sensor, value, detail, clock, device_at)
from stdin (format binary)

-- name: merge
-- A repeat whose time had to be mended may bear another time than the first: there the three that name it must do.
insert into readings (at, received_at, device, home, boot, seq, kind, sensor, value, detail, clock, device_at)
select distinct on (device, boot, seq, case when clock is null then at end)
    at, received_at, device, home, boot, seq, kind, sensor, value, detail, clock, device_at
from incoming
where clock is null or not exists (
    select from readings there
    where there.device = incoming.device and there.boot = incoming.boot and there.seq = incoming.seq
        and there.at between incoming.received_at - interval '8 days' and incoming.received_at + interval '2 hours'
)
order by device, boot, seq, case when clock is null then at end, received_at
on conflict do nothing
