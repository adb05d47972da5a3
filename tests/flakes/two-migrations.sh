#!/bin/bash
# Two instances of a service are deployed, and each brings the database up to date when it starts.
#
# Why it fails: an instance asks for the version of the schema, and migrates in a second transaction when it is old. When both
# ask before either has migrated, the second one adds a column that is there already.
#
# Truth: both instances read the version before one of them has migrated, and both migrate.
set -u
folder=$(mktemp -d "${TMPDIR:-/tmp}/two-migrations-XXXXXX")
trap 'rm -r "$folder"' EXIT
database=$folder/users.db

sql() {
    sqlite3 -batch -cmd '.timeout 3000' "$database" "$1"
}

# From $1 to $2 milliseconds.
pause() {
    local time=$(($1 + (RANDOM << 15 | RANDOM) % ($2 - $1)))
    sleep "$((time / 1000)).$(printf %03d $((time % 1000)))"
}

instance() {
    pause 200 1200 # the image is pulled, the health check of the node is awaited
    version=$(sql 'pragma user_version') || return 1
    if [ "$version" -lt 2 ]; then
        sql 'begin immediate; alter table users add column email text; pragma user_version = 2; commit' || return 1
    fi
    [ "$(sql 'select count(email is null) from users')" = 3 ]
}

sql 'pragma synchronous = off; pragma journal_mode = wal; create table users (name text); pragma user_version = 1;
     insert into users values ("ada"), ("grace"), ("barbara")' > "$folder/made" || exit 2
instance &
blue=$!
instance &
green=$!
failed=0
wait "$blue" || failed=1
wait "$green" || failed=1
exit "$failed"
