#!/bin/sh
# A base backup and what was archived since, into an empty data folder: `restore.sh NAME [TIME]`. The server that is
# started on it next replays the log up to TIME ("2026-11-22 05:00:00+08"), or to its end, and then takes writes.
set -eu
from=${BACKUP:-/backup}
[ $# -ge 1 ] || { echo "usage: restore.sh NAME [TIME]" >&2; exit 2; }
[ -d "$from/base/$1" ] || { echo "restore.sh: there is no $from/base/$1" >&2; exit 1; }
[ -z "$(ls -A "$PGDATA" 2>/dev/null)" ] || { echo "restore.sh: $PGDATA is not empty; move what it holds away" >&2; exit 1; }
cp -a "$from/base/$1/." "$PGDATA/"
chmod 700 "$PGDATA"
{
    echo "restore_command = 'cp \"$from/wal/%f\" \"%p\"'"
    [ -z "${2:-}" ] || echo "recovery_target_time = '$2'"
    [ -z "${2:-}" ] || echo "recovery_target_action = 'promote'"
} >>"$PGDATA/postgresql.auto.conf"
touch "$PGDATA/recovery.signal"
echo "$PGDATA is ready to be started"
