-- name: read
-- What a device is to go by, what of it the broker has, and which revision the device says it runs.
select devices.id as device, devices.kind, devices.gateway, devices.heartbeat_seconds, device_configs.revision, volume,
       reminder_weekday, reminder_hour, hold_seconds, published_revision, published_at, device_heard.config as reported_revision
from devices
left join homes on homes.id = devices.home
left join device_configs on device_configs.device = devices.id and wanted
left join device_heard on device_heard.device = devices.id
where devices.id = %(device)s and (%(scope)s::text is null or starts_with(homes.area, %(scope)s))

-- name: change
-- The same again is no new revision.
update device_configs set revision = revision + 1, volume = %(volume)s, reminder_weekday = %(weekday)s,
    reminder_hour = %(hour)s, hold_seconds = %(hold)s
where device = %(device)s
  and (volume, reminder_weekday, reminder_hour, hold_seconds)
      is distinct from (%(volume)s, %(weekday)s::integer, %(hour)s::integer, %(hold)s::integer)
