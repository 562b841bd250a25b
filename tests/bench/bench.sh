# shellcheck shell=sh
# What the measurements share.  Each stands alone (sh tests/bench/NAME.sh),
# prints lines "NAME what: figures", or a table (run.sh), and leaves nothing
# behind.  Sourced first,
# from anywhere; it moves to a scratch directory in which tests/lib.sh and
# tests/web.sh work as they do in a test case.
#
#	AFCGI	the gateway (build/afcgi)
#	ROUNDS	how often each figure is taken, peers in turn (3); medians count

set -eu
PATH=$PATH:/usr/sbin:/sbin
bench_top=$(cd "$(dirname "$0")/../.." && pwd)
bench_name=$(basename "$0" .sh)
AFCGI=${AFCGI:-$bench_top/build/afcgi}
export AFCGI_TOP="$bench_top"
ROUNDS=${ROUNDS:-3}

# say figures...: a line of the result.
say()
{
	echo "$bench_name $*"
}

# The part of atf that the two libraries need.
atf_get_srcdir()
{
	echo "$bench_top/tests"
}
atf_fail()
{
	echo "$bench_name: $*" >&2
	exit 1
}
atf_skip()
{
	atf_fail "$@"
}
atf_check_equal()
{
	[ "$1" = "$2" ] || atf_fail "$1 is not $2"
}

# stop_servers: all together, so that stop_web need not wait for one after the
# other.
stop_servers()
{
	[ ! -f web.pids ] || xargs kill -TERM <web.pids 2>/dev/null || :
	stop_web
}

bench_end()
{
	bench_status=$?
	trap - EXIT HUP INT PIPE TERM
	cd "$bench_work"
	[ $bench_status -eq 0 ] ||
	    { say "failed"; tail -n 5 ./*.err ./*.out || :; } >&2
	stop_clients
	stop_servers
	stop_gateway
	leftovers | xargs -r kill -KILL 2>/dev/null || :
	cd /
	rm -rf "$bench_work"
	exit $bench_status
}

[ -x "$AFCGI" ] || atf_fail "no $AFCGI, run make first"
bench_work=$(mktemp -d "${TMPDIR:-/tmp}/afcgi-bench.XXXXXX")
cd "$bench_work"
chmod 755 .
. "$bench_top/tests/lib.sh"
. "$bench_top/tests/web.sh"
trap 'bench_end' EXIT
trap 'exit 1' HUP INT PIPE TERM

# bench_helper name argument...: compiles one of the C programs here.
bench_helper()
{
	bench_helper=$1
	shift
	${CC:-cc} -std=c11 -D_GNU_SOURCE -O2 -o "$bench_helper" \
	    "$bench_top/tests/bench/$bench_helper.c" "$@"
}
bench_helper cgi -static
bench_helper bare -levent_core
bench_helper load
mkdir cgi-bin
for bench_program in hello sleep1 drip gush sink echo silent; do
	cp cgi cgi-bin/$bench_program
done

# leftovers: the processes that run the programs above.
leftovers()
{
	find /proc -maxdepth 2 -path '/proc/[0-9]*/exe' \
	    -lname "$bench_work/cgi-bin/*" 2>/dev/null | cut -d / -f 3
}

# median: of the numbers on stdin, one a line.
median()
{
	sort -g | awk '{ v[NR] = $1 } END {
		print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2
	}'
}

# field name: its value in a line of name=value on stdin.
field()
{
	tr ' ' '\n' | sed -n "s/^$1=//p"
}

# calc expression: awk's arithmetic, three digits after the point.
calc()
{
	awk "BEGIN { printf \"%.3f\\n\", $1 }"
}

# pss pid...: KiB
pss()
{
	for bench_pid; do
		sed -n 's/^Pss: *\([0-9]*\) kB/\1/p' \
		    "/proc/$bench_pid/smaps_rollup"
	done | awk '{ n += $1 } END { print n + 0 }'
}

# wrk_figures: a line of name=value from what wrk says (--latency): good answers
# a second, latencies in milliseconds, all answers, and those that were none.
wrk_figures()
{
	awk '
	function ms(s) {
		return s ~ /us$/ ? s / 1000 : s ~ /ms$/ ? s + 0 : \
		    s ~ /m$/ ? s * 60000 : s * 1000
	}
	$1 == "50%" { p50 = ms($2) }
	$1 == "99%" { p99 = ms($2) }
	/requests in/ { asked = $1 }
	/Requests\/sec/ { rate = $2 }
	/Non-2xx/ { failed += $NF }
	/Socket errors/ {
		gsub(/,/, "")
		closed += $4 + $6 + $8 + $10
	}
	END {
		if (asked > 0)
			rate *= 1 - failed / asked
		printf "rate=%.1f p50=%.3f p99=%.3f asked=%d failed=%d\n",
		    rate, p50, p99, asked + closed, failed + closed
	}'
}

have()
{
	command -v "$1" >/dev/null || { say "$1: missing, left out"; return 1; }
}
