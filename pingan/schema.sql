-- What the migrations make, for reading. `make schema` writes it; a test holds it equal.

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

CREATE FUNCTION public.readings_day(day date) RETURNS void
    LANGUAGE plpgsql
    AS $$
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

COMMENT ON FUNCTION public.readings_day(day date) IS 'Makes the partition of `readings` for one day (UTC), if there is none.';

CREATE FUNCTION public.register_changed() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
begin
    perform pg_notify('register', tg_table_name);
    return null;
end $$;

CREATE FUNCTION public.send_changed() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
begin
    if new.state = 'waiting' then
        perform pg_notify('outbox', '');
    end if;
    return null;
end $$;

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

CREATE TABLE public.devices (
    id text NOT NULL,
    home text,
    kind text NOT NULL,
    model text,
    heartbeat_seconds integer DEFAULT 90 NOT NULL,
    mqtt_password_hash text,
    enabled boolean DEFAULT true NOT NULL,
    enrolled_at timestamp with time zone NOT NULL,
    CONSTRAINT devices_heartbeat_seconds_check CHECK ((heartbeat_seconds = ANY (ARRAY[90, 180, 900, 18000, 90000]))),
    CONSTRAINT devices_id_check CHECK ((id ~ '^[A-Za-z0-9_-]{1,64}$'::text)),
    CONSTRAINT devices_kind_check CHECK ((kind = ANY (ARRAY['button'::text, 'pendant'::text, 'hub'::text, 'watch'::text, 'motion'::text, 'door'::text, 'bed'::text, 'smoke'::text, 'gas'::text, 'co'::text, 'water'::text, 'clock'::text])))
);

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

ALTER TABLE ONLY public.accounts
    ADD CONSTRAINT accounts_pkey PRIMARY KEY (id);

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

ALTER TABLE ONLY public.rejected_counts
    ADD CONSTRAINT rejected_counts_pkey PRIMARY KEY (day, reason);

ALTER TABLE ONLY public.rejected
    ADD CONSTRAINT rejected_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.responders
    ADD CONSTRAINT responders_pkey PRIMARY KEY (id);

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

CREATE INDEX alarms_by_home ON public.alarms USING btree (home, raised_at);

CREATE INDEX alarms_by_incident ON public.alarms USING btree (incident);

CREATE INDEX alarms_waiting ON public.alarms USING btree (raised_at) WHERE (taken_at IS NULL);

CREATE INDEX detection_homes_by_partition ON public.detection_homes USING btree (partition);

CREATE INDEX devices_by_home ON public.devices USING btree (home);

CREATE INDEX incidents_by_end ON public.incidents USING btree (t9);

CREATE INDEX incidents_by_home ON public.incidents USING btree (home, opened_at);

CREATE INDEX incidents_due ON public.incidents USING btree (wake_at) WHERE (wake_at IS NOT NULL);

CREATE UNIQUE INDEX one_open_danger ON public.incidents USING btree (home) WHERE ((state <> 'closed'::text) AND danger);

COMMENT ON INDEX public.one_open_danger IS 'Ends the race of two alarms of one home that both find no open incident: the second one joins the first''s.';

CREATE UNIQUE INDEX one_open_danger_unbound ON public.incidents USING btree (device) WHERE ((state <> 'closed'::text) AND danger AND (home IS NULL));

CREATE INDEX people_by_home ON public.people USING btree (home);

CREATE INDEX readings_by_home ON ONLY public.readings USING btree (home, at);

CREATE UNIQUE INDEX readings_once ON ONLY public.readings USING btree (device, boot, seq, at);

CREATE INDEX rejected_by_time ON public.rejected USING btree (received_at);

CREATE INDEX responders_by_area ON public.responders USING btree (area);

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
