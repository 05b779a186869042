# Keeps one temporary PostgreSQL server alive for as long as its standard input stays open, and removes
# every trace of it after that.
#
# usage: sh -c "$(cat watchdog.sh)" NAME PARENT PROGRAMS SETTING...
#
#   PARENT    the directory in which the server's own directory is made
#   PROGRAMS  where initdb and pg_ctl are
#   SETTING   a line of postgresql.conf
#
# The owner holds the other end of the pipe that is our standard input. However the owner ends, be it by `kill -9`,
# the kernel closes that end and we read the end of the file. What he may write before, a line each, and has answered
# by a line:
#
#   crash     ends the server at once and starts it again: "ready DIRECTORY", or "failed" and why
#   keep      leaves the files when all is over: "kept DIRECTORY"
#
# On standard output: "ready DIRECTORY" once connections are accepted; else the reason, and then the end.

# Nothing but the end of the pipe may end us: a signal that means the owner, or a write to an owner that is
# gone, would leave the server behind.
trap '' HUP INT QUIT TERM PIPE

exec 2>&1
parent=$1
programs=$2
shift 2

# A mode of 700 is what keeps others out of a server that asks for no password.
directory=$(umask 077 && mktemp -d "$parent/tasker-XXXXXX") || exit 1
data=$directory/data
log=$directory/log
kept=

start() {
    "$programs/initdb" --pgdata="$data" --username=tasker --auth=trust --encoding=UTF8 --no-locale --no-sync \
        >"$log" 2>&1 </dev/null || return 1
    printf '%s\n' "unix_socket_directories = '$directory'" "$@" >>"$data/postgresql.conf" || return 1
    # pg_ctl gives the server a session of its own, and returns when connections are accepted.
    "$programs/pg_ctl" start --pgdata="$data" --log="$log" --wait --timeout=300 >/dev/null 2>&1 </dev/null
}

crash() {
    if "$programs/pg_ctl" restart --pgdata="$data" --log="$log" --mode=immediate --wait --timeout=300 \
        >/dev/null 2>&1 </dev/null; then
        echo "ready $directory"
    else
        echo "failed $(tail -n 1 "$log")"
    fi
}

remove() {
    if [ -n "$kept" ]; then
        "$programs/pg_ctl" stop --pgdata="$data" --mode=fast --wait --timeout=300 >/dev/null 2>&1 </dev/null
        return
    fi
    # An immediate stop waits for no client and writes nothing that would be thrown away at once.
    "$programs/pg_ctl" stop --pgdata="$data" --mode=immediate --wait --timeout=60 >/dev/null 2>&1 </dev/null
    # Twice, for a child of a server that died by itself may still be writing.
    rm -rf "$directory" 2>/dev/null || { sleep 1 && rm -rf "$directory"; }
}

if ! start "$@"; then
    tail -n 20 "$log"
    remove
    exit 1
fi

echo "ready $directory"
while read -r order; do
    case $order in
    crash) crash ;;
    keep) kept=yes && echo "kept $directory" ;;
    esac
done
remove
