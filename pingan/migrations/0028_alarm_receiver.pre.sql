-- The alarm receiver: transmitters that speak SOS Access, and what has to be remembered of each.

create table alarm_transmitters (
    code text primary key check (length(code) between 1 and 15),
    device text not null unique references devices on delete cascade,
    authentication_hash text not null,
    next_hash text,
    monitored boolean not null default true,
    enrolled_at timestamptz not null,
    seq bigint not null default 0,
    faults text[] not null default '{}',
    pings integer not null default 0,
    pings_since timestamptz
);
comment on table alarm_transmitters is 'A transmitter''s code (SOS Access: transmittercode), which device of the register it is, and its credentials.';
comment on column alarm_transmitters.next_hash is 'Of the authentication that it asked for and was given: from its first use on it alone is valid; until then both are.';
comment on column alarm_transmitters.monitored is 'Whether its line is watched: otherwise its heartbeats are refused.';
comment on column alarm_transmitters.faults is 'What it has reported as wrong and not yet as mended: the protocol tells changes, detection wants the whole.';
comment on column alarm_transmitters.pings_since is 'Since when its heartbeats are counted, so that too many can be told.';

create table alarm_repeats (
    transmitter text not null references alarm_transmitters on delete cascade,
    digest bytea not null,
    event text not null,
    first_at timestamptz not null,
    times integer not null,
    primary key (transmitter, digest)
);
comment on table alarm_repeats is 'Alarms of the last minutes, by what they said: one that comes again at once, because its answer was lost, is the same event.';
