-- name: now
-- The operator's own, else the newest of somebody who sees this home.
select phone, fallback from desk_shifts join accounts on accounts.id = desk_shifts.account
where since <= %(now)s and until > %(now)s
  and (account = %(operator)s or accounts.area is null or %(home)s::text is null
       or exists (select from homes where id = %(home)s and starts_with(homes.area, accounts.area)))
order by (account = %(operator)s) is true desc, since desc, desk_shifts.id desc limit 1

-- name: of
select phone, fallback, since, until from desk_shifts
where account = %(account)s and since <= %(now)s and until > %(now)s order by since desc, id desc limit 1

-- name: begin
insert into desk_shifts (account, phone, fallback, since, until)
values (%(account)s, %(phone)s, %(fallback)s, %(since)s, %(until)s)

-- name: end
-- One that has only just begun is over without having been.
with begun as (delete from desk_shifts where account = %(account)s and since >= %(now)s)
update desk_shifts set until = %(now)s where account = %(account)s and until > %(now)s and since < %(now)s
