-- name: open
-- The partial unique index ends the race of two that find the same.
insert into desk_tasks (kind, subject, detail, opened_at, opened_by)
values (%(kind)s, %(subject)s, %(detail)s, %(now)s, %(by)s)
on conflict (kind, subject) where done_at is null do nothing

-- name: done
update desk_tasks set done_at = %(now)s, done_by = %(by)s, note = %(note)s
where done_at is null and id in (
    select id from desk_tasks_seen
    where id = %(task)s and (%(area)s::text is null or area is null or starts_with(area, %(area)s))
)

-- name: open_ones
-- What keeps somebody from being called goes before what is tried at the next visit; then what was left longest.
select * from desk_tasks_seen
where done_at is null and (%(area)s::text is null or area is null or starts_with(area, %(area)s))
order by kind = 'no_way_in_proven', opened_at, id limit %(limit)s

-- name: done_ones
select * from desk_tasks_seen
where done_at is not null and (%(area)s::text is null or area is null or starts_with(area, %(area)s))
order by done_at desc, id desc limit %(limit)s

-- name: count
select count(*) as tasks from desk_tasks_seen
where done_at is null and (%(area)s::text is null or area is null or starts_with(area, %(area)s))
