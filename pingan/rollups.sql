-- The same queries with TimescaleDB and without it.

-- name: activity
select hour, sensor, kind, count from activity_hourly
where home = %(home)s and hour >= %(since)s and hour < %(until)s
order by hour, sensor, kind

-- name: vitals
select day, device, kind, count, min, avg, max
from vitals_daily(%(zone)s, %(first)s, %(last)s) where home = %(home)s
order by day, device, kind

-- name: responses
select * from responses_daily(%(zone)s, %(first)s, %(last)s)
order by day, cause, danger
