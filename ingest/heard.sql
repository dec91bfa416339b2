-- name: note
-- An address (it has a slash) is of nobody registered: of those no more are kept of one gateway than anyone looks at.
with given as (
    select given.*, strpos(device, '/') > 0 as stranger, split_part(device, '/', 1) as gateway
    from unnest(%(devices)s::text[], %(first)s::timestamptz[], %(last)s::timestamptz[], %(messages)s::bigint[],
        %(kinds)s::text[], %(batteries)s::float8[], %(rssis)s::float8[], %(firmwares)s::text[],
        %(configs)s::bigint[])
        given(device, first_at, last_at, messages, last_kind, battery_percent, rssi_dbm, firmware, config)
), known as (
    select split_part(device, '/', 1) as gateway, count(*) as count from device_heard
    where strpos(device, '/') > 0 and split_part(device, '/', 1) in (select gateway from given where stranger)
    group by 1
), placed as (
    select given.*, there.device is not null as there,
        row_number() over (partition by given.stranger, given.gateway, there.device is null order by given.device)
            + coalesce(known.count, 0) as place
    from given left join known using (gateway) left join device_heard there on there.device = given.device
)
insert into device_heard (device, first_at, last_at, messages, last_kind, battery_percent, rssi_dbm, firmware, config)
select device, first_at, last_at, messages, last_kind, battery_percent, rssi_dbm, firmware, config from placed
where there or not stranger or place <= %(strangers)s order by device
on conflict (device) do update set
    last_at = greatest(device_heard.last_at, excluded.last_at),
    messages = device_heard.messages + excluded.messages,
    last_kind = case when excluded.last_at >= device_heard.last_at then excluded.last_kind
        else device_heard.last_kind end,
    battery_percent = coalesce(excluded.battery_percent, device_heard.battery_percent),
    rssi_dbm = coalesce(excluded.rssi_dbm, device_heard.rssi_dbm),
    firmware = coalesce(excluded.firmware, device_heard.firmware),
    config = coalesce(excluded.config, device_heard.config)
