-- What detection is told of a home besides its devices: how soon silence may be told, its clock, its fence, its limits.

alter table homes add column inactivity_floor_hours double precision check (inactivity_floor_hours > 0);
alter table homes add column timezone text;
alter table homes add column fence_m double precision check (fence_m > 0);
comment on column homes.inactivity_floor_hours is 'Silence is never told sooner than after so many hours; null: the detector''s own least.';
comment on column homes.timezone is 'IANA name; null: the centre''s.';
comment on column homes.fence_m is 'The radius, around the home''s own place, within which whoever wears a tracker is at home; null: no fence.';

create table person_limits (
    home text not null references homes on delete cascade,
    kind text not null,
    low double precision,
    high double precision,
    set_by text,
    set_at timestamptz not null,
    primary key (home, kind),
    check (low is not null or high is not null),
    check (low < high)
);
comment on table person_limits is 'Vital signs beyond which somebody is to be rung, as they were set for the people of a home, and by whom.';
comment on column person_limits.set_by is 'The account; null: a file that was imported on the machine itself.';
