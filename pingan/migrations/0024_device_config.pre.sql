-- What devices are told to go by and which of it they have been told; and tests of the whole way of a press.

create table device_configs (
    device text primary key,
    revision bigint not null default 1,
    volume integer not null default 5 check (volume between 0 and 10),
    reminder_weekday integer check (reminder_weekday between 1 and 7),
    reminder_hour integer check (reminder_hour between 0 and 23),
    wanted boolean not null default true,
    published_revision bigint,
    published_number bigint,
    published_at timestamptz,
    check ((reminder_weekday is null) = (reminder_hour is null))
);
create index device_configs_due on device_configs (device) where published_revision is distinct from revision or not wanted;
create index device_configs_published on device_configs (published_number);
create index device_configs_reminded on device_configs (reminder_weekday, reminder_hour) where reminder_weekday is not null;
create sequence device_config_numbers;
comment on table device_configs is 'One row for each device that speaks for itself; the heartbeat level stands in devices. `revision` counts changes, `published_revision` is what the broker keeps. It outlives its device until the broker has been told to forget it (not wanted).';
comment on column device_configs.published_number is 'The how-manieth publication it was. The broker keeps the last number as a mark: of a store that comes back older, all beyond its mark is published again.';

create function device_config_follows() returns trigger language plpgsql as $$
begin
    if tg_op = 'DELETE' then
        update device_configs set wanted = false where device = old.id;
        return null;
    end if;
    -- What speaks through a gateway, or by another protocol, has no topic of its own.
    if new.gateway is null and new.kind not in ('panel', 'clock') then
        insert into device_configs (device) values (new.id)
        on conflict (device) do update set revision = device_configs.revision + 1, wanted = true;
    else
        update device_configs set wanted = false where device = new.id;
    end if;
    return null;
end $$;
create trigger device_config_follows_new after insert or delete on devices for each row execute function device_config_follows();
create trigger device_config_follows_change after update on devices for each row
    when (old.heartbeat_seconds <> new.heartbeat_seconds or old.gateway is distinct from new.gateway or old.kind <> new.kind)
    execute function device_config_follows();

create function device_config_changed() returns trigger language plpgsql as $$
begin
    perform pg_notify('device_config', '');
    return null;
end $$;
create trigger device_config_changed after insert or update of revision, wanted on device_configs
    for each statement execute function device_config_changed();

insert into device_configs (device) select id from devices where gateway is null and kind not in ('panel', 'clock');

alter table device_heard add column config bigint;
comment on column device_heard.config is 'The revision of its configuration that the device says it runs.';

create table test_windows (
    id bigint generated always as identity primary key,
    device text not null,
    home text,
    opened_by text not null,
    prompt uuid unique,
    opened_at timestamptz not null,
    until timestamptz not null,
    state text not null default 'open' check (state in ('open', 'passed', 'failed', 'missed')),
    reason text,
    prompted_at timestamptz,
    alarm uuid,
    incident bigint references incidents,
    pressed_at timestamptz,
    durable_at timestamptz,
    shown_at timestamptz,
    finished_at timestamptz,
    check (until > opened_at),
    check ((state = 'open') = (finished_at is null))
);
create unique index one_open_test on test_windows (device) where state = 'open';
create index test_windows_open on test_windows (until) where state = 'open';
create index test_windows_by_device on test_windows (device, id);
create index test_windows_by_incident on test_windows (incident);
comment on table test_windows is 'While one is open, and until its one press has come, a device''s `test: true` is believed. Without `prompt` the device reminds by itself, and that nobody pressed is no fault.';

create function test_window_opened() returns trigger language plpgsql as $$
begin
    perform pg_notify('self_test', '');
    return null;
end $$;
create trigger test_window_opened after insert on test_windows for each statement execute function test_window_opened();

-- A test never absorbs a real press, nor a real one a test. Tests are told apart by their device.
drop index one_open_danger;
create unique index one_open_danger on incidents (home) where state <> 'closed' and danger and not test;
comment on index one_open_danger is 'Ends the race of two alarms of one home that both find no open incident: the second one joins the first''s.';
drop index one_open_danger_unbound;
create unique index one_open_danger_unbound on incidents (device) where state <> 'closed' and danger and home is null and not test;
create unique index one_open_danger_test on incidents (device) where state <> 'closed' and danger and test;
