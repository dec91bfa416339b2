-- A person's data is deleted at their request; that it was, and how much, is kept without saying whose.

create table erasures (
    id bigint generated always as identity primary key,
    at timestamptz not null,
    by text not null,
    reason text not null check (reason in ('request', 'withdrawn', 'left', 'deceased', 'mistake')),
    shared_home boolean not null,
    counts jsonb not null,
    pending jsonb,
    finished_at timestamptz,
    certificate bytea,
    check ((pending is null) = (finished_at is not null))
);
comment on table erasures is 'What was deleted at somebody''s request, by kind and number. Of whom, only the certificate says, which they were given; `certificate` is its SHA-256.';
comment on column erasures.pending is 'What has still to be deleted in slices: a home and its devices. It goes with the last slice.';

-- An entry may lose what it says of somebody, for an erasure that is written down, and nothing else of it may change.
create or replace function journal_is_append_only() returns trigger language plpgsql as $$
begin
    if tg_op = 'UPDATE' and (new.incident, new.number, new.at, new.event, new.decision, new.hash)
            = (old.incident, old.number, old.at, old.event, old.decision, old.hash)
        and exists (select from erasures where id::text = new.detail->>'erased' and finished_at is null) then
        return new;
    end if;
    raise exception 'the journal is append-only';
end $$;

create function erase_entry(the_incident bigint, the_number integer, new_actor text, new_detail jsonb) returns void
    language sql as $$
    update journal set actor = new_actor, detail = new_detail where incident = the_incident and number = the_number
$$;

create function seal_journal(the_incident bigint, the_number integer, at timestamptz, actor text, detail jsonb, hash bytea)
    returns void language sql as $$
    insert into journal (incident, number, at, event, decision, actor, detail, hash)
    values (the_incident, the_number, at, 'erased', 'erased', actor, detail, hash)
$$;

create function erase_incident(the_incident bigint, the_person text, new_device text, new_body jsonb) returns void
    language sql as $$
    update incidents set device = new_device, body = new_body, person = nullif(person, the_person)
    where id = the_incident and state = 'closed'
$$;
comment on function erase_incident is 'Only of what is closed: an open incident is somebody''s who may need help.';
