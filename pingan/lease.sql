-- name: prepare
-- A lease's rows exist before anyone asks for them, so that taking is always an update.
insert into leases (name, partition) select %(name)s, partition from generate_series(0, %(partitions)s - 1) partition
on conflict do nothing

-- name: beat
-- "I am here": a number that moves.
insert into lease_members (name, owner) values (%(name)s, %(owner)s)
on conflict (name, owner) do update set beat = lease_members.beat + 1

-- name: members
select owner, beat from lease_members where name = %(name)s order by owner

-- name: forget
delete from lease_members where name = %(name)s and owner = any(%(owners)s)

-- name: rows
select partition, owner, epoch from leases where name = %(name)s order by partition

-- name: take
-- Only what is free or whose owner is gone; a new epoch shuts out whoever had it.
update leases set owner = %(owner)s, epoch = epoch + 1
where name = %(name)s and partition = any(%(partitions)s) and (owner is null or owner = any(%(gone)s))
returning partition, epoch, position

-- name: release
with released as (
    update leases set owner = null, epoch = epoch + 1
    where name = %(name)s and partition = any(%(partitions)s) and owner = %(owner)s
    returning 1
)
select pg_notify('leases', '') from released limit 1

-- name: fence
-- Locks the row until the effect's transaction ends: nobody takes the partition in between.
select 1 from leases where name = %(name)s and partition = %(partition)s and epoch = %(epoch)s for update

-- name: store
-- Fences and remembers in one statement. A position only grows.
update leases set position = greatest(position, %(position)s)
where name = %(name)s and partition = %(partition)s and epoch = %(epoch)s

-- name: reset
update leases set position = %(position)s
where name = %(name)s and partition = %(partition)s and epoch = %(epoch)s
