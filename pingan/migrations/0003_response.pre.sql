-- The response: alarms, incidents, their journal, and what is to be sent to whom by when.

create table detection_partitions (
    partition integer primary key,
    heard_ms bigint not null,
    at_ms bigint not null,
    epoch bigint not null
);
comment on table detection_partitions is 'A watch''s time at its checkpoint, one row a partition. The position stands in leases.';

create table detection_homes (
    home text primary key,
    partition integer not null,
    version integer not null,
    state bytea not null
);
create index detection_homes_by_partition on detection_homes (partition);

create table incidents (
    id bigint generated always as identity primary key,
    home text references homes,
    person text references people,
    device text,
    cause text not null,
    danger boolean not null,
    test boolean not null,
    state text not null,
    version integer not null,
    wake_at timestamptz,
    opened_at timestamptz not null,
    body jsonb not null,
    t0 timestamptz, t1 timestamptz, t2 timestamptz, t3 timestamptz, t4 timestamptz,
    t5 timestamptz, t6 timestamptz, t7 timestamptz, t8 timestamptz, t9 timestamptz,
    check ((state <> 'closed') = (wake_at is not null)),
    check ((state = 'closed') = (t9 is not null))
);
create unique index one_open_danger on incidents (home) where state <> 'closed' and danger;
comment on index one_open_danger is 'Ends the race of two alarms of one home that both find no open incident: the second one joins the first''s.';
create unique index one_open_danger_unbound on incidents (device) where state <> 'closed' and danger and home is null;
create index incidents_due on incidents (wake_at) where wake_at is not null;
create index incidents_by_home on incidents (home, opened_at);

create table alarms (
    id uuid primary key,
    kind text not null,
    home text,
    device text,
    at timestamptz not null,
    device_at timestamptz,
    clock text,
    received_at timestamptz not null,
    raised_at timestamptz not null,
    test boolean not null,
    evidence jsonb not null,
    incident bigint references incidents,
    taken_at timestamptz,
    check (incident is null or taken_at is not null)
);
create index alarms_waiting on alarms (raised_at) where taken_at is null;
create index alarms_by_incident on alarms (incident);
create index alarms_by_home on alarms (home, raised_at);

create function alarm_raised() returns trigger language plpgsql as $$
begin
    perform pg_notify('alarm', '');
    return null;
end $$;
create trigger alarm_raised after insert on alarms for each statement execute function alarm_raised();

create table journal (
    incident bigint not null references incidents,
    number integer not null,
    at timestamptz not null,
    event text not null,
    decision text not null,
    actor text not null,
    detail jsonb not null,
    hash bytea not null,
    primary key (incident, number)
);
comment on table journal is 'Append-only: each hash covers the one before it, so that a changed or missing entry shows.';
create function journal_is_append_only() returns trigger language plpgsql as $$
begin
    raise exception 'the journal is append-only';
end $$;
create trigger journal_is_append_only before update or delete on journal for each row execute function journal_is_append_only();

create table sends (
    id bigint generated always as identity primary key,
    incident bigint not null references incidents,
    step integer not null,
    repeat integer not null default 0,
    purpose text not null,
    channel text not null,
    recipient text not null,
    name text not null,
    address text not null,
    language text not null,
    body jsonb not null,
    due_at timestamptz not null,
    deadline_at timestamptz not null,
    state text not null default 'waiting',
    dialled_at timestamptz,
    finished_at timestamptz,
    provider_id text,
    result text,
    worker text,
    unique (incident, step, repeat, purpose, channel, recipient)
);
comment on table sends is 'The outbox. The unique key is the promise that nobody is contacted twice for one step unless the repeat is declared.';
create index sends_due on sends (due_at) where state in ('waiting', 'dialling');
create index sends_by_incident on sends (incident);
create unique index sends_by_provider on sends (provider_id) where provider_id is not null;

create function incident_changed() returns trigger language plpgsql as $$
begin
    perform pg_notify('incident', new.id::text || ' ' || new.version::text);
    return null;
end $$;
create trigger incident_changed after insert or update on incidents for each row execute function incident_changed();

create function send_changed() returns trigger language plpgsql as $$
begin
    if new.state = 'waiting' then
        perform pg_notify('outbox', '');
    end if;
    return null;
end $$;
create trigger send_changed after insert or update on sends for each row execute function send_changed();

create table consoles (
    id uuid primary key,
    account text not null references accounts,
    seen_at timestamptz not null,
    sound boolean not null,
    visible boolean not null
);
comment on table consoles is 'Who is at the desk: pages that have lately said that they are visible and can sound.';
