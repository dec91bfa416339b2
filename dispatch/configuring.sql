-- name: alone
-- One process publishes at a time: of two that publish the same device's, the older might come to the broker last. One
-- that is stopped in the middle loses its turn.
select pg_try_advisory_xact_lock(%(key)s) as mine, set_config('idle_in_transaction_session_timeout', '10s', true)

-- name: forgotten
-- The broker's store ends with publication number `mark` (null: it is empty): it has nothing of what came later.
update device_configs set published_revision = null
where published_number > coalesce(%(mark)s::bigint, 0) and published_revision is not null

-- name: due
-- What the broker does not keep yet; of a device that is gone, that it is to be forgotten.
select device_configs.device, revision, wanted, volume, reminder_weekday, reminder_hour, heartbeat_seconds, hold_seconds
from device_configs left join devices on devices.id = device_configs.device
where published_revision is distinct from revision or not wanted
order by device_configs.device limit %(limit)s

-- name: published
-- The broker has confirmed them. One that was changed meanwhile is still due.
update device_configs set published_revision = sent.revision, published_at = %(now)s,
    published_number = nextval('device_config_numbers')
from unnest(%(devices)s::text[], %(revisions)s::bigint[]) sent(device, revision)
where device_configs.device = sent.device
returning published_number

-- name: ended
delete from device_configs where device = any(%(devices)s) and not wanted
