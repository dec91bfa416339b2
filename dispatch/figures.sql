-- name: counts
-- One look at the incidents of the period, summed as a whole, by day, by area, by cause and by outcome; each sum counts
-- the same things, so that no two tables can differ. `of_…` leaves out whoever's time is not yet up: an open incident
-- is neither within a level nor beyond it before then. An absent stamp stays in: it is within nothing.
with place as (
    -- Each area, and which of the areas shown it lies in: itself, or one right below what was chosen.
    select area.code, coalesce(below.code, area.code) as shown
    from areas area
    left join areas below on starts_with(area.code, below.code) and below.parent is not distinct from %(parent)s::text
), known as (
    select case when test then 'test' when danger then 'call' else 'technical' end as sort,
           cause, (opened_at at time zone %(zone)s)::date as day, place.shown as place,
           case when state = 'closed' then coalesce(body->'closing'->>'outcome', 'unknown') else 'open' end as outcome,
           t3 - t1 as answer, t7 - t0 as door, t3, t5, t7,
           t5 is not null or t6 is not null or t7 is not null as sent,
           t7 is not null and body->'reported' ? 't7' as reported,
           case when t3 is null and state <> 'closed' then %(now)s - t1 end as unanswered_for,
           case when t7 is null and state <> 'closed' then %(now)s - t0 end as awaited_for
    from incidents
    left join homes on homes.id = incidents.home
    left join place on place.code = coalesce(homes.area, incidents.area)
    where opened_at >= %(since)s and opened_at < %(until)s
      and (%(scope)s::text is null or starts_with(coalesce(homes.area, incidents.area), %(scope)s))
      and (%(area)s::text is null or starts_with(coalesce(homes.area, incidents.area), %(area)s))
)
select grouping(day, place, cause, outcome) as level, sort, day, place, cause, outcome,
       count(*) as incidents,
       count(t3) as answered,
       count(*) filter (where answer <= interval '15 s') as answered_15,
       count(*) filter (where answer <= interval '20 s') as answered_20,
       count(*) filter (where answer <= interval '60 s') as answered_60,
       count(*) filter (where answer <= interval '180 s') as answered_180,
       count(*) filter (where unanswered_for <= interval '15 s') as ringing_15,
       count(*) filter (where unanswered_for <= interval '20 s') as ringing_20,
       count(*) filter (where unanswered_for <= interval '60 s') as ringing_60,
       count(*) filter (where unanswered_for <= interval '180 s') as ringing_180,
       count(*) filter (where sent) as sent,
       count(*) filter (where sent and t3 is not null and t5 is not null) as dispatched,
       count(*) filter (where sent and t5 - t3 <= interval '60 s') as dispatched_60,
       count(*) filter (where sent and t7 is not null) as arrived,
       count(*) filter (where reported) as arrived_reported,
       count(*) filter (where door <= interval '30 min') as arrived_1800,
       count(*) filter (where door <= interval '45 min') as arrived_2700,
       count(*) filter (where door <= interval '60 min') as arrived_3600,
       count(*) filter (where sent and awaited_for <= interval '30 min') as awaited_1800,
       count(*) filter (where sent and awaited_for <= interval '45 min') as awaited_2700,
       count(*) filter (where sent and awaited_for <= interval '60 min') as awaited_3600
from known
group by grouping sets ((sort), (sort, day), (sort, place), (sort, cause), (sort, outcome))

-- name: durations
-- Nearest rank: a value that was really measured. A step that came before the one it is measured from took no time, and
-- is counted as early.
with chosen as (
    -- Not greatest(): it passes over what is absent, and an absent stamp would be an answer in no time.
    select case when t3 < t1 then interval '0' else t3 - t1 end as answer,
           case when t3 < t0 then interval '0' else t3 - t0 end as press_to_answer,
           case when t5 < t3 then interval '0' else t5 - t3 end as dispatch,
           case when t7 < t5 then interval '0' else t7 - t5 end as to_scene,
           case when t7 < t0 then interval '0' else t7 - t0 end as press_to_scene,
           t3 < t1 as answer_early, t3 < t0 as press_to_answer_early, t5 < t3 as dispatch_early,
           t7 < t5 as to_scene_early, t7 < t0 as press_to_scene_early
    from incidents
    left join homes on homes.id = incidents.home
    where opened_at >= %(since)s and opened_at < %(until)s and danger and not test
      and (%(scope)s::text is null or starts_with(homes.area, %(scope)s))
      and (%(area)s::text is null or starts_with(homes.area, %(area)s))
), ranks as (select array[0.5, 0.9, 0.95, 1] as ranks)
select count(*) as incidents,
       percentile_disc((select ranks from ranks)) within group (order by answer) as answer,
       count(answer) as answer_n, count(*) filter (where answer_early) as answer_early,
       percentile_disc((select ranks from ranks)) within group (order by press_to_answer) as press_to_answer,
       count(press_to_answer) as press_to_answer_n,
       count(*) filter (where press_to_answer_early) as press_to_answer_early,
       percentile_disc((select ranks from ranks)) within group (order by dispatch) as dispatch,
       count(dispatch) as dispatch_n, count(*) filter (where dispatch_early) as dispatch_early,
       percentile_disc((select ranks from ranks)) within group (order by to_scene) as to_scene,
       count(to_scene) as to_scene_n, count(*) filter (where to_scene_early) as to_scene_early,
       percentile_disc((select ranks from ranks)) within group (order by press_to_scene) as press_to_scene,
       count(press_to_scene) as press_to_scene_n, count(*) filter (where press_to_scene_early) as press_to_scene_early
from chosen

-- name: absences
-- Why a stamp is missing: the reason that the desk wrote down at closing; of what is open, that it is open.
select stamp.name as stamp, coalesce(body->'absent'->>stamp.name, case when state = 'closed' then 'unknown' else 'open' end)
       as reason, count(*) as incidents
from incidents
left join homes on homes.id = incidents.home
cross join lateral (values ('t3', t3), ('t5', t5), ('t7', t7)) stamp(name, at)
where opened_at >= %(since)s and opened_at < %(until)s and danger and not test and stamp.at is null
  and (%(scope)s::text is null or starts_with(homes.area, %(scope)s))
  and (%(area)s::text is null or starts_with(homes.area, %(area)s))
group by stamp.name, reason order by stamp.name, incidents desc, reason

-- name: late
-- Every call that nobody at the desk answered within the time, the newest first, and the reason that was written.
select incidents.id, opened_at, cause, state, areas.name as area_name,
       t3 - t1 as answer, t5 - t1 as helper, body->'absent'->>'t3' as absent,
       body->'closing'->>'reason' as reason
from incidents
left join homes on homes.id = incidents.home
left join areas on areas.code = homes.area
where opened_at >= %(since)s and opened_at < %(until)s and danger and not test
  and (t3 - t1 <= %(late)s) is not true and (t3 is null and state <> 'closed' and %(now)s - t1 <= %(late)s) is not true
  and (%(scope)s::text is null or starts_with(homes.area, %(scope)s))
  and (%(area)s::text is null or starts_with(homes.area, %(area)s))
order by opened_at desc, incidents.id desc limit %(limit)s

-- name: alarms
-- What was raised in the period, by kind.
select kind, test, count(*) as alarms
from alarms
left join homes on homes.id = alarms.home
where raised_at >= %(since)s and raised_at < %(until)s
  and (%(scope)s::text is null or starts_with(homes.area, %(scope)s))
  and (%(area)s::text is null or starts_with(homes.area, %(area)s))
group by kind, test order by alarms desc, kind

-- name: areas
-- The areas right below `parent` that the asker may see.
select code, name from areas
where parent is not distinct from %(parent)s::text and (%(scope)s::text is null or starts_with(code, %(scope)s))
order by code

-- name: path
-- From the top of what the asker may see down to one area.
select code, name from areas
where starts_with(%(area)s, code) and (%(scope)s::text is null or starts_with(code, %(scope)s)) order by length(code)

-- name: common
-- The smallest area in which all others lie: a row for the city, the sum of its one district, would say nothing.
select code from areas area
where not exists (select 1 from areas other
                  where not starts_with(other.code, area.code) and not starts_with(area.code, other.code))
order by length(code) desc limit 1

-- name: waiting
-- Is anything of the response late right now? A second's grace: whatever is due is begun within it.
select (select count(*) from alarms where taken_at is null and not held(kind, alone, raised_at, %(now)s)) as alarms_waiting,
       (select min(raised_at) from alarms where taken_at is null and not held(kind, alone, raised_at, %(now)s))
           as alarms_waiting_since,
       (select count(*) from sends where state = 'waiting' and due_at < %(overdue)s) as sends_overdue,
       (select min(due_at) from sends where state = 'waiting' and due_at < %(overdue)s) as sends_overdue_since,
       (select count(*) from incidents where wake_at < %(overdue)s) as deadlines_overdue,
       (select min(wake_at) from incidents where wake_at < %(overdue)s) as deadlines_overdue_since,
       (select count(*) from consoles where visible and sound and seen_at >= %(seen)s) as consoles

-- name: loose
-- Alarms that were taken and are on no incident, by kind: an answer, a restore or a finding may be; a call may not.
select kind, count(*) as alarms from alarms
where raised_at >= %(since)s and taken_at is not null and incident is null group by kind
