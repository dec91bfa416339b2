-- name: visit
-- Whose link it is, what it was sent for, and what they are to that home: whoever is no contact of it any more, and no
-- helper of its area, nor stood in for one when they were asked, has no part in it, unless they go.
select sends.id, sends.incident, sends.recipient, sends.name, sends.language, sends.body->>'role' as role,
       coalesce(sends.dialled_at, sends.due_at) as sent_at, incidents.body, incidents.t9 as closed_at, incidents.home,
       contacts.id is not null or responders.id is not null as theirs
from sends
join incidents on incidents.id = sends.incident
left join homes on homes.id = incidents.home
left join contacts on contacts.id = sends.recipient and contacts.home = incidents.home
left join responders on responders.id = sends.recipient
    and (starts_with(homes.area, responders.area)
         or exists (select from responder_absences away join responders absent on absent.id = away.responder
                    where away.stand_in = responders.id and starts_with(homes.area, absent.area)
                      and away.absent_from <= sends.due_at
                      and (away.absent_until is null or away.absent_until > sends.due_at)))
where sends.id = %(send)s and sends.purpose = any(%(purposes)s)

-- name: persons
-- Who lives there, with what they have agreed to (`given`), and what they have taken back since (`withdrawn`).
select people.id, name, born_on, sex, language, phone, conditions, medication, hospital, note,
       coalesce(array_agg(distinct kind) filter (where withdrawn_at is null or withdrawn_at > %(now)s), '{}') as given,
       coalesce(array_agg(distinct kind) filter (where withdrawn_at <= %(now)s), '{}') as withdrawn
from people left join consents on consents.person = people.id and given_at <= %(now)s
where home = %(home)s group by people.id order by people.id

-- name: home
select id, address, phone, way_in, way_in_proven_on, latitude, longitude, coordinates, timezone,
       exists (select from home_codes where home_codes.home = homes.id) as has_code
from homes where id = %(home)s

-- name: journal
select number, at, event, decision, actor, detail from journal where incident = %(incident)s order by number

-- name: code
select code from home_codes where home = %(home)s

-- name: set_code
-- A new one ends the old: its sticker shows nothing any more.
insert into home_codes (home, code, made_at, made_by) values (%(home)s, %(code)s, %(now)s, %(by)s)
on conflict (home) do update set code = excluded.code, made_at = excluded.made_at, made_by = excluded.made_by

-- name: code_of
select homes.id, homes.address, code, made_at from homes left join home_codes on home_codes.home = homes.id
where homes.id = %(home)s and (%(area)s::text is null or starts_with(homes.area, %(area)s))

-- name: try_code
insert into home_code_tries (incident, helper, at) values (%(incident)s, %(helper)s, %(now)s)

-- name: tries
-- Of everybody together: whoever guesses may hold more than one link.
select count(*) as tries from home_code_tries where incident = %(incident)s and at > %(since)s

-- name: put_location
-- Only while somebody is needed. The row is held until this commits: whoever closes it waits, and deletes it.
insert into helper_locations (incident, helper, at, latitude, longitude, accuracy_m)
select id, %(helper)s, %(now)s, %(latitude)s, %(longitude)s, %(accuracy)s
from incidents where id = %(incident)s and state not in ('safe', 'closed') for share
on conflict (incident, helper) do update
set at = excluded.at, latitude = excluded.latitude, longitude = excluded.longitude, accuracy_m = excluded.accuracy_m

-- name: location
select at, latitude, longitude, accuracy_m from helper_locations where incident = %(incident)s and helper = %(helper)s

-- name: locations
-- Where those are who go and have agreed to it.
select helper, helper_locations.at, helper_locations.latitude, helper_locations.longitude, accuracy_m,
       homes.latitude as home_latitude, homes.longitude as home_longitude, homes.coordinates
from helper_locations join incidents on incidents.id = helper_locations.incident
join homes on homes.id = incidents.home
where helper_locations.incident = %(incident)s and homes.latitude is not null

-- name: forget_location
delete from helper_locations where incident = %(incident)s and helper = %(helper)s
