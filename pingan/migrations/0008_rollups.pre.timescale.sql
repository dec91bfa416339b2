-- Hourly roll-ups and how long readings are kept, by TimescaleDB.
--
-- `readings` becomes a hypertable with a chunk a day, also if it holds readings already: they are moved. TimescaleDB's
-- own jobs compress what no late reading is expected in any more, drop what is older than is kept, and keep the roll-ups.

alter table readings rename to readings_before;
create table readings (like readings_before including defaults including comments);
comment on table readings is 'The archive. `at` is the device''s time, corrected; a number stands in value, anything else in detail. A hypertable: chunks of a day are made by TimescaleDB as they are needed.';
select create_hypertable('readings', by_range('at', interval '1 day'), create_default_indexes => false);
insert into readings select * from readings_before;
drop table readings_before;
create unique index readings_once on readings (device, boot, seq, at);
create index readings_by_home on readings (home, at);

-- What is more than seven days late is not believed (docs/protocol.md), so hardly anything is written into a compressed
-- chunk. A device's day is a handful of segments of a thousand rows.
alter table readings set (
    timescaledb.compress, timescaledb.compress_segmentby = 'home, device', timescaledb.compress_orderby = 'at'
);
select add_compression_policy('readings', compress_after => interval '7 days');
select add_retention_policy('readings', drop_after => interval '730 days');

create materialized view activity_hourly with (timescaledb.continuous, timescaledb.materialized_only = false) as
select time_bucket(interval '1 hour', at) as hour, home, sensor, kind, count(*) as count
from readings where home is not null and moves(kind, value, detail)
group by 1, 2, 3, 4
with no data;
comment on view activity_hourly is 'Movements by hour (UTC), home, sensor and kind.';

create materialized view vitals_hourly with (timescaledb.continuous, timescaledb.materialized_only = false) as
select time_bucket(interval '1 hour', at) as hour, home, device, kind, count(*) as count,
    min(measure(kind, value, detail)) as lowest,
    sum(measure(kind, value, detail)) as total,
    max(measure(kind, value, detail)) as highest,
    min(pressure(detail, 'diastolic')) as diastolic_lowest,
    sum(pressure(detail, 'diastolic')) as diastolic_total,
    max(pressure(detail, 'diastolic')) as diastolic_highest
from readings where home is not null and measure(kind, value, detail) is not null
group by 1, 2, 3, 4
with no data;
comment on view vitals_hourly is 'What was measured by hour (UTC), home, device and kind.';

-- Ten days back, which holds everything that may be late; never further, because refreshing a span whose readings have
-- been dropped would take its roll-ups away with them.
select add_continuous_aggregate_policy(rollup, start_offset => interval '10 days', end_offset => interval '1 hour',
    schedule_interval => interval '15 minutes')
from (values ('activity_hourly'::regclass), ('vitals_hourly')) rollups(rollup);

-- The policies do not look at what is older than their ten days. Readings that were moved from before are rolled up by a
-- job of its own, once: a refresh cannot run in a migration's transaction. It leaves the last day to the policies: what
-- is stored of an hour that goes on would hide the rest of it.
create procedure rollups_first_fill(job_id integer, config jsonb) language plpgsql as $$
begin
    call refresh_continuous_aggregate('activity_hourly', null, (config ->> 'until')::timestamptz);
    call refresh_continuous_aggregate('vitals_hourly', null, (config ->> 'until')::timestamptz);
    perform alter_job(job_id, scheduled => false);
end $$;
select add_job('rollups_first_fill', interval '10 minutes',
    config => jsonb_build_object('until', current_setting('pingan.now')::timestamptz - interval '1 day'));

create function rollups_compute(until timestamptz, most integer) returns integer language sql as $$ select 0 $$;
comment on function rollups_compute is 'Nothing is left to do: TimescaleDB''s jobs keep the roll-ups.';

drop function readings_day(date);
create function readings_day(day date) returns boolean language sql as $$ select true $$;
comment on function readings_day is 'Readings of any day can be stored: TimescaleDB makes the chunks.';

create function readings_keep(days integer, at timestamptz) returns date language plpgsql as $$
begin
    -- In whole days, as PINGAN_READINGS_KEEP_DAYS says; written only where it is something else.
    perform alter_job(job_id, config => jsonb_set(config, '{drop_after}', to_jsonb(days || ' days')))
    from timescaledb_information.jobs
    where proc_name = 'policy_retention' and hypertable_name = 'readings' and config ->> 'drop_after' <> days || ' days';
    return null;
end $$;
comment on function readings_keep is 'Tells TimescaleDB''s retention job for how many days readings are kept; the job drops them.';
