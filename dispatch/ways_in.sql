-- name: end
-- A home whose way in was proven lately, or that nobody lives in any more, is no work.
update desk_tasks set done_at = %(now)s, done_by = %(by)s,
    note = case when exists (select from homes where id = subject and way_in_proven_on >= %(before)s)
                then 'way_in_proven' else 'nobody_lives_there' end
where kind = 'no_way_in_proven' and done_at is null and not exists (
    select from homes where homes.id = subject and (way_in_proven_on is null or way_in_proven_on < %(before)s)
      and exists (select from people where people.home = homes.id)
)

-- name: open
-- Of each area as many as are walked to in a week or two, those of which least is known first. What somebody has said to
-- have seen to is not asked for again at once: the visit may be next week.
insert into desk_tasks (kind, subject, detail, opened_at, opened_by)
select 'no_way_in_proven', id, jsonb_strip_nulls(jsonb_build_object('proven_on', way_in_proven_on)), %(now)s, %(by)s
from (
    select homes.id, homes.area, way_in_proven_on,
           row_number() over (partition by homes.area order by way_in_proven_on nulls first, homes.id) as place
    from homes
    where (way_in_proven_on is null or way_in_proven_on < %(before)s)
      and exists (select from people where people.home = homes.id)
      and not exists (
          select from desk_tasks where kind = 'no_way_in_proven' and subject = homes.id
            and (done_at is null or done_by <> %(system)s and done_at > %(again)s)
      )
) unproven
where place <= %(many)s - (
    select count(*) from desk_tasks join homes on homes.id = subject
    where kind = 'no_way_in_proven' and done_at is null and homes.area = unproven.area
)
order by way_in_proven_on nulls first, id
on conflict (kind, subject) where done_at is null do nothing
