-- name: positions
select name, partition, position from leases where name = any(%(groups)s)

-- name: checkpoints
-- What every group has acted on; a partition that one of them has never owned has none.
select partition, min(position) as position from leases where name = any(%(groups)s)
group by partition having count(*) = cardinality(%(groups)s::text[])

-- name: begin_again
-- Whoever holds one is fenced, so that nobody stores a position of what is gone.
update leases set position = 0, epoch = epoch + 1, owner = null
where name = any(%(groups)s) and position > 0
