-- name: size
-- With whether TimescaleDB is there, whose statistics cannot be named in a query where it is not.
select pg_database_size(current_database()) as bytes,
       to_regclass('timescaledb_information.job_stats') is not null as timescale

-- name: job_failures
select coalesce(sum(total_failures), 0)::bigint as failures from timescaledb_information.job_stats
