# shellcheck shell=sh
# What the shell tests share: the program under test, its scripts, and ways to
# wait and to count.  Sourced by each *_test.sh.  Everything happens in the
# current directory, which Kyua makes for each test case:
#
#	cgi-bin/	the script tree, also $TREE
#	gw.sock		the gateway's unix socket (relative: no path is too long)
#	gateway.err	its stderr, so its log unless -l says otherwise; also $LOG
#	gateway.pid	its process id, for the cleanup
#	get post play	commands for atf_check, which cannot run functions
#
#	./get script [option...]	fcgi-client: a GET of a script of the tree
#	./post script file [option...]	likewise a POST of the file
#	./play				plays the records described on stdin
#
# With AFCGI_VALGRIND set the gateway runs under valgrind.
#
# Every script gets AFTEST=$MARK in its environment, and so does whatever it
# starts: that is how leftovers are found, and ended, wherever they went.

TESTS=$(cd "$(atf_get_srcdir)" && pwd)
TOP=${AFCGI_TOP:-$TESTS/../..}
[ -d "$TOP/tests/cgi-bin" ] || TOP=$TOP/.. # of build/asan/tests
AFCGI=${AFCGI:-$TESTS/../afcgi}
FCGI_CLIENT=$TESTS/fcgi-client
TREE=$PWD/cgi-bin
LOG=$PWD/gateway.err
MARK=$(printf %s "$PWD" | cksum | tr ' ' -)
DEADLINE=${AFCGI_TEST_DEADLINE:-20} # seconds until a wait is given up
SLOWER=1 # than usual, so many times
GATEWAY_PID=
GATEWAY_WRAPPER=
CASES=

# use_valgrind: the next gateway runs under it.
use_valgrind()
{
	AFCGI_VALGRIND=1
	SLOWER=5
	DEADLINE=$((DEADLINE * SLOWER))
}
[ -z "${AFCGI_VALGRIND:-}" ] || use_valgrind

# gateway_case name [timeout]: declares a test case whose cleanup ends the
# gateway and what it left; its body is the function name_body.
gateway_case()
{
	atf_test_case "$1" cleanup
	eval "${1}_head() { atf_set timeout $((${2:-120} * SLOWER)); ${1}_requires; }"
	eval "${1}_requires() { :; }"
	eval "${1}_cleanup() { stop_gateway; }"
	CASES="$CASES $1"
}

atf_init_test_cases()
{
	for lib_case in $CASES; do
		atf_add_test_case "$lib_case"
	done
}

# mk_cgi name: an executable file of the tree, from stdin.
mk_cgi()
{
	mkdir -p "$TREE/$(dirname "$1")"
	cat >"$TREE/$1"
	chmod 755 "$TREE/$1"
}

# use_cgi name...: scripts of tests/cgi-bin.
use_cgi()
{
	mkdir -p "$TREE"
	for lib_name in "$@"; do
		mk_cgi "$lib_name" <"$TOP/tests/cgi-bin/$lib_name"
	done
}

make_tools()
{
	cat >./get <<TOOL
#!/bin/sh
script=\$1
shift
exec "$FCGI_CLIENT" -t $((DEADLINE / 2)) -p GATEWAY_INTERFACE=CGI/1.1 -p SERVER_PROTOCOL=HTTP/1.1 \\
    -p "SERVER_SOFTWARE=\${SERVER_SOFTWARE:-fcgi-client}" -p SERVER_NAME=localhost -p SERVER_PORT=80 \\
    -p REMOTE_ADDR=127.0.0.1 -p REQUEST_METHOD=GET -p QUERY_STRING= \\
    -p "SCRIPT_NAME=/cgi-bin/\$script" -p "SCRIPT_FILENAME=$TREE/\$script" \\
    "\$@" "\${SOCKET:-gw.sock}"
TOOL
	cat >post <<'TOOL'
#!/bin/sh
script=$1
file=$2
shift 2
exec ./get "$script" -p REQUEST_METHOD=POST -d "$file" \
    -p CONTENT_LENGTH="$(wc -c <"$file")" "$@"
TOOL
	cat >play <<TOOL
#!/bin/sh
exec "$FCGI_CLIENT" -t $((DEADLINE / 2)) -f - "\${SOCKET:-gw.sock}"
TOOL
	cat >under_valgrind <<'TOOL'
#!/bin/sh
exec valgrind -q --error-exitcode=9 --leak-check=full \
    --show-leak-kinds=definite,indirect \
    --errors-for-leak-kinds=definite,indirect \
    --child-silent-after-fork=yes --log-file=valgrind.log "$@"
TOOL
	chmod 755 get post play under_valgrind
}

# wait_for command...: tries it until it succeeds, or fails the test.
wait_for()
{
	lib_end=$(($(date +%s) + DEADLINE))
	while ! "$@"; do
		if [ "$(date +%s)" -gt $lib_end ]; then
			sed 's/^/gateway: /' gateway.err >&2
			atf_fail "waited ${DEADLINE} s in vain for: $*"
		fi
		sleep 0.03
	done
}

# logged expression: a line like that is in the log, now or soon: the log is
# written by a thread of its own.
logged()
{
	wait_for grep -Eq -e "$1" "$LOG"
}

# A zombie has come to its end, too.
ended()
{
	! grep -q '^State:[[:space:]]*[^Z[:space:]]' "/proc/$1/status" 2>/dev/null
}

answers()
{
	"$FCGI_CLIENT" -f /dev/null "${1:-gw.sock}" 2>/dev/null
}

# run_under: the next gateway is started through the shell script on stdin,
# which does exec "$@" at its end.
run_under()
{
	{ echo '#!/bin/sh'; cat; } >wrapper
	chmod 755 wrapper
	GATEWAY_WRAPPER=./wrapper
}

# launch command...: in the background, as the gateway of this test.
launch()
{
	lib_started=$(listening)
	"$@" 2>>gateway.err &
	GATEWAY_PID=$!
	echo $GATEWAY_PID >gateway.pid
}

# start_gateway argument...: on gw.sock, once it accepts connections.
start_gateway()
{
	make_tools
	mkdir -p "$TREE"
	launch ${GATEWAY_WRAPPER:+"$GATEWAY_WRAPPER"} \
	    ${AFCGI_VALGRIND:+./under_valgrind} "$AFCGI" -s unix:gw.sock \
	    -e "AFTEST=$MARK" "$@"
	gateway_ready
}

gateway_ready()
{
	wait_for gateway_listens
	GATEWAY_FDS=$(count_fds "$GATEWAY_PID")
}

# serves: it does not only have a connection that waits for it.
serves()
{
	printf 'get-values FCGI_MPXS_CONNS\nexpect-values FCGI_MPXS_CONNS=1\n' |
	    "$FCGI_CLIENT" -f - gw.sock >/dev/null 2>&1
}

# launched: likewise for one that launch has started.
launched()
{
	wait_for serves
	GATEWAY_FDS=$(count_fds "$GATEWAY_PID")
}

# How many gateways of this test have come so far.
listening()
{
	sed -n '/ listening on /p' "$LOG" 2>/dev/null | wc -l
}

gateway_listens()
{
	if ended "$GATEWAY_PID"; then
		sed 's/^/gateway: /' gateway.err >&2
		atf_fail "the gateway did not start"
	fi
	[ "$(listening)" != "$lib_started" ]
}

# stop_gateway: TERM, and the exit status 0 that must follow soon.
# In a cleanup, where the gateway is no child and may be in any state: ends it.
stop_gateway()
{
	[ -f gateway.pid ] || return 0
	lib_pid=$(cat gateway.pid)
	kill -TERM "$lib_pid" 2>/dev/null || :
	if [ -n "$GATEWAY_PID" ]; then
		wait_for ended "$lib_pid"
		lib_status=0
		wait "$lib_pid" || lib_status=$?
		GATEWAY_PID=
		rm -f gateway.pid
		if [ $lib_status -ne 0 ]; then
			cat gateway.err valgrind.log >&2 2>/dev/null
			atf_fail "the gateway ended with status $lib_status"
		fi
	else
		for lib_signal in TERM TERM KILL; do
			ended "$lib_pid" && break
			kill -$lib_signal "$lib_pid" 2>/dev/null || :
			sleep 0.2
		done
	fi
	for lib_pid in $(script_pids); do
		kill -KILL "$lib_pid" 2>/dev/null || :
	done
}

# The processes that scripts of this test started, themselves included.
script_pids()
{
	grep -l "AFTEST=$MARK" /proc/[0-9]*/environ 2>/dev/null |
	    sed 's,/proc/\([0-9]*\)/.*,\1,'
}

# The children of a process, zombies included.
child_pids()
{
	sed -n 's/^\([0-9]*\) (.*) . '"$1"' .*/\1/p' /proc/[0-9]*/stat \
	    2>/dev/null
}

count_fds()
{
	find "/proc/$1/fd" -type l 2>/dev/null | wc -l
}

no_scripts()
{
	[ -z "$(script_pids)" ] && [ -z "$(child_pids "$GATEWAY_PID")" ]
}

no_fds()
{
	[ "$(count_fds "$GATEWAY_PID")" -le "$GATEWAY_FDS" ]
}

# Nothing may be left of the requests: no process, no zombie, no descriptor.
check_clean()
{
	lib_end=$(($(date +%s) + DEADLINE))
	while ! { no_scripts && no_fds; }; do
		if [ "$(date +%s)" -gt $lib_end ]; then
			for lib_pid in $(script_pids) \
			    $(child_pids "$GATEWAY_PID"); do
				grep -E '^(Name|State|Pid|PPid):' \
				    "/proc/$lib_pid/status" >&2 || :
			done
			ls -l "/proc/$GATEWAY_PID/fd" >&2
			sed 's/^/gateway: /' gateway.err >&2
			atf_fail "left: processes above, or descriptors" \
			    "(there were $GATEWAY_FDS at the start)"
		fi
		sleep 0.03
	done
}

# finish: the end of most bodies.  The gateway serves still, keeps nothing of
# what it served, and ends with status 0.
finish()
{
	use_cgi hello
	atf_check -s exit:0 -o inline:'hello finish\n' -e empty \
	    ./get hello -b -p QUERY_STRING=finish
	check_clean
	stop_gateway
}

# wire: plays what is on stdin, which must succeed: as it is, a byte at a time,
# with streams cut to records of a byte, and with padding.
wire()
{
	cat >wire.plan
	for lib_way in 'split 0' 'split 1' 'chunk 1' 'padding 255'; do
		rm -f cgi-bin/*.go cgi-bin/*.pid
		{ echo "$lib_way"; cat wire.plan; } >wire.way
		atf_check -s exit:0 -o empty -e empty ./play <wire.way
	done
}

# bytes n: so many bytes, in lines that are all different.
bytes()
{
	seq -f %07.0f 0 $((($1 + 7) / 8)) | head -c "$1"
}

# free_port: a TCP port of 127.0.0.1 that nobody listens on.
free_port()
{
	perl -MIO::Socket::INET -e 'print IO::Socket::INET->new(Listen => 1,
	    LocalAddr => "127.0.0.1:0")->sockport, "\n"'
}

# Address sanitizers reserve terabytes: limits of memory mean nothing then.
require_plain_build()
{
	if grep -Eq '__[at]san_init' "$AFCGI"; then
		atf_skip "a sanitizer is linked in"
	fi
	require_no_valgrind
}

# It has limits and descriptors of its own.
require_no_valgrind()
{
	[ -z "${AFCGI_VALGRIND:-}" ] || atf_skip "not under valgrind"
}

# The command that runs another as nobody, if we are root; else nothing.
as_nobody()
{
	if [ "$(id -u)" -eq 0 ]; then
		echo setpriv --reuid nobody --regid "$(id -g nobody)" \
		    --clear-groups --
	fi
}

# params id script query [pair...]: lines of a play: the PARAMS stream of a
# GET, whole.
params()
{
	lib_id=$1
	lib_script=$2
	lib_query=$3
	shift 3
	printf 'params %s REQUEST_METHOD=GET SERVER_PROTOCOL=HTTP/1.1' "$lib_id"
	printf ' %s' "SCRIPT_NAME=/cgi-bin/$lib_script" \
	    "SCRIPT_FILENAME=$TREE/$lib_script" "QUERY_STRING=$lib_query" "$@"
	printf '\nparams %s\n' "$lib_id"
}

# request id script query [pair...]: lines of a play: a whole request that
# keeps the connection.
request()
{
	echo "begin $1 keep"
	params "$@"
	echo "stdin $1"
}

# aborts id...: these requests, each until its end.
aborts()
{
	for lib_id; do
		printf '%s\n' "abort $lib_id" "expect-end $lib_id"
	done
}

# says name: a script that prints what is on stdin, with printf's escapes.
says()
{
	{
		echo '#!/bin/sh'
		printf "printf '%s'\n" "$(cat)"
	} | mk_cgi "$1"
}

# header name option...: the header of its answer, a line a field, no CR.
header()
{
	lib_script=$1
	shift
	./get "$lib_script" "$@" >answer 2>errors || :
	tr -d '\r' <answer | sed '/^$/,$d' >header
	cat header
}

# bad name [text]: it is answered with 502, and the log says why.
bad()
{
	: >gateway.err
	./get "$1" >answer 2>errors || :
	tr -d '\r' <answer | sed -n '1p;$p' >ends
	[ "$(cat ends)" = "Status: 502 Bad Gateway
502 Bad Gateway" ] || {
		cat answer errors gateway.err >&2
		atf_fail "$1 is not answered with 502"
	}
	logged " conn [0-9]+ .*request 1.*$1.*${2:-}"
}
