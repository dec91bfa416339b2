-- name: movements
-- When anybody moved in a home, by five minutes and sensor: a home may send 100,000 readings a day, and a page draws 288
-- marks a row. The kinds are named so that a wearer's bursts are passed over before anything is asked of them.
select date_bin('5 minutes', at, '2000-01-01Z') as at, device, sensor, kind, min(at) as first, max(at) as last,
       count(*) as times
from readings
where home = %(home)s and at >= %(since)s and at < %(until)s
  and kind in ('motion', 'occupancy', 'vibration', 'door', 'contact', 'bed') and moves(kind, value, detail)
group by 1, 2, 3, 4 order by 1 desc, 2, 3, 4 limit %(rows)s

-- name: movements_by_hour
-- The same from the roll-ups, which know hours and sensors only.
select hour as at, null::text as device, sensor, kind, hour as first, hour + interval '1 hour' as last, count as times
from activity_hourly
where home = %(home)s and hour >= %(since)s and hour < %(until)s
order by 1 desc, 3, 4 limit %(rows)s
