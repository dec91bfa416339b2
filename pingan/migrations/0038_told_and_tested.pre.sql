-- What a person has to do and no machine can, and what is known of whom the telephone reaches.

create table desk_tasks (
    id bigint generated always as identity primary key,
    kind text not null check (kind in ('bad_number', 'wrong_number', 'unreachable', 'no_way_in_proven', 'provider_account')),
    subject text not null,
    detail jsonb not null,
    opened_at timestamptz not null,
    opened_by text not null,
    done_at timestamptz,
    done_by text,
    note text,
    check ((done_at is null) = (done_by is null)),
    check (done_at is not null or note is null)
);
create unique index desk_tasks_open on desk_tasks (kind, subject) where done_at is null;
comment on table desk_tasks is 'Work for a person. What is found again while its task is open is no second one.';
comment on column desk_tasks.subject is 'The id of a contact, a responder or a home; of a provider its name.';
comment on column desk_tasks.opened_by is 'The part of the platform that found it, or who asked for it.';

create view desk_tasks_seen as
select desk_tasks.id, kind, subject, detail, opened_at, opened_by, done_at, done_by, desk_tasks.note,
       coalesce(contacts.name, responders.name) as name, coalesce(contacts.phone, responders.phone) as phone,
       coalesce(contacts.home, own.id) as home, coalesce(place.area, responders.area, own.area) as area,
       coalesce(place.address, own.address) as address
from desk_tasks
left join contacts on kind <> 'no_way_in_proven' and contacts.id = subject
left join homes place on place.id = contacts.home
left join responders on kind <> 'no_way_in_proven' and responders.id = subject
left join homes own on kind = 'no_way_in_proven' and own.id = subject;
comment on view desk_tasks_seen is 'Each with whom it is about, as the register has them now. Without an area it is about nobody there: everybody''s.';

create view reachable_people as
select contacts.id, 'contacts' as "group", contacts.name, contacts.role, contacts.phone, contacts.language, contacts.rank,
       contacts.home, homes.area, homes.timezone, contacts.quiet, false as absent
from contacts join homes on homes.id = contacts.home
union all
select responders.id, 'responders', responders.name, responders.role, responders.phone, responders.language, 0,
       null, responders.area, null, null, not responders.on_duty
from responders where responders.consented_on is not null;
comment on view reachable_people is 'Whoever may be called in the night, and so must be known to be reached by day.';

-- What was sent to somebody, the newest first; and by number, whoever it was for.
create index sends_by_address on sends (address, id);

-- What is told of somebody for no incident ends with the register's own word of them.
create function told_forgotten() returns trigger language plpgsql as $$
begin
    delete from sends where errand is not null and recipient = old.id;
    delete from desk_tasks where subject = old.id;
    return null;
end $$;
create trigger told_forgotten after delete on contacts for each row execute function told_forgotten();
create trigger told_forgotten after delete on responders for each row execute function told_forgotten();

create function letters_forgotten() returns trigger language plpgsql as $$
begin
    delete from sends where errand is not null and body->>'home' = old.home;
    return null;
end $$;
create trigger letters_forgotten after delete on people for each row execute function letters_forgotten();
