#!/usr/bin/env bash
# counterfoil beside PostgreSQL, in one run, on one disk: the design of the Python service it replaces, and a transaction written
# by hand. Needs Debian's postgresql and postgresql-client packages (or PG_BIN=folder of initdb), Python 3.11 with venv, and
# pip's access to sqlalchemy and asyncpg. Not part of CI. ROUNDS (5) and SECONDS_EACH (4) may be set, and PEERS_DIR: where to
# put the databases (a folder of the disk to be measured; default: the target folder).
#
# Three runs: with the disk's own syncs; with a stand-in for fsync that takes 1 ms for everybody, so that the noise of the disk
# is out; and with syncs off.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cd "$here/../.."

postgres_bin=${PG_BIN:-$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -1)}
if [ ! -x "$postgres_bin/initdb" ]; then
    echo "no PostgreSQL: apt-get install postgresql, or set PG_BIN" >&2
    exit 1
fi
pgbench=$(PATH="$postgres_bin:$PATH" command -v pgbench)

target=${CARGO_TARGET_DIR:-target}
mkdir -p "$target"
peers=${PEERS_DIR:-$(cd "$target" && pwd)}
work=$(mktemp -d "$peers/peers.XXXXXX")
# Socket names are short.
socket=$(mktemp -d /tmp/peers.XXXXXX)
as_owner=()
if [ "$(id -u)" -eq 0 ]; then
    # The server refuses to run as root.
    owner=$(id -un postgres 2>/dev/null || echo nobody)
    as_owner=(runuser -u "$owner" --)
    chown "$owner" "$work" "$socket"
    chmod 755 "$work" "$socket"
fi

server() {
    # From a folder the owner may be in.
    (cd / && "${as_owner[@]}" "$postgres_bin/pg_ctl" -D "$work/data" -w -l "$work/server.log" "$@") >/dev/null
}

clean_up() {
    server -m immediate stop 2>/dev/null || true
    rm -rf "$work" "$socket"
}
trap clean_up EXIT

echo "building" >&2
program=$(cargo bench --locked --bench peers --no-run --message-format=json 2>/dev/null |
    grep '"name":"peers"' | sed -n 's/.*"executable":"\([^"]*\)".*/\1/p')
python3 -m venv "$work/venv"
python="$work/venv/bin/python"
"$python" -m pip install --quiet --disable-pip-version-check 'sqlalchemy[asyncio]>=2,<3' 'asyncpg<1'

(cd / && "${as_owner[@]}" "$postgres_bin/initdb" -D "$work/data" -U bench -A trust -E UTF8 --locale=C >/dev/null)
cat >>"$work/data/postgresql.conf" <<CONF
listen_addresses = ''
unix_socket_directories = '$socket'
shared_buffers = 256MB
max_wal_size = 2GB
CONF

set_up() {
    server -o "-c fsync=off" start
    "$postgres_bin/createdb" -h "$socket" -U bench service
    "$postgres_bin/createdb" -h "$socket" -U bench handwritten
    "$postgres_bin/psql" -q -h "$socket" -U bench -f "$here/handwritten-schema.sql" handwritten
    "$python" "$here/python_service.py" setup "postgresql+asyncpg://bench@/service?host=$socket" 8
    server -m fast stop
}

# measure MODE SERVER-SETTINGS: everything that is exported holds for the server and for counterfoil.
measure() {
    server -o "$2" start
    "$python" "$here/compare.py" "$1" "$python" "$pgbench" "$socket" "$program" "$work" "${ROUNDS:-5}" "${SECONDS_EACH:-4}"
    server -m fast stop
}

"$postgres_bin/postgres" --version
"$python" -c 'import sys, sqlalchemy, asyncpg; print("Python", sys.version.split()[0], "SQLAlchemy", sqlalchemy.__version__, "asyncpg", asyncpg.__version__)'
echo
set_up
measure durable "-c fsync=on -c synchronous_commit=on"
cc -shared -fPIC -O2 -o "$work/fsync.so" "$here/../ratios/fsync.c"
python3 -c 'import struct, sys; sys.stdout.buffer.write(struct.pack("=QQ", 0, 1_000_000))' >"$work/fsync.shared"
chmod 666 "$work/fsync.shared"
(
    export LD_PRELOAD="$work/fsync.so" RATIOS_SYNC="$work/fsync.shared"
    measure fixed "-c fsync=on -c synchronous_commit=on"
)
measure off "-c fsync=off -c synchronous_commit=off"
