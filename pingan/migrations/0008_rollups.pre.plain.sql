-- Hourly roll-ups and how long readings are kept, on PostgreSQL alone.
--
-- A reading marks its home's hour in its own transaction. Of a marked hour the views count the readings themselves; of
-- any other they read what `rollups_compute` has stored. So the views are exact at every moment, and the storing only
-- makes them cheap, and outlive the readings.

create table rollups_due (
    home text not null,
    hour timestamptz not null,
    primary key (home, hour)
);
create index rollups_due_by_hour on rollups_due (hour);
comment on table rollups_due is 'Hours (UTC) of homes whose stored roll-ups do not hold, because readings have come since.';

create table activity_stored (
    hour timestamptz not null,
    home text not null,
    sensor text,
    kind text not null,
    count bigint not null,
    unique nulls not distinct (home, hour, sensor, kind)
);

create table vitals_stored (
    hour timestamptz not null,
    home text not null,
    device text not null,
    kind text not null,
    count bigint not null,
    lowest double precision not null,
    total double precision not null,
    highest double precision not null,
    diastolic_lowest double precision,
    diastolic_total double precision,
    diastolic_highest double precision,
    primary key (home, hour, device, kind)
);

create function readings_arrived() returns trigger language plpgsql as $$
begin
    -- A mark that is there is locked and left as it is. So whoever computes the hour waits for this transaction and then
    -- sees its rows, or has taken the mark away before, and it is made anew. In one order: nobody waits in a circle.
    insert into rollups_due (home, hour)
    select distinct home, date_bin('1 hour', at, '2000-01-01Z') from arrived where home is not null order by 1, 2
    on conflict (home, hour) do update set home = excluded.home where false;
    return null;
end $$;
create trigger readings_arrived after insert on readings
referencing new table as arrived for each statement execute function readings_arrived();

insert into rollups_due (home, hour)
select distinct home, date_bin('1 hour', at, '2000-01-01Z') from readings where home is not null;

create function activity_of(the_home text, the_hour timestamptz)
returns table (sensor text, kind text, count bigint) stable language sql as $$
    select sensor, kind, count(*) from readings
    where home = the_home and at >= the_hour and at < the_hour + interval '1 hour' and moves(kind, value, detail)
    group by 1, 2
$$;

create function vitals_of(the_home text, the_hour timestamptz)
returns table (device text, kind text, count bigint,
    lowest double precision, total double precision, highest double precision,
    diastolic_lowest double precision, diastolic_total double precision, diastolic_highest double precision)
stable language sql as $$
    select device, kind, count(*),
        min(measure(kind, value, detail)), sum(measure(kind, value, detail)), max(measure(kind, value, detail)),
        min(pressure(detail, 'diastolic')), sum(pressure(detail, 'diastolic')), max(pressure(detail, 'diastolic'))
    from readings
    where home = the_home and at >= the_hour and at < the_hour + interval '1 hour'
      and measure(kind, value, detail) is not null
    group by 1, 2
$$;

create view activity_hourly as
select hour, home, sensor, kind, count from activity_stored stored
where not exists (select from rollups_due due where due.home = stored.home and due.hour = stored.hour)
union all
select due.hour, due.home, sensor, kind, count from rollups_due due cross join lateral activity_of(due.home, due.hour);
comment on view activity_hourly is 'Movements by hour (UTC), home, sensor and kind.';

create view vitals_hourly as
select hour, home, device, kind, count, lowest, total, highest, diastolic_lowest, diastolic_total, diastolic_highest
from vitals_stored stored
where not exists (select from rollups_due due where due.home = stored.home and due.hour = stored.hour)
union all
select due.hour, due.home, device, kind, count,
    lowest, total, highest, diastolic_lowest, diastolic_total, diastolic_highest
from rollups_due due cross join lateral vitals_of(due.home, due.hour);
comment on view vitals_hourly is 'What was measured by hour (UTC), home, device and kind.';

create function rollups_store(homes text[], hours timestamptz[]) returns void language plpgsql as $$
begin
    delete from activity_stored stored using unnest(homes, hours) due(home, hour)
    where stored.home = due.home and stored.hour = due.hour;
    delete from vitals_stored stored using unnest(homes, hours) due(home, hour)
    where stored.home = due.home and stored.hour = due.hour;
    insert into activity_stored
    select due.hour, due.home, computed.*
    from unnest(homes, hours) due(home, hour) cross join lateral activity_of(due.home, due.hour) computed;
    insert into vitals_stored
    select due.hour, due.home, computed.*
    from unnest(homes, hours) due(home, hour) cross join lateral vitals_of(due.home, due.hour) computed;
    delete from rollups_due mark using unnest(homes, hours) due(home, hour)
    where mark.home = due.home and mark.hour = due.hour;
end $$;
comment on function rollups_store is 'Stores the roll-ups of marked hours and takes the marks away. The caller has locked the marks, in a statement before.';

create function rollups_compute(until timestamptz, most integer) returns integer language plpgsql as $$
declare
    homes text[];
    hours timestamptz[];
begin
    select array_agg(home), array_agg(hour) into homes, hours
    from (select home, hour from rollups_due where hour < until order by hour limit most for update skip locked) due;
    perform rollups_store(homes, hours);
    return coalesce(cardinality(homes), 0);
end $$;
comment on function rollups_compute is 'Stores the roll-ups of some marked hours that began before `until`, at most so many; how many. Several may call it at once: each takes marks that nobody else has.';

create table readings_kept (
    singleton boolean primary key default true check (singleton),
    since date not null
);
comment on table readings_kept is 'The first day (UTC) that has not been dropped. The days before it never come back, so that no roll-up is computed anew from what is left.';
insert into readings_kept (since) values ('0001-01-01');

drop function readings_day(date);
create function readings_day(day date) returns boolean language plpgsql as $$
declare
    name text := 'readings_' || to_char(day, 'YYYYMMDD');
begin
    -- Two archives may meet the first reading of a day at once, or one of them a day that the other drops.
    perform pg_advisory_xact_lock(hashtext('readings_day'));
    if day < (select since from readings_kept) then
        return false;
    end if;
    if to_regclass(name) is null then
        -- Made first and attached then: so nobody who writes or reads the other days has to wait.
        execute format('create table %I (like readings including defaults including indexes)', name);
        execute format('alter table readings attach partition %I for values from (%L) to (%L)', name,
            day::timestamp at time zone 'UTC', (day + 1)::timestamp at time zone 'UTC');
    end if;
    return true;
end $$;
comment on function readings_day is 'Sees to it that readings of a day (UTC) can be stored; false: they are no longer kept.';

create function readings_keep(days integer, at timestamptz) returns date language plpgsql set lock_timeout = '2s' as $$
declare
    first_kept date := (at at time zone 'UTC')::date - days;
    dropped date;
begin
    perform pg_advisory_xact_lock(hashtext('readings_day'));
    select min(to_date(substring(name from '^readings_(\d{8})$'), 'YYYYMMDD')) into dropped
    from (select relname::text as name from pg_inherits join pg_class on pg_class.oid = inhrelid
        where inhparent = 'readings'::regclass) partitions;
    if dropped is null or dropped >= first_kept then
        return null;
    end if;
    -- Whoever writes is let finish, so that every mark of the day is to be seen; whoever comes after finds no such day.
    lock table readings in access exclusive mode;
    perform rollups_store(array_agg(home), array_agg(hour)) from (
        select home, hour from rollups_due
        where hour >= dropped::timestamp at time zone 'UTC' and hour < (dropped + 1)::timestamp at time zone 'UTC'
        order by home, hour for update
    ) due;
    execute format('drop table %I', 'readings_' || to_char(dropped, 'YYYYMMDD'));
    update readings_kept set since = dropped + 1;
    return dropped;
end $$;
comment on function readings_keep is 'Drops the oldest day of readings whose end is more than so many days ago, once its roll-ups are stored: one a call, so that nobody waits long; null when there is none.';
