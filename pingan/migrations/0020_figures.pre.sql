-- Figures are of days. Without these both tables are read through for each page of them, however short its period,
-- again each 15 seconds, and for longer with every year that is kept.

create index incidents_by_opening on incidents (opened_at);
create index alarms_by_time on alarms (raised_at);
