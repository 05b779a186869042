# shellcheck shell=bash
# What the scripts beside this file share. Sourced by them, after `set -euo pipefail`.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"

# Where cargo builds, and where we keep what need not be kept: CARGO_TARGET_DIR and configuration files count.
target=$(cargo metadata --format-version 1 --no-deps --offline | sed -n 's/.*"target_directory":"\([^"]*\)".*/\1/p')

fail() {
    printf '%s: %s\n' "${0##*/}" "$*" >&2
    exit 1
}

has() {
    command -v "$1" >/dev/null 2>&1
}

# Runs a command as the user who may install packages.
as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif ! has sudo; then
        fail "only root may run \`$*\`, and there is no sudo; run it as root, then this again"
    elif [ -t 2 ]; then
        sudo "$@"
    else
        # Nobody is there to type a password.
        sudo -n "$@" || fail "\`sudo $*\` did not succeed; run it by hand, then this again"
    fi
}

# The directory that holds all programs of a PostgreSQL server: in PATH, or else of the newest version installed.
# The places are those where tasker_storage::postgres::cluster looks.
postgres_programs() {
    local directory
    {
        tr ':' '\n' <<<"$PATH"
        ls -d /usr/lib/postgresql/*/bin /usr/pgsql-*/bin /usr/libexec/postgresql* \
            /opt/homebrew/opt/postgresql@*/bin /usr/local/opt/postgresql@*/bin 2>/dev/null | sort -rV || true
        pg_config --bindir 2>/dev/null || true
    } | while read -r directory; do
        if [ -x "$directory/initdb" ] && [ -x "$directory/pg_ctl" ] && [ -x "$directory/postgres" ]; then
            printf '%s\n' "$directory"
            break
        fi
    done
}

install_postgres() {
    if has apt-get; then
        as_root apt-get update
        as_root env DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends postgresql
    elif has dnf; then
        as_root dnf install --assumeyes postgresql-server
    elif has apk; then
        as_root apk add postgresql
    elif has brew; then
        brew install postgresql@17
    else
        fail "found no PostgreSQL, and no package manager that we know (apt-get, dnf, apk, brew);" \
            "install PostgreSQL 13 or later, with initdb, pg_ctl and postgres in PATH"
    fi
}

# Puts PostgreSQL's programs into PATH, and installs them if there are none. No server of the system is used.
need_postgres() {
    local programs
    programs=$(postgres_programs)
    if [ -z "$programs" ]; then
        echo "found no PostgreSQL; installing it through the system's package manager"
        install_postgres ||
            fail "could not install PostgreSQL; install version 13 or later (on Debian: apt-get install postgresql)" \
                "by hand, then run this again: the tests need its programs, though no running server"
        programs=$(postgres_programs)
        [ -n "$programs" ] || fail "installed PostgreSQL, but cannot find initdb; put its directory into PATH"
    fi
    export PATH="$programs:$PATH"
    postgres --version
}

# built_cluster ARGUMENT...: builds the example `cluster` with these arguments of cargo, and prints where it is.
built_cluster() {
    cargo build "$@" --example cluster --message-format=json-render-diagnostics |
        sed -n 's|.*"executable":"\([^"]*/examples/cluster[^"/]*\)".*|\1|p'
}
