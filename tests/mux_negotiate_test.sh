# shellcheck shell=sh
# shellcheck disable=SC2034,SC2119 # variables and functions of mux.sh
# How the nginx module finds out what a server can do, and servers that answer
# in no way that anybody has thought of.  Whatever they do, nobody waits longer
# than nginx's own timeouts, and a server that serves without multiplexing
# serves.
#
#	yes       one connection for all, with flow control
#	plain     likewise, without
#	no        plain connections
#	dies      it closes the connection when it is asked: one request is lost
#	exits     it ends when it is asked; the next one serves
#	garbage   its answer is no FastCGI
#	mute      it does not answer, but serves
#	deaf      it does nothing at all: 504 when the read timeout is over
#	slow      its answer comes a byte at a time
#	twice     it answers twice, or before it was asked
#	windows   absurd numbers of bytes
#	first     a first request that lasts holds nobody up
#	becomes   a multiplexing server is replaced by one of each kind
#	libfcgi   likewise by a real one
#	back      one that did not multiplex is replaced by one that does

. "$(atf_get_srcdir)/lib.sh"
. "$(atf_get_srcdir)/web.sh"
. "$(atf_get_srcdir)/mux.sh"

bad_server()
{
	mux_peer bad perl "$TESTS/peers/bad.pl" gw.sock "$@"
}

bad_nginx()
{
	mux_start_nginx <<'CONF'
include params;
fastcgi_read_timeout 2s;
fastcgi_send_timeout 2s;
location / {
	fastcgi_pass mux;
}
location /hold/ {
	fastcgi_pass mux;
	fastcgi_buffering off;
}
CONF
}

# bad_site how [value]: that server, behind nginx.
bad_site()
{
	bad_server "$@"
	bad_nginx
}

# ask n [path]: so many requests, one after the other; their codes, counted,
# are in "codes".  None may take longer than nginx's own timeouts.
ask()
{
	atf_check -s exit:0 -o save:codes.all -e empty \
	    curl -sS -m 5 -w '%{http_code}\n' -o /dev/null "$WEB${2:-/}?[1-$1]"
	sort codes.all | uniq -c >codes
}

# crowd n [path]: likewise at once.
crowd()
{
	atf_check -s exit:0 -o save:codes.all -e ignore curl -sS -Z -m 5 \
	    --parallel-immediate --parallel-max 100 -w '%{http_code}\n' \
	    -o /dev/null "$WEB${2:-/}?[1-$1]"
	sort codes.all | uniq -c >codes
}

# all code n: that is what the n requests were answered with.
all()
{
	atf_check -s exit:0 -o match:"^ *$2 $1\$" -e empty cat codes
}

# most n: that many at least were answered with 200; no others with anything
# but 502.
most()
{
	atf_check -s exit:1 -o empty -e empty grep -v -e ' 200$' -e ' 502$' codes
	most_n=$(sed -n 's/ 200$//p' codes)
	[ "${most_n:-0}" -ge "$1" ] || web_fail "not even $1 were served" codes
}

posts()
{
	bytes 300000 >body
	for i in 1 2 3; do
		atf_check -s exit:0 -o inline:'POST / 300000\n' -e empty \
		    curl -sS -m 5 -H Expect: --data-binary @body "$WEB/"
	done
}

# The peer saw no violation of the protocol.
good_manners()
{
	atf_check -s exit:1 -o empty -e empty grep BAD bad.out
}

# went shared|plain n: so did the last n requests.
went()
{
	mux_is_on || return 0
	wait_for mux_has_lines "$2" '' # the log has the last of them
	case $1 in
	shared)	tail -n "$2" "$MUXLOG" | grep -Eq '^-?\|' || return 0 ;;
	plain)	tail -n "$2" "$MUXLOG" | grep -q '^[0-9]' || return 0 ;;
	esac
	web_fail "not all requests were $1" "$MUXLOG"
}

mux_case yes
yes_body()
{
	bad_site yes
	mux_warm
	mux_log_reset
	ask 10
	all 200 10
	crowd 100
	all 200 100
	posts
	went shared 113
	mux_logged 113 "$(mux_is_on && printf '^[0-9]+\|[0-9]+\|1' || echo '^')"
	good_manners
	mux_finish
}

# Without flow control no private record goes out.
mux_case plain
plain_body()
{
	bad_site plain
	mux_warm
	mux_log_reset
	ask 10
	all 200 10
	crowd 100
	all 200 100
	went shared 110
	mux_logged 110 "$(mux_is_on && printf '^[0-9]+\|[0-9]+\|0' || echo '^')"
	posts
	went plain 3
	good_manners
	mux_finish
}

mux_case no
no_body()
{
	bad_site no
	ask 10
	all 200 10
	crowd 100
	all 200 100
	posts
	went plain 112 # the first had the question
	good_manners
	! mux_is_on ||
	    atf_check_equal 1 "$(grep -c '^asked' bad.out)"
	mux_finish
}

# The question costs at most the request that brought it; all others, even
# those that come at the same time, are served on connections of their own.
mux_case dies
dies_body()
{
	bad_site die
	ask 10
	most 9
	crowd 50
	all 200 50
	posts
	good_manners
	mux_finish
}

mux_case exits
exits_body()
{
	bad_site 'exit'
	crowd 20
	atf_check -s exit:1 -o empty -e empty grep -Ev ' (200|502)$' codes
	kill -KILL "$PEER_PID" 2>/dev/null || :
	wait "$PEER_PID" 2>/dev/null || :
	bad_server yes
	ask 20
	all 200 20
	mux_finish
}

mux_case garbage
garbage_body()
{
	bad_site garbage
	ask 10
	most 9
	crowd 50
	all 200 50
	posts
	mux_finish
}

# Not to answer is to say no; but nobody waits for that.
mux_case mute
mute_body()
{
	bad_site mute
	start=$(date +%s)
	ask 10
	all 200 10
	crowd 50
	all 200 50
	posts
	went plain 62
	[ $(($(date +%s) - start)) -lt 5 ] || atf_fail "somebody waited"
	good_manners
	mux_finish
}

# The whole of it takes a read timeout for each round, however many there are.
mux_case deaf
deaf_body()
{
	bad_site deaf
	start=$(date +%s)
	crowd 50
	all 504 50
	crowd 50
	all 504 50
	[ $(($(date +%s) - start)) -lt 9 ] || atf_fail "somebody waited longer"
	mux_finish
}

# What comes a byte at a time counts when it is complete.
mux_case slow
slow_body()
{
	bad_site slow
	crowd 50
	all 200 50
	mux_warm
	ask 10
	all 200 10
	went shared 10
	good_manners
	mux_finish
}

# An answer too many says nothing new.  (A server that speaks first has no way
# to be right with those who do not expect it.)
mux_case twice
twice_body()
{
	bad_site twice
	ask 10
	most 9
	crowd 50
	most 49
	posts
	mux_stop
	stop_web
	bad_site unasked
	ask 10
	most 0
	crowd 50
	most 0
	mux_finish
}

# A window that is no number of bytes, or too many of them, is none.
mux_case windows
windows_body()
{
	for value in 0 1 9 4096 2147483647 2147483648 4294967296 \
	    1000000000000000000000000000000 -1 -2147483648 abc 12x '' ' 5' \
	    0x10 1e5; do
		echo "AFCGI_WINDOW '$value'"
		bad_site window "$value"
		ask 3
		all 200 3
		crowd 20
		all 200 20
		posts
		mux_stop
		mux_log_clean
		case $value in
		[0-9]*[!0-9]* | 4294967296 | 1000000*) ;;
		[0-9]*)	good_manners ;;
		esac
		stop_web
	done
}

# The connection that was asked is its request's own as long as that lasts;
# the others have theirs, and share one as soon as there is an answer.
mux_case first
first_body()
{
	bad_site yes
	client first "$WEB/hold/first"
	wait_for grep -q one first.out
	mux_warm
	mux_log_reset
	ask 10
	all 200 10
	went shared 10
	: >first.go
	mux_wait "$CLIENT"
	atf_check -s exit:0 -o inline:'one\ntwo\n' -e empty cat first.out
	good_manners
	mux_finish
}

# Every new connection asks for itself.  Only requests that were on their way
# when the server went may have failed.
mux_case becomes 300
becomes_body()
{
	MUX_ARGS="retry=1s"
	bad_nginx_up=
	for next in no mute plain slow garbage die; do
		echo "becomes $next"
		bad_server yes
		[ -n "$bad_nginx_up" ] || bad_nginx
		bad_nginx_up=yes
		wait_for becomes_shared
		mux_peer_kill
		bad_server $next
		case $next in
		garbage | die)
			ask 10
			most 9
			ask 10 ;;
		*)	ask 10 ;;
		esac
		all 200 10
		crowd 30
		case $next in
		garbage | die) most 29 ;;
		*)	all 200 30 ;;
		esac
		posts
		mux_peer_kill
	done
	mux_finish
}

becomes_shared()
{
	mux_is_on || return 0
	mux_log_reset
	curl -sS -m 5 -o /dev/null "$WEB/"
	wait_for mux_has_lines 1 ''
	grep -q '^[0-9]' "$MUXLOG"
}

mux_case libfcgi
libfcgi_body()
{
	[ -x "$TESTS/peer-libfcgi" ] || atf_skip "peer-libfcgi was not built"
	bad_site yes
	mux_warm
	mux_peer_kill
	mux_peer libfcgi "$TESTS/peer-libfcgi" gw.sock
	ask 10
	all 200 10
	crowd 50
	all 200 50
	mux_finish
}

# After "retry" it is asked again.
mux_case back
back_body()
{
	MUX_ARGS="retry=1s"
	for before in no mute; do
		bad_server $before
		[ -n "$MUX_PID" ] || bad_nginx
		ask 10
		all 200 10
		went plain 9
		mux_peer_kill
		bad_server yes
		wait_for becomes_shared
		mux_log_reset
		ask 10
		all 200 10
		went shared 10
		good_manners
		mux_peer_kill
	done
	mux_finish
}
