-- name: note
insert into rota_changes (at, account, what, responder, absent_from, absent_until, stand_in, day, counts_as)
values (%(now)s, %(by)s, %(what)s, %(responder)s, %(absent_from)s, %(absent_until)s, %(stand_in)s, %(day)s, %(counts_as)s)

-- name: absences
-- What is in force and what comes, with whatever keeps the stand-in from being asked meanwhile.
select away.responder, away.absent_from, away.absent_until, away.stand_in, absent.name, absent.role,
       other.name as stand_in_name, away.absent_from <= %(now)s as holds,
       not (other.on_duty and other.consented_on is not null and other.trained_on is not null) as stand_in_not_asked,
       exists (
           select from responder_absences too
           where too.responder = away.stand_in and too.absent_from < coalesce(away.absent_until, 'infinity')
             and coalesce(too.absent_until, 'infinity') > greatest(away.absent_from, %(now)s)
       ) as stand_in_absent,
       coalesce(accounts.name, entered.account) as by, entered.at
from responder_absences away join responders absent on absent.id = away.responder
left join responders other on other.id = away.stand_in
left join lateral (
    select account, at from rota_changes
    where rota_changes.responder = away.responder and rota_changes.absent_from = away.absent_from
    order by id desc limit 1
) entered on true
left join accounts on accounts.id = entered.account
where (away.absent_until is null or away.absent_until > %(now)s) and starts_with(absent.area, %(scope)s)
order by away.absent_from, away.responder limit %(limit)s

-- name: holidays
select holidays.day, holidays.counts_as, coalesce(accounts.name, entered.account) as by, entered.at
from holidays
left join lateral (
    select account, at from rota_changes where rota_changes.day = holidays.day order by id desc limit 1
) entered on true
left join accounts on accounts.id = entered.account
where holidays.day >= %(today)s order by holidays.day limit %(limit)s

-- name: changes
-- The latest first. Holidays hold everywhere, and everybody may know of them.
select changes.at, coalesce(accounts.name, changes.account) as by, what, changes.responder, absent.name, absent_from,
       absent_until, stand_in, other.name as stand_in_name, day, counts_as
from rota_changes changes left join accounts on accounts.id = changes.account
left join responders absent on absent.id = changes.responder left join responders other on other.id = changes.stand_in
where changes.responder is null or starts_with(absent.area, %(scope)s)
order by changes.id desc limit %(limit)s

-- name: responders
select id, name from responders where starts_with(area, %(scope)s) order by name, id limit %(limit)s

-- name: known
-- By id, or by a name: a name may be several people's.
select id from responders where (id = %(text)s or name = %(text)s) and starts_with(area, %(scope)s)
order by id <> %(text)s, id limit %(limit)s
