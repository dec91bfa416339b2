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

CREATE FUNCTION public.anchors_are_append_only() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
begin
    raise exception 'anchors are append-only';
end $$;

CREATE FUNCTION public.asking_changed() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
begin
    perform pg_notify('asking', '');
    return null;
end $$;

CREATE FUNCTION public.closure_verdict(kind text, cause text, outcome text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE WHEN ((cause = 'test'::text) OR (outcome = 'test_confirmed'::text)) THEN 'neither'::text WHEN (outcome = 'wanted_to_talk'::text) THEN 'neither'::text WHEN (outcome = ANY (ARRAY['accidental'::text, 'cancelled_by_person'::text])) THEN 'false'::text WHEN (cause = 'technical'::text) THEN 'false'::text WHEN (outcome = ANY (ARRAY['ambulance'::text, 'fire'::text, 'police'::text, 'found_deceased'::text])) THEN 'true'::text WHEN ((outcome = ANY (ARRAY['responder_attended'::text, 'family_attended'::text])) AND (cause = kind)) THEN 'true'::text WHEN ((outcome = ANY (ARRAY['resolved_by_voice'::text, 'advice'::text])) AND (kind = 'inactivity'::text)) THEN 'false'::text ELSE 'unknown'::text END;

COMMENT ON FUNCTION public.closure_verdict(kind text, cause text, outcome text) IS 'true: help was needed. false: it was not. neither: nobody can blame the alarm (a talk, a test). unknown: the closure does not say.';

CREATE FUNCTION public.detector_promotions_is_append_only() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
begin
    raise exception 'an act is not changed: it is followed by another';
end $$;

CREATE FUNCTION public.device_config_changed() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
begin
    perform pg_notify('device_config', '');
    return null;
end $$;

CREATE FUNCTION public.device_config_follows() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
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

CREATE FUNCTION public.device_gone() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
begin
    update device_certificates set revoked = true where device = old.id and not revoked;
    return null;
end $$;

CREATE FUNCTION public.erase_entry(the_incident bigint, the_number integer, new_actor text, new_detail jsonb) RETURNS void
    LANGUAGE sql
    AS $$
    update journal set actor = new_actor, detail = new_detail where incident = the_incident and number = the_number
$$;

CREATE FUNCTION public.erase_incident(the_incident bigint, the_person text, new_device text, new_body jsonb) RETURNS void
    LANGUAGE sql
    AS $$
    update incidents set device = new_device, body = new_body, person = nullif(person, the_person)
    where id = the_incident and state = 'closed'
$$;

COMMENT ON FUNCTION public.erase_incident(the_incident bigint, the_person text, new_device text, new_body jsonb) IS 'Only of what is closed: an open incident is somebody''s who may need help.';

CREATE FUNCTION public.erase_policy_book(the_version integer, new_why text, new_body jsonb) RETURNS void
    LANGUAGE sql
    AS $$
    update policy_books set why = new_why, body = new_body where version = the_version
$$;

CREATE FUNCTION public.going_to(body jsonb) RETURNS text[]
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN ARRAY(SELECT (jsonb_path_query(going_to.body, '$."helper"."id"'::jsonpath) #>> '{}'::text[]) UNION ALL SELECT (jsonb_path_query(going_to.body, '$."seconds"[*]."id"'::jsonpath) #>> '{}'::text[]));

CREATE FUNCTION public.held(kind text, alone boolean, raised_at timestamp with time zone, at timestamp with time zone) RETURNS boolean
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN ((NOT alone) AND (kind = ANY (ARRAY['heartbeat_lost'::text, 'mains_lost'::text, 'cannot_hear'::text])) AND (raised_at > (at - '00:01:00'::interval)) AND (raised_at <= (at + '00:00:05'::interval)));

COMMENT ON FUNCTION public.held(kind text, alone boolean, raised_at timestamp with time zone, at timestamp with time zone) IS 'Whether a waiting alarm still waits for its fellows: as in dispatch/grouping.py, and a test holds the two equal. One from the future is not held: a clock was put back.';

CREATE FUNCTION public.incident_changed() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
begin
    perform pg_notify('incident', new.id::text || ' ' || new.version::text);
    return null;
end $$;

CREATE FUNCTION public.incident_closed() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
begin
    delete from helper_locations where incident = new.id;
    return null;
end $$;

CREATE FUNCTION public.journal_is_append_only() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
begin
    if tg_op = 'UPDATE' and (new.incident, new.number, new.at, new.event, new.decision, new.hash)
            = (old.incident, old.number, old.at, old.event, old.decision, old.hash)
        and exists (select from erasures where id::text = new.detail->>'erased' and finished_at is null) then
        return new;
    end if;
    raise exception 'the journal is append-only';
end $$;

CREATE FUNCTION public.letters_forgotten() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
begin
    delete from sends where errand is not null and body->>'home' = old.home;
    return null;
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
    restored_at timestamp with time zone,
    alone boolean DEFAULT false NOT NULL,
    CONSTRAINT alarms_check CHECK (((incident IS NULL) OR (taken_at IS NOT NULL)))
);

COMMENT ON COLUMN public.alarms.restored_at IS 'When what it says was over, by the alarm that restores it.';

COMMENT ON COLUMN public.alarms.alone IS 'It was held to be grouped, belongs to nothing, and goes to an incident of its own home.';

CREATE FUNCTION public.of_area(alarm public.alarms) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN (((alarm).home IS NULL) AND ((alarm).device IS NULL) AND (((alarm).evidence ->> 'rule'::text) = 'area_deaf'::text));

COMMENT ON FUNCTION public.of_area(alarm public.alarms) IS 'Whether an alarm says that a whole area is not heard: it names neither a device nor a home.';

CREATE FUNCTION public.policy_books_stay() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
begin
    if tg_op = 'UPDATE' and (new.version, new.saved_at, new.saved_by, new.body->'policies')
            is not distinct from (old.version, old.saved_at, old.saved_by, old.body->'policies')
        and exists (select from erasures where id::text = new.body->>'erased' and finished_at is null) then
        return new;
    end if;
    raise exception 'a version of the policies is never changed';
end $$;

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

CREATE FUNCTION public.rota_forgotten() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
begin
    delete from rota_changes where responder = old.id;
    update rota_changes set stand_in = null where stand_in = old.id;
    return null;
end $$;

CREATE FUNCTION public.seal_journal(the_incident bigint, the_number integer, at timestamp with time zone, actor text, detail jsonb, hash bytea) RETURNS void
    LANGUAGE sql
    AS $$
    insert into journal (incident, number, at, event, decision, actor, detail, hash)
    values (the_incident, the_number, at, 'erased', 'erased', actor, detail, hash)
$$;

CREATE FUNCTION public.send_changed() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
begin
    if new.state = 'waiting' then
        perform pg_notify('outbox', '');
    end if;
    return null;
end $$;

CREATE FUNCTION public.send_rank(purpose text, danger boolean, cause text) RETURNS integer
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE WHEN (purpose = 'bridge'::text) THEN 0 WHEN (purpose = ANY (ARRAY['family'::text, 'packet'::text, 'test'::text, 'week'::text])) THEN 3 WHEN (NOT COALESCE(danger, false)) THEN 2 WHEN (cause = 'inactivity'::text) THEN 1 ELSE 0 END;

COMMENT ON FUNCTION public.send_rank(purpose text, danger boolean, cause text) IS 'Who goes first where there is one line: whoever calls for help, then who was not heard from, then devices, then news.';

CREATE FUNCTION public.test_window_opened() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
begin
    perform pg_notify('self_test', '');
    return null;
end $$;

CREATE FUNCTION public.told_forgotten() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
begin
    delete from sends where errand is not null and recipient = old.id;
    delete from desk_tasks where subject = old.id;
    return null;
end $$;

CREATE FUNCTION public.versions_in(the_area text) RETURNS TABLE(detector text, label text, state text, since timestamp with time zone)
    LANGUAGE sql STABLE
    AS $$
    -- Of two that were promoted the later one rings. A version that is put into shadow is quiet from then on, and the
    -- one that was promoted before it rings again.
    with newest as (
        select distinct on (act.detector, act.label) act.*
        from detector_promotions act where act.scope is null or starts_with(the_area, act.scope)
        order by act.detector, act.label, act.id desc
    )
    (select distinct on (newest.detector) newest.detector, newest.label, newest.state, newest.at
     from newest where newest.state = 'live' order by newest.detector, newest.id desc)
    union all
    select newest.detector, newest.label, newest.state, newest.at from newest where newest.state = 'shadow'
$$;

COMMENT ON FUNCTION public.versions_in(the_area text) IS 'What the acts say of homes in an area: at most one live version of each detector (none: the first of its table), and those in shadow.';

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

CREATE TABLE public.alarm_repeats (
    transmitter text NOT NULL,
    digest bytea NOT NULL,
    event text NOT NULL,
    first_at timestamp with time zone NOT NULL,
    times integer NOT NULL
);

COMMENT ON TABLE public.alarm_repeats IS 'Alarms of the last minutes, by what they said: one that comes again at once, because its answer was lost, is the same event.';

CREATE TABLE public.alarm_transmitters (
    code text NOT NULL,
    device text NOT NULL,
    authentication_hash text NOT NULL,
    next_hash text,
    monitored boolean DEFAULT true NOT NULL,
    enrolled_at timestamp with time zone NOT NULL,
    seq bigint DEFAULT 0 NOT NULL,
    faults text[] DEFAULT '{}'::text[] NOT NULL,
    pings integer DEFAULT 0 NOT NULL,
    pings_since timestamp with time zone,
    CONSTRAINT alarm_transmitters_code_check CHECK (((length(code) >= 1) AND (length(code) <= 15)))
);

COMMENT ON TABLE public.alarm_transmitters IS 'A transmitter''s code (SOS Access: transmittercode), which device of the register it is, and its credentials.';

COMMENT ON COLUMN public.alarm_transmitters.next_hash IS 'Of the authentication that it asked for and was given: from its first use on it alone is valid; until then both are.';

COMMENT ON COLUMN public.alarm_transmitters.monitored IS 'Whether its line is watched: otherwise its heartbeats are refused.';

COMMENT ON COLUMN public.alarm_transmitters.faults IS 'What it has reported as wrong and not yet as mended: the protocol tells changes, detection wants the whole.';

COMMENT ON COLUMN public.alarm_transmitters.pings_since IS 'Since when its heartbeats are counted, so that too many can be told.';

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

CREATE TABLE public.askings (
    alarm uuid NOT NULL,
    kind text NOT NULL,
    home text NOT NULL,
    begun_at timestamp with time zone NOT NULL,
    until timestamp with time zone,
    devices text[] DEFAULT '{}'::text[] NOT NULL,
    not_asked text,
    asked_at timestamp with time zone,
    answered_at timestamp with time zone,
    answer text,
    answered_by text,
    ended_at timestamp with time zone,
    reason text,
    danger uuid,
    taken_back_at timestamp with time zone,
    CONSTRAINT askings_check CHECK (((ended_at IS NULL) = (reason IS NULL))),
    CONSTRAINT askings_check1 CHECK (((answered_at IS NULL) = (answer IS NULL)))
);

COMMENT ON TABLE public.askings IS 'One row for each suspicion: the resident was asked on these devices whether they are all right. An answer closes nothing; detection ends it, by taking the suspicion back or by the danger that follows.';

COMMENT ON COLUMN public.askings.not_asked IS 'Why nobody could be asked; null: somebody was, or is about to be.';

COMMENT ON COLUMN public.askings.asked_at IS 'When the broker had the question; null: it never had it in time.';

COMMENT ON COLUMN public.askings.answer IS 'The kind of the answer: ok, cancel, or that of a press.';

COMMENT ON COLUMN public.askings.reason IS 'Why it ended: confirmed (the danger that followed is `danger`), or what detection said when it took it back.';

COMMENT ON COLUMN public.askings.taken_back_at IS 'When the broker had it that the question is over.';

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
    notify text,
    told boolean,
    digest boolean DEFAULT false NOT NULL,
    quiet text,
    CONSTRAINT contacts_language_check CHECK ((language = ANY (ARRAY['zh'::text, 'en'::text]))),
    CONSTRAINT contacts_rank_check CHECK ((rank >= 1)),
    CONSTRAINT contacts_role_check CHECK ((role = ANY (ARRAY['family'::text, 'neighbour'::text, 'friend'::text, 'property'::text, 'carer'::text])))
);

COMMENT ON COLUMN public.contacts.notify IS 'Where else they read what we send, as Apprise writes it. It may hold a secret.';

COMMENT ON COLUMN public.contacts.told IS 'Told of each stage; null: family are, others are not.';

COMMENT ON COLUMN public.contacts.digest IS 'Gets the letter of the week.';

COMMENT ON COLUMN public.contacts.quiet IS '`22:00-07:00` by the home''s clock; no call for help heeds it.';

CREATE TABLE public.coverage (
    area text NOT NULL,
    known jsonb NOT NULL,
    deaf boolean NOT NULL,
    kept_at timestamp with time zone NOT NULL
);

COMMENT ON TABLE public.coverage IS 'What share of an area''s homes is usually heard, by window and hour of the day, and whether it is deaf now: written by the telemetry lane when an area changes, and once an hour.';

CREATE TABLE public.desk_shifts (
    id bigint NOT NULL,
    account text NOT NULL,
    phone text NOT NULL,
    fallback text,
    since timestamp with time zone NOT NULL,
    until timestamp with time zone NOT NULL,
    CONSTRAINT desk_shifts_check CHECK ((since < until)),
    CONSTRAINT desk_shifts_fallback_check CHECK ((fallback ~ '^\+[1-9][0-9]{7,14}$'::text)),
    CONSTRAINT desk_shifts_phone_check CHECK ((phone ~ '^\+[1-9][0-9]{7,14}$'::text))
);

COMMENT ON TABLE public.desk_shifts IS 'The ordinary telephones of the desk, by shift: which one rings, and which one when that is not taken.';

ALTER TABLE public.desk_shifts ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.desk_shifts_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.desk_tasks (
    id bigint NOT NULL,
    kind text NOT NULL,
    subject text NOT NULL,
    detail jsonb NOT NULL,
    opened_at timestamp with time zone NOT NULL,
    opened_by text NOT NULL,
    done_at timestamp with time zone,
    done_by text,
    note text,
    CONSTRAINT desk_tasks_check CHECK (((done_at IS NULL) = (done_by IS NULL))),
    CONSTRAINT desk_tasks_check1 CHECK (((done_at IS NOT NULL) OR (note IS NULL))),
    CONSTRAINT desk_tasks_kind_check CHECK ((kind = ANY (ARRAY['bad_number'::text, 'wrong_number'::text, 'unreachable'::text, 'no_way_in_proven'::text, 'provider_account'::text])))
);

COMMENT ON TABLE public.desk_tasks IS 'Work for a person. What is found again while its task is open is no second one.';

COMMENT ON COLUMN public.desk_tasks.subject IS 'The id of a contact, a responder or a home; of a provider its name.';

COMMENT ON COLUMN public.desk_tasks.opened_by IS 'The part of the platform that found it, or who asked for it.';

ALTER TABLE public.desk_tasks ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.desk_tasks_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

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
    inactivity_floor_hours double precision,
    timezone text,
    fence_m double precision,
    CONSTRAINT homes_check CHECK ((((latitude IS NULL) = (longitude IS NULL)) AND ((latitude IS NULL) = (coordinates IS NULL)))),
    CONSTRAINT homes_coordinates_check CHECK ((coordinates = ANY (ARRAY['WGS-84'::text, 'GCJ-02'::text]))),
    CONSTRAINT homes_fence_m_check CHECK ((fence_m > (0)::double precision)),
    CONSTRAINT homes_inactivity_floor_hours_check CHECK ((inactivity_floor_hours > (0)::double precision)),
    CONSTRAINT homes_inactivity_hours_check CHECK ((inactivity_hours > (0)::double precision)),
    CONSTRAINT homes_latitude_check CHECK (((latitude >= ('-90'::integer)::double precision) AND (latitude <= (90)::double precision))),
    CONSTRAINT homes_longitude_check CHECK (((longitude >= ('-180'::integer)::double precision) AND (longitude <= (180)::double precision)))
);

COMMENT ON COLUMN public.homes.revision IS 'Raised by every change that detection must know of; ingest announces it into the home''s partition and sets announced.';

COMMENT ON COLUMN public.homes.inactivity_floor_hours IS 'Silence is never told sooner than after so many hours; null: the detector''s own least.';

COMMENT ON COLUMN public.homes.timezone IS 'IANA name; null: the centre''s.';

COMMENT ON COLUMN public.homes.fence_m IS 'The radius, around the home''s own place, within which whoever wears a tracker is at home; null: no fence.';

CREATE TABLE public.responders (
    id text NOT NULL,
    name text NOT NULL,
    role text NOT NULL,
    area text NOT NULL,
    phone text NOT NULL,
    language text DEFAULT 'zh'::text NOT NULL,
    on_duty boolean DEFAULT true NOT NULL,
    consented_on date,
    trained_on date,
    hours text,
    latitude double precision,
    longitude double precision,
    coordinates text,
    notify text,
    CONSTRAINT responders_check CHECK ((((latitude IS NULL) = (longitude IS NULL)) AND ((latitude IS NULL) = (coordinates IS NULL)))),
    CONSTRAINT responders_coordinates_check CHECK ((coordinates = ANY (ARRAY['WGS-84'::text, 'GCJ-02'::text]))),
    CONSTRAINT responders_language_check CHECK ((language = ANY (ARRAY['zh'::text, 'en'::text]))),
    CONSTRAINT responders_latitude_check CHECK (((latitude >= ('-90'::integer)::double precision) AND (latitude <= (90)::double precision))),
    CONSTRAINT responders_longitude_check CHECK (((longitude >= ('-180'::integer)::double precision) AND (longitude <= (180)::double precision))),
    CONSTRAINT responders_role_check CHECK ((role = ANY (ARRAY['volunteer'::text, 'grid_worker'::text, 'social_worker'::text, 'property'::text, 'station'::text, 'medical'::text])))
);

COMMENT ON COLUMN public.responders.consented_on IS 'Since when they agree to be asked; null: they are not asked.';

COMMENT ON COLUMN public.responders.trained_on IS 'When they were trained for it; null: they are not asked.';

COMMENT ON COLUMN public.responders.hours IS 'Their rota, `mon-fri 08:00-18:00; sat,sun 09:00-12:00`; null: always.';

COMMENT ON COLUMN public.responders.notify IS 'As of contacts.';

CREATE VIEW public.desk_tasks_seen AS
 SELECT desk_tasks.id,
    desk_tasks.kind,
    desk_tasks.subject,
    desk_tasks.detail,
    desk_tasks.opened_at,
    desk_tasks.opened_by,
    desk_tasks.done_at,
    desk_tasks.done_by,
    desk_tasks.note,
    COALESCE(contacts.name, responders.name) AS name,
    COALESCE(contacts.phone, responders.phone) AS phone,
    COALESCE(contacts.home, own.id) AS home,
    COALESCE(place.area, responders.area, own.area) AS area,
    COALESCE(place.address, own.address) AS address
   FROM ((((public.desk_tasks
     LEFT JOIN public.contacts ON (((desk_tasks.kind <> 'no_way_in_proven'::text) AND (contacts.id = desk_tasks.subject))))
     LEFT JOIN public.homes place ON ((place.id = contacts.home)))
     LEFT JOIN public.responders ON (((desk_tasks.kind <> 'no_way_in_proven'::text) AND (responders.id = desk_tasks.subject))))
     LEFT JOIN public.homes own ON (((desk_tasks.kind = 'no_way_in_proven'::text) AND (own.id = desk_tasks.subject))));

COMMENT ON VIEW public.desk_tasks_seen IS 'Each with whom it is about, as the register has them now. Without an area it is about nobody there: everybody''s.';

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
    tick_ms bigint DEFAULT 0 NOT NULL,
    deaf jsonb DEFAULT '{}'::jsonb NOT NULL
);

COMMENT ON TABLE public.detection_partitions IS 'A watch''s time at its checkpoint, one row a partition. The position stands in leases.';

COMMENT ON COLUMN public.detection_partitions.tick_ms IS 'The last tick''s own time; behind at_ms where a new source''s clock is behind the old one''s.';

COMMENT ON COLUMN public.detection_partitions.deaf IS 'Areas of which nearly nothing is heard, and since which tick''s time (ms).';

CREATE TABLE public.detector_promotions (
    id bigint NOT NULL,
    detector text NOT NULL,
    label text NOT NULL,
    scope text,
    state text NOT NULL,
    by text NOT NULL,
    reason text NOT NULL,
    report jsonb,
    at timestamp with time zone NOT NULL,
    CONSTRAINT detector_promotions_by_check CHECK ((by <> ''::text)),
    CONSTRAINT detector_promotions_reason_check CHECK ((reason <> ''::text)),
    CONSTRAINT detector_promotions_state_check CHECK ((state = ANY (ARRAY['live'::text, 'shadow'::text, 'off'::text])))
);

COMMENT ON TABLE public.detector_promotions IS 'Who let which version of a detector ring, run in shadow or rest, where and why. Append-only: of each version the newest act that covers a home holds there.';

COMMENT ON COLUMN public.detector_promotions.report IS 'What was known of the version when it was promoted.';

ALTER TABLE public.detector_promotions ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.detector_promotions_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.device_certificates (
    serial text NOT NULL,
    device text NOT NULL,
    issued_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    revoked boolean DEFAULT false NOT NULL,
    revoked_at timestamp with time zone
);

COMMENT ON TABLE public.device_certificates IS 'What our authority has issued. The broker refuses those that are revoked, and those of a device that is disabled or gone.';

COMMENT ON COLUMN public.device_certificates.serial IS 'Hexadecimal, without leading zeros.';

COMMENT ON COLUMN public.device_certificates.revoked_at IS 'Null where the device was removed from the register: nobody said when.';

CREATE TABLE public.device_clocks (
    device text NOT NULL,
    offset_ms bigint NOT NULL,
    measured_at timestamp with time zone NOT NULL
);

COMMENT ON TABLE public.device_clocks IS 'How far a device''s clock is behind ours (negative: ahead). Heartbeats measure it in the telemetry lane; the alarm lane goes by it.';

CREATE SEQUENCE public.device_config_numbers
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;

CREATE TABLE public.device_configs (
    device text NOT NULL,
    revision bigint DEFAULT 1 NOT NULL,
    volume integer DEFAULT 5 NOT NULL,
    reminder_weekday integer,
    reminder_hour integer,
    wanted boolean DEFAULT true NOT NULL,
    published_revision bigint,
    published_number bigint,
    published_at timestamp with time zone,
    hold_seconds integer DEFAULT 0 NOT NULL,
    CONSTRAINT device_configs_check CHECK (((reminder_weekday IS NULL) = (reminder_hour IS NULL))),
    CONSTRAINT device_configs_hold_seconds_check CHECK (((hold_seconds >= 0) AND (hold_seconds <= 5))),
    CONSTRAINT device_configs_reminder_hour_check CHECK (((reminder_hour >= 0) AND (reminder_hour <= 23))),
    CONSTRAINT device_configs_reminder_weekday_check CHECK (((reminder_weekday >= 1) AND (reminder_weekday <= 7))),
    CONSTRAINT device_configs_volume_check CHECK (((volume >= 0) AND (volume <= 10)))
);

COMMENT ON TABLE public.device_configs IS 'One row for each device that speaks for itself; the heartbeat level stands in devices. `revision` counts changes, `published_revision` is what the broker keeps. It outlives its device until the broker has been told to forget it (not wanted).';

COMMENT ON COLUMN public.device_configs.published_number IS 'The how-manieth publication it was. The broker keeps the last number as a mark: of a store that comes back older, all beyond its mark is published again.';

COMMENT ON COLUMN public.device_configs.hold_seconds IS 'How long a button must be held before it is a press; 0: a touch is.';

CREATE TABLE public.device_heard (
    device text NOT NULL,
    first_at timestamp with time zone NOT NULL,
    last_at timestamp with time zone NOT NULL,
    messages bigint NOT NULL,
    last_kind text NOT NULL,
    battery_percent double precision,
    rssi_dbm double precision,
    firmware text,
    config bigint
);

COMMENT ON TABLE public.device_heard IS 'What was heard of each device, by its id in the log: that of the register, or gateway/address for one that is bound to no home. Written every few seconds.';

COMMENT ON COLUMN public.device_heard.config IS 'The revision of its configuration that the device says it runs.';

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
    CONSTRAINT devices_kind_check CHECK ((kind = ANY (ARRAY['button'::text, 'pendant'::text, 'hub'::text, 'watch'::text, 'motion'::text, 'door'::text, 'bed'::text, 'smoke'::text, 'gas'::text, 'co'::text, 'water'::text, 'clock'::text, 'vibration'::text, 'tracker'::text, 'panel'::text, 'climate'::text])))
);

COMMENT ON COLUMN public.devices.gateway IS 'The device (a hub) through which this one speaks; null: it speaks for itself.';

COMMENT ON COLUMN public.devices.address IS 'What the gateway calls it: a Zigbee address or friendly name, a DevEUI.';

CREATE VIEW public.device_states AS
 SELECT device.id,
    device.home,
    device.kind,
    device.model,
    device.enabled,
    device.heartbeat_seconds,
    device.enrolled_at,
    device.gateway,
    device.address,
    heard.first_at,
    GREATEST(heard.last_at, through.last_at) AS last_at,
    heard.messages,
    heard.last_kind,
    heard.battery_percent,
    heard.rssi_dbm,
    heard.firmware,
    wrong.silent_since,
    wrong.battery_since,
    wrong.faults,
        CASE
            WHEN (NOT device.enabled) THEN 'disabled'::text
            WHEN ((heard.device IS NULL) AND (through.gateway IS NULL) AND (wrong.silent_since IS NULL)) THEN 'never_heard'::text
            WHEN (wrong.silent_since IS NOT NULL) THEN 'silent'::text
            WHEN (wrong.faults IS NOT NULL) THEN 'faulty'::text
            WHEN (wrong.battery_since IS NOT NULL) THEN 'low_battery'::text
            WHEN ((device.home IS NULL) AND (through.gateway IS NULL)) THEN 'unbound'::text
            ELSE 'well'::text
        END AS state
   FROM (((public.devices device
     LEFT JOIN public.device_heard heard ON ((heard.device = device.id)))
     LEFT JOIN ( SELECT COALESCE(behind.gateway, split_part(one.device, '/'::text, 1)) AS gateway,
            max(one.last_at) AS last_at
           FROM (public.device_heard one
             LEFT JOIN public.devices behind ON ((behind.id = one.device)))
          WHERE ((behind.gateway IS NOT NULL) OR (strpos(one.device, '/'::text) > 0))
          GROUP BY COALESCE(behind.gateway, split_part(one.device, '/'::text, 1))) through ON ((through.gateway = device.id)))
     CROSS JOIN LATERAL ( SELECT max(said.at) FILTER (WHERE ((sort.matter = 'silent'::text) AND ((heard.last_at > said.raised_at) IS NOT TRUE))) AS silent_since,
            max(said.at) FILTER (WHERE (sort.matter = 'battery'::text)) AS battery_since,
            jsonb_agg(jsonb_build_object('kind', said.kind, 'since', said.at, 'value', (said.evidence -> 'value'::text)) ORDER BY said.at DESC) FILTER (WHERE (sort.matter = 'fault'::text)) AS faults
           FROM (( VALUES ('silent'::text,'heartbeat_lost'::text,'device_restored'::text,1), ('battery'::text,'battery_low'::text,'battery_restored'::text,1), ('battery'::text,'battery_critical'::text,'battery_restored'::text,1), ('fault'::text,'mains_lost'::text,'mains_restored'::text,1), ('fault'::text,'tamper'::text,'tamper_restored'::text,1), ('fault'::text,'sensor_lost'::text,'sensor_restored'::text,1), ('fault'::text,'radio_jam'::text,'radio_restored'::text,1), ('fault'::text,'link_lost'::text,'link_restored'::text,1), ('fault'::text,'self_test'::text,'fault_restored'::text,1), ('fault'::text,'fault'::text,'fault_restored'::text,24)) sort(matter, raised, restored, last)
             CROSS JOIN LATERAL ( SELECT alarms.id,
                    alarms.kind,
                    alarms.home,
                    alarms.at,
                    alarms.raised_at,
                    alarms.evidence
                   FROM public.alarms
                  WHERE ((alarms.device = device.id) AND (alarms.kind = sort.raised))
                  ORDER BY alarms.device DESC, alarms.kind DESC, alarms.raised_at DESC
                 LIMIT sort.last) said)
          WHERE ((said.home = device.home) AND (NOT (EXISTS ( SELECT
                   FROM public.alarms back
                  WHERE ((back.device = device.id) AND (back.kind = sort.restored) AND (back.raised_at >= said.raised_at) AND ((back.evidence ->> 'restores'::text) = (said.id)::text))))))) wrong)
  WHERE (device.kind <> 'clock'::text);

COMMENT ON VIEW public.device_states IS 'How each device is, worst first: what its home''s watch has found and not taken back, each from the newest alarm of its kind. A device that was moved has no past in its new home. A gateway is heard in those behind it, and needs no home.';

CREATE VIEW public.devices_unadopted AS
 SELECT heard.device,
    heard.first_at,
    heard.last_at,
    heard.messages,
    heard.last_kind,
    heard.battery_percent,
    (own.id IS NOT NULL) AS registered,
    own.kind,
    own.model,
    own.heartbeat_seconds,
    named.gateway,
    named.address
   FROM ((public.device_heard heard
     CROSS JOIN LATERAL ( SELECT split_part(heard.device, '/'::text, 1) AS gateway,
            substr(heard.device, (strpos(heard.device, '/'::text) + 1)) AS address
          WHERE (strpos(heard.device, '/'::text) > 0)
        UNION ALL
         SELECT NULL::text,
            NULL::text
          WHERE (strpos(heard.device, '/'::text) = 0)) named)
     LEFT JOIN public.devices own ON ((own.id = heard.device)))
  WHERE (((own.id IS NULL) OR ((own.home IS NULL) AND own.enabled AND (own.kind <> 'clock'::text))) AND (NOT (EXISTS ( SELECT
           FROM public.devices taken
          WHERE ((taken.gateway = named.gateway) AND (taken.address = named.address))))));

COMMENT ON VIEW public.devices_unadopted IS 'What is heard and bound to no home: behind a gateway and named by nobody, or registered without a home.';

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

CREATE TABLE public.erasures (
    id bigint NOT NULL,
    at timestamp with time zone NOT NULL,
    by text NOT NULL,
    reason text NOT NULL,
    shared_home boolean NOT NULL,
    counts jsonb NOT NULL,
    pending jsonb,
    finished_at timestamp with time zone,
    certificate bytea,
    CONSTRAINT erasures_check CHECK (((pending IS NULL) = (finished_at IS NOT NULL))),
    CONSTRAINT erasures_reason_check CHECK ((reason = ANY (ARRAY['request'::text, 'withdrawn'::text, 'left'::text, 'deceased'::text, 'mistake'::text])))
);

COMMENT ON TABLE public.erasures IS 'What was deleted at somebody''s request, by kind and number. Of whom, only the certificate says, which they were given; `certificate` is its SHA-256.';

COMMENT ON COLUMN public.erasures.pending IS 'What has still to be deleted in slices: a home and its devices. It goes with the last slice.';

ALTER TABLE public.erasures ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.erasures_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.hearing (
    lane text NOT NULL,
    heard_at timestamp with time zone NOT NULL
);

COMMENT ON TABLE public.hearing IS 'When each lane of ingest last heard the broker: written every second by whoever leads it. What is older than a few seconds is a platform that cannot hear, and says so on every screen.';

CREATE TABLE public.helper_locations (
    incident bigint NOT NULL,
    helper text NOT NULL,
    at timestamp with time zone NOT NULL,
    latitude double precision NOT NULL,
    longitude double precision NOT NULL,
    accuracy_m double precision NOT NULL,
    CONSTRAINT helper_locations_accuracy_m_check CHECK ((accuracy_m >= (0)::double precision)),
    CONSTRAINT helper_locations_latitude_check CHECK (((latitude >= ('-90'::integer)::double precision) AND (latitude <= (90)::double precision))),
    CONSTRAINT helper_locations_longitude_check CHECK (((longitude >= ('-180'::integer)::double precision) AND (longitude <= (180)::double precision)))
);

COMMENT ON TABLE public.helper_locations IS 'The last fix (WGS-84) of a helper who goes and has agreed to it. It ends with the incident, or when they take it back.';

CREATE TABLE public.holidays (
    day date NOT NULL,
    counts_as text NOT NULL,
    CONSTRAINT holidays_counts_as_check CHECK ((counts_as = ANY (ARRAY['mon'::text, 'tue'::text, 'wed'::text, 'thu'::text, 'fri'::text, 'sat'::text, 'sun'::text])))
);

COMMENT ON TABLE public.holidays IS 'Days that are worked as another day of the week: a holiday as a Sunday, a Sunday that is made up for (调休) as a Monday.';

CREATE TABLE public.home_code_tries (
    id bigint NOT NULL,
    incident bigint NOT NULL,
    helper text NOT NULL,
    at timestamp with time zone NOT NULL
);

COMMENT ON TABLE public.home_code_tries IS 'Written before the code is looked at, so that many at once are counted too.';

ALTER TABLE public.home_code_tries ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.home_code_tries_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.home_codes (
    home text NOT NULL,
    code text NOT NULL,
    made_at timestamp with time zone NOT NULL,
    made_by text NOT NULL,
    CONSTRAINT home_codes_code_check CHECK ((code ~ '^[2-9A-HJ-NP-Z]{6}$'::text))
);

COMMENT ON TABLE public.home_codes IS 'What is printed and put up in a home: whoever enters it has been inside. No 0 and O, no 1 and I.';

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
    grouped_by text,
    grouped_of text,
    area text,
    CONSTRAINT incidents_check CHECK (((state <> 'closed'::text) = (wake_at IS NOT NULL))),
    CONSTRAINT incidents_check1 CHECK (((state = 'closed'::text) = (t9 IS NOT NULL))),
    CONSTRAINT incidents_check2 CHECK (((grouped_of IS NULL) = (grouped_by IS NULL))),
    CONSTRAINT incidents_grouped_by_check CHECK ((grouped_by = ANY (ARRAY['gateway'::text, 'area'::text, 'model'::text])))
);

COMMENT ON COLUMN public.incidents.device IS 'What raised it: a device''s id; or tel: and a caller''s number, where the register knows of no home; or tel: and the call''s own id, where the number is withheld.';

COMMENT ON COLUMN public.incidents.grouped_by IS 'Devices that fell silent together: its rows are its alarms.';

COMMENT ON COLUMN public.incidents.grouped_of IS 'The gateway''s id, the area''s code or the model''s name.';

COMMENT ON COLUMN public.incidents.area IS 'Of a group: the smallest area in which all its rows lie; null: they share none.';

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

CREATE TABLE public.journal_anchors (
    number integer NOT NULL,
    at timestamp with time zone NOT NULL,
    through timestamp with time zone NOT NULL,
    heads integer NOT NULL,
    hash bytea NOT NULL,
    CONSTRAINT journal_anchors_number_check CHECK ((number > 0))
);

COMMENT ON TABLE public.journal_anchors IS 'Once a day: a hash over the one before it and every journal''s last entry since. Keep the newest hash elsewhere, and nobody can write the past anew unseen.';

COMMENT ON COLUMN public.journal_anchors.through IS 'Entries before this are covered.';

CREATE TABLE public.journal_heads (
    anchor integer NOT NULL,
    incident bigint NOT NULL,
    number integer NOT NULL,
    hash bytea NOT NULL
);

CREATE VIEW public.labelled_alarms AS
 SELECT alarms.id AS alarm,
    alarms.kind,
    alarms.home,
    alarms.device,
    alarms.raised_at,
    alarms.restored_at,
    split_part((alarms.evidence ->> 'detector'::text), '/'::text, 1) AS detector,
    NULLIF(split_part((alarms.evidence ->> 'detector'::text), '/'::text, 2), ''::text) AS version,
    (alarms.evidence ->> 'rule'::text) AS rule,
    incidents.id AS incident,
    ((incidents.body -> 'closing'::text) ->> 'cause'::text) AS cause,
    ((incidents.body -> 'closing'::text) ->> 'outcome'::text) AS outcome,
    incidents.t9 AS closed_at,
    public.closure_verdict(alarms.kind, ((incidents.body -> 'closing'::text) ->> 'cause'::text), ((incidents.body -> 'closing'::text) ->> 'outcome'::text)) AS verdict
   FROM (public.alarms
     JOIN public.incidents ON ((incidents.id = alarms.incident)))
  WHERE ((incidents.state = 'closed'::text) AND incidents.danger AND (NOT incidents.test) AND (NOT alarms.test) AND (alarms.kind <> ALL (ARRAY['fall_suspected'::text, 'inactivity_suspected'::text, 'withdrawn'::text, 'ok'::text, 'cancel'::text])));

COMMENT ON VIEW public.labelled_alarms IS 'The alarms of closed calls, each with the verdict that its closure gives: true, false, neither or unknown.';

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

CREATE TABLE public.packet_openings (
    packet bigint NOT NULL,
    number integer NOT NULL,
    at timestamp with time zone NOT NULL
);

COMMENT ON TABLE public.packet_openings IS 'When whoever was given a packet first opened each version.';

CREATE TABLE public.packet_versions (
    incident bigint NOT NULL,
    number integer NOT NULL,
    made_at timestamp with time zone NOT NULL,
    parts jsonb NOT NULL,
    changed text[] NOT NULL
);

COMMENT ON COLUMN public.packet_versions.parts IS 'Part → keyed fingerprint of what it says: enough to see that it has changed, and nothing that can be read.';

CREATE TABLE public.packets (
    id bigint NOT NULL,
    incident bigint NOT NULL,
    issued_at timestamp with time zone NOT NULL,
    issued_by text NOT NULL,
    name text NOT NULL,
    phone text,
    language text NOT NULL,
    CONSTRAINT packets_language_check CHECK ((language = ANY (ARRAY['zh'::text, 'en'::text])))
);

COMMENT ON TABLE public.packets IS 'To whom the hand-over packet of an incident was given: each has a link of their own. Without a telephone it was copied.';

ALTER TABLE public.packets ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.packets_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
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

CREATE TABLE public.person_limits (
    home text NOT NULL,
    kind text NOT NULL,
    low double precision,
    high double precision,
    set_by text,
    set_at timestamp with time zone NOT NULL,
    CONSTRAINT person_limits_check CHECK (((low IS NOT NULL) OR (high IS NOT NULL))),
    CONSTRAINT person_limits_check1 CHECK ((low < high))
);

COMMENT ON TABLE public.person_limits IS 'Vital signs beyond which somebody is to be rung, as they were set for the people of a home, and by whom.';

COMMENT ON COLUMN public.person_limits.set_by IS 'The account; null: a file that was imported on the machine itself.';

CREATE TABLE public.policy_books (
    version integer NOT NULL,
    saved_at timestamp with time zone NOT NULL,
    saved_by text NOT NULL,
    why text NOT NULL,
    body jsonb NOT NULL,
    CONSTRAINT policy_books_version_check CHECK ((version > 0))
);

COMMENT ON TABLE public.policy_books IS 'Append-only: what an administrator has saved of the policies. Version 0 is what is shipped. An incident carries its own policy, so that no version changes one that is open.';

CREATE TABLE public.providers_down (
    process text NOT NULL,
    channel text NOT NULL,
    provider text NOT NULL,
    since timestamp with time zone NOT NULL,
    seen_at timestamp with time zone NOT NULL,
    why text NOT NULL
);

COMMENT ON TABLE public.providers_down IS 'Providers through whom nobody can be called, as a process finds it; what it has not said for seconds is over, or unknown.';

CREATE VIEW public.reachable_people AS
 SELECT contacts.id,
    'contacts'::text AS "group",
    contacts.name,
    contacts.role,
    contacts.phone,
    contacts.language,
    contacts.rank,
    contacts.home,
    homes.area,
    homes.timezone,
    contacts.quiet,
    false AS absent
   FROM (public.contacts
     JOIN public.homes ON ((homes.id = contacts.home)))
UNION ALL
 SELECT responders.id,
    'responders'::text AS "group",
    responders.name,
    responders.role,
    responders.phone,
    responders.language,
    0 AS rank,
    NULL::text AS home,
    responders.area,
    NULL::text AS timezone,
    NULL::text AS quiet,
    (NOT responders.on_duty) AS absent
   FROM public.responders
  WHERE (responders.consented_on IS NOT NULL);

COMMENT ON VIEW public.reachable_people IS 'Whoever may be called in the night, and so must be known to be reached by day.';

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

CREATE TABLE public.responder_absences (
    responder text NOT NULL,
    absent_from timestamp with time zone NOT NULL,
    absent_until timestamp with time zone,
    stand_in text,
    CONSTRAINT responder_absences_check CHECK ((absent_until > absent_from)),
    CONSTRAINT responder_absences_check1 CHECK ((stand_in <> responder))
);

COMMENT ON COLUMN public.responder_absences.stand_in IS 'Who takes their shifts meanwhile, and is asked for their homes, too.';

CREATE TABLE public.rota_changes (
    id bigint NOT NULL,
    at timestamp with time zone NOT NULL,
    account text,
    what text NOT NULL,
    responder text,
    absent_from timestamp with time zone,
    absent_until timestamp with time zone,
    stand_in text,
    day date,
    counts_as text,
    CONSTRAINT rota_changes_check CHECK ((((responder IS NULL) = (absent_from IS NULL)) AND ((responder IS NULL) <> (day IS NULL)))),
    CONSTRAINT rota_changes_what_check CHECK ((what = ANY (ARRAY['added'::text, 'changed'::text, 'removed'::text])))
);

COMMENT ON TABLE public.rota_changes IS 'Who entered, changed and took back absences and holidays: whoever is not asked in the night, somebody has taken off the list.';

COMMENT ON COLUMN public.rota_changes.account IS 'Whose account it was; null: files that were taken in at the machine itself.';

ALTER TABLE public.rota_changes ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.rota_changes_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.routines (
    home text NOT NULL,
    detector text NOT NULL,
    label text NOT NULL,
    partition integer NOT NULL,
    state bytea NOT NULL,
    written_at timestamp with time zone NOT NULL
);
ALTER TABLE ONLY public.routines ALTER COLUMN state SET STORAGE EXTERNAL;

COMMENT ON TABLE public.routines IS 'What a detector has learned of a home. Written beside the checkpoint, and at most once a day for a home.';

CREATE TABLE public.send_turns (
    channel text NOT NULL,
    next_at timestamp with time zone NOT NULL
);

COMMENT ON TABLE public.send_turns IS 'From when the next may be sent where a provider takes so many a second. One row for all processes, locked by whoever claims.';

CREATE TABLE public.sends (
    id bigint NOT NULL,
    incident bigint,
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
    worker text,
    errand text,
    tries integer DEFAULT 0 NOT NULL,
    CONSTRAINT sends_for CHECK (((incident IS NULL) <> (errand IS NULL)))
);

COMMENT ON TABLE public.sends IS 'The outbox. The unique key is the promise that nobody is contacted twice for one step unless the repeat is declared.';

COMMENT ON COLUMN public.sends.purpose IS 'help: come · stage: what a device shows · change: news for whoever goes · family: news for who is told · test: can you be reached · week: the letter of the week.';

COMMENT ON COLUMN public.sends.errand IS 'What it is sent for, where that is no incident: `reach/2026-11-22`, `week/2026-W47`.';

COMMENT ON COLUMN public.sends.tries IS 'How often it was certainly not sent, and put back to be tried again.';

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

CREATE TABLE public.shadow_alarms (
    id uuid NOT NULL,
    home text NOT NULL,
    detector text NOT NULL,
    label text NOT NULL,
    kind text NOT NULL,
    rule text NOT NULL,
    device text,
    at timestamp with time zone NOT NULL,
    raised_at timestamp with time zone NOT NULL,
    restores uuid,
    follows uuid,
    evidence jsonb NOT NULL
);

COMMENT ON TABLE public.shadow_alarms IS 'What a version in shadow found. It rang nobody: it stands here to be compared with what the live one raised.';

COMMENT ON COLUMN public.shadow_alarms.restores IS 'The shadow alarm that this one says is over, or withdraws.';

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

CREATE TABLE public.suggestion_decisions (
    id bigint NOT NULL,
    rule text NOT NULL,
    home text,
    device text,
    decision text NOT NULL,
    decided_at timestamp with time zone NOT NULL,
    decided_by text NOT NULL,
    account text,
    was jsonb NOT NULL,
    proposed jsonb NOT NULL,
    evidence jsonb NOT NULL,
    CONSTRAINT suggestion_decisions_decision_check CHECK ((decision = ANY (ARRAY['accepted'::text, 'declined'::text])))
);

COMMENT ON TABLE public.suggestion_decisions IS 'Who accepted or declined what the closures suggested, and what spoke for it then. Nothing is changed without a row here.';

ALTER TABLE public.suggestion_decisions ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.suggestion_decisions_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.test_windows (
    id bigint NOT NULL,
    device text NOT NULL,
    home text,
    opened_by text NOT NULL,
    prompt uuid,
    opened_at timestamp with time zone NOT NULL,
    until timestamp with time zone NOT NULL,
    state text DEFAULT 'open'::text NOT NULL,
    reason text,
    prompted_at timestamp with time zone,
    alarm uuid,
    incident bigint,
    pressed_at timestamp with time zone,
    durable_at timestamp with time zone,
    shown_at timestamp with time zone,
    finished_at timestamp with time zone,
    CONSTRAINT test_windows_check CHECK ((until > opened_at)),
    CONSTRAINT test_windows_check1 CHECK (((state = 'open'::text) = (finished_at IS NULL))),
    CONSTRAINT test_windows_state_check CHECK ((state = ANY (ARRAY['open'::text, 'passed'::text, 'failed'::text, 'missed'::text])))
);

COMMENT ON TABLE public.test_windows IS 'While one is open, and until its one press has come, a device''s `test: true` is believed. Without `prompt` the device reminds by itself, and that nobody pressed is no fault.';

ALTER TABLE public.test_windows ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.test_windows_id_seq
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

CREATE TABLE public.visit_notes (
    alarm uuid NOT NULL,
    kind text NOT NULL,
    home text NOT NULL,
    noted_at timestamp with time zone NOT NULL,
    acknowledged_at timestamp with time zone,
    acknowledged_by text,
    CONSTRAINT visit_notes_check CHECK (((acknowledged_at IS NULL) = (acknowledged_by IS NULL)))
);

COMMENT ON TABLE public.visit_notes IS 'What detection notes for the next visit. It rings nobody; a named person takes note of it.';

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

CREATE TABLE public.webhooks_heard (
    key text NOT NULL,
    at timestamp with time zone NOT NULL
);

COMMENT ON TABLE public.webhooks_heard IS 'What the telephone provider has told and was acted on: told again, late or replayed, it has no effect. A key is the provider''s own id, or that of the send with the key that was pressed.';

CREATE TABLE public.words_pending (
    number text NOT NULL,
    text text NOT NULL,
    incidents bigint[] NOT NULL,
    at timestamp with time zone NOT NULL
);

COMMENT ON TABLE public.words_pending IS 'Who is asked for several open incidents wrote one word: they have been asked which one, in this order.';

ALTER TABLE ONLY public.accounts
    ADD CONSTRAINT accounts_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.activity_stored
    ADD CONSTRAINT activity_stored_home_hour_sensor_kind_key UNIQUE NULLS NOT DISTINCT (home, hour, sensor, kind);

ALTER TABLE ONLY public.alarm_repeats
    ADD CONSTRAINT alarm_repeats_pkey PRIMARY KEY (transmitter, digest);

ALTER TABLE ONLY public.alarm_transmitters
    ADD CONSTRAINT alarm_transmitters_device_key UNIQUE (device);

ALTER TABLE ONLY public.alarm_transmitters
    ADD CONSTRAINT alarm_transmitters_pkey PRIMARY KEY (code);

ALTER TABLE ONLY public.alarms
    ADD CONSTRAINT alarms_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.areas
    ADD CONSTRAINT areas_pkey PRIMARY KEY (code);

ALTER TABLE ONLY public.askings
    ADD CONSTRAINT askings_pkey PRIMARY KEY (alarm);

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

ALTER TABLE ONLY public.coverage
    ADD CONSTRAINT coverage_pkey PRIMARY KEY (area);

ALTER TABLE ONLY public.desk_shifts
    ADD CONSTRAINT desk_shifts_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.desk_tasks
    ADD CONSTRAINT desk_tasks_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.detection_homes
    ADD CONSTRAINT detection_homes_pkey PRIMARY KEY (home);

ALTER TABLE ONLY public.detection_partitions
    ADD CONSTRAINT detection_partitions_pkey PRIMARY KEY (partition);

ALTER TABLE ONLY public.detector_promotions
    ADD CONSTRAINT detector_promotions_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.device_certificates
    ADD CONSTRAINT device_certificates_pkey PRIMARY KEY (serial);

ALTER TABLE ONLY public.device_clocks
    ADD CONSTRAINT device_clocks_pkey PRIMARY KEY (device);

ALTER TABLE ONLY public.device_configs
    ADD CONSTRAINT device_configs_pkey PRIMARY KEY (device);

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

ALTER TABLE ONLY public.erasures
    ADD CONSTRAINT erasures_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.hearing
    ADD CONSTRAINT hearing_pkey PRIMARY KEY (lane);

ALTER TABLE ONLY public.helper_locations
    ADD CONSTRAINT helper_locations_pkey PRIMARY KEY (incident, helper);

ALTER TABLE ONLY public.holidays
    ADD CONSTRAINT holidays_pkey PRIMARY KEY (day);

ALTER TABLE ONLY public.home_code_tries
    ADD CONSTRAINT home_code_tries_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.home_codes
    ADD CONSTRAINT home_codes_pkey PRIMARY KEY (home);

ALTER TABLE ONLY public.homes
    ADD CONSTRAINT homes_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.incidents
    ADD CONSTRAINT incidents_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.journal_anchors
    ADD CONSTRAINT journal_anchors_pkey PRIMARY KEY (number);

ALTER TABLE ONLY public.journal_heads
    ADD CONSTRAINT journal_heads_pkey PRIMARY KEY (anchor, incident);

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

ALTER TABLE ONLY public.packet_openings
    ADD CONSTRAINT packet_openings_pkey PRIMARY KEY (packet, number);

ALTER TABLE ONLY public.packet_versions
    ADD CONSTRAINT packet_versions_pkey PRIMARY KEY (incident, number);

ALTER TABLE ONLY public.packets
    ADD CONSTRAINT packets_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.parked
    ADD CONSTRAINT parked_log_consumer_partition_position_key UNIQUE (log, consumer, partition, "position");

ALTER TABLE ONLY public.parked
    ADD CONSTRAINT parked_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.people
    ADD CONSTRAINT people_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.person_limits
    ADD CONSTRAINT person_limits_pkey PRIMARY KEY (home, kind);

ALTER TABLE ONLY public.policy_books
    ADD CONSTRAINT policy_books_pkey PRIMARY KEY (version);

ALTER TABLE ONLY public.providers_down
    ADD CONSTRAINT providers_down_pkey PRIMARY KEY (process, channel, provider);

ALTER TABLE ONLY public.readings_kept
    ADD CONSTRAINT readings_kept_pkey PRIMARY KEY (singleton);

ALTER TABLE ONLY public.rejected_counts
    ADD CONSTRAINT rejected_counts_pkey PRIMARY KEY (day, reason);

ALTER TABLE ONLY public.rejected
    ADD CONSTRAINT rejected_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.responder_absences
    ADD CONSTRAINT responder_absences_pkey PRIMARY KEY (responder, absent_from);

ALTER TABLE ONLY public.responders
    ADD CONSTRAINT responders_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.rollups_due
    ADD CONSTRAINT rollups_due_pkey PRIMARY KEY (home, hour);

ALTER TABLE ONLY public.rota_changes
    ADD CONSTRAINT rota_changes_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.routines
    ADD CONSTRAINT routines_pkey PRIMARY KEY (home, detector, label);

ALTER TABLE ONLY public.send_turns
    ADD CONSTRAINT send_turns_pkey PRIMARY KEY (channel);

ALTER TABLE ONLY public.sends
    ADD CONSTRAINT sends_incident_step_repeat_purpose_channel_recipient_key UNIQUE (incident, step, repeat, purpose, channel, recipient);

ALTER TABLE ONLY public.sends
    ADD CONSTRAINT sends_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.sessions
    ADD CONSTRAINT sessions_pkey PRIMARY KEY (token_hash);

ALTER TABLE ONLY public.shadow_alarms
    ADD CONSTRAINT shadow_alarms_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.sign_in_failures
    ADD CONSTRAINT sign_in_failures_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.suggestion_decisions
    ADD CONSTRAINT suggestion_decisions_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.test_windows
    ADD CONSTRAINT test_windows_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.test_windows
    ADD CONSTRAINT test_windows_prompt_key UNIQUE (prompt);

ALTER TABLE ONLY public.tokens
    ADD CONSTRAINT tokens_name_key UNIQUE (name);

ALTER TABLE ONLY public.tokens
    ADD CONSTRAINT tokens_pkey PRIMARY KEY (token_hash);

ALTER TABLE ONLY public.visit_notes
    ADD CONSTRAINT visit_notes_pkey PRIMARY KEY (alarm);

ALTER TABLE ONLY public.vitals_stored
    ADD CONSTRAINT vitals_stored_pkey PRIMARY KEY (home, hour, device, kind);

ALTER TABLE ONLY public.webhooks_heard
    ADD CONSTRAINT webhooks_heard_pkey PRIMARY KEY (key);

ALTER TABLE ONLY public.words_pending
    ADD CONSTRAINT words_pending_pkey PRIMARY KEY (number);

CREATE INDEX alarms_by_device ON public.alarms USING btree (device, kind, raised_at);

CREATE INDEX alarms_by_home ON public.alarms USING btree (home, raised_at);

CREATE INDEX alarms_by_incident ON public.alarms USING btree (incident);

CREATE INDEX alarms_by_time ON public.alarms USING btree (raised_at);

CREATE INDEX alarms_waiting ON public.alarms USING btree (raised_at) WHERE (taken_at IS NULL);

CREATE INDEX alarms_withdrawn ON public.alarms USING btree (((evidence ->> 'restores'::text))) WHERE (kind = 'withdrawn'::text);

CREATE INDEX askings_by_danger ON public.askings USING btree (danger) WHERE (danger IS NOT NULL);

CREATE INDEX askings_by_home ON public.askings USING btree (home, begun_at);

CREATE INDEX askings_open ON public.askings USING btree (until) WHERE (ended_at IS NULL);

CREATE INDEX askings_to_tell ON public.askings USING btree (until) WHERE ((not_asked IS NULL) AND (taken_back_at IS NULL));

CREATE INDEX contacts_by_phone ON public.contacts USING btree (phone);

CREATE INDEX desk_shifts_by_account ON public.desk_shifts USING btree (account, since);

CREATE UNIQUE INDEX desk_tasks_open ON public.desk_tasks USING btree (kind, subject) WHERE (done_at IS NULL);

CREATE INDEX detection_homes_by_partition ON public.detection_homes USING btree (partition);

CREATE INDEX device_certificates_by_device ON public.device_certificates USING btree (device);

CREATE INDEX device_configs_due ON public.device_configs USING btree (device) WHERE ((published_revision IS DISTINCT FROM revision) OR (NOT wanted));

CREATE INDEX device_configs_published ON public.device_configs USING btree (published_number);

CREATE INDEX device_configs_reminded ON public.device_configs USING btree (reminder_weekday, reminder_hour) WHERE (reminder_weekday IS NOT NULL);

CREATE INDEX devices_by_gateway ON public.devices USING btree (gateway) WHERE (gateway IS NOT NULL);

CREATE INDEX devices_by_home ON public.devices USING btree (home);

CREATE INDEX home_code_tries_by_incident ON public.home_code_tries USING btree (incident, at);

CREATE INDEX homes_by_phone ON public.homes USING btree (phone) WHERE (phone IS NOT NULL);

CREATE INDEX incidents_attended ON public.incidents USING btree (home, (((body -> 'helper'::text) ->> 'id'::text))) WHERE ((wake_at IS NULL) AND ((body ->> 'helper'::text) IS NOT NULL));

CREATE INDEX incidents_by_end ON public.incidents USING btree (t9);

CREATE INDEX incidents_by_home ON public.incidents USING btree (home, opened_at);

CREATE INDEX incidents_by_opening ON public.incidents USING btree (opened_at);

CREATE INDEX incidents_due ON public.incidents USING btree (wake_at) WHERE (wake_at IS NOT NULL);

CREATE INDEX incidents_going ON public.incidents USING gin (public.going_to(body)) WITH (fastupdate=off) WHERE ((wake_at IS NOT NULL) AND ((body ->> 'helper'::text) IS NOT NULL));

CREATE INDEX journal_by_time ON public.journal USING btree (at);

CREATE INDEX journal_heads_by_incident ON public.journal_heads USING btree (incident);

CREATE UNIQUE INDEX one_open_danger ON public.incidents USING btree (home) WHERE ((state <> 'closed'::text) AND danger AND (NOT test));

COMMENT ON INDEX public.one_open_danger IS 'Ends the race of two alarms of one home that both find no open incident: the second one joins the first''s.';

CREATE UNIQUE INDEX one_open_danger_test ON public.incidents USING btree (device) WHERE ((state <> 'closed'::text) AND danger AND test);

CREATE UNIQUE INDEX one_open_danger_unbound ON public.incidents USING btree (device) WHERE ((state <> 'closed'::text) AND danger AND (home IS NULL) AND (NOT test));

CREATE UNIQUE INDEX one_open_group ON public.incidents USING btree (grouped_by, grouped_of) WHERE ((state <> 'closed'::text) AND (grouped_by IS NOT NULL));

COMMENT ON INDEX public.one_open_group IS 'Ends the race of two that group the same silence.';

CREATE UNIQUE INDEX one_open_test ON public.test_windows USING btree (device) WHERE (state = 'open'::text);

CREATE INDEX packets_by_incident ON public.packets USING btree (incident);

CREATE INDEX parked_by_time ON public.parked USING btree (parked_at);

CREATE INDEX people_by_home ON public.people USING btree (home);

CREATE INDEX people_by_phone ON public.people USING btree (phone) WHERE (phone IS NOT NULL);

CREATE INDEX readings_by_home ON ONLY public.readings USING btree (home, at);

CREATE UNIQUE INDEX readings_once ON ONLY public.readings USING btree (device, boot, seq, at);

CREATE INDEX rejected_by_device ON public.rejected USING btree (device, received_at) WHERE (device IS NOT NULL);

CREATE INDEX rejected_by_reason ON public.rejected USING btree (reason, received_at);

CREATE INDEX rejected_by_time ON public.rejected USING btree (received_at);

CREATE INDEX responder_absences_by_stand_in ON public.responder_absences USING btree (stand_in) WHERE (stand_in IS NOT NULL);

CREATE INDEX responders_by_area ON public.responders USING btree (area);

CREATE INDEX responders_by_phone ON public.responders USING btree (phone);

CREATE INDEX rollups_due_by_hour ON public.rollups_due USING btree (hour);

CREATE INDEX rota_changes_by_absence ON public.rota_changes USING btree (responder, absent_from, id) WHERE (responder IS NOT NULL);

CREATE INDEX routines_by_partition ON public.routines USING btree (partition);

CREATE INDEX sends_by_address ON public.sends USING btree (address, id);

CREATE INDEX sends_by_incident ON public.sends USING btree (incident);

CREATE UNIQUE INDEX sends_by_provider ON public.sends USING btree (provider_id) WHERE (provider_id IS NOT NULL);

CREATE INDEX sends_due ON public.sends USING btree (due_at) WHERE (state = ANY (ARRAY['waiting'::text, 'dialling'::text]));

CREATE UNIQUE INDEX sends_of_errands ON public.sends USING btree (errand, repeat, channel, recipient) WHERE (errand IS NOT NULL);

CREATE INDEX sessions_by_account ON public.sessions USING btree (account);

CREATE INDEX shadow_alarms_by_home ON public.shadow_alarms USING btree (home, raised_at);

CREATE INDEX shadow_alarms_by_version ON public.shadow_alarms USING btree (detector, label, raised_at);

CREATE INDEX shadow_alarms_over ON public.shadow_alarms USING btree (restores) WHERE (restores IS NOT NULL);

CREATE INDEX sign_in_failures_by_account ON public.sign_in_failures USING btree (account, at);

CREATE INDEX suggestion_decisions_by_subject ON public.suggestion_decisions USING btree (rule, home, device, decided_at);

CREATE INDEX test_windows_by_device ON public.test_windows USING btree (device, id);

CREATE INDEX test_windows_by_incident ON public.test_windows USING btree (incident);

CREATE INDEX test_windows_open ON public.test_windows USING btree (until) WHERE (state = 'open'::text);

CREATE INDEX visit_notes_by_home ON public.visit_notes USING btree (home, noted_at);

CREATE INDEX visit_notes_open ON public.visit_notes USING btree (noted_at) WHERE (acknowledged_at IS NULL);

CREATE INDEX webhooks_heard_by_time ON public.webhooks_heard USING btree (at);

CREATE INDEX words_pending_by_time ON public.words_pending USING btree (at);

CREATE TRIGGER alarm_raised AFTER INSERT ON public.alarms FOR EACH STATEMENT EXECUTE FUNCTION public.alarm_raised();

CREATE TRIGGER anchors_are_append_only BEFORE DELETE OR UPDATE ON public.journal_anchors FOR EACH ROW EXECUTE FUNCTION public.anchors_are_append_only();

CREATE TRIGGER asking_changed AFTER INSERT OR UPDATE OF answered_at, ended_at ON public.askings FOR EACH ROW EXECUTE FUNCTION public.asking_changed();

CREATE TRIGGER detector_promotions_is_append_only BEFORE DELETE OR UPDATE ON public.detector_promotions FOR EACH ROW EXECUTE FUNCTION public.detector_promotions_is_append_only();

CREATE TRIGGER device_certificates_changed AFTER INSERT OR DELETE OR UPDATE ON public.device_certificates FOR EACH STATEMENT EXECUTE FUNCTION public.register_changed();

CREATE TRIGGER device_config_changed AFTER INSERT OR UPDATE OF revision, wanted ON public.device_configs FOR EACH STATEMENT EXECUTE FUNCTION public.device_config_changed();

CREATE TRIGGER device_config_follows_change AFTER UPDATE ON public.devices FOR EACH ROW WHEN (((old.heartbeat_seconds <> new.heartbeat_seconds) OR (old.gateway IS DISTINCT FROM new.gateway) OR (old.kind <> new.kind))) EXECUTE FUNCTION public.device_config_follows();

CREATE TRIGGER device_config_follows_new AFTER INSERT OR DELETE ON public.devices FOR EACH ROW EXECUTE FUNCTION public.device_config_follows();

CREATE TRIGGER devices_changed AFTER INSERT OR DELETE OR UPDATE ON public.devices FOR EACH STATEMENT EXECUTE FUNCTION public.register_changed();

CREATE TRIGGER devices_gone AFTER DELETE ON public.devices FOR EACH ROW EXECUTE FUNCTION public.device_gone();

CREATE TRIGGER heads_are_append_only BEFORE DELETE OR UPDATE ON public.journal_heads FOR EACH ROW EXECUTE FUNCTION public.anchors_are_append_only();

CREATE TRIGGER homes_changed AFTER INSERT OR DELETE OR UPDATE OF revision ON public.homes FOR EACH STATEMENT EXECUTE FUNCTION public.register_changed();

CREATE TRIGGER incident_changed AFTER INSERT OR UPDATE ON public.incidents FOR EACH ROW EXECUTE FUNCTION public.incident_changed();

CREATE TRIGGER incident_closed AFTER UPDATE ON public.incidents FOR EACH ROW WHEN (((old.state <> 'closed'::text) AND (new.state = 'closed'::text))) EXECUTE FUNCTION public.incident_closed();

CREATE TRIGGER journal_is_append_only BEFORE DELETE OR UPDATE ON public.journal FOR EACH ROW EXECUTE FUNCTION public.journal_is_append_only();

CREATE TRIGGER letters_forgotten AFTER DELETE ON public.people FOR EACH ROW EXECUTE FUNCTION public.letters_forgotten();

CREATE TRIGGER policy_books_stay BEFORE DELETE OR UPDATE ON public.policy_books FOR EACH ROW EXECUTE FUNCTION public.policy_books_stay();

CREATE TRIGGER readings_arrived AFTER INSERT ON public.readings REFERENCING NEW TABLE AS arrived FOR EACH STATEMENT EXECUTE FUNCTION public.readings_arrived();

CREATE TRIGGER rota_forgotten AFTER DELETE ON public.responders FOR EACH ROW EXECUTE FUNCTION public.rota_forgotten();

CREATE TRIGGER send_changed AFTER INSERT OR UPDATE ON public.sends FOR EACH ROW EXECUTE FUNCTION public.send_changed();

CREATE TRIGGER test_window_opened AFTER INSERT ON public.test_windows FOR EACH STATEMENT EXECUTE FUNCTION public.test_window_opened();

CREATE TRIGGER told_forgotten AFTER DELETE ON public.contacts FOR EACH ROW EXECUTE FUNCTION public.told_forgotten();

CREATE TRIGGER told_forgotten AFTER DELETE ON public.responders FOR EACH ROW EXECUTE FUNCTION public.told_forgotten();

ALTER TABLE ONLY public.accounts
    ADD CONSTRAINT accounts_area_fkey FOREIGN KEY (area) REFERENCES public.areas(code);

ALTER TABLE ONLY public.alarm_repeats
    ADD CONSTRAINT alarm_repeats_transmitter_fkey FOREIGN KEY (transmitter) REFERENCES public.alarm_transmitters(code) ON DELETE CASCADE;

ALTER TABLE ONLY public.alarm_transmitters
    ADD CONSTRAINT alarm_transmitters_device_fkey FOREIGN KEY (device) REFERENCES public.devices(id) ON DELETE CASCADE;

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

ALTER TABLE ONLY public.desk_shifts
    ADD CONSTRAINT desk_shifts_account_fkey FOREIGN KEY (account) REFERENCES public.accounts(id);

ALTER TABLE ONLY public.detector_promotions
    ADD CONSTRAINT detector_promotions_scope_fkey FOREIGN KEY (scope) REFERENCES public.areas(code);

ALTER TABLE ONLY public.devices
    ADD CONSTRAINT devices_gateway_fkey FOREIGN KEY (gateway) REFERENCES public.devices(id);

ALTER TABLE ONLY public.devices
    ADD CONSTRAINT devices_home_fkey FOREIGN KEY (home) REFERENCES public.homes(id);

ALTER TABLE ONLY public.helper_locations
    ADD CONSTRAINT helper_locations_incident_fkey FOREIGN KEY (incident) REFERENCES public.incidents(id);

ALTER TABLE ONLY public.home_code_tries
    ADD CONSTRAINT home_code_tries_incident_fkey FOREIGN KEY (incident) REFERENCES public.incidents(id);

ALTER TABLE ONLY public.home_codes
    ADD CONSTRAINT home_codes_home_fkey FOREIGN KEY (home) REFERENCES public.homes(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.homes
    ADD CONSTRAINT homes_area_fkey FOREIGN KEY (area) REFERENCES public.areas(code);

ALTER TABLE ONLY public.incidents
    ADD CONSTRAINT incidents_area_fkey FOREIGN KEY (area) REFERENCES public.areas(code);

ALTER TABLE ONLY public.incidents
    ADD CONSTRAINT incidents_home_fkey FOREIGN KEY (home) REFERENCES public.homes(id);

ALTER TABLE ONLY public.incidents
    ADD CONSTRAINT incidents_person_fkey FOREIGN KEY (person) REFERENCES public.people(id);

ALTER TABLE ONLY public.journal_heads
    ADD CONSTRAINT journal_heads_anchor_fkey FOREIGN KEY (anchor) REFERENCES public.journal_anchors(number);

ALTER TABLE ONLY public.journal
    ADD CONSTRAINT journal_incident_fkey FOREIGN KEY (incident) REFERENCES public.incidents(id);

ALTER TABLE ONLY public.packet_openings
    ADD CONSTRAINT packet_openings_packet_fkey FOREIGN KEY (packet) REFERENCES public.packets(id);

ALTER TABLE ONLY public.packet_versions
    ADD CONSTRAINT packet_versions_incident_fkey FOREIGN KEY (incident) REFERENCES public.incidents(id);

ALTER TABLE ONLY public.packets
    ADD CONSTRAINT packets_incident_fkey FOREIGN KEY (incident) REFERENCES public.incidents(id);

ALTER TABLE ONLY public.people
    ADD CONSTRAINT people_home_fkey FOREIGN KEY (home) REFERENCES public.homes(id);

ALTER TABLE ONLY public.person_limits
    ADD CONSTRAINT person_limits_home_fkey FOREIGN KEY (home) REFERENCES public.homes(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.responder_absences
    ADD CONSTRAINT responder_absences_responder_fkey FOREIGN KEY (responder) REFERENCES public.responders(id);

ALTER TABLE ONLY public.responder_absences
    ADD CONSTRAINT responder_absences_stand_in_fkey FOREIGN KEY (stand_in) REFERENCES public.responders(id);

ALTER TABLE ONLY public.responders
    ADD CONSTRAINT responders_area_fkey FOREIGN KEY (area) REFERENCES public.areas(code);

ALTER TABLE ONLY public.sends
    ADD CONSTRAINT sends_incident_fkey FOREIGN KEY (incident) REFERENCES public.incidents(id);

ALTER TABLE ONLY public.sessions
    ADD CONSTRAINT sessions_account_fkey FOREIGN KEY (account) REFERENCES public.accounts(id);

ALTER TABLE ONLY public.test_windows
    ADD CONSTRAINT test_windows_incident_fkey FOREIGN KEY (incident) REFERENCES public.incidents(id);

ALTER TABLE ONLY public.tokens
    ADD CONSTRAINT tokens_area_fkey FOREIGN KEY (area) REFERENCES public.areas(code);
