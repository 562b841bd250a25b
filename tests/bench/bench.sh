# shellcheck shell=sh
# What the measurements share.  Each stands alone (sh tests/bench/NAME.sh),
# prints lines "NAME what: figures", and leaves nothing behind.  Sourced first,
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

bench_end()
{
	bench_status=$?
	trap - EXIT HUP INT PIPE TERM
	cd "$bench_work"
	[ $bench_status -eq 0 ] ||
	    { say "failed"; tail -n 5 ./*.err ./*.out || :; } >&2
	stop_clients
	stop_web
	stop_gateway
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

have()
{
	command -v "$1" >/dev/null || { say "$1: missing, left out"; return 1; }
}

# The peers, all over the same cgi-bin; each sets WEB.
peer_fcgiwrap()
{
	fcgiwrap -f -c 16 -s "unix:$PWD/fcgiwrap.sock" 2>fcgiwrap.err &
	bench_wrap=$!
	echo $bench_wrap >>web.pids
	wait_for fcgiwrap_ready
	# It does not take its workers with it when it ends.
	child_pids "$bench_wrap" >>web.pids || : # others come and go
}

fcgiwrap_ready()
{
	[ -S fcgiwrap.sock ] && [ "$(child_pids "$bench_wrap" | wc -l)" -eq 16 ]
}

# nginx with /afcgi/, /keep/ (keep_conn) and, if there, /fcgiwrap/.
peer_nginx()
{
	start_nginx <<CONF
fastcgi_buffering off;
fastcgi_request_buffering off;
location ~ ^/afcgi(/cgi-bin/.*)\$ {
	fastcgi_pass unix:$WEB_SOCKET;
	include params;
	fastcgi_param SCRIPT_NAME \$1;
	fastcgi_param SCRIPT_FILENAME \$document_root\$1;
}
location ~ ^/keep(/cgi-bin/.*)\$ {
	fastcgi_pass keep;
	fastcgi_keep_conn on;
	include params;
	fastcgi_param SCRIPT_NAME \$1;
	fastcgi_param SCRIPT_FILENAME \$document_root\$1;
}
location ~ ^/fcgiwrap(/cgi-bin/.*)\$ {
	fastcgi_pass unix:$PWD/fcgiwrap.sock;
	include params;
	fastcgi_param SCRIPT_NAME \$1;
	fastcgi_param SCRIPT_FILENAME \$document_root\$1;
}
CONF
}

peer_lighttpd()
{
	start_lighttpd <<CONF
server.modules += ( "mod_cgi" )
server.stream-response-body = 1
server.stream-request-body = 1
server.max-request-size = 0
cgi.assign = ( "" => "" )
CONF
}

peer_apache()
{
	start_apache <<CONF
LoadModule cgid_module $(apache_modules)/mod_cgid.so
LoadModule alias_module $(apache_modules)/mod_alias.so
ScriptSock $PWD/cgid.sock
ScriptAlias /cgi-bin/ $PWD/cgi-bin/
CONF
}
