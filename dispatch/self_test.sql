-- name: device
-- A device as far as a self-test needs it; nothing beyond the asker's area.
select devices.id, devices.kind, devices.home, devices.gateway, devices.enabled
from devices left join homes on homes.id = devices.home
where devices.id = %(device)s and (%(scope)s::text is null or starts_with(homes.area, %(scope)s))

-- name: give_way
-- A reminder's window, of which nobody has heard yet, gives way to a test that somebody asks for.
update test_windows set state = 'missed', reason = 'replaced', finished_at = %(now)s
where device = %(device)s and state = 'open' and prompt is null and alarm is null

-- name: open
-- One at a time for each device: the partial unique index decides it.
insert into test_windows (device, home, opened_by, prompt, opened_at, until)
values (%(device)s, %(home)s, %(by)s, %(prompt)s, %(now)s, %(until)s)
on conflict do nothing
returning id

-- name: windows
-- A device's tests, the newest first; when its button was told that all is well stands in the outbox.
select test_windows.id, device, test_windows.home, opened_by, opened_at, until, state, reason, prompted_at, pressed_at,
       durable_at, shown_at, incident, finished_at, prompt is null as reminded,
       (select min(sends.finished_at) from sends
        where sends.incident = test_windows.incident and purpose = 'stage' and body->>'stage' = 'closed'
          and sends.state = 'delivered') as told_at
from test_windows left join homes on homes.id = test_windows.home
where device = %(device)s and (%(window)s::bigint is null or test_windows.id = %(window)s)
  and (%(scope)s::text is null or starts_with(homes.area, %(scope)s))
order by id desc limit %(limit)s

-- name: due
-- Devices that remind somebody each week, and have had no passed test for longer; those that never had one first.
select devices.id as device, devices.home, devices.kind, passed.last_passed_at
from device_configs
join devices on devices.id = device_configs.device and devices.enabled
left join homes on homes.id = devices.home
left join lateral (select max(finished_at) as last_passed_at from test_windows
                   where test_windows.device = devices.id and state = 'passed') passed on true
where reminder_weekday is not null and wanted
  and coalesce(passed.last_passed_at, devices.enrolled_at) < %(since)s
  and (%(scope)s::text is null or starts_with(homes.area, %(scope)s))
order by passed.last_passed_at nulls first, devices.id

-- name: window_of
-- The window within which the centre received this press: the one press that a window waits for.
select id from test_windows
where device = %(device)s and alarm is null and opened_at <= %(received_at)s and until >= %(received_at)s
order by id desc limit 1 for update

-- name: taken
update test_windows set alarm = %(alarm)s, incident = %(incident)s, pressed_at = %(at)s, durable_at = %(raised_at)s
where id = %(window)s

-- name: passed
-- A screen (or a person) has seen it. `failed`: the windows that failed since the one that passed before: it is over.
with before as (
    select id, device, home from test_windows where incident = %(incident)s and state <> 'passed' for update
), passed as (
    update test_windows set state = 'passed', reason = null, shown_at = %(now)s, finished_at = %(now)s
    from before where test_windows.id = before.id
)
select before.device, before.home,
       (select array_agg(failed.id order by failed.id) from test_windows failed
        where failed.device = before.device and failed.state = 'failed'
          and failed.id > coalesce((select max(other.id) from test_windows other
                                    where other.device = before.device and other.state = 'passed'), 0)) as failed
from before

-- name: over
-- Windows whose time is up. One whose press waits to be taken has been answered: it waits for that.
update test_windows set state = case when prompt is null and alarm is null then 'missed' else 'failed' end,
    reason = case when alarm is not null then 'not_shown'
                  when prompt is not null and prompted_at is null then 'not_asked'
                  else 'no_answer' end,
    finished_at = %(now)s
where id in (
    select id from test_windows
    where state = 'open' and until <= case when alarm is null then %(answered)s else %(seen)s end
      and not exists (select from alarms
                      where taken_at is null and alarms.device = test_windows.device and alarms.test)
    for update skip locked limit %(limit)s
)
returning id, device, home, state, reason, opened_by, opened_at, until

-- name: raise_alarm
-- What a test found out, as an alarm: the desk takes it as it takes all others.
insert into alarms (id, kind, home, device, at, received_at, raised_at, test, evidence)
values (%(alarm)s, %(kind)s, %(home)s, %(device)s, %(now)s, %(now)s, %(now)s, false, %(evidence)s)
on conflict do nothing

-- name: remind
-- The devices that remind somebody in this hour: for that long their test is believed. Once for each hour.
insert into test_windows (device, home, opened_by, opened_at, until)
select devices.id, devices.home, %(by)s, %(now)s, %(until)s
from device_configs join devices on devices.id = device_configs.device and devices.enabled
where reminder_weekday = %(weekday)s and reminder_hour = %(hour)s and wanted
  and not exists (select from test_windows
                  where test_windows.device = devices.id and opened_at >= %(began)s and prompt is null)
on conflict do nothing

-- name: prompts
-- Who is to be asked, while there is time for an answer.
select id, device, prompt, until from test_windows
where state = 'open' and prompt is not null and prompted_at is null and until > %(now)s
order by id limit %(limit)s

-- name: prompted
update test_windows set prompted_at = %(now)s where id = any(%(windows)s) and prompted_at is null
