-- Areas of which nothing is heard: what is usual there, and which are deaf. Both outlive a restart.

create table coverage (
    area text primary key,
    known jsonb not null,
    deaf boolean not null,
    kept_at timestamptz not null
);
comment on table coverage is 'What share of an area''s homes is usually heard, by window and hour of the day, and whether it is deaf now: written by the telemetry lane when an area changes, and once an hour.';

alter table detection_partitions add column deaf jsonb not null default '{}';
comment on column detection_partitions.deaf is 'Areas of which nearly nothing is heard, and since which tick''s time (ms).';

create function of_area(alarm alarms) returns boolean immutable parallel safe
return alarm.home is null and alarm.device is null and alarm.evidence->>'rule' = 'area_deaf';
comment on function of_area is 'Whether an alarm says that a whole area is not heard: it names neither a device nor a home.';
