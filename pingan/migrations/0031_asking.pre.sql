-- The resident is asked before anybody is rung; what detection takes back; notes for the visit; and what closures teach.

create table askings (
    alarm uuid primary key,
    kind text not null,
    home text not null,
    begun_at timestamptz not null,
    until timestamptz,
    devices text[] not null default '{}',
    not_asked text,
    asked_at timestamptz,
    answered_at timestamptz,
    answer text,
    answered_by text,
    ended_at timestamptz,
    reason text,
    danger uuid,
    taken_back_at timestamptz,
    check ((ended_at is null) = (reason is null)),
    check ((answered_at is null) = (answer is null))
);
create index askings_by_home on askings (home, begun_at);
create index askings_open on askings (until) where ended_at is null;
create index askings_by_danger on askings (danger) where danger is not null;
create index askings_to_tell on askings (until) where not_asked is null and taken_back_at is null;
comment on table askings is 'One row for each suspicion: the resident was asked on these devices whether they are all right. An answer closes nothing; detection ends it, by taking the suspicion back or by the danger that follows.';
comment on column askings.not_asked is 'Why nobody could be asked; null: somebody was, or is about to be.';
comment on column askings.asked_at is 'When the broker had the question; null: it never had it in time.';
comment on column askings.answer is 'The kind of the answer: ok, cancel, or that of a press.';
comment on column askings.reason is 'Why it ended: confirmed (the danger that followed is `danger`), or what detection said when it took it back.';
comment on column askings.taken_back_at is 'When the broker had it that the question is over.';

create function asking_changed() returns trigger language plpgsql as $$
begin
    perform pg_notify('asking', '');
    return null;
end $$;
-- For each row: a statement that changed none would ring the very loop that makes it, for ever.
create trigger asking_changed after insert or update of answered_at, ended_at on askings
    for each row execute function asking_changed();

-- What takes an alarm back is looked for by what it takes back.
create index alarms_withdrawn on alarms ((evidence->>'restores')) where kind = 'withdrawn';

create table visit_notes (
    alarm uuid primary key,
    kind text not null,
    home text not null,
    noted_at timestamptz not null,
    acknowledged_at timestamptz,
    acknowledged_by text,
    check ((acknowledged_at is null) = (acknowledged_by is null))
);
create index visit_notes_by_home on visit_notes (home, noted_at);
create index visit_notes_open on visit_notes (noted_at) where acknowledged_at is null;
comment on table visit_notes is 'What detection notes for the next visit. It rings nobody; a named person takes note of it.';

alter table device_configs add column hold_seconds integer not null default 0 check (hold_seconds between 0 and 5);
comment on column device_configs.hold_seconds is 'How long a button must be held before it is a press; 0: a touch is.';

-- What the desk chose at closing says of an alarm whether it was right. docs/suggestions.md has the table.
create function closure_verdict(kind text, cause text, outcome text) returns text
    language sql immutable parallel safe
    return case
        when cause = 'test' or outcome = 'test_confirmed' then 'neither'
        when outcome = 'wanted_to_talk' then 'neither'
        when outcome in ('accidental', 'cancelled_by_person') then 'false'
        when cause = 'technical' then 'false'
        when outcome in ('ambulance', 'fire', 'police', 'found_deceased') then 'true'
        when outcome in ('responder_attended', 'family_attended') and cause = kind then 'true'
        when outcome in ('resolved_by_voice', 'advice') and kind = 'inactivity' then 'false'
        else 'unknown'
    end;
comment on function closure_verdict is 'true: help was needed. false: it was not. neither: nobody can blame the alarm (a talk, a test). unknown: the closure does not say.';

create view labelled_alarms as
select alarms.id as alarm, alarms.kind, alarms.home, alarms.device, alarms.raised_at, alarms.restored_at,
       split_part(alarms.evidence->>'detector', '/', 1) as detector,
       nullif(split_part(alarms.evidence->>'detector', '/', 2), '') as version,
       alarms.evidence->>'rule' as rule, incidents.id as incident,
       incidents.body->'closing'->>'cause' as cause, incidents.body->'closing'->>'outcome' as outcome,
       incidents.t9 as closed_at,
       closure_verdict(alarms.kind, incidents.body->'closing'->>'cause', incidents.body->'closing'->>'outcome') as verdict
from alarms join incidents on incidents.id = alarms.incident
where incidents.state = 'closed' and incidents.danger and not incidents.test and not alarms.test
  and alarms.kind not in ('fall_suspected', 'inactivity_suspected', 'withdrawn', 'ok', 'cancel');
comment on view labelled_alarms is 'The alarms of closed calls, each with the verdict that its closure gives: true, false, neither or unknown.';

create table suggestion_decisions (
    id bigint generated always as identity primary key,
    rule text not null,
    home text,
    device text,
    decision text not null check (decision in ('accepted', 'declined')),
    decided_at timestamptz not null,
    decided_by text not null,
    account text,
    was jsonb not null,
    proposed jsonb not null,
    evidence jsonb not null
);
create index suggestion_decisions_by_subject on suggestion_decisions (rule, home, device, decided_at);
comment on table suggestion_decisions is 'Who accepted or declined what the closures suggested, and what spoke for it then. Nothing is changed without a row here.';
