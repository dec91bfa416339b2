-- What the migrations make, for reading. `make schema` writes it; a test holds it equal.

CREATE FUNCTION public.activity_of(the_home text, the_hour timestamp with time zone) RETURNS TABLE(sensor text, kind text, count bigint)
    LANGUAGE sql STABLE
    AS $$
    select sensor, kind, count(*) from readings
    where home = the_home and at >= the_hour and at < the_hour + interval '1 hour' and moves(kind, value, detail)
    group by 1, 2
$$;

CREATE FUNCTION public.alarm_raised() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
begin
    perform pg_notify('alarm', '');
    return null;
end $$;

CREATE FUNCTION public.incident_changed() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
begin
    perform pg_notify('incident', new.id::text || ' ' || new.version::text);
    return null;
end $$;

CREATE FUNCTION public.journal_is_append_only() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
begin
    raise exception 'the journal is append-only';
end $$;

CREATE FUNCTION public.log_append(the_log text, partitions integer[], counts integer[], bodies bytea[], at timestamp with time zone) RETURNS void
    LANGUAGE plpgsql
    AS $$
begin
    -- Ascending order, so that two appenders never wait for each other in a circle; the lock is held until the commit,
    -- so that positions become visible in order and without gaps.
    perform 1 from log_heads where log = the_log and partition = any(partitions) order by partition for update;
    update log_heads head set position = head.position + batch.count
    from unnest(partitions, counts) batch(partition, count)
    where head.log = the_log and head.partition = batch.partition;
    insert into log_batches (log, partition, last_position, count, appended_at, body)
    select the_log, batch.partition, head.position, batch.count, at, batch.body
    from unnest(partitions, counts, bodies) batch(partition, count, body)
    join log_heads head on head.log = the_log and head.partition = batch.partition;
    perform pg_notify('log_' || the_log, '');
end $$;

CREATE FUNCTION public.pressure(detail jsonb, side text) RETURNS double precision
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE WHEN (jsonb_typeof((detail -> side)) = 'number'::text) THEN CASE WHEN ((((detail -> side))::numeric >= (0)::numeric) AND (((detail -> side))::numeric <= (1000)::numeric)) THEN ((detail -> side))::double precision ELSE NULL::double precision END ELSE NULL::double precision END;

COMMENT ON FUNCTION public.pressure(detail jsonb, side text) IS 'mmHg, of one side (systolic, diastolic); null where it is none.';

CREATE FUNCTION public.measure(kind text, value double precision, detail jsonb) RETURNS double precision
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE WHEN (kind <> 'blood_pressure'::text) THEN CASE WHEN ((value >= ('-1000000000'::numeric)::double precision) AND (value <= ('1000000000'::numeric)::double precision)) THEN value ELSE NULL::double precision END WHEN (public.pressure(detail, 'diastolic'::text) IS NOT NULL) THEN public.pressure(detail, 'systolic'::text) ELSE NULL::double precision END;

COMMENT ON FUNCTION public.measure(kind text, value double precision, detail jsonb) IS 'The number that was measured, of a blood pressure the systolic one; null where there is none. Beyond a thousand millions nothing is a vital sign, and a sum of such could overflow and take its whole hour with it.';

CREATE FUNCTION public.moves(kind text, value double precision, detail jsonb) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN ((kind = ANY (ARRAY['door'::text, 'contact'::text, 'bed'::text])) OR ((kind = ANY (ARRAY['motion'::text, 'occupancy'::text, 'vibration'::text])) AND COALESCE((value <> (0)::double precision), (detail <> ALL (ARRAY['false'::jsonb, '""'::jsonb, '{}'::jsonb, '[]'::jsonb])), false)));

COMMENT ON FUNCTION public.moves(kind text, value double precision, detail jsonb) IS 'Whether only somebody''s moving makes such a reading: as in the detector of inactivity, and a test holds the two equal.';

CREATE FUNCTION public.readings_arrived() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
begin
    -- A mark that is there is locked and left as it is. So whoever computes the hour waits for this transaction and then
    -- sees its rows, or has taken the mark away before, and it is made anew. In one order: nobody waits in a circle.
    insert into rollups_due (home, hour)
    select distinct home, date_bin('1 hour', at, '2000-01-01Z') from arrived where home is not null order by 1, 2
    on conflict (home, hour) do update set home = excluded.home where false;
    return null;
end $$;

CREATE FUNCTION public.readings_day(day date) RETURNS boolean
    LANGUAGE plpgsql
    AS $$
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

COMMENT ON FUNCTION public.readings_day(day date) IS 'Sees to it that readings of a day (UTC) can be stored; false: they are no longer kept.';

CREATE FUNCTION public.readings_keep(days integer, at timestamp with time zone) RETURNS date
    LANGUAGE plpgsql
    SET lock_timeout TO '2s'
    AS $_$
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
end $_$;

COMMENT ON FUNCTION public.readings_keep(days integer, at timestamp with time zone) IS 'Drops the oldest day of readings whose end is more than so many days ago, once its roll-ups are stored: one a call, so that nobody waits long; null when there is none.';

CREATE FUNCTION public.register_changed() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
begin
    perform pg_notify('register', tg_table_name);
    return null;
end $$;

CREATE FUNCTION public.responses_daily(time_zone text, first_day date, last_day date) RETURNS TABLE(day date, cause text, danger boolean, incidents bigint, answered bigint, answered_within_15 bigint, answered_within_20 bigint, answered_within_60 bigint, answered_within_180 bigint, helper_first bigint, answer_seconds_p50 double precision, answer_seconds_p95 double precision, dispatch_seconds_p50 double precision, dispatch_seconds_p95 double precision, arrival_seconds_p50 double precision, arrival_seconds_p95 double precision)
    LANGUAGE sql STABLE
    AS $$
    select (opened_at at time zone time_zone)::date, cause, danger, count(*),
        count(answer), count(*) filter (where answer <= 15), count(*) filter (where answer <= 20),
        count(*) filter (where answer <= 60), count(*) filter (where answer <= 180),
        count(*) filter (where t5 < t3 or t3 is null and t5 is not null),
        percentile_cont(0.5) within group (order by answer), percentile_cont(0.95) within group (order by answer),
        percentile_cont(0.5) within group (order by dispatch), percentile_cont(0.95) within group (order by dispatch),
        percentile_cont(0.5) within group (order by arrival), percentile_cont(0.95) within group (order by arrival)
    from incidents
    cross join lateral (select
        extract(epoch from t3 - t1)::double precision as answer,
        extract(epoch from t5 - t3)::double precision as dispatch,
        extract(epoch from t7 - t5)::double precision as arrival
    ) took
    where opened_at >= first_day::timestamp at time zone time_zone
      and opened_at < (last_day + 1)::timestamp at time zone time_zone and not test
    group by 1, 2, 3
$$;

COMMENT ON FUNCTION public.responses_daily(time_zone text, first_day date, last_day date) IS 'How the incidents that were opened on each day were answered, in a time zone, without tests: t3−t1 (a human answers), t5−t3 (a helper goes), t7−t5 (at the door). `helper_first`: a helper accepted before the desk answered.';

CREATE FUNCTION public.rollups_compute(until timestamp with time zone, most integer) RETURNS integer
    LANGUAGE plpgsql
    AS $$
declare
    homes text[];
    hours timestamptz[];
begin
    select array_agg(home), array_agg(hour) into homes, hours
    from (select home, hour from rollups_due where hour < until order by hour limit most for update skip locked) due;
    perform rollups_store(homes, hours);
    return coalesce(cardinality(homes), 0);
end $$;

COMMENT ON FUNCTION public.rollups_compute(until timestamp with time zone, most integer) IS 'Stores the roll-ups of some marked hours that began before `until`, at most so many; how many. Several may call it at once: each takes marks that nobody else has.';

CREATE FUNCTION public.rollups_store(homes text[], hours timestamp with time zone[]) RETURNS void
    LANGUAGE plpgsql
    AS $$
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

COMMENT ON FUNCTION public.rollups_store(homes text[], hours timestamp with time zone[]) IS 'Stores the roll-ups of marked hours and takes the marks away. The caller has locked the marks, in a statement before.';

CREATE FUNCTION public.send_changed() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
begin
    if new.state = 'waiting' then
        perform pg_notify('outbox', '');
    end if;
    return null;
end $$;

CREATE FUNCTION public.vitals_daily(time_zone text, first_day date, last_day date) RETURNS TABLE(day date, home text, device text, kind text, count bigint, min double precision, avg double precision, max double precision)
    LANGUAGE sql STABLE
    AS $$
    select (vitals.hour at time zone time_zone)::date, vitals.home, vitals.device, one.kind, sum(vitals.count)::bigint,
        min(one.lowest), sum(one.total) / sum(vitals.count), max(one.highest)
    from vitals_hourly vitals
    cross join lateral (values
        (case vitals.kind when 'blood_pressure' then 'systolic' else vitals.kind end,
            vitals.lowest, vitals.total, vitals.highest),
        ('diastolic', vitals.diastolic_lowest, vitals.diastolic_total, vitals.diastolic_highest)
    ) one(kind, lowest, total, highest)
    where vitals.hour >= first_day::timestamp at time zone time_zone
      and vitals.hour < (last_day + 1)::timestamp at time zone time_zone
      and (one.kind <> 'diastolic' or vitals.kind = 'blood_pressure')
    group by 1, 2, 3, 4
$$;

COMMENT ON FUNCTION public.vitals_daily(time_zone text, first_day date, last_day date) IS 'What was measured on each day from the first to the last, in a time zone. A blood pressure is two rows, systolic and diastolic. An hour (UTC) belongs to the day in which it begins.';

CREATE FUNCTION public.vitals_of(the_home text, the_hour timestamp with time zone) RETURNS TABLE(device text, kind text, count bigint, lowest double precision, total double precision, highest double precision, diastolic_lowest double precision, diastolic_total double precision, diastolic_highest double precision)
    LANGUAGE sql STABLE
    AS $$
    select device, kind, count(*),
        min(measure(kind, value, detail)), sum(measure(kind, value, detail)), max(measure(kind, value, detail)),
        min(pressure(detail, 'diastolic')), sum(pressure(detail, 'diastolic')), max(pressure(detail, 'diastolic'))
    from readings
    where home = the_home and at >= the_hour and at < the_hour + interval '1 hour'
      and measure(kind, value, detail) is not null
    group by 1, 2
$$;

CREATE TABLE public.accounts (
    id text NOT NULL,
    name text NOT NULL,
    role text NOT NULL,
    area text,
    language text DEFAULT 'zh'::text NOT NULL,
    password_hash text NOT NULL,
    enabled boolean DEFAULT true NOT NULL,
    CONSTRAINT accounts_language_check CHECK ((language = ANY (ARRAY['zh'::text, 'en'::text]))),
    CONSTRAINT accounts_role_check CHECK ((role = ANY (ARRAY['operator'::text, 'supervisor'::text, 'administrator'::text, 'responder'::text, 'auditor'::text])))
);

COMMENT ON COLUMN public.accounts.area IS 'What this account may see: this area and those within it; null: everything.';

CREATE TABLE public.activity_stored (
    hour timestamp with time zone NOT NULL,
    home text NOT NULL,
    sensor text,
    kind text NOT NULL,
    count bigint NOT NULL
);

CREATE TABLE public.rollups_due (
    home text NOT NULL,
    hour timestamp with time zone NOT NULL
);

COMMENT ON TABLE public.rollups_due IS 'Hours (UTC) of homes whose stored roll-ups do not hold, because readings have come since.';

CREATE VIEW public.activity_hourly AS
 SELECT stored.hour,
    stored.home,
    stored.sensor,
    stored.kind,
    stored.count
   FROM public.activity_stored stored
  WHERE (NOT (EXISTS ( SELECT
           FROM public.rollups_due due
          WHERE ((due.home = stored.home) AND (due.hour = stored.hour)))))
UNION ALL
 SELECT due.hour,
    due.home,
    activity_of.sensor,
    activity_of.kind,
    activity_of.count
   FROM (public.rollups_due due
     CROSS JOIN LATERAL public.activity_of(due.home, due.hour) activity_of(sensor, kind, count));

COMMENT ON VIEW public.activity_hourly IS 'Movements by hour (UTC), home, sensor and kind.';

CREATE TABLE public.alarms (
    id uuid NOT NULL,
    kind text NOT NULL,
    home text,
    device text,
    at timestamp with time zone NOT NULL,
    device_at timestamp with time zone,
    clock text,
    received_at timestamp with time zone NOT NULL,
    raised_at timestamp with time zone NOT NULL,
    test boolean NOT NULL,
    evidence jsonb NOT NULL,
    incident bigint,
    taken_at timestamp with time zone,
    CONSTRAINT alarms_check CHECK (((incident IS NULL) OR (taken_at IS NOT NULL)))
);

CREATE TABLE public.areas (
    code text NOT NULL,
    name text NOT NULL,
    level text NOT NULL,
    parent text,
    CONSTRAINT areas_check CHECK (((level = 'city'::text) = (parent IS NULL))),
    CONSTRAINT areas_check1 CHECK ((starts_with(code, parent) AND (code <> parent))),
    CONSTRAINT areas_level_check CHECK ((level = ANY (ARRAY['city'::text, 'district'::text, 'town'::text, 'village'::text])))
);

COMMENT ON TABLE public.areas IS '市 — 县/区 — 乡/镇/街道 — 村/社区. A code begins with its parent''s code, so that a scope is a prefix.';

CREATE TABLE public.away (
    id bigint NOT NULL,
    home text NOT NULL,
    away_from timestamp with time zone NOT NULL,
    away_until timestamp with time zone,
    reason text NOT NULL,
    CONSTRAINT away_check CHECK ((away_until > away_from))
);

COMMENT ON TABLE public.away IS 'The home and the beginning name an absence: that is how an imported file recognises it.';

ALTER TABLE public.away ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.away_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.consents (
    person text NOT NULL,
    kind text NOT NULL,
    given_at timestamp with time zone NOT NULL,
    withdrawn_at timestamp with time zone
);

COMMENT ON COLUMN public.consents.kind IS 'What is consented to, separately: emergency, movement, health, location, share_with_family, share_with_medical.';

CREATE TABLE public.consoles (
    id uuid NOT NULL,
    account text NOT NULL,
    seen_at timestamp with time zone NOT NULL,
    sound boolean NOT NULL,
    visible boolean NOT NULL
);

COMMENT ON TABLE public.consoles IS 'Who is at the desk: pages that have lately said that they are visible and can sound.';

CREATE TABLE public.contacts (
    id text NOT NULL,
    home text NOT NULL,
    rank integer NOT NULL,
    name text NOT NULL,
    relation text NOT NULL,
    role text NOT NULL,
    phone text NOT NULL,
    language text DEFAULT 'zh'::text NOT NULL,
    has_key boolean DEFAULT false NOT NULL,
    CONSTRAINT contacts_language_check CHECK ((language = ANY (ARRAY['zh'::text, 'en'::text]))),
    CONSTRAINT contacts_rank_check CHECK ((rank >= 1)),
    CONSTRAINT contacts_role_check CHECK ((role = ANY (ARRAY['family'::text, 'neighbour'::text, 'friend'::text, 'property'::text, 'carer'::text])))
);

CREATE TABLE public.detection_homes (
    home text NOT NULL,
    partition integer NOT NULL,
    version integer NOT NULL,
    state bytea NOT NULL
);

CREATE TABLE public.detection_partitions (
    partition integer NOT NULL,
    heard_ms bigint NOT NULL,
    at_ms bigint NOT NULL,
    epoch bigint NOT NULL,
    tick_ms bigint DEFAULT 0 NOT NULL
);

COMMENT ON TABLE public.detection_partitions IS 'A watch''s time at its checkpoint, one row a partition. The position stands in leases.';

COMMENT ON COLUMN public.detection_partitions.tick_ms IS 'The last tick''s own time; behind at_ms where a new source''s clock is behind the old one''s.';

CREATE TABLE public.device_clocks (
    device text NOT NULL,
    offset_ms bigint NOT NULL,
    measured_at timestamp with time zone NOT NULL
);

COMMENT ON TABLE public.device_clocks IS 'How far a device''s clock is behind ours (negative: ahead). Heartbeats measure it in the telemetry lane; the alarm lane goes by it.';

CREATE TABLE public.device_heard (
    device text NOT NULL,
    first_at timestamp with time zone NOT NULL,
    last_at timestamp with time zone NOT NULL,
    messages bigint NOT NULL,
    last_kind text NOT NULL,
    battery_percent double precision,
    rssi_dbm double precision,
    firmware text
);

COMMENT ON TABLE public.device_heard IS 'What was heard of each device, by its id in the log: that of the register, or gateway/address for one that is bound to no home. Written every few seconds.';

CREATE TABLE public.devices (
    id text NOT NULL,
    home text,
    kind text NOT NULL,
    model text,
    heartbeat_seconds integer DEFAULT 90 NOT NULL,
    mqtt_password_hash text,
    enabled boolean DEFAULT true NOT NULL,
    enrolled_at timestamp with time zone NOT NULL,
    gateway text,
    address text,
    CONSTRAINT devices_gateway_and_address CHECK (((gateway IS NULL) = (address IS NULL))),
    CONSTRAINT devices_heartbeat_seconds_check CHECK ((heartbeat_seconds = ANY (ARRAY[90, 180, 900, 18000, 90000]))),
    CONSTRAINT devices_id_check CHECK ((id ~ '^[A-Za-z0-9_-]{1,64}$'::text)),
    CONSTRAINT devices_kind_check CHECK ((kind = ANY (ARRAY['button'::text, 'pendant'::text, 'hub'::text, 'watch'::text, 'motion'::text, 'door'::text, 'bed'::text, 'smoke'::text, 'gas'::text, 'co'::text, 'water'::text, 'clock'::text])))
);

COMMENT ON COLUMN public.devices.gateway IS 'The device (a hub) through which this one speaks; null: it speaks for itself.';

COMMENT ON COLUMN public.devices.address IS 'What the gateway calls it: a Zigbee address or friendly name, a DevEUI.';

CREATE TABLE public.driven_clock (
    singleton boolean DEFAULT true NOT NULL,
    at timestamp with time zone NOT NULL,
    step bigint NOT NULL,
    CONSTRAINT driven_clock_singleton_check CHECK (singleton)
);

COMMENT ON TABLE public.driven_clock IS 'Simulation only: the time that the simulator has published, for the processes that do not hear it.';

CREATE TABLE public.driven_lanes (
    lane text NOT NULL,
    at timestamp with time zone NOT NULL,
    step bigint NOT NULL
);

COMMENT ON TABLE public.driven_lanes IS 'Simulation only: the step of the driven clock up to which a lane has appended everything that it had received.';

CREATE TABLE public.homes (
    id text NOT NULL,
    area text NOT NULL,
    address text NOT NULL,
    phone text,
    way_in text,
    way_in_proven_on date,
    latitude double precision,
    longitude double precision,
    coordinates text,
    inactivity_hours double precision,
    policy text,
    revision bigint DEFAULT 1 NOT NULL,
    announced bigint DEFAULT 0 NOT NULL,
    CONSTRAINT homes_check CHECK ((((latitude IS NULL) = (longitude IS NULL)) AND ((latitude IS NULL) = (coordinates IS NULL)))),
    CONSTRAINT homes_coordinates_check CHECK ((coordinates = ANY (ARRAY['WGS-84'::text, 'GCJ-02'::text]))),
    CONSTRAINT homes_inactivity_hours_check CHECK ((inactivity_hours > (0)::double precision)),
    CONSTRAINT homes_latitude_check CHECK (((latitude >= ('-90'::integer)::double precision) AND (latitude <= (90)::double precision))),
    CONSTRAINT homes_longitude_check CHECK (((longitude >= ('-180'::integer)::double precision) AND (longitude <= (180)::double precision)))
);

COMMENT ON COLUMN public.homes.revision IS 'Raised by every change that detection must know of; ingest announces it into the home''s partition and sets announced.';

CREATE TABLE public.incidents (
    id bigint NOT NULL,
    home text,
    person text,
    device text,
    cause text NOT NULL,
    danger boolean NOT NULL,
    test boolean NOT NULL,
    state text NOT NULL,
    version integer NOT NULL,
    wake_at timestamp with time zone,
    opened_at timestamp with time zone NOT NULL,
    body jsonb NOT NULL,
    t0 timestamp with time zone,
    t1 timestamp with time zone,
    t2 timestamp with time zone,
    t3 timestamp with time zone,
    t4 timestamp with time zone,
    t5 timestamp with time zone,
    t6 timestamp with time zone,
    t7 timestamp with time zone,
    t8 timestamp with time zone,
    t9 timestamp with time zone,
    CONSTRAINT incidents_check CHECK (((state <> 'closed'::text) = (wake_at IS NOT NULL))),
    CONSTRAINT incidents_check1 CHECK (((state = 'closed'::text) = (t9 IS NOT NULL)))
);

ALTER TABLE public.incidents ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.incidents_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.journal (
    incident bigint NOT NULL,
    number integer NOT NULL,
    at timestamp with time zone NOT NULL,
    event text NOT NULL,
    decision text NOT NULL,
    actor text NOT NULL,
    detail jsonb NOT NULL,
    hash bytea NOT NULL
);

COMMENT ON TABLE public.journal IS 'Append-only: each hash covers the one before it, so that a changed or missing entry shows.';

CREATE TABLE public.lease_members (
    name text NOT NULL,
    owner text NOT NULL,
    beat bigint DEFAULT 0 NOT NULL
);

COMMENT ON TABLE public.lease_members IS 'Who is there to own. A member whose beat stands still, by the observer''s own clock, is gone: no two clocks are compared.';

CREATE TABLE public.leases (
    name text NOT NULL,
    partition integer NOT NULL,
    epoch bigint DEFAULT 0 NOT NULL,
    owner text,
    "position" bigint DEFAULT 0 NOT NULL
);

COMMENT ON TABLE public.leases IS 'One writer per partition: taking a row increments its epoch, and every effect locks the row where the epoch is its own. A consumer''s position stands in the same row, so that one update both fences and remembers.';

CREATE TABLE public.log_batches (
    log text NOT NULL,
    partition integer NOT NULL,
    last_position bigint NOT NULL,
    count integer NOT NULL,
    appended_at timestamp with time zone NOT NULL,
    body bytea NOT NULL,
    CONSTRAINT log_batches_count_check CHECK ((count > 0))
);
ALTER TABLE ONLY public.log_batches ALTER COLUMN body SET STORAGE EXTERNAL;

COMMENT ON COLUMN public.log_batches.body IS 'A MessagePack list of the batch''s messages; its positions end at last_position.';

CREATE TABLE public.log_heads (
    log text NOT NULL,
    partition integer NOT NULL,
    "position" bigint DEFAULT 0 NOT NULL
);

CREATE TABLE public.migrations (
    name text NOT NULL,
    digest text NOT NULL,
    applied_at timestamp with time zone NOT NULL
);

CREATE TABLE public.parked (
    id bigint NOT NULL,
    log text NOT NULL,
    consumer text NOT NULL,
    partition integer NOT NULL,
    "position" bigint NOT NULL,
    parked_at timestamp with time zone NOT NULL,
    reason text NOT NULL,
    body bytea NOT NULL
);

COMMENT ON TABLE public.parked IS 'Entries of the log that a consumer could not read or act on: set aside, so that what stands behind them goes on.';

ALTER TABLE public.parked ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.parked_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.people (
    id text NOT NULL,
    home text NOT NULL,
    name text NOT NULL,
    born_on date,
    sex text,
    language text DEFAULT 'zh'::text NOT NULL,
    phone text,
    category text,
    conditions text,
    medication text,
    hospital text,
    note text,
    CONSTRAINT people_language_check CHECK ((language = ANY (ARRAY['zh'::text, 'en'::text]))),
    CONSTRAINT people_sex_check CHECK ((sex = ANY (ARRAY['female'::text, 'male'::text])))
);

CREATE TABLE public.readings (
    at timestamp with time zone NOT NULL,
    received_at timestamp with time zone NOT NULL,
    device text NOT NULL,
    home text,
    boot text NOT NULL,
    seq bigint NOT NULL,
    kind text NOT NULL,
    sensor text,
    value double precision,
    detail jsonb,
    clock text,
    device_at timestamp with time zone
)
PARTITION BY RANGE (at);

COMMENT ON TABLE public.readings IS 'The archive. `at` is the device''s time, corrected; a number stands in value, anything else in detail. Daily partitions are made by the archive as they are needed.';

COMMENT ON COLUMN public.readings.device_at IS 'What the device''s own clock said, where `at` is something else; `clock` says why.';

CREATE TABLE public.readings_kept (
    singleton boolean DEFAULT true NOT NULL,
    since date NOT NULL,
    CONSTRAINT readings_kept_singleton_check CHECK (singleton)
);

COMMENT ON TABLE public.readings_kept IS 'The first day (UTC) that has not been dropped. The days before it never come back, so that no roll-up is computed anew from what is left.';

CREATE TABLE public.rejected (
    id bigint NOT NULL,
    received_at timestamp with time zone NOT NULL,
    device text,
    topic text NOT NULL,
    reason text NOT NULL,
    detail text NOT NULL,
    payload bytea NOT NULL,
    payload_bytes integer NOT NULL,
    CONSTRAINT rejected_payload_check CHECK ((octet_length(payload) <= 4096))
);

COMMENT ON TABLE public.rejected IS 'Samples of what devices sent and we could not take: the first 4 KiB of each, a bounded number per reason and minute.';

CREATE TABLE public.rejected_counts (
    day date NOT NULL,
    reason text NOT NULL,
    count bigint NOT NULL
);

ALTER TABLE public.rejected ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.rejected_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.responders (
    id text NOT NULL,
    name text NOT NULL,
    role text NOT NULL,
    area text NOT NULL,
    phone text NOT NULL,
    language text DEFAULT 'zh'::text NOT NULL,
    on_duty boolean DEFAULT true NOT NULL,
    CONSTRAINT responders_language_check CHECK ((language = ANY (ARRAY['zh'::text, 'en'::text]))),
    CONSTRAINT responders_role_check CHECK ((role = ANY (ARRAY['volunteer'::text, 'grid_worker'::text, 'social_worker'::text, 'property'::text, 'station'::text, 'medical'::text])))
);

CREATE TABLE public.sends (
    id bigint NOT NULL,
    incident bigint NOT NULL,
    step integer NOT NULL,
    repeat integer DEFAULT 0 NOT NULL,
    purpose text NOT NULL,
    channel text NOT NULL,
    recipient text NOT NULL,
    name text NOT NULL,
    address text NOT NULL,
    language text NOT NULL,
    body jsonb NOT NULL,
    due_at timestamp with time zone NOT NULL,
    deadline_at timestamp with time zone NOT NULL,
    state text DEFAULT 'waiting'::text NOT NULL,
    dialled_at timestamp with time zone,
    finished_at timestamp with time zone,
    provider_id text,
    result text,
    worker text
);

COMMENT ON TABLE public.sends IS 'The outbox. The unique key is the promise that nobody is contacted twice for one step unless the repeat is declared.';

ALTER TABLE public.sends ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.sends_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.sessions (
    token_hash bytea NOT NULL,
    account text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL
);

CREATE TABLE public.sign_in_failures (
    id bigint NOT NULL,
    account text NOT NULL,
    at timestamp with time zone NOT NULL
);

COMMENT ON TABLE public.sign_in_failures IS 'Attempts of the last minute, written before the password is looked at, so that many at once are counted too.';

ALTER TABLE public.sign_in_failures ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.sign_in_failures_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.tokens (
    token_hash bytea NOT NULL,
    name text NOT NULL,
    role text NOT NULL,
    area text,
    created_at timestamp with time zone NOT NULL,
    CONSTRAINT tokens_role_check CHECK ((role = ANY (ARRAY['operator'::text, 'supervisor'::text, 'administrator'::text, 'auditor'::text])))
);

COMMENT ON TABLE public.tokens IS 'Bearer tokens for machines. Only the SHA-256 of a token is kept.';

CREATE TABLE public.vitals_stored (
    hour timestamp with time zone NOT NULL,
    home text NOT NULL,
    device text NOT NULL,
    kind text NOT NULL,
    count bigint NOT NULL,
    lowest double precision NOT NULL,
    total double precision NOT NULL,
    highest double precision NOT NULL,
    diastolic_lowest double precision,
    diastolic_total double precision,
    diastolic_highest double precision
);

CREATE VIEW public.vitals_hourly AS
 SELECT stored.hour,
    stored.home,
    stored.device,
    stored.kind,
    stored.count,
    stored.lowest,
    stored.total,
    stored.highest,
    stored.diastolic_lowest,
    stored.diastolic_total,
    stored.diastolic_highest
   FROM public.vitals_stored stored
  WHERE (NOT (EXISTS ( SELECT
           FROM public.rollups_due due
          WHERE ((due.home = stored.home) AND (due.hour = stored.hour)))))
UNION ALL
 SELECT due.hour,
    due.home,
    vitals_of.device,
    vitals_of.kind,
    vitals_of.count,
    vitals_of.lowest,
    vitals_of.total,
    vitals_of.highest,
    vitals_of.diastolic_lowest,
    vitals_of.diastolic_total,
    vitals_of.diastolic_highest
   FROM (public.rollups_due due
     CROSS JOIN LATERAL public.vitals_of(due.home, due.hour) vitals_of(device, kind, count, lowest, total, highest, diastolic_lowest, diastolic_total, diastolic_highest));

COMMENT ON VIEW public.vitals_hourly IS 'What was measured by hour (UTC), home, device and kind.';

ALTER TABLE ONLY public.accounts
    ADD CONSTRAINT accounts_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.activity_stored
    ADD CONSTRAINT activity_stored_home_hour_sensor_kind_key UNIQUE NULLS NOT DISTINCT (home, hour, sensor, kind);

ALTER TABLE ONLY public.alarms
    ADD CONSTRAINT alarms_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.areas
    ADD CONSTRAINT areas_pkey PRIMARY KEY (code);

ALTER TABLE ONLY public.away
    ADD CONSTRAINT away_home_away_from_key UNIQUE (home, away_from);

ALTER TABLE ONLY public.away
    ADD CONSTRAINT away_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.consents
    ADD CONSTRAINT consents_pkey PRIMARY KEY (person, kind, given_at);

ALTER TABLE ONLY public.consoles
    ADD CONSTRAINT consoles_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.contacts
    ADD CONSTRAINT contacts_home_rank_key UNIQUE (home, rank) DEFERRABLE INITIALLY DEFERRED;

COMMENT ON CONSTRAINT contacts_home_rank_key ON public.contacts IS 'Deferred, so that two contacts can change places in one transaction.';

ALTER TABLE ONLY public.contacts
    ADD CONSTRAINT contacts_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.detection_homes
    ADD CONSTRAINT detection_homes_pkey PRIMARY KEY (home);

ALTER TABLE ONLY public.detection_partitions
    ADD CONSTRAINT detection_partitions_pkey PRIMARY KEY (partition);

ALTER TABLE ONLY public.device_clocks
    ADD CONSTRAINT device_clocks_pkey PRIMARY KEY (device);

ALTER TABLE ONLY public.device_heard
    ADD CONSTRAINT device_heard_pkey PRIMARY KEY (device);

ALTER TABLE ONLY public.devices
    ADD CONSTRAINT devices_gateway_address_key UNIQUE (gateway, address);

ALTER TABLE ONLY public.devices
    ADD CONSTRAINT devices_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.driven_clock
    ADD CONSTRAINT driven_clock_pkey PRIMARY KEY (singleton);

ALTER TABLE ONLY public.driven_lanes
    ADD CONSTRAINT driven_lanes_pkey PRIMARY KEY (lane);

ALTER TABLE ONLY public.homes
    ADD CONSTRAINT homes_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.incidents
    ADD CONSTRAINT incidents_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.journal
    ADD CONSTRAINT journal_pkey PRIMARY KEY (incident, number);

ALTER TABLE ONLY public.lease_members
    ADD CONSTRAINT lease_members_pkey PRIMARY KEY (name, owner);

ALTER TABLE ONLY public.leases
    ADD CONSTRAINT leases_pkey PRIMARY KEY (name, partition);

ALTER TABLE ONLY public.log_batches
    ADD CONSTRAINT log_batches_pkey PRIMARY KEY (log, partition, last_position);

ALTER TABLE ONLY public.log_heads
    ADD CONSTRAINT log_heads_pkey PRIMARY KEY (log, partition);

ALTER TABLE ONLY public.migrations
    ADD CONSTRAINT migrations_pkey PRIMARY KEY (name);

ALTER TABLE ONLY public.parked
    ADD CONSTRAINT parked_log_consumer_partition_position_key UNIQUE (log, consumer, partition, "position");

ALTER TABLE ONLY public.parked
    ADD CONSTRAINT parked_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.people
    ADD CONSTRAINT people_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.readings_kept
    ADD CONSTRAINT readings_kept_pkey PRIMARY KEY (singleton);

ALTER TABLE ONLY public.rejected_counts
    ADD CONSTRAINT rejected_counts_pkey PRIMARY KEY (day, reason);

ALTER TABLE ONLY public.rejected
    ADD CONSTRAINT rejected_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.responders
    ADD CONSTRAINT responders_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.rollups_due
    ADD CONSTRAINT rollups_due_pkey PRIMARY KEY (home, hour);

ALTER TABLE ONLY public.sends
    ADD CONSTRAINT sends_incident_step_repeat_purpose_channel_recipient_key UNIQUE (incident, step, repeat, purpose, channel, recipient);

ALTER TABLE ONLY public.sends
    ADD CONSTRAINT sends_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.sessions
    ADD CONSTRAINT sessions_pkey PRIMARY KEY (token_hash);

ALTER TABLE ONLY public.sign_in_failures
    ADD CONSTRAINT sign_in_failures_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.tokens
    ADD CONSTRAINT tokens_name_key UNIQUE (name);

ALTER TABLE ONLY public.tokens
    ADD CONSTRAINT tokens_pkey PRIMARY KEY (token_hash);

ALTER TABLE ONLY public.vitals_stored
    ADD CONSTRAINT vitals_stored_pkey PRIMARY KEY (home, hour, device, kind);

CREATE INDEX alarms_by_home ON public.alarms USING btree (home, raised_at);

CREATE INDEX alarms_by_incident ON public.alarms USING btree (incident);

CREATE INDEX alarms_by_time ON public.alarms USING btree (raised_at);

CREATE INDEX alarms_waiting ON public.alarms USING btree (raised_at) WHERE (taken_at IS NULL);

CREATE INDEX detection_homes_by_partition ON public.detection_homes USING btree (partition);

CREATE INDEX devices_by_home ON public.devices USING btree (home);

CREATE INDEX incidents_by_end ON public.incidents USING btree (t9);

CREATE INDEX incidents_by_home ON public.incidents USING btree (home, opened_at);

CREATE INDEX incidents_by_opening ON public.incidents USING btree (opened_at);

CREATE INDEX incidents_due ON public.incidents USING btree (wake_at) WHERE (wake_at IS NOT NULL);

CREATE UNIQUE INDEX one_open_danger ON public.incidents USING btree (home) WHERE ((state <> 'closed'::text) AND danger);

COMMENT ON INDEX public.one_open_danger IS 'Ends the race of two alarms of one home that both find no open incident: the second one joins the first''s.';

CREATE UNIQUE INDEX one_open_danger_unbound ON public.incidents USING btree (device) WHERE ((state <> 'closed'::text) AND danger AND (home IS NULL));

CREATE INDEX parked_by_time ON public.parked USING btree (parked_at);

CREATE INDEX people_by_home ON public.people USING btree (home);

CREATE INDEX readings_by_home ON ONLY public.readings USING btree (home, at);

CREATE UNIQUE INDEX readings_once ON ONLY public.readings USING btree (device, boot, seq, at);

CREATE INDEX rejected_by_time ON public.rejected USING btree (received_at);

CREATE INDEX responders_by_area ON public.responders USING btree (area);

CREATE INDEX rollups_due_by_hour ON public.rollups_due USING btree (hour);

CREATE INDEX sends_by_incident ON public.sends USING btree (incident);

CREATE UNIQUE INDEX sends_by_provider ON public.sends USING btree (provider_id) WHERE (provider_id IS NOT NULL);

CREATE INDEX sends_due ON public.sends USING btree (due_at) WHERE (state = ANY (ARRAY['waiting'::text, 'dialling'::text]));

CREATE INDEX sessions_by_account ON public.sessions USING btree (account);

CREATE INDEX sign_in_failures_by_account ON public.sign_in_failures USING btree (account, at);

CREATE TRIGGER alarm_raised AFTER INSERT ON public.alarms FOR EACH STATEMENT EXECUTE FUNCTION public.alarm_raised();

CREATE TRIGGER devices_changed AFTER INSERT OR DELETE OR UPDATE ON public.devices FOR EACH STATEMENT EXECUTE FUNCTION public.register_changed();

CREATE TRIGGER homes_changed AFTER INSERT OR DELETE OR UPDATE OF revision ON public.homes FOR EACH STATEMENT EXECUTE FUNCTION public.register_changed();

CREATE TRIGGER incident_changed AFTER INSERT OR UPDATE ON public.incidents FOR EACH ROW EXECUTE FUNCTION public.incident_changed();

CREATE TRIGGER journal_is_append_only BEFORE DELETE OR UPDATE ON public.journal FOR EACH ROW EXECUTE FUNCTION public.journal_is_append_only();

CREATE TRIGGER readings_arrived AFTER INSERT ON public.readings REFERENCING NEW TABLE AS arrived FOR EACH STATEMENT EXECUTE FUNCTION public.readings_arrived();

CREATE TRIGGER send_changed AFTER INSERT OR UPDATE ON public.sends FOR EACH ROW EXECUTE FUNCTION public.send_changed();

ALTER TABLE ONLY public.accounts
    ADD CONSTRAINT accounts_area_fkey FOREIGN KEY (area) REFERENCES public.areas(code);

ALTER TABLE ONLY public.alarms
    ADD CONSTRAINT alarms_incident_fkey FOREIGN KEY (incident) REFERENCES public.incidents(id);

ALTER TABLE ONLY public.areas
    ADD CONSTRAINT areas_parent_fkey FOREIGN KEY (parent) REFERENCES public.areas(code);

ALTER TABLE ONLY public.away
    ADD CONSTRAINT away_home_fkey FOREIGN KEY (home) REFERENCES public.homes(id);

ALTER TABLE ONLY public.consents
    ADD CONSTRAINT consents_person_fkey FOREIGN KEY (person) REFERENCES public.people(id);

ALTER TABLE ONLY public.consoles
    ADD CONSTRAINT consoles_account_fkey FOREIGN KEY (account) REFERENCES public.accounts(id);

ALTER TABLE ONLY public.contacts
    ADD CONSTRAINT contacts_home_fkey FOREIGN KEY (home) REFERENCES public.homes(id);

ALTER TABLE ONLY public.devices
    ADD CONSTRAINT devices_home_fkey FOREIGN KEY (home) REFERENCES public.homes(id);

ALTER TABLE ONLY public.homes
    ADD CONSTRAINT homes_area_fkey FOREIGN KEY (area) REFERENCES public.areas(code);

ALTER TABLE ONLY public.incidents
    ADD CONSTRAINT incidents_home_fkey FOREIGN KEY (home) REFERENCES public.homes(id);

ALTER TABLE ONLY public.incidents
    ADD CONSTRAINT incidents_person_fkey FOREIGN KEY (person) REFERENCES public.people(id);

ALTER TABLE ONLY public.journal
    ADD CONSTRAINT journal_incident_fkey FOREIGN KEY (incident) REFERENCES public.incidents(id);

ALTER TABLE ONLY public.people
    ADD CONSTRAINT people_home_fkey FOREIGN KEY (home) REFERENCES public.homes(id);

ALTER TABLE ONLY public.responders
    ADD CONSTRAINT responders_area_fkey FOREIGN KEY (area) REFERENCES public.areas(code);

ALTER TABLE ONLY public.sends
    ADD CONSTRAINT sends_incident_fkey FOREIGN KEY (incident) REFERENCES public.incidents(id);

ALTER TABLE ONLY public.sessions
    ADD CONSTRAINT sessions_account_fkey FOREIGN KEY (account) REFERENCES public.accounts(id);

ALTER TABLE ONLY public.tokens
    ADD CONSTRAINT tokens_area_fkey FOREIGN KEY (area) REFERENCES public.areas(code);
