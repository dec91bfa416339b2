-- name: load_partition
select at_ms, heard_ms, epoch, tick_ms, deaf from detection_partitions where partition = %(partition)s

-- name: load_homes
select home, version, state from detection_homes where partition = %(partition)s

-- name: load_routines
select home, detector, label, state from routines where partition = %(partition)s

-- name: save_partitions
insert into detection_partitions (partition, at_ms, heard_ms, epoch, tick_ms, deaf)
select * from unnest(%(partitions)s::integer[], %(at_ms)s::bigint[], %(heard_ms)s::bigint[], %(epochs)s::bigint[],
                     %(tick_ms)s::bigint[], %(deaf)s::jsonb[])
on conflict (partition) do update
set at_ms = excluded.at_ms, heard_ms = excluded.heard_ms, epoch = excluded.epoch, tick_ms = excluded.tick_ms,
    deaf = excluded.deaf

-- name: save_homes
-- The states in binary: as text they were twice as long, and took as long again to write.
insert into detection_homes (home, partition, version, state)
select home, partition, %(version)s, state
from unnest(%(homes)s::text[], %(partitions)s::integer[], %(states)b::bytea[]) kept(home, partition, state)
on conflict (home) do update set partition = excluded.partition, version = excluded.version, state = excluded.state

-- name: save_routines
insert into routines (home, detector, label, partition, state, written_at)
select * from unnest(%(homes)s::text[], %(detectors)s::text[], %(labels)s::text[], %(partitions)s::integer[],
                     %(states)b::bytea[], %(written_at)s::timestamptz[])
on conflict (home, detector, label) do update
set partition = excluded.partition, state = excluded.state, written_at = excluded.written_at

-- name: tell_again
-- Their settings were lost with their state: a raised revision makes ingest announce them anew.
update homes set revision = revision + 1 where id = any(%(homes)s)
