# shellcheck shell=sh
# shellcheck disable=SC2034,SC2119 # variables and functions of mux.sh
# Servers that die, or stop, with fifty requests at work on one connection of
# the nginx module:
#
#	go, gateway  killed: every request without a header has its 502 at once,
#	             and the next ones reconnect
#	retried      with another server in the upstream, each is served there
#	one_failure  fifty requests that die together are one failure for
#	             max_fails
#	disabled     and where one is enough, the server is disabled once
#	begun        responses that had begun are cut off, in every mode
#	frozen       a stopped server: 504 for each, and it serves on when it
#	             wakes up
#	restarts     ten deaths in a row lose nothing but what was at work

. "$(atf_get_srcdir)/lib.sh"
. "$(atf_get_srcdir)/web.sh"
. "$(atf_get_srcdir)/mux.sh"

death_nginx()
{
	mux_start_nginx <<'CONF'
include params;
fastcgi_read_timeout 60s;
location / {
	fastcgi_pass mux;
}
location /hasty/ {
	rewrite ^/hasty(/.*) $1 break;
	fastcgi_pass mux;
	fastcgi_read_timeout 2s;
}
location /b0k0/ {
	rewrite ^/b0k0(/.*) $1 break;
	fastcgi_pass mux;
	fastcgi_buffering off;
}
location /b0k1/ {
	rewrite ^/b0k1(/.*) $1 break;
	fastcgi_pass mux;
	fastcgi_buffering off;
	fastcgi_keep_conn on;
}
location /b1k0/ {
	rewrite ^/b1k0(/.*) $1 break;
	fastcgi_pass mux;
}
location /b1k1/ {
	rewrite ^/b1k1(/.*) $1 break;
	fastcgi_pass mux;
	fastcgi_keep_conn on;
}
CONF
}

# go_server [socket]: Go's server there; sets PEER_PID.
go_server()
{
	[ -x "$TESTS/peer-go" ] || atf_skip "peer-go was not built"
	mux_peer "go.${1:-gw.sock}" "$TESTS/peer-go" "${1:-gw.sock}"
}

gateway()
{
	for name in delay env; do
		mk_cgi $name <"$TESTS/peers/peer.cgi"
	done
	start_gateway "/=$TREE"
}

# fifty path: that many requests, in the background; they are at work when the
# gateway runs that many scripts, or the Go servers together say so.
fifty()
{
	curl -sS -Z -m 60 --parallel-immediate --parallel-max 50 \
	    -w '%{http_code}\n' -o 'fifty.#1' "$WEB$1&[1-50]" \
	    >codes 2>/dev/null &
	CLIENT=$!
	echo $CLIENT >>client.pids
}

# at_work n: that is the answer of Go's server, or the number of scripts.
at_work()
{
	wait_for at_work_now "$1"
}

at_work_now()
{
	if [ -n "$GATEWAY_PID" ]; then
		[ "$(child_pids "$GATEWAY_PID" | wc -l)" -eq "$1" ]
	else
		[ "$(curl -sS "$WEB/stats" | cut -d' ' -f2)" -eq "$1" ]
	fi
}

# all_ended code ms: the fifty all got that code in that time since "start".
all_ended()
{
	wait "$CLIENT" || : # curl counts a 502 as a success, a cut as none
	took=$((($(date +%s%N) - start) / 1000000))
	echo "they had their answers after $took ms"
	atf_check -s exit:0 -o match:"^ *50 $1\$" -e empty \
	    sh -c 'sort codes | uniq -c'
	[ $took -lt $(($2 * SLOWER)) ] || atf_fail "that took $took ms"
}

now()
{
	start=$(date +%s%N)
}

served()
{
	atf_check -s exit:0 -o match:'^REQUEST_METHOD=GET$' -e empty \
	    curl -sS -m 5 "$WEB/env"
}

mux_case go
go_body()
{
	go_server
	death_nginx
	mux_warm /env
	fifty '/delay?ms=50000'
	at_work 50
	now
	mux_peer_kill
	all_ended 502 2000
	go_server
	served
	mux_warm /env
	served
	mux_finish
}

# What it was doing goes with the gateway; another takes its place.
mux_case gateway
gateway_body()
{
	gateway
	death_nginx
	mux_warm /env
	fifty '/delay?ms=50000'
	at_work 50
	now
	kill -KILL "$GATEWAY_PID"
	all_ended 502 2000
	wait "$GATEWAY_PID" 2>/dev/null || :
	for pid in $(script_pids); do
		kill -KILL "$pid" 2>/dev/null || :
	done
	gateway
	served
	mux_warm /env
	served
	mux_finish
}

two_servers()
{
	go_server other.sock
	go_server
	MUX_SERVERS="server unix:gw.sock $1; server unix:other.sock $1;"
	death_nginx
	until mux_both_warm; do
		curl -sS -o /dev/null "$WEB/env"
	done
}

mux_both_warm()
{
	mux_is_on || return 0
	grep -q '^[0-9].*|unix:gw.sock|' "$MUXLOG" &&
	    grep -q '^[0-9].*|unix:other.sock|' "$MUXLOG"
}

# Half of the fifty are on each; those of the dead one are tried again.
mux_case retried
retried_body()
{
	two_servers max_fails=0
	fifty '/delay?ms=3000'
	wait_for both_at_work
	now
	mux_peer_kill
	all_ended 200 8000
	mux_logged 25 'unix:gw.sock, unix:other.sock\|/delay'
	mux_logged 25 '\|unix:other.sock\|/delay'
	mux_finish
}

# Both servers have connections of their own, so each is asked in turn.
both_at_work()
{
	both_sum=0
	for both_try in 1 2; do
		both=$(curl -sS "$WEB/stats" | cut -d' ' -f2)
		both_sum=$((both_sum + both))
	done
	[ $both_sum -eq 50 ]
}

mux_case one_failure
one_failure_body()
{
	mux_is_on || atf_skip "without the module each of them counts"
	two_servers 'max_fails=2 fail_timeout=60s'
	fifty '/delay?ms=2000'
	wait_for both_at_work
	now
	mux_peer_kill
	all_ended 200 8000
	go_server
	atf_check -s exit:1 -o empty -e empty \
	    grep 'temporarily disabled' nginx/error.log
	mux_log_reset
	for i in 1 2 3 4 5 6; do
		served
	done
	mux_logged 3 '\|unix:gw.sock\|'
	mux_finish
}

mux_case disabled
disabled_body()
{
	two_servers 'max_fails=1 fail_timeout=60s'
	fifty '/delay?ms=2000'
	wait_for both_at_work
	now
	mux_peer_kill
	all_ended 200 8000
	! mux_is_on ||
	    atf_check_equal 1 "$(grep -c 'temporarily disabled' nginx/error.log)"
	mux_log_reset
	for i in 1 2 3 4 5 6; do
		served
	done
	mux_logged 6 '\|unix:other.sock\|'
	mux_finish
}

# A page that is not whole never looks as if it were: chunks without the last,
# a stream that is reset.  (Go's server has no flow control, so pages that are
# not buffered come over plain connections, and there the end is the end.)
mux_case begun
begun_body()
{
	mux_is_on || atf_skip "stock nginx takes the end for the end"
	go_server
	death_nginx
	for mode in b1k0 b1k1 b0k0 b0k1; do
		case $mode in
		b1*)	url="/$mode/slowbytes?n=10000000&ms=20" ;;
		b0*)	mux_peer_kill
			mux_peer bad perl "$TESTS/peers/bad.pl" gw.sock
			url=/$mode/hold/$mode ;;
		esac
		mux_warm /env
		begun_client one "$WEB$url"
		begun_client two --http2-prior-knowledge "$WEB2$url"
		mux_peer_kill
		begun_cut one
		begun_cut two
		go_server
		served
	done
	mux_finish
}

begun_client()
{
	rm -f "$1.out"
	client "$@"
	echo "$CLIENT" >"$1.pid"
	wait_for test -s "$1.out"
}

begun_cut()
{
	status=0
	wait "$(cat "$1.pid")" || status=$?
	case $status in
	18 | 92) ;;
	*) web_fail "curl ended with $status" "$1.err" ;;
	esac
	case $url in
	*hold*)	echo one >whole ;;
	*)	bytes 10000000 >whole ;;
	esac
	atf_check -s exit:0 -o empty -e empty \
	    cmp -n "$(wc -c <"$1.out")" "$1.out" whole
}

# The kernel takes what nginx sends, and nobody answers.
mux_case frozen
frozen_body()
{
	go_server
	death_nginx
	mux_warm /env
	kill -STOP "$PEER_PID"
	now
	fifty '/hasty/env?x'
	all_ended 504 6000
	kill -CONT "$PEER_PID"
	served
	mux_finish
}

mux_case restarts
restarts_body()
{
	go_server
	death_nginx
	for round in 1 2 3 4 5 6 7 8 9 10; do
		mux_warm /env
		fifty '/delay?ms=50000'
		at_work 50
		now
		mux_peer_kill
		all_ended 502 2000
		go_server
		served
	done
	mux_finish
}
