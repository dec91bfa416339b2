#!/bin/sh
# Run once, by the image's own start, in an empty cluster: our role and our database, with TimescaleDB in it.
# The role is no superuser: an injected statement shall not reach the file system.
set -eu
password=$(cat /run/secrets/postgres_pingan)
psql -v ON_ERROR_STOP=1 -v password="$password" -U "$POSTGRES_USER" -d postgres <<'SQL'
create role pingan login password :'password';
create database pingan owner pingan;
\connect pingan
create extension if not exists timescaledb;
SQL
