-- name: look
-- All of what is open at once. Open ⇔ wake_at is set, which has an index; so have alarms that wait and sends that are
-- due: years of what is over cost nothing. A danger that was safe and was pressed again waits since that press.
with open as (
    select state, danger, wake_at,
           danger and not test and t2 is null and t3 is null and opened_at < %(unseen)s as unseen,
           case when danger and state = 'waiting' and not test then
               extract(epoch from %(now)s - coalesce(
                   (select min(raised_at) from alarms where alarms.incident = incidents.id and raised_at > t8),
                   t1, opened_at))::float8
           end as unanswered_seconds
    from incidents where wake_at is not null
)
select (select coalesce(jsonb_agg(jsonb_build_array(state, danger, count)), '[]')
        from (select state, danger, count(*) from open group by state, danger) counts) as incidents,
       (select max(unanswered_seconds) from open) as unanswered_seconds,
       (select count(*) from open where wake_at < %(overdue)s) as deadlines_overdue,
       (select count(*) from open where unseen) as calls_unseen,
       (select count(*) from alarms where taken_at is null and not held(kind, alone, raised_at, %(now)s)) as alarms_waiting,
       (select count(*) from consoles where seen_at > %(there)s and sound and visible) as consoles,
       (select count(*) from sends where state = 'waiting' and due_at < %(overdue)s) as sends_overdue,
       (select coalesce(jsonb_object_agg(channel, jsonb_build_array(waiting, seconds)), '{}')
        from (select channel, count(*) as waiting, max(extract(epoch from %(now)s - due_at))::float8 as seconds
              from sends where state = 'waiting' and due_at <= %(now)s group by channel) lines) as lines

-- name: look_at_devices
select (select coalesce(jsonb_object_agg(state, devices), '{}')
        from (select state, count(*) as devices from device_states group by state) counts) as states,
       (select count(*) from devices_unadopted) as unadopted
