-- Figures are of days: neither table shall be read through for one. With 100,000 incidents of a year, a month of them
-- was 300 ms, and every page of figures asks again each 15 seconds.

create index incidents_by_opening on incidents (opened_at);
create index alarms_by_time on alarms (raised_at);
