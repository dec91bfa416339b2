-- name: current
-- The book that holds now; its body only for whoever does not know that version yet.
select version, case when version <> %(known)s then body end as body from policy_books order by version desc limit 1

-- name: lock
-- Of two who save at once, the second sees what the first has saved.
select pg_advisory_xact_lock(hashtextextended('policies', 0))

-- name: last
-- Also one that cannot be read has had its number.
select coalesce(max(version), 0) as version from policy_books

-- name: version
select version, saved_at, saved_by, why, body from policy_books where version = %(version)s

-- name: versions
select version, saved_at, saved_by, why from policy_books order by version desc limit %(limit)s

-- name: add
insert into policy_books (version, saved_at, saved_by, why, body)
values (%(version)s, %(now)s, %(by)s, %(why)s, %(body)s)

-- name: named
-- What homes have as their own policy: a book without it would send them another way than somebody meant.
select distinct policy from homes where policy is not null order by policy

-- name: home_of
select home from people where id = %(person)s

-- name: situation
-- What of a home chooses its policy.
select homes.id, homes.area, homes.policy, homes.timezone, homes.address,
       array(select id from people where people.home = homes.id order by id) as people,
       (select string_agg(name, '、' order by id) from people where people.home = homes.id) as person
from homes where homes.id = %(home)s and starts_with(homes.area, %(scope)s)
