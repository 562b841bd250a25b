# shellcheck shell=sh
# shellcheck disable=SC2034,SC2046,SC2086,SC2119,SC2120 # words; for mux.sh
# Uploads that are not buffered to servers of which nginx does not know yet
# what they can do; they wait for the answer to FCGI_GET_VALUES, if it comes:
#
#	mute       a server that never answers, but serves: a second, once
#	crowd      many wait for that second together
#	libfcgi    nor does this one, before it has a request
#	no, plain  one that does not multiplex, or has no windows
#	becomes    another one, which has them, takes its place
#	connect    fastcgi_connect_timeout is shorter than that: so is the wait

. "$(atf_get_srcdir)/lib.sh"
. "$(atf_get_srcdir)/web.sh"
. "$(atf_get_srcdir)/mux.sh"

# ask_site [directive...]: /r is unbuffered in both directions.
ask_site()
{
	mux_is_on || atf_skip "nothing is asked"
	bytes 1000000 >body
	MUX_ARGS="retry=1s"
	mux_start_nginx <<CONF
include params;
$*
$(mux_raw_locations)
CONF
}

bad_server()
{
	mux_peer bad perl "$TESTS/peers/bad.pl" gw.sock "$@"
}

good_manners()
{
	atf_check -s exit:1 -o empty -e empty grep BAD bad.out
}

# upload path answer
upload()
{
	atf_check -s exit:0 -o match:"$2" -e empty curl -sS -m $DEADLINE \
	    -H Expect: -H 'Transfer-Encoding: chunked' --data-binary @body \
	    "$WEB$1"
}

# uploads path answer: for longer than "retry".
uploads()
{
	uploads_end=$(($(date +%s) + 4))
	while [ "$(date +%s)" -lt $uploads_end ]; do
		upload "/r$1" "$2"
		upload "/b$1" "$2"
	done
}

# waited n: so often has a request waited for an answer in vain.
waited()
{
	atf_check_equal "$1" \
	    "$(grep -c 'no answer to FCGI_GET_VALUES' nginx/error.log)"
}

# After "retry" it is asked again, but nobody waits for that.
mux_case mute
mute_body()
{
	bad_server mute
	ask_site
	start=$(date +%s%N)
	upload /r/x '^POST /r/x 1000000$'
	took=$((($(date +%s%N) - start) / 1000000))
	echo "the first took $took ms"
	[ $took -lt $((4000 * SLOWER)) ] || atf_fail "that is too long"
	waited 1
	uploads /x '^POST /./x 1000000$'
	waited 1
	[ "$(grep -c '^asked' bad.out)" -ge 3 ] || web_fail "not asked" bad.out
	good_manners
	mux_finish
}

mux_case crowd
crowd_body()
{
	bad_server mute
	ask_site
	for i in $(seq 20); do
		curl -sS -m $DEADLINE -H Expect: -o crowd.$i -T body \
		    "$WEB/r/x" &
		jobs="${jobs:-} $!"
	done
	mux_wait $jobs
	for i in $(seq 20); do
		atf_check -s exit:0 -o match:' 1000000$' -e empty cat crowd.$i
	done
	waited 1
	good_manners
	mux_finish
}

mux_case libfcgi
libfcgi_body()
{
	[ -x "$TESTS/peer-libfcgi" ] || atf_skip "peer-libfcgi was not built"
	mux_peer libfcgi "$TESTS/peer-libfcgi" gw.sock
	ask_site
	want="^$(cksum <body)\$"
	upload /r/upload "$want"
	waited 1
	uploads /upload "$want"
	waited 1
	mux_finish
}

mux_case no
no_body()
{
	bad_server no
	ask_site
	uploads /x '^POST /./x 1000000$'
	waited 0
	good_manners
	mux_finish
}

mux_case plain
plain_body()
{
	bad_server plain
	ask_site
	uploads /x '^POST /./x 1000000$'
	waited 0
	good_manners
	mux_finish
}

# The first request that asks it is without windows still.
mux_case becomes
becomes_body()
{
	for before in mute no plain; do
		bad_server $before
		[ -n "$MUX_PID" ] || ask_site
		upload /r/x '^POST /r/x 1000000$'
		mux_peer_kill
		mux_peer both perl "$TESTS/peers/both.pl" gw.sock both
		wait_for becomes_duplex
		atf_check -s exit:0 -o empty -e empty \
		    perl "$TESTS/peers/duplex.pl" "$WEB_PORT" /r/echo 15 \
		    $((DEADLINE / 2))
		atf_check -s exit:1 -o empty -e empty grep BAD both.out
		mux_peer_kill
	done
	mux_finish
}

becomes_duplex()
{
	perl "$TESTS/peers/duplex.pl" "$WEB_PORT" /r/echo 5 1 2>/dev/null
}

mux_case connect
connect_body()
{
	bad_server mute
	ask_site 'fastcgi_connect_timeout 600ms;'
	upload /r/x '^POST /r/x 1000000$'
	waited 1
	uploads /x '^POST /./x 1000000$'
	waited 1
	good_manners
	mux_finish
}
