#!/bin/sh
# archive_command: `archive.sh %p %f`. Puts a finished piece of the write-ahead log beside the base backups, whole or
# not at all, and durably. PostgreSQL tries again whatever fails here, and keeps the piece until then.
set -eu
piece=$1 target=${BACKUP:-/backup}/wal/$2
if [ -e "$target" ]; then
    cmp -s "$piece" "$target" # it was done, and we were killed before we could say so
    exit
fi
cp "$piece" "$target.part"
sync "$target.part"
mv "$target.part" "$target"
sync "${target%/*}"
