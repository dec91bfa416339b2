-- name: transmitter
select transmitter.device, transmitter.authentication_hash, transmitter.next_hash, transmitter.monitored,
    device.home, device.enabled, device.heartbeat_seconds
from alarm_transmitters transmitter join devices device on device.id = transmitter.device
where transmitter.code = %(code)s

-- name: first_use
-- Only the one that was looked at: meanwhile another may have been asked for.
update alarm_transmitters set authentication_hash = next_hash, next_hash = null
where code = %(code)s and next_hash = %(hash)s

-- name: give_next
update alarm_transmitters set next_hash = %(hash)s where code = %(code)s

-- name: alarm
-- The same words within the window are the same event; later, or in other words, they are another. In one statement
-- with the number, and with forgetting what is past the window: a press waits for it. Its commit waits for no disk: it
-- is the event's own append that promises, and what is forgotten here in a crash rings once too often.
with forgotten as (
    delete from alarm_repeats where transmitter = %(code)s and first_at <= %(before)s and digest <> %(digest)s
), counted as (
    update alarm_transmitters set seq = seq + 1 where code = %(code)s returning seq
), heard as (
    insert into alarm_repeats as known (transmitter, digest, event, first_at, times)
    values (%(code)s, %(digest)s, %(event)s, %(now)s, 1)
    on conflict (transmitter, digest) do update set
        event = case when known.first_at <= %(before)s then excluded.event else known.event end,
        times = case when known.first_at <= %(before)s then 1 else known.times + 1 end,
        first_at = case when known.first_at <= %(before)s then excluded.first_at else known.first_at end
    returning event, times
)
select counted.seq, heard.event, heard.times, set_config('synchronous_commit', 'off', true) from counted, heard

-- name: count
-- As above: what follows is made durable by its append.
update alarm_transmitters set seq = seq + 1 where code = %(code)s
returning seq, faults, set_config('synchronous_commit', 'off', true)

-- name: fault
-- All that are open, after this one has begun or is over.
update alarm_transmitters set seq = seq + 1, faults = case
    when %(holds)s then array_append(array_remove(faults, %(fault)s::text), %(fault)s::text)
    else array_remove(faults, %(fault)s::text) end
where code = %(code)s returning seq, faults

-- name: ping
-- As above.
update alarm_transmitters set seq = seq + 1,
    pings = case when pings_since > %(before)s then pings + 1 else 1 end,
    pings_since = case when pings_since > %(before)s then pings_since else %(now)s end
where code = %(code)s returning seq, faults, pings, set_config('synchronous_commit', 'off', true)

-- name: add_transmitter
insert into alarm_transmitters (code, device, authentication_hash, monitored, enrolled_at)
values (%(code)s, %(device)s, %(hash)s, %(monitored)s, %(now)s)
on conflict (code) do nothing

-- name: renew
-- Somebody at the register gives it anew: what was valid is not.
update alarm_transmitters set authentication_hash = %(hash)s, next_hash = null where code = %(code)s

-- name: remove_transmitter
delete from alarm_transmitters where code = %(code)s

-- name: transmitters
select transmitter.code, transmitter.device, device.home, transmitter.monitored
from alarm_transmitters transmitter join devices device on device.id = transmitter.device order by transmitter.code

