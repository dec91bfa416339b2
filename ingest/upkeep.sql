-- name: compute
select rollups_compute(%(until)s, %(most)s) as computed

-- name: keep
select readings_keep(%(days)s, %(now)s) as dropped

-- name: forget_parked
-- How many there were stays known.
with old as (
    select id from parked where parked_at < %(before)s order by parked_at limit %(most)s for update skip locked
), gone as (
    delete from parked using old where parked.id = old.id returning parked.parked_at, parked.consumer
)
insert into rejected_counts (day, reason, count)
select (parked_at at time zone 'UTC')::date, 'parked by ' || consumer, count(*) from gone group by 1, 2 order by 1, 2
on conflict (day, reason) do update set count = rejected_counts.count + excluded.count

-- name: forget_rejected
delete from rejected where id in (
    select id from rejected where received_at < %(before)s order by received_at limit %(most)s for update skip locked
)

-- name: forget_webhooks
delete from webhooks_heard where key in (
    select key from webhooks_heard where at < %(before)s order by at limit %(most)s for update skip locked
)

-- name: forget_words
delete from words_pending where number in (
    select number from words_pending where at < %(before)s order by at limit %(most)s for update skip locked
)
