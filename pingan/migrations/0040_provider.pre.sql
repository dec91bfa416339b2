-- The telephone provider: how often what was not sent has been tried, who goes first, and from when the next may go.
alter table sends add column tries integer not null default 0;
comment on column sends.tries is 'How often it was certainly not sent, and put back to be tried again.';

create function send_rank(purpose text, danger boolean, cause text) returns integer language sql immutable parallel safe
return case
    when purpose = 'bridge' then 0
    when purpose in ('family', 'packet', 'test', 'week') then 3
    when not coalesce(danger, false) then 2
    when cause = 'inactivity' then 1
    else 0
end;
comment on function send_rank is 'Who goes first where there is one line: whoever calls for help, then who was not heard from, then devices, then news.';

create table send_turns (
    channel text primary key,
    next_at timestamptz not null
);
comment on table send_turns is 'From when the next may be sent where a provider takes so many a second. One row for all processes, locked by whoever claims.';
create table providers_down (
    process text not null,
    channel text not null,
    provider text not null,
    since timestamptz not null,
    seen_at timestamptz not null,
    why text not null,
    primary key (process, channel, provider)
);
comment on table providers_down is 'Providers through whom nobody can be called, as a process finds it; what it has not said for seconds is over, or unknown.';
insert into send_turns (channel, next_at) values ('twilio_voice', '2026-01-01Z');
