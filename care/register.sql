-- name: lock
-- Whoever writes the register does so alone: what was decided about it still holds when it is written.
select pg_advisory_xact_lock(hashtextextended('register', 0))

-- name: one_snapshot
-- An export shows one moment, not each table's own.
set transaction isolation level repeatable read

-- name: areas
-- An area shows those above it as well: without them it has no full name.
select code, name, level, parent from areas
where (starts_with(code, %(scope)s) or starts_with(%(scope)s, code))
  and (%(keys)s::text[] is null or code = any(%(keys)s)) and code > %(after)s
order by code limit %(limit)s

-- name: homes
select id, area, address, phone, way_in, way_in_proven_on, latitude, longitude, coordinates, inactivity_hours, policy,
  inactivity_floor_hours, timezone, fence_m,
  (select string_agg(concat(kind, ' ', low, '–', high), '; ' order by kind collate "C")
    from person_limits where home = homes.id) as limits
from homes
where starts_with(area, %(scope)s) and (%(keys)s::text[] is null or id = any(%(keys)s)) and id > %(after)s
order by id limit %(limit)s

-- name: people
select p.id, p.home, p.name, p.born_on, p.sex, p.language, p.phone, p.category, p.conditions, p.medication, p.hospital,
  p.note
from people p join homes h on h.id = p.home
where starts_with(h.area, %(scope)s) and (%(keys)s::text[] is null or p.id = any(%(keys)s))
  and (%(home)s::text is null or p.home = %(home)s) and p.id > %(after)s
order by p.id limit %(limit)s

-- name: contacts
-- With the keys come all contacts of `homes`: their places are looked at together.
select c.id, c.home, c.rank, c.name, c.relation, c.role, c.phone, c.language, c.has_key, c.notify, c.told, c.digest,
  c.quiet
from contacts c join homes h on h.id = c.home
where starts_with(h.area, %(scope)s)
  and (%(keys)s::text[] is null or c.id = any(%(keys)s) or c.home = any(%(homes)s::text[]))
  and (%(home)s::text is null or c.home = %(home)s) and c.id > %(after)s
order by c.id limit %(limit)s

-- name: responders
select id, name, role, area, phone, language, on_duty, consented_on, trained_on, hours, latitude, longitude, coordinates,
  notify
from responders
where starts_with(area, %(scope)s) and (%(keys)s::text[] is null or id = any(%(keys)s)) and id > %(after)s
order by id limit %(limit)s

-- name: devices
-- A device in no home lies in no area: only who may see everything sees it.
select d.id, d.home, d.kind, d.model, d.heartbeat_seconds, d.mqtt_password_hash, d.enabled, d.enrolled_at, d.gateway,
  d.address
from devices d left join homes h on h.id = d.home
where (%(scope)s = '' or starts_with(h.area, %(scope)s)) and (%(keys)s::text[] is null or d.id = any(%(keys)s))
  and (%(home)s::text is null or d.home = %(home)s) and d.id > %(after)s
order by d.id limit %(limit)s

-- name: consents
-- The keys are people: all that each of them has consented to.
select c.person, c.kind, c.given_at, c.withdrawn_at
from consents c join people p on p.id = c.person join homes h on h.id = p.home
where starts_with(h.area, %(scope)s) and (%(keys)s::text[] is null or c.person = any(%(keys)s))
  and (%(home)s::text is null or p.home = %(home)s)
order by c.person, c.kind, c.given_at limit %(limit)s

-- name: away
-- The keys are homes: all absences of each.
select a.home, a.away_from, a.away_until, a.reason
from away a join homes h on h.id = a.home
where starts_with(h.area, %(scope)s) and (%(keys)s::text[] is null or a.home = any(%(keys)s))
  and (%(home)s::text is null or a.home = %(home)s)
order by a.home, a.away_from limit %(limit)s

-- name: responder_absences
-- The keys are responders: all absences of each. Who stands in may be of another area: that is for whoever sees both.
select a.responder, a.absent_from, a.absent_until, a.stand_in
from responder_absences a join responders r on r.id = a.responder left join responders s on s.id = a.stand_in
where starts_with(r.area, %(scope)s) and (s.id is null or starts_with(s.area, %(scope)s)) and (%(keys)s::text[] is null or a.responder = any(%(keys)s))
order by a.responder, a.absent_from limit %(limit)s

-- name: holidays
-- They hold everywhere, so they are for whoever may see everything.
select day, counts_as from holidays
where %(scope)s = '' and (%(keys)s::text[] is null or day = any(%(keys)s::text[]::date[]))
order by day limit %(limit)s

-- name: incidents
-- What the card says of the past: how often lately, and when last.
select count(*) filter (where opened_at > %(since)s) as lately, max(opened_at) as last_at
from incidents where home = %(home)s and not test

-- name: search
-- One row a person (or an empty home): by id, name, address or phone of the person, the home or a contact, or a device.
select h.id as home, h.area, h.address, h.phone as home_phone, p.id as person, p.name, p.born_on, p.language,
  p.category, p.phone
from homes h left join people p on p.home = h.id
where starts_with(h.area, %(scope)s)
  and (%(text)s = '' or strpos(lower(h.id), %(text)s) > 0 or strpos(lower(h.address), %(text)s) > 0
    or strpos(lower(p.id), %(text)s) > 0 or strpos(lower(p.name), %(text)s) > 0
    or exists (select from contacts c where c.home = h.id and strpos(lower(c.name), %(text)s) > 0)
    or exists (select from devices d where d.home = h.id and lower(d.id) = %(text)s)
    or %(digits)s <> '' and (strpos(h.phone, %(digits)s) > 0 or strpos(p.phone, %(digits)s) > 0
      or exists (select from contacts c where c.home = h.id and strpos(c.phone, %(digits)s) > 0)))
  and (h.id, coalesce(p.id, '')) > (%(after_home)s, %(after_person)s)
order by h.id, coalesce(p.id, '') limit %(limit)s

-- name: is_empty
select not exists (select from areas) and not exists (select from homes) and not exists (select from devices)
  and not exists (select from accounts) as empty

-- name: raise_homes
-- Detection hears of it: ingest announces every home whose revision it has not announced.
update homes set revision = revision + 1 where id = any(%(homes)s)

-- name: write_areas
insert into areas (code, name, level, parent) values (%(code)s, %(name)s, %(level)s, %(parent)s)
on conflict (code) do update set name = excluded.name, level = excluded.level, parent = excluded.parent

-- name: write_homes
insert into homes (id, area, address, phone, way_in, way_in_proven_on, latitude, longitude, coordinates,
  inactivity_hours, policy, inactivity_floor_hours, timezone, fence_m)
values (%(id)s, %(area)s, %(address)s, %(phone)s, %(way_in)s, %(way_in_proven_on)s, %(latitude)s, %(longitude)s,
  %(coordinates)s, %(inactivity_hours)s, %(policy)s, %(inactivity_floor_hours)s, %(timezone)s, %(fence_m)s)
on conflict (id) do update set area = excluded.area, address = excluded.address, phone = excluded.phone,
  way_in = excluded.way_in, way_in_proven_on = excluded.way_in_proven_on, latitude = excluded.latitude,
  longitude = excluded.longitude, coordinates = excluded.coordinates, inactivity_hours = excluded.inactivity_hours,
  policy = excluded.policy, inactivity_floor_hours = excluded.inactivity_floor_hours, timezone = excluded.timezone,
  fence_m = excluded.fence_m

-- name: write_limits
-- Who set a limit is recorded where it is new or another one. The arrays are of one row for each limit.
with given as (
  select * from unnest(%(homes)s::text[], %(kinds)s::text[], %(lows)s::float8[], %(highs)s::float8[])
    given(home, kind, low, high)
), gone as (
  delete from person_limits where home = any(%(written)s::text[])
    and (home, kind) not in (select home, kind from given)
)
insert into person_limits (home, kind, low, high, set_by, set_at)
select home, kind, low, high, %(by)s::text, %(now)s from given
on conflict (home, kind) do update set low = excluded.low, high = excluded.high, set_by = excluded.set_by,
  set_at = excluded.set_at
where (person_limits.low, person_limits.high) is distinct from (excluded.low, excluded.high)

-- name: limits_set
select kind, set_by, set_at from person_limits where home = %(home)s order by kind collate "C"

-- name: write_people
insert into people (id, home, name, born_on, sex, language, phone, category, conditions, medication, hospital, note)
values (%(id)s, %(home)s, %(name)s, %(born_on)s, %(sex)s, %(language)s, %(phone)s, %(category)s, %(conditions)s,
  %(medication)s, %(hospital)s, %(note)s)
on conflict (id) do update set home = excluded.home, name = excluded.name, born_on = excluded.born_on,
  sex = excluded.sex, language = excluded.language, phone = excluded.phone, category = excluded.category,
  conditions = excluded.conditions, medication = excluded.medication, hospital = excluded.hospital,
  note = excluded.note

-- name: write_contacts
insert into contacts (id, home, rank, name, relation, role, phone, language, has_key, notify, told, digest, quiet)
values (%(id)s, %(home)s, %(rank)s, %(name)s, %(relation)s, %(role)s, %(phone)s, %(language)s, %(has_key)s, %(notify)s,
  %(told)s, %(digest)s, %(quiet)s)
on conflict (id) do update set home = excluded.home, rank = excluded.rank, name = excluded.name,
  relation = excluded.relation, role = excluded.role, phone = excluded.phone, language = excluded.language,
  has_key = excluded.has_key, notify = excluded.notify, told = excluded.told, digest = excluded.digest,
  quiet = excluded.quiet

-- name: write_responders
insert into responders (id, name, role, area, phone, language, on_duty, consented_on, trained_on, hours, latitude,
  longitude, coordinates, notify)
values (%(id)s, %(name)s, %(role)s, %(area)s, %(phone)s, %(language)s, %(on_duty)s, %(consented_on)s, %(trained_on)s,
  %(hours)s, %(latitude)s, %(longitude)s, %(coordinates)s, %(notify)s)
on conflict (id) do update set name = excluded.name, role = excluded.role, area = excluded.area,
  phone = excluded.phone, language = excluded.language, on_duty = excluded.on_duty,
  consented_on = excluded.consented_on, trained_on = excluded.trained_on, hours = excluded.hours,
  latitude = excluded.latitude, longitude = excluded.longitude, coordinates = excluded.coordinates,
  notify = excluded.notify

-- name: addresses_taken
-- Those of the addresses at which there is another device than those that are written.
select gateway, address from devices
where (gateway, address) in (select * from unnest(%(gateways)s::text[], %(addresses)s::text[]))
  and id <> all(%(devices)s::text[])

-- name: write_devices
insert into devices (id, home, kind, model, heartbeat_seconds, mqtt_password_hash, enabled, enrolled_at, gateway,
  address)
values (%(id)s, %(home)s, %(kind)s, %(model)s, %(heartbeat_seconds)s, %(mqtt_password_hash)s, %(enabled)s,
  %(enrolled_at)s, %(gateway)s, %(address)s)
on conflict (id) do update set home = excluded.home, kind = excluded.kind, model = excluded.model,
  heartbeat_seconds = excluded.heartbeat_seconds, mqtt_password_hash = excluded.mqtt_password_hash,
  enabled = excluded.enabled, enrolled_at = excluded.enrolled_at, gateway = excluded.gateway, address = excluded.address

-- name: write_consents
insert into consents (person, kind, given_at, withdrawn_at)
values (%(person)s, %(kind)s, %(given_at)s, %(withdrawn_at)s)
on conflict (person, kind, given_at) do update set withdrawn_at = excluded.withdrawn_at

-- name: write_away
insert into away (home, away_from, away_until, reason)
values (%(home)s, %(away_from)s, %(away_until)s, %(reason)s)
on conflict (home, away_from) do update set away_until = excluded.away_until, reason = excluded.reason

-- name: write_responder_absences
insert into responder_absences (responder, absent_from, absent_until, stand_in)
values (%(responder)s, %(absent_from)s, %(absent_until)s, %(stand_in)s)
on conflict (responder, absent_from) do update set absent_until = excluded.absent_until, stand_in = excluded.stand_in

-- name: write_holidays
insert into holidays (day, counts_as) values (%(day)s, %(counts_as)s)
on conflict (day) do update set counts_as = excluded.counts_as

-- name: delete_areas
delete from areas where code = %(code)s

-- name: delete_homes
-- What belongs to nobody but the home goes with it. Devices do not: they are unbound first, and detection hears of it.
with consents_gone as (
  delete from consents where person in (select id from people where home = %(id)s)
), contacts_gone as (
  delete from contacts where home = %(id)s
), away_gone as (
  delete from away where home = %(id)s
), people_gone as (
  delete from people where home = %(id)s
)
delete from homes where id = %(id)s

-- name: delete_people
with consents_gone as (
  delete from consents where person = %(id)s
)
delete from people where id = %(id)s

-- name: delete_contacts
delete from contacts where id = %(id)s

-- name: delete_responders
with absences_gone as (
  delete from responder_absences where responder = %(id)s
)
delete from responders where id = %(id)s

-- name: delete_responder_absences
delete from responder_absences where responder = %(responder)s and absent_from = %(absent_from)s

-- name: delete_holidays
delete from holidays where day = %(day)s

-- name: delete_devices
delete from devices where id = %(id)s

-- name: delete_consents
delete from consents where person = %(person)s and kind = %(kind)s and given_at = %(given_at)s

-- name: delete_away
delete from away where home = %(home)s and away_from = %(away_from)s
