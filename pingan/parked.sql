-- name: park
insert into parked (log, consumer, partition, position, parked_at, reason, body)
values (%(log)s, %(consumer)s, %(partition)s, %(position)s, %(now)s, %(reason)s, %(body)s)
on conflict do nothing
