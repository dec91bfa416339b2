-- name: down
insert into providers_down (process, channel, provider, since, seen_at, why)
values (%(process)s, %(channel)s, %(provider)s, %(now)s, %(now)s, %(why)s)
on conflict (process, channel, provider) do update set
    seen_at = excluded.seen_at, why = excluded.why,
    since = case when providers_down.seen_at < %(late)s then excluded.since else providers_down.since end

-- name: up
delete from providers_down where process = %(process)s and channel = %(channel)s and provider = %(provider)s
