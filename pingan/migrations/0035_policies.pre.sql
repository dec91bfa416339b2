-- Who is asked: the book of policies, and what is known of those who can be asked.

create table policy_books (
    version integer primary key check (version > 0),
    saved_at timestamptz not null,
    saved_by text not null,
    why text not null,
    body jsonb not null
);
comment on table policy_books is 'Append-only: what an administrator has saved of the policies. Version 0 is what is shipped. An incident carries its own policy, so that no version changes one that is open.';
create function policy_books_stay() returns trigger language plpgsql as $$
begin
    raise exception 'a version of the policies is never changed';
end $$;
create trigger policy_books_stay before update or delete on policy_books for each row execute function policy_books_stay();

alter table contacts add column notify text;
alter table contacts add column told boolean;
alter table contacts add column digest boolean not null default false;
alter table contacts add column quiet text;
comment on column contacts.notify is 'Where else they read what we send, as Apprise writes it. It may hold a secret.';
comment on column contacts.told is 'Told of each stage; null: family are, others are not.';
comment on column contacts.digest is 'Gets the letter of the week.';
comment on column contacts.quiet is '`22:00-07:00` by the home''s clock; no call for help heeds it.';

alter table responders add column consented_on date;
alter table responders add column trained_on date;
alter table responders add column hours text;
alter table responders add column latitude double precision check (latitude between -90 and 90);
alter table responders add column longitude double precision check (longitude between -180 and 180);
alter table responders add column coordinates text check (coordinates in ('WGS-84', 'GCJ-02'));
alter table responders add column notify text;
alter table responders add check ((latitude is null) = (longitude is null) and (latitude is null) = (coordinates is null));
comment on column responders.consented_on is 'Since when they agree to be asked; null: they are not asked.';
comment on column responders.trained_on is 'When they were trained for it; null: they are not asked.';
comment on column responders.hours is 'Their rota, `mon-fri 08:00-18:00; sat,sun 09:00-12:00`; null: always.';
comment on column responders.notify is 'As of contacts.';
-- Whoever has been asked until now is asked on: nobody's help is lost by this. It is as old as the rule.
update responders set consented_on = date '2026-11-22', trained_on = date '2026-11-22';

create table responder_absences (
    responder text not null references responders,
    absent_from timestamptz not null,
    absent_until timestamptz,
    stand_in text references responders,
    primary key (responder, absent_from),
    check (absent_until > absent_from),
    check (stand_in <> responder)
);
create index responder_absences_by_stand_in on responder_absences (stand_in) where stand_in is not null;
comment on column responder_absences.stand_in is 'Who takes their shifts meanwhile, and is asked for their homes, too.';

create table holidays (
    day date primary key,
    counts_as text not null check (counts_as in ('mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'))
);
comment on table holidays is 'Days that are worked as another day of the week: a holiday as a Sunday, a Sunday that is made up for (调休) as a Monday.';

-- Whether somebody goes to others already, and whether they have been here before, is asked at every act: two looks into
-- an index for each of those who may be asked.
create function going_to(body jsonb) returns text[] language sql immutable parallel safe
return array(select jsonb_path_query(body, '$.helper.id') #>> '{}' union all select jsonb_path_query(body, '$.seconds[*].id') #>> '{}');
create index incidents_going on incidents using gin (going_to(body)) with (fastupdate = off)
    where wake_at is not null and body->>'helper' is not null;
create index incidents_attended on incidents (home, (body->'helper'->>'id')) where wake_at is null and body->>'helper' is not null;

create table rota_changes (
    id bigint generated always as identity primary key,
    at timestamptz not null,
    account text,
    what text not null check (what in ('added', 'changed', 'removed')),
    responder text,
    absent_from timestamptz,
    absent_until timestamptz,
    stand_in text,
    day date,
    counts_as text,
    check ((responder is null) = (absent_from is null) and (responder is null) <> (day is null))
);
create index rota_changes_by_absence on rota_changes (responder, absent_from, id) where responder is not null;
comment on table rota_changes is 'Who entered, changed and took back absences and holidays: whoever is not asked in the night, somebody has taken off the list.';
comment on column rota_changes.account is 'Whose account it was; null: files that were taken in at the machine itself.';

-- What is told of a responder's absences ends with the register's own word of them.
create function rota_forgotten() returns trigger language plpgsql as $$
begin
    delete from rota_changes where responder = old.id;
    update rota_changes set stand_in = null where stand_in = old.id;
    return null;
end $$;
create trigger rota_forgotten after delete on responders for each row execute function rota_forgotten();
