-- name: area
select code from areas where code = %(area)s

-- name: supervisor
-- Whoever may let a version ring, by account or by name.
select id, name, area from accounts
where enabled and role in ('supervisor', 'administrator') and (id = %(name)s or name = %(name)s) order by id

-- name: act
insert into detector_promotions (detector, label, scope, state, by, reason, report, at)
values (%(detector)s, %(label)s, %(scope)s, %(state)s, %(by)s, %(reason)s, %(report)s, %(now)s)
returning id

-- name: tell
-- A raised revision makes ingest announce the homes anew, with what runs there from now on.
update homes set revision = revision + 1 where %(scope)s::text is null or starts_with(area, %(scope)s)

-- name: acts
-- The newest first.
select act.id, act.detector, act.label, act.scope, areas.name as scope_name, act.state, act.by, act.reason, act.at,
       act.report
from detector_promotions act left join areas on areas.code = act.scope
where %(area)s::text is null or act.scope is null or starts_with(act.scope, %(area)s) or starts_with(%(area)s, act.scope)
order by act.id desc limit %(limit)s

-- name: running
-- In how many homes each version that somebody has named rings, or runs in shadow.
select running.detector, running.label, running.state, sum(place.homes)::bigint as homes, min(running.since) as since
from (select area, count(*) as homes from homes where %(area)s::text is null or starts_with(area, %(area)s)
      group by area) place
cross join lateral versions_in(place.area) running
group by running.detector, running.label, running.state

-- name: quiet
-- In how many homes each version runs in shadow while no version of its detector was let ring.
select running.detector, running.label, sum(place.homes)::bigint as homes
from (select area, count(*) as homes from homes where %(area)s::text is null or starts_with(area, %(area)s)
      group by area) place
cross join lateral versions_in(place.area) running
where running.state = 'shadow' and not exists (
    select from versions_in(place.area) other where other.detector = running.detector and other.state = 'live')
group by running.detector, running.label

-- name: homes
select count(*) as homes from homes where %(area)s::text is null or starts_with(area, %(area)s)

-- name: acts_of
select scope, state, at from detector_promotions where detector = %(detector)s and label = %(label)s order by id

-- name: people
-- Who is watched: homes of which detection keeps a state. Somebody lives there, whether or not the register says who.
select home.area, count(*) as homes,
       sum(greatest((select count(*) from people where people.home = home.id), 1))::bigint as people
from homes home join detection_homes on detection_homes.home = home.id
where %(area)s::text is null or starts_with(home.area, %(area)s) group by home.area

-- name: live_alarms
select alarm.id, alarm.home, home.area, alarm.kind, alarm.raised_at, alarm.evidence->'since_ms' as since_ms,
       alarm.evidence->>'restores' as restores, alarm.incident
from alarms alarm join homes home on home.id = alarm.home
where alarm.raised_at >= %(first)s and alarm.raised_at <= %(until)s and not alarm.test
  and starts_with(alarm.evidence->>'detector', %(detector)s || '/')
  and (%(area)s::text is null or starts_with(home.area, %(area)s))
order by alarm.raised_at, alarm.id

-- name: shadow_alarms
select alarm.id, alarm.home, home.area, alarm.kind, alarm.raised_at, alarm.evidence->'since_ms' as since_ms,
       alarm.restores::text as restores, null::bigint as incident
from shadow_alarms alarm join homes home on home.id = alarm.home
where alarm.raised_at >= %(first)s and alarm.raised_at <= %(until)s
  and alarm.detector = %(detector)s and alarm.label = %(label)s
  and (%(area)s::text is null or starts_with(home.area, %(area)s))
order by alarm.raised_at, alarm.id

-- name: incidents
-- What a closing means is said in one place, for this and for what is learned from closures.
-- Also those that had begun before, or are still open: what rings while they are is about them.
select incident.id, incident.home, home.area, incident.opened_at, incident.t9 as closed_at,
       incident.body->'closing'->>'cause' as cause,
       case when incident.t9 is not null then closure_verdict(
           case when %(detector)s in ('fall', 'inactivity') then %(detector)s else incident.body->'closing'->>'cause' end,
           incident.body->'closing'->>'cause', incident.body->'closing'->>'outcome') end as closure
from incidents incident join homes home on home.id = incident.home
where incident.danger and not incident.test and incident.opened_at <= %(until)s
  and (incident.t9 is null or incident.t9 >= %(first)s)
  and (%(area)s::text is null or starts_with(home.area, %(area)s))
order by incident.opened_at, incident.id
