-- name: positions
select name, partition, position from leases where name = any(%(groups)s)

-- name: checkpoints
-- What every group has acted on; a partition that one of them has never owned has none.
select partition, min(position) as position from leases where name = any(%(groups)s)
group by partition having count(*) = cardinality(%(groups)s::text[])
