-- The telephone provider: how often what was not sent has been tried.
alter table sends add column tries integer not null default 0;
comment on column sends.tries is 'How often it was certainly not sent, and put back to be tried again.';
