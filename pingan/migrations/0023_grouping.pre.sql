-- Silence of many devices is one incident with rows; an alarm's restore is written on its row.

alter table alarms add column restored_at timestamptz;
alter table alarms add column alone boolean not null default false;
comment on column alarms.restored_at is 'When what it says was over, by the alarm that restores it.';
comment on column alarms.alone is 'It was held to be grouped, belongs to nothing, and goes to an incident of its own home.';

alter table incidents add column grouped_by text check (grouped_by in ('gateway', 'area', 'model'));
alter table incidents add column grouped_of text check ((grouped_of is null) = (grouped_by is null));
alter table incidents add column area text references areas;
comment on column incidents.grouped_by is 'Devices that fell silent together: its rows are its alarms.';
comment on column incidents.grouped_of is 'The gateway''s id, the area''s code or the model''s name.';
comment on column incidents.area is 'Of a group: the smallest area in which all its rows lie; null: they share none.';
create unique index one_open_group on incidents (grouped_by, grouped_of) where state <> 'closed' and grouped_by is not null;
comment on index one_open_group is 'Ends the race of two that group the same silence.';

create function held(kind text, alone boolean, raised_at timestamptz, at timestamptz) returns boolean stable parallel safe
return not alone and kind in ('heartbeat_lost', 'mains_lost', 'cannot_hear')
    and raised_at > at - interval '60 s' and raised_at <= at + interval '5 s';
comment on function held is 'Whether a waiting alarm still waits for its fellows: as in dispatch/grouping.py, and a test holds the two equal. One from the future is not held: a clock was put back.';

create table hearing (
    lane text primary key,
    heard_at timestamptz not null
);
comment on table hearing is 'When each lane of ingest last heard the broker: written every second by whoever leads it. What is older than a few seconds is a platform that cannot hear, and says so on every screen.';
