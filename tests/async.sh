# shellcheck shell=sh
# The asynchronous server of contrib/async-server under test.  Sourced after
# lib.sh, in whose place for the gateway it stands: gw.sock, gateway.err.
#
#	./ask route [option...]		fcgi-client: a GET of the route
#	./say text [option...]		POST chat

ASYNC=${ASYNC:-$TESTS/../fcgi-async}

# start_async argument...: on gw.sock, once it accepts connections.
start_async()
{
	make_tools
	cat >ask <<TOOL
#!/bin/sh
route=\$1
shift
exec "$FCGI_CLIENT" -t $((DEADLINE / 2)) -p REQUEST_METHOD="\${METHOD:-GET}" \\
    -p SERVER_PROTOCOL=HTTP/1.1 -p "SCRIPT_NAME=/async/\$route" "\$@" gw.sock
TOOL
	cat >say <<'TOOL'
#!/bin/sh
printf %s "$1" >said
shift
METHOD=POST exec ./ask chat -d said "$@"
TOOL
	chmod 755 ask say
	launch ${AFCGI_VALGRIND:+./under_valgrind} "$ASYNC" -i 1 -s unix:gw.sock "$@"
	gateway_ready
}

# async_params id method route query [pair...]: lines of a play: the PARAMS
# stream.
async_params()
{
	async_id=$1
	async_method=$2
	async_route=$3
	async_query=$4
	shift 4
	printf 'params %s REQUEST_METHOD=%s SCRIPT_NAME=/async/%s' \
	    "$async_id" "$async_method" "$async_route"
	printf ' %s' "QUERY_STRING=$async_query" "$@"
	printf '\nparams %s\n' "$async_id"
}

# listen id [pair...]: lines of a play: GET chat, kept.
listen()
{
	echo "begin $1 keep"
	async_id=$1
	shift
	async_params "$async_id" GET chat '' "$@"
	echo "stdin $async_id"
}

# post id text...: lines of a play: POST chat, until it is answered.
post()
{
	async_id=$1
	shift
	echo "begin $async_id keep"
	async_params "$async_id" POST chat ''
	cat <<PLAY
stdin $async_id $*
stdin $async_id
expect-end $async_id 0 0
expect-stdout-is $async_id Status: 204 No Content\r\n\r\n
PLAY
}

# The header of a stream of events, as a play has it, and its first words.
# shellcheck disable=SC2034 # used elsewhere
EVENTS='Content-Type: text/event-stream\r\nCache-Control: no-store\r\nX-Accel-Buffering: no\r\n\r\n'
# shellcheck disable=SC2034
CHAT="${EVENTS}retry: 1000\\n\\n"

# pattern n: what GET bytes?n=N sends.
pattern()
{
	perl -e '
		my $line = join("", "A" .. "Z", "a" .. "z", 0 .. 9, "-\n") x 1024;
		my $left = $ARGV[0];
		while ($left > 0) {
			print $left < 65536 ? substr $line, 0, $left : $line;
			$left -= 65536;
		}' "$1"
}

# The resident memory of the server, in KB.
memory()
{
	sed -n 's/^VmRSS:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$GATEWAY_PID/status"
}

# posts from to: lines of a play: these lines, `line N', are posted, as request
# 60000 + N.
posts()
{
	for async_n in $(seq "$1" "$2"); do
		post $((60000 + async_n)) "line $async_n"
	done
}

# log_of from to: what comes of them, as a play has it.
log_of()
{
	for async_n in $(seq "$1" "$2"); do
		printf '%s' "id: $async_n\\ndata: line $async_n\\n\\n"
	done
}

# no_sanitizer: memory may be measured.
no_sanitizer()
{
	! grep -Eq '__[at]san_init' "$ASYNC" && [ -z "${AFCGI_VALGRIND:-}" ]
}

# async_finish: the end of a body: it serves still, has nothing left of what it
# served, and ends with status 0.
async_finish()
{
	atf_check -s exit:0 -o inline:'0 ms\n' -e empty ./ask delay -b
	check_clean
	stop_gateway
}
