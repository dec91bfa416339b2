-- Versions of detectors beside each other: what those in shadow find, what a home's routine is, and who promoted what.

create table shadow_alarms (
    id uuid primary key,
    home text not null,
    detector text not null,
    label text not null,
    kind text not null,
    rule text not null,
    device text,
    at timestamptz not null,
    raised_at timestamptz not null,
    restores uuid,
    follows uuid,
    evidence jsonb not null
);
create index shadow_alarms_by_version on shadow_alarms (detector, label, raised_at);
create index shadow_alarms_by_home on shadow_alarms (home, raised_at);
create index shadow_alarms_over on shadow_alarms (restores) where restores is not null;
comment on table shadow_alarms is 'What a version in shadow found. It rang nobody: it stands here to be compared with what the live one raised.';
comment on column shadow_alarms.restores is 'The shadow alarm that this one says is over, or withdraws.';

create table routines (
    home text not null,
    detector text not null,
    label text not null,
    partition integer not null,
    state bytea not null,
    written_at timestamptz not null,
    primary key (home, detector, label)
);
alter table routines alter column state set storage external;
create index routines_by_partition on routines (partition);
comment on table routines is 'What a detector has learned of a home. Written beside the checkpoint, and at most once a day for a home.';

create table detector_promotions (
    id bigint generated always as identity primary key,
    detector text not null,
    label text not null,
    scope text references areas,
    state text not null check (state in ('live', 'shadow', 'off')),
    by text not null check (by <> ''),
    reason text not null check (reason <> ''),
    report jsonb,
    at timestamptz not null
);
comment on table detector_promotions is 'Who let which version of a detector ring, run in shadow or rest, where and why. Append-only: of each version the newest act that covers a home holds there.';
comment on column detector_promotions.report is 'What was known of the version when it was promoted.';

create function detector_promotions_is_append_only() returns trigger language plpgsql as $$
begin
    raise exception 'an act is not changed: it is followed by another';
end $$;
create trigger detector_promotions_is_append_only before update or delete on detector_promotions
    for each row execute function detector_promotions_is_append_only();

create function versions_in(the_area text) returns table (detector text, label text, state text, since timestamptz)
language sql stable as $$
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
comment on function versions_in is 'What the acts say of homes in an area: at most one live version of each detector (none: the first of its table), and those in shadow.';
