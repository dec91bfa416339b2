-- Devices behind gateways, and what was heard of each device, registered or not.

alter table devices add column gateway text references devices;
alter table devices add column address text;
alter table devices add constraint devices_gateway_and_address check ((gateway is null) = (address is null));
alter table devices add constraint devices_gateway_address_key unique (gateway, address);
create index devices_by_gateway on devices (gateway) where gateway is not null;

alter table devices drop constraint devices_kind_check;
alter table devices add constraint devices_kind_check check (kind in ('button', 'pendant', 'hub', 'watch', 'motion',
    'door', 'bed', 'smoke', 'gas', 'co', 'water', 'clock', 'vibration', 'tracker', 'panel', 'climate'));

comment on column devices.gateway is 'The device (a hub) through which this one speaks; null: it speaks for itself.';
comment on column devices.address is 'What the gateway calls it: a Zigbee address or friendly name, a DevEUI.';

create table device_heard (
    device text primary key,
    first_at timestamptz not null,
    last_at timestamptz not null,
    messages bigint not null,
    last_kind text not null,
    battery_percent double precision,
    rssi_dbm double precision,
    firmware text
);
comment on table device_heard is 'What was heard of each device, by its id in the log: that of the register, or gateway/address for one that is bound to no home. Written every few seconds.';
