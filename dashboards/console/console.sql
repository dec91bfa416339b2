-- name: beat
-- Goes the whole way that a change goes, so that hearing it proves that changes are heard. It brings the lanes that have
-- not heard the broker lately, whether somebody cannot be called, and whether next to nothing is heard of some area.
select pg_notify('console_beat', %(payload)s || coalesce(
    (select string_agg(' ' || lane, '' order by lane) from hearing where heard_at < %(late)s), '')
    || case when exists (select from providers_down where seen_at > %(late)s) then ' telephone' else '' end
    || case when exists (select from coverage where deaf) then ' areas' else '' end)

-- name: area_of
-- A caller whom nobody knows is everybody's, and so is hearing that it is somebody's now.
select homes.area, incidents.home is null and (grouped_by is not null or danger) or body->>'named_by' is not null as many
from incidents left join homes on homes.id = incidents.home where incidents.id = %(incident)s

-- name: open_dangers
-- Which of these homes have an open danger already, other than the one that is to be named.
select home, id from incidents
where home = any(%(homes)s) and danger and not test and state <> 'closed' and id <> %(incident)s

-- name: present
-- A page says that it is there. It stays its account's: nobody else can speak for it.
insert into consoles (id, account, seen_at, sound, visible)
values (%(console)s, %(account)s, %(now)s, %(sound)s, %(visible)s)
on conflict (id) do update set seen_at = excluded.seen_at, sound = excluded.sound, visible = excluded.visible
where consoles.account = excluded.account

-- name: forget_consoles
-- Pages that have been closed for a day.
delete from consoles where seen_at < %(before)s
