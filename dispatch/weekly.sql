-- name: due
-- Who wants the letter of the week, where it is Sunday evening now, and has not got it.
select contacts.id, contacts.name, contacts.phone, contacts.notify, contacts.language, contacts.quiet, contacts.home,
       local.at as local, (select string_agg(name, '、' order by id) from people where people.home = homes.id) as person
from contacts join homes on homes.id = contacts.home
cross join lateral (select %(now)s::timestamptz at time zone coalesce(homes.timezone, %(zone)s) as at) local
where contacts.digest and extract(isodow from local.at) = 7
  and extract(hour from local.at) >= %(from_hour)s and extract(hour from local.at) < %(until_hour)s
  and exists (select from people where people.home = homes.id)
  and not exists (
      select from sends
      where errand = to_char(local.at, '"week/"IYYY"-W"IW') and recipient = contacts.id
  )
order by contacts.id limit %(limit)s

-- name: week
-- A home's week in figures: nothing of anybody's health.
select (select count(*) from incidents
        where home = %(home)s and danger and not test and opened_at > %(since)s) as calls,
       (select count(*) from incidents
        where home = %(home)s and danger and not test and opened_at > %(since)s and t7 is not null) as visits,
       (select count(*) from test_windows
        where home = %(home)s and state = 'passed' and finished_at > %(since)s) as tests_passed,
       (select count(*) from test_windows
        where home = %(home)s and state = 'failed' and finished_at > %(since)s) as tests_failed,
       (select count(*) from device_states
        where home = %(home)s and enabled and battery_since is not null) as batteries_low
