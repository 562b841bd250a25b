# shellcheck shell=sh
# shellcheck disable=SC2034,SC2086 # for mux.sh; words
# The asynchronous server of contrib/async-server behind nginx, as it is
# distributed (plain) and with the module (shared):
#
#	*_routes	each route, and each error
#	*_chat		many listen to a chat, some leave, one comes back
#	*_bodies	uploads and echoes of large bodies
#	*_stop		the server is replaced under its listeners
#	duplex		with the module an answer begins before the body ends

. "$(atf_get_srcdir)/lib.sh"
. "$(atf_get_srcdir)/async.sh"
. "$(atf_get_srcdir)/web.sh"
. "$(atf_get_srcdir)/mux.sh"

# async_site on|off: the server and nginx, with the module or without.
async_site()
{
	start_async -d
	[ "$1" = on ] || MUX_OFF=yes
	mux_start_nginx <<'CONF'
include params;
location /async/ {
	fastcgi_pass mux;
	fastcgi_buffering off;
	fastcgi_request_buffering off;
}
location ~ ^/kept(/async/.*)$ {
	fastcgi_pass mux;
	fastcgi_buffering off;
	include params;
	fastcgi_param SCRIPT_NAME $1;
}
CONF
	mux_warm /async/delay
	SITE=$WEB/async
}

# both name: cases plain_name and shared_name, whose body is name_both.
both()
{
	mux_case "plain_$1"
	mux_case "shared_$1"
	eval "plain_$1_body() { async_site off; $1_both; }"
	eval "shared_$1_body() { async_site on; $1_both; }"
}

# web_async_finish: the end of a body.
web_async_finish()
{
	stop_clients
	mux_stop
	mux_log_clean
	stop_web
	async_finish
}

# answers_with expected curl-argument...: status, a space and the body.
answers_with()
{
	nginx_expected=$1
	shift
	atf_check -s exit:0 -e empty -o inline:"$nginx_expected" \
	    sh -c 'curl -sS -o out -w "%{http_code} " "$@" && cat out' - "$@"
}

both routes
routes_both()
{
	: >out
	answers_with '200 5 ms\n' "$SITE/delay?ms=5"
	answers_with '200 0 ms\n' "$WEB/async/x/y/delay"
	answers_with '404 404 Not Found\n' "$SITE/delays"
	answers_with '404 404 Not Found\n' "$SITE/"
	answers_with '405 405 Method Not Allowed\n' -X POST "$SITE/clock"
	answers_with '405 405 Method Not Allowed\n' "$SITE/echo"
	atf_check -s exit:0 -e empty -o match:'^Allow: GET, HEAD, POST.$' \
	    curl -sS -D - -X PUT -d x "$SITE/chat"
	answers_with '400 400 Bad Request\n' "$SITE/bytes?n=ten"
	answers_with '400 400 Bad Request\n' --data-binary 'a
b' "$SITE/chat"
	bytes 513 | tr '\n' x >long
	answers_with '413 413 Content Too Large\n' --data-binary @long "$SITE/chat"
	answers_with '413 413 Content Too Large\n' --data-binary @long \
	    -H 'Transfer-Encoding: chunked' "$SITE/chat"
	: >out
	answers_with '204 ' -d 'a line' "$SITE/chat"
	for route in clock chat delay 'bytes?n=1000'; do
		atf_check -s exit:0 -e empty -o match:'^HTTP/1.1 200 OK' \
		    -o not-match:'data:' curl -sS -m 5 -I "$SITE/$route"
	done
	pattern 10000000 | cksum >expected
	curl -sS "$SITE/bytes?n=10000000" | cksum >got
	atf_check -s exit:0 -o file:expected -e empty cat got
	atf_check -s exit:0 -e empty -o match:'^Content-Length: 7.$' \
	    curl -sS -D - -o out "$SITE/bytes?n=7"
	# two ticks at least
	curl -sSN -m 2.5 "$SITE/clock" >ticks 2>/dev/null
	grep -v '^$' ticks >data
	[ "$(grep -Ec '^data: 2[0-9-]{9}T[0-9:]{8}Z$' data)" -ge 3 ] ||
	    atf_fail "$(cat ticks)"
	# fifty seconds of waiting in a few
	start=$(date +%s)
	# shellcheck disable=SC2046
	curl -Z --parallel-max 50 $(seq -f "$SITE/delay?ms=1000&n=%.0f" 50) \
	    >waited 2>/dev/null || atf_fail "no answers"
	[ "$(grep -c '^1000 ms$' waited)" = 50 ] || atf_fail "$(cat waited)"
	[ $(($(date +%s) - start)) -le $((10 * SLOWER)) ] ||
	    atf_fail "they waited for each other"
	web_async_finish
}

# heard file line: it has come to that listener.
heard()
{
	grep -q "^data: $2\$" "$1.out"
}

both chat
chat_both()
{
	for n in $(seq 40); do
		client "l$n" "$SITE/chat"
		[ "$n" != 1 ] || first=$CLIENT
	done
	for n in $(seq 40); do
		wait_for grep -q '^retry: 1000$' "l$n.out"
	done
	for n in $(seq 30); do
		answers_with '204 ' --data-binary "line $n" "$SITE/chat"
	done
	for n in $(seq 40); do
		wait_for heard "l$n" 'line 30'
	done
	{
		printf 'retry: 1000\n\n'
		for n in $(seq 30); do
			printf 'id: %s\ndata: line %s\n\n' "$n" "$n"
		done
	} >expected
	for n in $(seq 40); do
		cmp expected "l$n.out" || atf_fail "listener $n heard else"
	done
	client_leave "$first"
	logged ' aborted$'
	answers_with '204 ' --data-binary 'line 31' "$SITE/chat"
	client back -H 'Last-Event-ID: 30' "$SITE/chat"
	client query "$SITE/chat?after=29"
	client new "$SITE/chat"
	wait_for heard back 'line 31'
	wait_for heard query 'line 31'
	wait_for heard new 'line 31'
	printf 'retry: 1000\n\nid: 31\ndata: line 31\n\n' >expected
	cmp expected back.out || atf_fail "not what was missed"
	[ "$(grep -c ^data query.out)" = 2 ] || atf_fail "not after 29"
	[ "$(grep -c ^data new.out)" = 20 ] || atf_fail "not the last 20"
	wait_for heard l40 'line 31'
	web_async_finish
}

both bodies
bodies_both()
{
	head -c 5000000 /dev/urandom >body
	for length in '' 'Transfer-Encoding: chunked'; do
		curl -sS -H 'Expect:' -H "$length" --data-binary @body \
		    "$WEB/kept/async/upload" >lines || atf_fail "no answer"
		[ "$(tail -n 1 lines)" = '5000000 bytes, done' ] ||
		    atf_fail "$(cat lines)"
		curl -sS -H 'Expect:' -H "$length" --data-binary @body \
		    "$WEB/kept/async/echo" >got || atf_fail "no answer"
		cmp body got || atf_fail "something else came back"
	done
	answers_with '200 0 bytes, done\n' -X POST "$WEB/kept/async/upload"
	: >out
	answers_with '200 ' -X POST "$WEB/kept/async/echo"
	answers_with '200 abc' -d abc "$SITE/echo"
	web_async_finish
}

both stop
stop_both()
{
	for n in 1 2 3; do
		client "l$n" "$SITE/chat"
		eval "client$n=\$CLIENT"
	done
	client tick "$SITE/clock"
	for n in 1 2 3; do
		wait_for grep -q '^retry: 1000$' "l$n.out"
	done
	wait_for grep -q '^data' tick.out
	start=$(date +%s)
	stop_gateway
	[ $(($(date +%s) - start)) -le $((5 * SLOWER)) ] ||
	    atf_fail "it took its time to end"
	# they are told of a proper end
	for n in 1 2 3; do
		eval "mux_wait \$client$n"
		[ ! -s "l$n.err" ] || atf_fail "$(cat "l$n.err")"
	done
	start_async -d
	client again -H 'Last-Event-ID: 77' "$SITE/chat"
	wait_for grep -q '^retry: 1000$' again.out
	answers_with '204 ' --data-binary 'a new room' "$SITE/chat"
	wait_for heard again 'a new room'
	web_async_finish
}

# upload_slowly tag: a client in the background that has sent a thousand bytes
# of its body, and reads meanwhile (-T .); descriptor 9 is for the rest.
upload_slowly()
{
	mkfifo "$1.fifo"
	curl -sSN -H 'Expect:' -X POST -T . "$SITE/upload" <"$1.fifo" \
	    >"$1.out" 2>"$1.err" &
	CLIENT=$!
	echo $CLIENT >>client.pids
	exec 9>"$1.fifo"
	bytes 1000 >&9
}

mux_case duplex
duplex_body()
{
	async_site on
	head -c 20000000 /dev/urandom >body
	curl -sS -H 'Expect:' -T body -X POST "$SITE/echo" >got ||
	    atf_fail "no answer"
	cmp body got || atf_fail "something else came back"
	upload_slowly up
	wait_for grep -q '^1000 bytes$' up.out
	bytes 100 >&9
	wait_for grep -q '^1100 bytes$' up.out
	exec 9>&-
	mux_wait "$CLIENT"
	[ "$(tail -n 1 up.out)" = '1100 bytes, done' ] || atf_fail "$(cat up.out)"
	# and who leaves in the midst is forgotten
	upload_slowly left
	wait_for grep -q '^1000 bytes$' left.out
	client_leave "$CLIENT"
	exec 9>&-
	logged ' aborted$'
	web_async_finish
}
