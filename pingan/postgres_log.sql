-- name: append
select log_append(%(log)s, %(partitions)s::integer[], %(counts)s::integer[], %(bodies)s::bytea[], %(now)s)

-- name: read
-- One look at every owned partition, each from its own position.
select batch.partition, batch.last_position, batch.count, batch.body
from unnest(%(partitions)s::integer[], %(positions)s::bigint[]) cursor(partition, position)
cross join lateral (
    select partition, last_position, count, body from log_batches
    where log = %(log)s and partition = cursor.partition and last_position > cursor.position
    order by last_position limit %(batches)s
) batch
order by batch.partition, batch.last_position

-- name: ends
select partition, position from log_heads where log = %(log)s

-- name: lag
select reads.consumer, sum(greatest(head.position - coalesce(leases.position, 0), 0))::bigint as entries
from log_heads head
cross join unnest(%(groups)s::text[]) reads(consumer)
left join leases on leases.name = head.log || '/' || reads.consumer and leases.partition = head.partition
where head.log = %(log)s
group by reads.consumer

-- name: trim
-- Only past the checkpoint of every group that reads this log, a slice at a time so that nobody waits long.
with checkpoint as (
    select partition, min(position) as position from leases where name = any(%(groups)s)
    group by partition having count(*) = cardinality(%(groups)s::text[])
), old as (
    select batch.log, batch.partition, batch.last_position from log_batches batch
    join checkpoint on checkpoint.partition = batch.partition and batch.last_position <= checkpoint.position
    where batch.log = %(log)s and batch.appended_at < %(before)s limit 20000
)
delete from log_batches batch using old
where batch.log = old.log and batch.partition = old.partition and batch.last_position = old.last_position
