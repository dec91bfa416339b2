-- The heads of the journals, kept once a day in a chain of their own: a whole journal that is gone, or was written anew,
-- shows, which its own chain cannot show.
create table journal_anchors (
    number integer primary key check (number > 0),
    at timestamptz not null,
    through timestamptz not null,
    heads integer not null,
    hash bytea not null
);
create table journal_heads (
    anchor integer not null references journal_anchors (number),
    incident bigint not null,
    number integer not null,
    hash bytea not null,
    primary key (anchor, incident)
);
create index journal_heads_by_incident on journal_heads (incident);
create index journal_by_time on journal (at);
comment on table journal_anchors is 'Once a day: a hash over the one before it and every journal''s last entry since. Keep the newest hash elsewhere, and nobody can write the past anew unseen.';
comment on column journal_anchors.through is 'Entries before this are covered.';

create function anchors_are_append_only() returns trigger language plpgsql as $$
begin
    raise exception 'anchors are append-only';
end $$;
create trigger anchors_are_append_only before update or delete on journal_anchors
    for each row execute function anchors_are_append_only();
create trigger heads_are_append_only before update or delete on journal_heads
    for each row execute function anchors_are_append_only();
