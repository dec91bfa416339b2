-- name: kinds
-- What was raised, by kind: in the last day and in all of the days looked at.
select kind, coalesce(evidence->>'source', 'reported') as source, test,
       count(*) filter (where raised_at >= %(day)s) as day, count(*) as days
from alarms where raised_at >= %(since)s group by 1, 2, 3 order by days desc, kind, source

-- name: raising
-- From the arrival of what a device reported to its alarm, which is when it may be acknowledged. Nearest rank.
select count(*) as n, percentile_disc(array[0.5, 0.99, 1]) within group (order by raised_at - received_at) as ranks
from alarms where raised_at >= %(since)s and evidence->>'source' is distinct from 'derived'

-- name: detection
-- Detection's time is the ticks'; what stands here is as old as the last checkpoint besides.
select count(*) as partitions, min(tick_ms) as tick_ms from detection_partitions where tick_ms > 0

-- name: rejected
-- Refused messages, and those taken with a remark. Ingest counts by days of UTC.
select reason, coalesce(sum(count) filter (where day = %(today)s), 0)::bigint as today, sum(count)::bigint as week
from rejected_counts where day > %(today)s::date - 7 and day <= %(today)s group by reason order by week desc, reason

-- name: parked
-- What was set aside, by who could not read it.
select consumer, count(*) as entries, max(parked_at) as newest from parked group by consumer order by consumer

-- name: database
select pg_database_size(current_database()) as bytes, current_setting('server_version') as version,
       (select max(name) from migrations) as schema

-- name: tables
-- The largest tables with their indexes; a table's partitions are summed as the table.
select coalesce(parent.relname, class.relname) as name, sum(pg_total_relation_size(class.oid))::bigint as bytes,
       count(*) filter (where parent.oid is not null) as partitions
from pg_class class
join pg_namespace space on space.oid = class.relnamespace
left join pg_inherits inherits on inherits.inhrelid = class.oid
left join pg_class parent on parent.oid = inherits.inhparent
where class.relkind in ('r', 'p') and space.nspname not in ('pg_catalog', 'information_schema')
group by 1 order by bytes desc, name limit %(limit)s
