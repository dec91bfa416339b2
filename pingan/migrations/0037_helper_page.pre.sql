-- The helper's page and the hand-over packet: where a helper is while they go, the code on a home's wall, who tried it,
-- and which versions of an incident's packet were given to whom.

create table helper_locations (
    incident bigint not null references incidents,
    helper text not null,
    at timestamptz not null,
    latitude double precision not null check (latitude between -90 and 90),
    longitude double precision not null check (longitude between -180 and 180),
    accuracy_m double precision not null check (accuracy_m >= 0),
    primary key (incident, helper)
);
comment on table helper_locations is 'The last fix (WGS-84) of a helper who goes and has agreed to it. It ends with the incident, or when they take it back.';

create function incident_closed() returns trigger language plpgsql as $$
begin
    delete from helper_locations where incident = new.id;
    return null;
end $$;
create trigger incident_closed after update on incidents for each row
when (old.state <> 'closed' and new.state = 'closed') execute function incident_closed();

create table home_codes (
    home text primary key references homes on delete cascade,
    code text not null check (code ~ '^[2-9A-HJ-NP-Z]{6}$'),
    made_at timestamptz not null,
    made_by text not null
);
comment on table home_codes is 'What is printed and put up in a home: whoever enters it has been inside. No 0 and O, no 1 and I.';

create table home_code_tries (
    id bigint generated always as identity primary key,
    incident bigint not null references incidents,
    helper text not null,
    at timestamptz not null
);
create index home_code_tries_by_incident on home_code_tries (incident, at);
comment on table home_code_tries is 'Written before the code is looked at, so that many at once are counted too.';

create table packets (
    id bigint generated always as identity primary key,
    incident bigint not null references incidents,
    issued_at timestamptz not null,
    issued_by text not null,
    name text not null,
    phone text,
    language text not null check (language in ('zh', 'en'))
);
create index packets_by_incident on packets (incident);
comment on table packets is 'To whom the hand-over packet of an incident was given: each has a link of their own. Without a telephone it was copied.';

create table packet_versions (
    incident bigint not null references incidents,
    number integer not null,
    made_at timestamptz not null,
    parts jsonb not null,
    changed text[] not null,
    primary key (incident, number)
);
comment on column packet_versions.parts is 'Part → keyed fingerprint of what it says: enough to see that it has changed, and nothing that can be read.';

create table packet_openings (
    packet bigint not null references packets,
    number integer not null,
    at timestamptz not null,
    primary key (packet, number)
);
comment on table packet_openings is 'When whoever was given a packet first opened each version.';
