-- name: people
-- Whom a home can ask, looked up for each of them one by one: slow, and what `dispatch/desk.sql` must agree with.
with place as (
    select homes.id, homes.area, homes.latitude, homes.longitude, homes.coordinates, homes.timezone,
           (select jsonb_object_agg(day, counts_as) from holidays
            where day between %(now)s::timestamptz::date - 2 and %(now)s::timestamptz::date + 2) as holidays
    from homes where homes.id = %(home)s
), near as (
    select responders.* from responders, place where starts_with(place.area, responders.area)
), away as (
    select responder, stand_in from responder_absences
    where absent_from <= %(now)s and (absent_until is null or absent_until > %(now)s)
), asked as (
    select * from near
    union select responders.* from responders join away on away.stand_in = responders.id join near on near.id = away.responder
)
select contacts.id, name, 'contacts' as "group", rank, role, phone, language, notify,
       coalesce(told, role = 'family') as told, quiet, has_key,
       exists (select from desk_tasks where kind = 'wrong_number' and subject = contacts.id and done_at is null) as stranger,
       null as area, null::float8 as latitude, null::float8 as longitude, null as coordinates, true as on_duty,
       null::date as consented_on, null::date as trained_on, null as hours, place.timezone,
       place.holidays, false as absent, array[]::text[] as stands_in, 0 as going_to,
       false as attended, place.area as home_area, place.latitude as home_latitude, place.longitude as home_longitude,
       place.coordinates as home_coordinates
from contacts, place where contacts.home = place.id
union all
select asked.id, name, 'responders', 0, role, phone, language, notify, false, null,
       coalesce(known.has_key, false),
       exists (select from desk_tasks where kind = 'wrong_number' and subject = asked.id and done_at is null), asked.area, asked.latitude, asked.longitude, asked.coordinates, on_duty,
       consented_on, trained_on, hours, place.timezone, place.holidays,
       exists (select from away where away.responder = asked.id),
       array(select away.responder from away where away.stand_in = asked.id order by away.responder),
       (select count(*)::integer from incidents
        where wake_at is not null and body->>'helper' is not null and going_to(body) @> array[asked.id]
          and home is distinct from place.id),
       known.has_key is not null or exists (
           select from incidents where wake_at is null and body->>'helper' is not null and incidents.home = place.id
             and body->'helper'->>'id' = asked.id),
       place.area, place.latitude, place.longitude, place.coordinates
from place cross join asked
left join lateral (
    select bool_or(contacts.has_key) as has_key from contacts
    where contacts.home = place.id and contacts.phone = asked.phone having count(*) > 0
) known on true
order by "group", rank, id
