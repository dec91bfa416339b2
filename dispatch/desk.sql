-- name: waiting_homes
-- What waits, home by home, the soonest first: a stuck button's thousand presses hold up nobody else's one. A danger never
-- stands behind a flat battery. What is grouped first comes here when it belongs to nothing.
select whose, (array_agg(id order by raised_at, id))[1:%(alarms)s] as alarms
from (select id, coalesce(home, device, id::text) as whose, kind = any(%(technical)s) as technical, raised_at
      from alarms
      where taken_at is null and (alone or kind <> all(%(grouped)s::text[])) and id <> all(%(beside)s::uuid[])) as waiting
group by technical, whose
order by technical, whose = any(%(served)s::text[]), min(raised_at), whose
limit %(homes)s

-- name: waiting_alarms
-- One home's turn. What another desk has in hand is its.
select id, kind, home, device, at, device_at, clock, received_at, raised_at, restored_at, test, evidence from alarms
where id = any(%(alarms)s) and taken_at is null
order by raised_at, id
for update skip locked

-- name: taken
update alarms set taken_at = %(now)s, incident = %(incident)s where id = any(%(alarms)s)

-- name: find_open
-- What this alarm joins: the open incident of its home (of its device or caller, where no home is known) of the same
-- sort. One that an operator has named since is still that device's or caller's. A test is its device's, wherever that
-- has been moved to: as in the unique index, or whoever finds none could open none either.
select id from incidents
where state <> 'closed' and danger = %(danger)s and test = %(test)s
  and case when test then device = %(device)s
      when %(home)s::text is null then device = %(device)s and (home is null or body->>'named_by' is not null)
      else home = %(home)s end
order by id limit 1

-- name: open_danger
-- What a home has already, when another incident is said to be its.
select id from incidents where home = %(home)s and danger and not test and state <> 'closed' and id <> %(incident)s

-- name: told
-- A call or message that is told of twice is one: its id is the provider's own.
insert into alarms (id, kind, home, device, at, received_at, raised_at, test, evidence)
values (%(id)s, %(kind)s, %(home)s, %(device)s, %(now)s, %(now)s, %(now)s, false, %(evidence)s)
on conflict do nothing

-- name: incident_of
select incident from alarms where id = %(alarm)s

-- name: lock
select id, body from incidents where id = %(incident)s for update

-- name: open
-- The partial unique index ends the race of two alarms that both found nothing open.
insert into incidents (home, person, device, cause, danger, test, state, version, wake_at, opened_at, body,
                       grouped_by, grouped_of, area, t0, t1, t2, t3, t4, t5, t6, t7, t8, t9)
values (%(home)s, (select min(id) from people where home = %(home)s), %(device)s, %(cause)s, %(danger)s, %(test)s,
        %(state)s, %(version)s, %(wake_at)s, %(opened_at)s, %(body)s,
        %(grouped_by)s, %(grouped_of)s, %(area)s, %(t0)s, %(t1)s, %(t2)s, %(t3)s, %(t4)s, %(t5)s, %(t6)s, %(t7)s, %(t8)s, %(t9)s)
on conflict do nothing
returning id

-- name: save
update incidents set home = %(home)s,
    person = case when home is distinct from %(home)s then (select min(id) from people where home = %(home)s) else person end,
    state = %(state)s, version = %(version)s, wake_at = %(wake_at)s, body = %(body)s, area = %(area)s,
    t0 = %(t0)s, t1 = %(t1)s, t2 = %(t2)s, t3 = %(t3)s, t4 = %(t4)s,
    t5 = %(t5)s, t6 = %(t6)s, t7 = %(t7)s, t8 = %(t8)s, t9 = %(t9)s
where id = %(incident)s

-- name: people
-- Whom this home can ask, with all that says in which order: `dispatch/choosing.py` orders them. A responder's area holds
-- the home, or they stand in for somebody whose does. There may be a thousand of them: what can be is looked up once and
-- for all, and past visits only of this home (for each of many, PostgreSQL would rather read every incident there was).
with place as (
    select homes.id, homes.area, homes.latitude, homes.longitude, homes.coordinates, homes.timezone,
           (select jsonb_object_agg(day, counts_as) from holidays
            where day between %(now)s::timestamptz::date - 2 and %(now)s::timestamptz::date + 2) as holidays
    from homes where homes.id = %(home)s
), within as (
    select left(place.area, digits) as area from place, generate_series(0, length(place.area)) as digits
), away as (
    select responder, stand_in from responder_absences
    where absent_from <= %(now)s and (absent_until is null or absent_until > %(now)s)
), near as (
    select id from responders where area = any(array(select area from within))
), stands_in as (
    select stand_in as id, array_agg(responder order by responder) as stands_in, bool_or(near.id is not null) as asked
    from away left join near on near.id = responder where stand_in is not null group by stand_in
), asked as (
    select responders.* from responders
    where area = any(array(select area from within)) or id = any(array(select id from stands_in where asked))
), strangers as (
    select subject from desk_tasks where kind = 'wrong_number' and done_at is null
), attended as materialized (
    select distinct body->'helper'->>'id' as id from incidents
    where wake_at is null and body->>'helper' is not null and home = %(home)s
      and body->'helper'->>'id' = any(array(select id from asked))
), known as (
    select phone, bool_or(has_key) as has_key from contacts where home = %(home)s group by phone
)
select contacts.id, name, 'contacts' as "group", rank, role, phone, language, notify,
       coalesce(told, role = 'family') as told, quiet, has_key,
       contacts.id in (select subject from strangers) as stranger,
       null as area, null::float8 as latitude, null::float8 as longitude, null as coordinates, true as on_duty,
       null::date as consented_on, null::date as trained_on, null as hours, place.timezone,
       place.holidays, false as absent, array[]::text[] as stands_in, 0 as going_to,
       false as attended, place.area as home_area, place.latitude as home_latitude, place.longitude as home_longitude,
       place.coordinates as home_coordinates
from contacts, place where contacts.home = place.id
union all
select asked.id, name, 'responders', 0, role, asked.phone, language, notify, false, null,
       coalesce(known.has_key, false),
       asked.id in (select subject from strangers), asked.area, asked.latitude, asked.longitude, asked.coordinates, on_duty,
       consented_on, trained_on, hours, place.timezone, place.holidays,
       asked.id in (select responder from away),
       coalesce(stands_in.stands_in, '{}'),
       (select count(*)::integer from incidents
        where wake_at is not null and body->>'helper' is not null and going_to(body) @> array[asked.id]
          and home is distinct from place.id),
       known.has_key is not null or asked.id in (select id from attended),
       place.area, place.latitude, place.longitude, place.coordinates
from place cross join asked
left join stands_in on stands_in.id = asked.id
left join known on known.phone = asked.phone
order by "group", rank, id

-- name: goers
-- Who goes, and is on no list of this home any more: their shift is over, their area or whom they stood in for is another.
select id, name, role, phone, language, coalesce(notify, '') as notify,
       exists (select from desk_tasks where kind = 'wrong_number' and subject = responders.id and done_at is null) as stranger
from responders where id = any(%(ids)s)

-- name: home
-- What goes with the first message: who, where, and the way in.
select homes.id, homes.area, homes.address, homes.phone, homes.way_in, homes.way_in_proven_on, homes.policy, homes.timezone,
       array(select id from people where people.home = homes.id order by id) as people,
       (select bool_and(exists (select from consents
                                where person = people.id and kind = 'share_with_family' and withdrawn_at is null))
        from people where people.home = homes.id) as shared,
       (select string_agg(name, '、' order by id) from people where people.home = homes.id) as person
from homes where homes.id = %(home)s

-- name: manned
-- A page that is visible and can sound, of somebody who sees this home. A call of nobody's home is everybody's to see.
select from consoles join accounts on accounts.id = consoles.account
where consoles.visible and consoles.sound and consoles.seen_at > %(there)s
  and (accounts.area is null or %(home)s::text is null
       or exists (select from homes where id = %(home)s and starts_with(homes.area, accounts.area))
       or not exists (select from homes where id = %(home)s))
limit 1

-- name: last_entry
select number, hash from journal where incident = %(incident)s order by number desc limit 1

-- name: write
insert into journal (incident, number, at, event, decision, actor, detail, hash)
values (%(incident)s, %(number)s, %(at)s, %(event)s, %(decision)s, %(actor)s, %(detail)s, %(hash)s)

-- name: due
select id from incidents where wake_at <= %(now)s and id <> all(%(beside)s::bigint[]) order by danger desc, wake_at for update skip locked limit %(at_once)s

-- name: put_back
-- At a start only: incidents whose last step lies in the future, since the wall clock was put back while nothing ran.
select id from incidents
where wake_at > %(now)s and (body->>'step_at')::timestamptz > %(now)s + make_interval(secs => %(tolerated)s)
  and id <> all(%(beside)s::bigint[])
order by danger desc, wake_at for update skip locked limit %(at_once)s

-- name: soonest
select min(wake_at) as at from incidents where wake_at is not null and id <> all(%(beside)s::bigint[])
