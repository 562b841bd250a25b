# shellcheck shell=sh
# The demonstration (contrib/demo.sh) for the tests of it and of its pages.
# Sourced after lib.sh and web.sh.
#
#	demo_start [MULTIPLEX]	on a free port; sets WEB, WEB_PORT, DEMO_PID.  It is
#				below tmp/ of the current directory, and says what
#				it says in demo.out and demo.err
#	demo_end signal		it obeys, and takes all with it
#	demo_child name		the pid of its child of that name
#
# ASYNC is its asynchronous server, unless the one that was built.

DEMO=$TOP/contrib/demo.sh
MODULE=$TESTS/../ngx_http_upstream_fastcgi_multiplex_module.so
ASYNC=${ASYNC:-$TESTS/../fcgi-async}

demo_start()
{
	[ "${1:-}" = no ] || [ -f "$MODULE" ] || atf_skip "no nginx module"
	[ -x /usr/share/gitweb/gitweb.cgi ] || atf_skip "no gitweb"
	mkdir -m 755 tmp
	chmod 755 .
	WEB_PORT=$(free_port)
	WEB=http://127.0.0.1:$WEB_PORT
	# A shell's background job would be deaf to INT: perl starts it.
	perl -e '$SIG{INT} = "DEFAULT"; exec @ARGV' env PORT="$WEB_PORT" \
	    AFCGI="$AFCGI" ASYNC="$ASYNC" MODULE="$MODULE" \
	    MULTIPLEX="${1:-yes}" TMPDIR="$PWD/tmp" AFTEST="$MARK" \
	    sh "$DEMO" >demo.out 2>demo.err </dev/null &
	DEMO_PID=$!
	echo $DEMO_PID >web.pids
	wait_for demo_ready
}

demo_ready()
{
	ended "$DEMO_PID" && cat demo.out demo.err >&2 && atf_fail "it ended"
	grep -q '^demo: ready' demo.out
}

demo_end()
{
	kill "-$1" "$DEMO_PID"
	demo_status=0
	wait "$DEMO_PID" || demo_status=$?
	atf_check_equal 0 $demo_status
	demo_gone
}

# Nothing of it is left: no process, no file, no port.
demo_gone()
{
	rm web.pids
	atf_check_equal "" "$(script_pids)"
	atf_check -s exit:0 -o empty -e empty ls tmp
	atf_check -s exit:7 -o empty -e ignore curl -sS "$WEB/"
}

demo_child()
{
	for demo_pid in $(child_pids "$DEMO_PID"); do
		if [ "$(cat "/proc/$demo_pid/comm")" = "$1" ]; then
			echo "$demo_pid"
		fi
	done
}
