-- What ingest knows of the devices' clocks, and how far each lane has come with the driven clock.

alter table readings add column device_at timestamptz;
comment on column readings.device_at is 'What the device''s own clock said, where `at` is something else; `clock` says why.';

create table device_clocks (
    device text primary key,
    offset_ms bigint not null,
    measured_at timestamptz not null
);
comment on table device_clocks is 'How far a device''s clock is behind ours (negative: ahead). Heartbeats measure it in the telemetry lane; the alarm lane goes by it.';

create table driven_lanes (
    lane text primary key,
    at timestamptz not null,
    step bigint not null
);
comment on table driven_lanes is 'Simulation only: the step of the driven clock up to which a lane has appended everything that it had received.';

create function readings_day(day date) returns void language plpgsql as $$
declare
    name text := 'readings_' || to_char(day, 'YYYYMMDD');
begin
    -- Two archives may meet the first reading of a day at once.
    perform pg_advisory_xact_lock(hashtext('readings_day'));
    if to_regclass(name) is not null then
        return;
    end if;
    -- Made first and attached then: so nobody who writes or reads the other days has to wait.
    execute format('create table %I (like readings including defaults including indexes)', name);
    execute format('alter table readings attach partition %I for values from (%L) to (%L)', name,
        day::timestamp at time zone 'UTC', (day + 1)::timestamp at time zone 'UTC');
end $$;
comment on function readings_day is 'Makes the partition of `readings` for one day (UTC), if there is none.';
