-- What is sent for no incident is sent for an errand: a call that tests whether somebody can be reached, a letter of the
-- week. It has its own promise that nobody gets it twice.
alter table sends alter column incident drop not null;
alter table sends add column errand text;
alter table sends add constraint sends_for check ((incident is null) <> (errand is null));
create unique index sends_of_errands on sends (errand, repeat, channel, recipient) where errand is not null;
comment on column sends.errand is 'What it is sent for, where that is no incident: `reach/2026-11-22`, `week/2026-W47`.';
comment on column sends.purpose is 'help: come · stage: what a device shows · change: news for whoever goes · family: news for who is told · test: can you be reached · week: the letter of the week.';
