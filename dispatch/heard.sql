-- name: first
insert into webhooks_heard (key, at) values (%(key)s, %(now)s) on conflict do nothing

-- name: before
select from webhooks_heard where key = %(key)s
