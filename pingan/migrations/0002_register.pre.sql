-- The register: who lives where, how to get in, whom to call, which device is whose.

create table areas (
    code text primary key,
    name text not null,
    level text not null check (level in ('city', 'district', 'town', 'village')),
    parent text references areas,
    check ((level = 'city') = (parent is null)),
    check (starts_with(code, parent) and code <> parent)
);
comment on table areas is '市 — 县/区 — 乡/镇/街道 — 村/社区. A code begins with its parent''s code, so that a scope is a prefix.';

create table homes (
    id text primary key,
    area text not null references areas,
    address text not null,
    phone text,
    way_in text,
    way_in_proven_on date,
    latitude double precision check (latitude between -90 and 90),
    longitude double precision check (longitude between -180 and 180),
    coordinates text check (coordinates in ('WGS-84', 'GCJ-02')),
    inactivity_hours double precision check (inactivity_hours > 0),
    policy text,
    revision bigint not null default 1,
    announced bigint not null default 0,
    check ((latitude is null) = (longitude is null) and (latitude is null) = (coordinates is null))
);
comment on column homes.revision is 'Raised by every change that detection must know of; ingest announces it into the home''s partition and sets announced.';

create table people (
    id text primary key,
    home text not null references homes,
    name text not null,
    born_on date,
    sex text check (sex in ('female', 'male')),
    language text not null default 'zh' check (language in ('zh', 'en')),
    phone text,
    category text,
    conditions text,
    medication text,
    hospital text,
    note text
);
create index people_by_home on people (home);

create table contacts (
    id text primary key,
    home text not null references homes,
    rank integer not null check (rank >= 1),
    name text not null,
    relation text not null,
    role text not null check (role in ('family', 'neighbour', 'friend', 'property', 'carer')),
    phone text not null,
    language text not null default 'zh' check (language in ('zh', 'en')),
    has_key boolean not null default false,
    unique (home, rank) deferrable initially deferred
);
comment on constraint contacts_home_rank_key on contacts is 'Deferred, so that two contacts can change places in one transaction.';

create table responders (
    id text primary key,
    name text not null,
    role text not null check (role in ('volunteer', 'grid_worker', 'social_worker', 'property', 'station', 'medical')),
    area text not null references areas,
    phone text not null,
    language text not null default 'zh' check (language in ('zh', 'en')),
    on_duty boolean not null default true
);
create index responders_by_area on responders (area);

create table devices (
    id text primary key check (id ~ '^[A-Za-z0-9_-]{1,64}$'),
    home text references homes,
    kind text not null check (kind in ('button', 'pendant', 'hub', 'watch', 'motion', 'door', 'bed', 'smoke', 'gas', 'co', 'water', 'clock')),
    model text,
    heartbeat_seconds integer not null default 90 check (heartbeat_seconds in (90, 180, 900, 18000, 90000)),
    mqtt_password_hash text,
    enabled boolean not null default true,
    enrolled_at timestamptz not null
);
create index devices_by_home on devices (home);

create table consents (
    person text not null references people,
    kind text not null,
    given_at timestamptz not null,
    withdrawn_at timestamptz,
    primary key (person, kind, given_at)
);
comment on column consents.kind is 'What is consented to, separately: emergency, movement, health, location, share_with_family, share_with_medical.';

create table away (
    id bigint generated always as identity primary key,
    home text not null references homes,
    away_from timestamptz not null,
    away_until timestamptz,
    reason text not null,
    check (away_until > away_from),
    unique (home, away_from)
);
comment on table away is 'The home and the beginning name an absence: that is how an imported file recognises it.';

create table accounts (
    id text primary key,
    name text not null,
    role text not null check (role in ('operator', 'supervisor', 'administrator', 'responder', 'auditor')),
    area text references areas,
    language text not null default 'zh' check (language in ('zh', 'en')),
    password_hash text not null,
    enabled boolean not null default true
);
comment on column accounts.area is 'What this account may see: this area and those within it; null: everything.';

create table sessions (
    token_hash bytea primary key,
    account text not null references accounts,
    created_at timestamptz not null,
    expires_at timestamptz not null
);
create index sessions_by_account on sessions (account);

create table sign_in_failures (
    id bigint generated always as identity primary key,
    account text not null,
    at timestamptz not null
);
create index sign_in_failures_by_account on sign_in_failures (account, at);
comment on table sign_in_failures is 'Attempts of the last minute, written before the password is looked at, so that many at once are counted too.';

create table tokens (
    token_hash bytea primary key,
    name text not null unique,
    role text not null check (role in ('operator', 'supervisor', 'administrator', 'auditor')),
    area text references areas,
    created_at timestamptz not null
);
comment on table tokens is 'Bearer tokens for machines. Only the SHA-256 of a token is kept.';

create function register_changed() returns trigger language plpgsql as $$
begin
    perform pg_notify('register', tg_table_name);
    return null;
end $$;
create trigger devices_changed after insert or update or delete on devices for each statement execute function register_changed();
create trigger homes_changed after insert or delete or update of revision on homes for each statement execute function register_changed();
