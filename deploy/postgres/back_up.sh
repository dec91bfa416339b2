#!/bin/sh
# A base backup of the running server, verified: `back_up.sh NAME`. With the archived log it restores any later moment.
set -eu
folder=${BACKUP:-/backup}/base
[ $# = 1 ] || { echo "usage: back_up.sh NAME" >&2; exit 2; }
[ ! -e "$folder/$1" ] || { echo "back_up.sh: $folder/$1 is there already" >&2; exit 1; }
rm -rf "$folder/.$1"
pg_basebackup --username="${POSTGRES_USER:-postgres}" --no-password --pgdata="$folder/.$1" \
    --checkpoint=fast --wal-method=stream
pg_verifybackup --quiet "$folder/.$1"
# Its name at the end: a backup that was cut short is never taken for one.
mv "$folder/.$1" "$folder/$1"
echo "$folder/$1"
