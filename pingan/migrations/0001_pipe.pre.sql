-- The pipe: who owns what, the log, and what it could not carry.

create table leases (
    name text not null,
    partition integer not null,
    epoch bigint not null default 0,
    owner text,
    position bigint not null default 0,
    primary key (name, partition)
);
comment on table leases is 'One writer per partition: taking a row increments its epoch, and every effect locks the row where the epoch is its own. A consumer''s position stands in the same row, so that one update both fences and remembers.';

create table lease_members (
    name text not null,
    owner text not null,
    beat bigint not null default 0,
    primary key (name, owner)
);
comment on table lease_members is 'Who is there to own. A member whose beat stands still, by the observer''s own clock, is gone: no two clocks are compared.';

create table log_heads (
    log text not null,
    partition integer not null,
    position bigint not null default 0,
    primary key (log, partition)
);

create table log_batches (
    log text not null,
    partition integer not null,
    last_position bigint not null,
    count integer not null check (count > 0),
    appended_at timestamptz not null,
    body bytea not null,
    primary key (log, partition, last_position)
);
alter table log_batches alter column body set storage external;
comment on column log_batches.body is 'A MessagePack list of the batch''s messages; its positions end at last_position.';

insert into log_heads (log, partition)
select log, partition from unnest(array['readings', 'urgent']) log, generate_series(0, 63) partition;

create function log_append(the_log text, partitions integer[], counts integer[], bodies bytea[], at timestamptz)
returns void language plpgsql as $$
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

create table parked (
    id bigint generated always as identity primary key,
    log text not null,
    consumer text not null,
    partition integer not null,
    position bigint not null,
    parked_at timestamptz not null,
    reason text not null,
    body bytea not null,
    unique (log, consumer, partition, position)
);
comment on table parked is 'Entries of the log that a consumer could not read or act on: set aside, so that what stands behind them goes on.';

create table rejected (
    id bigint generated always as identity primary key,
    received_at timestamptz not null,
    device text,
    topic text not null,
    reason text not null,
    detail text not null,
    payload bytea not null check (octet_length(payload) <= 4096),
    payload_bytes integer not null
);
create index rejected_by_time on rejected (received_at);
comment on table rejected is 'Samples of what devices sent and we could not take: the first 4 KiB of each, a bounded number per reason and minute.';

create table rejected_counts (
    day date not null,
    reason text not null,
    count bigint not null,
    primary key (day, reason)
);

create table readings (
    at timestamptz not null,
    received_at timestamptz not null,
    device text not null,
    home text,
    boot text not null,
    seq bigint not null,
    kind text not null,
    sensor text,
    value double precision,
    detail jsonb,
    clock text
) partition by range (at);
create unique index readings_once on readings (device, boot, seq, at);
create index readings_by_home on readings (home, at);
comment on table readings is 'The archive. `at` is the device''s time, corrected; a number stands in value, anything else in detail. Daily partitions are made by the archive as they are needed.';

create table driven_clock (
    singleton boolean primary key default true check (singleton),
    at timestamptz not null,
    step bigint not null
);
comment on table driven_clock is 'Simulation only: the time that the simulator has published, for the processes that do not hear it.';
