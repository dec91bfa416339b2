-- How each device is, at one look; and what was refused, by its reason.

create index alarms_by_device on alarms (device, kind, raised_at);
create index rejected_by_reason on rejected (reason, received_at);
create index rejected_by_device on rejected (device, received_at) where device is not null;

create view device_states as
select device.id, device.home, device.kind, device.model, device.enabled, device.heartbeat_seconds, device.enrolled_at,
    device.gateway, device.address,
    heard.first_at, greatest(heard.last_at, through.last_at) as last_at, heard.messages, heard.last_kind,
    heard.battery_percent, heard.rssi_dbm, heard.firmware,
    wrong.silent_since, wrong.battery_since, wrong.faults,
    case
        when not device.enabled then 'disabled'
        when heard.device is null and through.gateway is null and wrong.silent_since is null then 'never_heard'
        when wrong.silent_since is not null then 'silent'
        when wrong.faults is not null then 'faulty'
        when wrong.battery_since is not null then 'low_battery'
        when device.home is null and through.gateway is null then 'unbound'
        else 'well'
    end as state
from devices device
left join device_heard heard on heard.device = device.id
left join (
    select coalesce(behind.gateway, split_part(one.device, '/', 1)) as gateway, max(one.last_at) as last_at
    from device_heard one left join devices behind on behind.id = one.device
    where behind.gateway is not null or strpos(one.device, '/') > 0 group by 1
) through on through.gateway = device.id
cross join lateral (
    select max(said.at) filter (where sort.matter = 'silent' and (heard.last_at > said.raised_at) is not true)
            as silent_since,
        max(said.at) filter (where sort.matter = 'battery') as battery_since,
        jsonb_agg(jsonb_build_object('kind', said.kind, 'since', said.at, 'value', said.evidence->'value')
            order by said.at desc) filter (where sort.matter = 'fault') as faults
    from (values
        ('silent', 'heartbeat_lost', 'device_restored', 1),
        ('battery', 'battery_low', 'battery_restored', 1),
        ('battery', 'battery_critical', 'battery_restored', 1),
        ('fault', 'mains_lost', 'mains_restored', 1),
        ('fault', 'tamper', 'tamper_restored', 1),
        ('fault', 'sensor_lost', 'sensor_restored', 1),
        ('fault', 'radio_jam', 'radio_restored', 1),
        ('fault', 'link_lost', 'link_restored', 1),
        ('fault', 'self_test', 'fault_restored', 1),
        ('fault', 'fault', 'fault_restored', 24)
    ) sort(matter, raised, restored, last)
    cross join lateral (
        select id, kind, home, at, raised_at, evidence from alarms
        where alarms.device = device.id and alarms.kind = sort.raised
        order by alarms.device desc, alarms.kind desc, raised_at desc limit sort.last
    ) said
    where said.home = device.home and not exists (
        select from alarms back
        where back.device = device.id and back.kind = sort.restored and back.raised_at >= said.raised_at
          and back.evidence->>'restores' = said.id::text)
) wrong
where device.kind <> 'clock';
comment on view device_states is 'How each device is, worst first: what its home''s watch has found and not taken back, each from the newest alarm of its kind. A device that was moved has no past in its new home. A gateway is heard in those behind it, and needs no home.';

create view devices_unadopted as
select heard.device, heard.first_at, heard.last_at, heard.messages, heard.last_kind, heard.battery_percent,
    own.id is not null as registered, own.kind, own.model, own.heartbeat_seconds, named.gateway, named.address
from device_heard heard
cross join lateral (
    select split_part(heard.device, '/', 1) as gateway, substr(heard.device, strpos(heard.device, '/') + 1) as address
    where strpos(heard.device, '/') > 0
    union all
    select null, null where strpos(heard.device, '/') = 0
) named
left join devices own on own.id = heard.device
where (own.id is null or own.home is null and own.enabled and own.kind <> 'clock')
  and not exists (select from devices taken where taken.gateway = named.gateway and taken.address = named.address);
comment on view devices_unadopted is 'What is heard and bound to no home: behind a gateway and named by nobody, or registered without a home.';
