-- name: packet
select packets.*, incidents.home, incidents.t9 as closed_at from packets join incidents on incidents.id = packets.incident
where packets.id = %(packet)s

-- name: issue
insert into packets (incident, issued_at, issued_by, name, phone, language)
values (%(incident)s, %(now)s, %(by)s, %(name)s, %(phone)s, %(language)s) returning id

-- name: issued
-- What was given out of an incident, with what was opened of it last.
select packets.*, opened.number as opened, opened.at as opened_at from packets
left join lateral (
    select number, at from packet_openings where packet = packets.id order by number desc limit 1
) opened on true
where incident = %(incident)s order by packets.id

-- name: live
-- Incidents that go on, or ended lately, of which somebody holds a packet that can still be opened. `mark` is another as
-- soon as anything is that a packet is drawn from: `xmin` is the transaction that wrote a row last. Consents begin and end
-- by the time alone.
select incidents.id as incident, concat_ws('/',
    incidents.xmin, (select max(number) from journal where journal.incident = incidents.id), homes.xmin,
    (select string_agg(concat_ws(' ', people.id, people.xmin), ',' order by people.id)
     from people where people.home = incidents.home),
    (select string_agg(concat_ws(' ', contacts.id, contacts.xmin), ',' order by contacts.id)
     from contacts where contacts.home = incidents.home),
    (select string_agg(concat_ws(' ', person, consents.xmin, given_at <= %(now)s, withdrawn_at <= %(now)s), ','
                       order by person, kind, given_at)
     from consents join people on people.id = consents.person where people.home = incidents.home)) as mark
from incidents left join homes on homes.id = incidents.home
where incidents.id in (select incident from packets where issued_at > %(since)s) and (t9 is null or t9 > %(ended)s)
order by incidents.id

-- name: holders
select id, name, phone, language from packets
where incident = %(incident)s and issued_at > %(since)s and phone is not null order by id

-- name: version
select number, made_at, parts, changed from packet_versions where incident = %(incident)s order by number desc limit 1

-- name: add_version
insert into packet_versions (incident, number, made_at, parts, changed)
values (%(incident)s, %(number)s, %(now)s, %(parts)s, %(changed)s)

-- name: changed
-- Each part that has changed between what somebody has seen and what is.
select distinct unnest(changed) as part from packet_versions
where incident = %(incident)s and number > %(seen)s and number <= %(number)s

-- name: last_opened
select max(number) as number from packet_openings where packet = %(packet)s and number < %(number)s

-- name: open
insert into packet_openings (packet, number, at) values (%(packet)s, %(number)s, %(now)s)
on conflict do nothing

-- name: readings
-- The last of each kind of a vital sign.
select distinct on (kind) kind, value, detail, at from readings
where home = %(home)s and at > %(since)s and at <= %(now)s and kind = any(%(kinds)s)
order by kind, at desc

-- name: lock
select id from incidents where id = %(incident)s for update
