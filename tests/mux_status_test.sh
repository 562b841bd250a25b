# shellcheck shell=sh
# shellcheck disable=SC2034,SC2119 # variables and functions of mux.sh
# What a server that knows flow control may tell the nginx module about
# requests and connections:
#
#	overloaded   to every request: 502 or 503 after a bounded number of tries
#	once         OVERLOADED, then all is well: the request is sent again, a
#	             POST too, and its client sees nothing of it
#	elsewhere    OVERLOADED: the next server of the upstream has it
#	cant_mpx     CANT_MPX_CONN: 502, or served elsewhere, but not for ever
#	drain        what is in flight ends well, what is new goes to a new
#	             connection
#	drain_close  likewise when the server closes as soon as it may
#	drain_often  every request brings a DRAIN: none fails
#	cut          CUT breaks the client's response off, and no other
#	stingy       an upload that gets no credit ends with the send timeout;
#	             the others go on

. "$(atf_get_srcdir)/lib.sh"
. "$(atf_get_srcdir)/web.sh"
. "$(atf_get_srcdir)/mux.sh"

bad_server()
{
	mux_peer bad perl "$TESTS/peers/bad.pl" gw.sock
}

status_nginx()
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
	fastcgi_read_timeout 60s;
	fastcgi_buffering off;
}
location /raw/ {
	rewrite ^/raw(/.*) $1 break;
	fastcgi_pass mux;
	fastcgi_buffering off;
	fastcgi_request_buffering off;
}
CONF
}

# The tests of what stock nginx cannot know.
status_site()
{
	mux_is_on || atf_skip "nothing of this without the module"
	bad_server
	status_nginx
	mux_warm
}

good_manners()
{
	atf_check -s exit:1 -o empty -e empty grep BAD bad.out
}

served()
{
	atf_check -s exit:0 -o inline:"GET $1 0\\n200" -e empty \
	    curl -sS -m 5 -w '%{http_code}' "$WEB$1"
}

# How many requests the server has begun.
begun()
{
	grep -c '^begin' bad.out
}

mux_case overloaded
overloaded_body()
{
	status_site
	before=$(begun)
	for i in 1 2 3; do
		atf_check -s exit:0 -o match:'^50[23]$' -e empty \
		    curl -sS -m 5 -w '%{http_code}\n' -o /dev/null \
		    "$WEB/overloaded?$i"
		atf_check -s exit:0 -o match:'^50[23]$' -e empty \
		    curl -sS -m 5 -w '%{http_code}\n' -o /dev/null \
		    -d body=x "$WEB/overloaded?$i"
	done
	tries=$(($(begun) - before))
	echo "6 requests were begun $tries times"
	[ $tries -le 60 ] || atf_fail "they were tried $tries times"
	served '/?1'
	good_manners
	mux_finish
}

mux_case once
once_body()
{
	status_site
	bytes 100000 >body
	for i in 1 2 3 4 5 6 7 8; do
		served "/overloaded-once/g$i"
		atf_check -s exit:0 -e empty \
		    -o inline:"POST /overloaded-once/p$i 100000\\n" \
		    curl -sS -m 5 -H Expect: --data-binary @body \
		    "$WEB/overloaded-once/p$i"
	done
	good_manners
	mux_finish
}

mux_case elsewhere
elsewhere_body()
{
	mux_is_on || atf_skip "nothing of this without the module"
	bad_server
	mux_peer other perl "$TESTS/peers/bad.pl" other.sock yes calm
	MUX_SERVERS="server unix:gw.sock weight=50; server unix:other.sock;"
	status_nginx
	mux_warm
	for i in 1 2 3 4 5 6; do
		served "/overloaded-once/$i"
	done
	atf_check -s exit:1 -o empty -e empty \
	    grep 'temporarily disabled' nginx/error.log
	mux_finish
}

mux_case cant_mpx
cant_mpx_body()
{
	status_site
	before=$(begun)
	for i in 1 2 3; do
		atf_check -s exit:0 -o match:'^50[23]$' -e empty \
		    curl -sS -m 5 -w '%{http_code}\n' -o /dev/null \
		    "$WEB/cant-mpx?$i"
		served "/?$i"
	done
	tries=$(($(begun) - before - 3))
	[ $tries -le 15 ] || atf_fail "3 requests were tried $tries times"
	mux_finish
}

# in_flight n: clients that have half of their page; client_wait then lets
# them have the rest.
in_flight()
{
	pids=
	rm -f hold*.go
	for i in $(seq "$1"); do
		client "hold$i" "$WEB/hold/hold$i"
		pids="$pids $CLIENT"
	done
	for i in $(seq "$1"); do
		wait_for grep -q one "hold$i.out"
	done
}

in_flight_end()
{
	for i in $(seq "$1"); do
		: >"hold$i.go"
	done
	# shellcheck disable=SC2086 # a list
	mux_wait $pids
	for i in $(seq "$1"); do
		atf_check -s exit:0 -o inline:'one\ntwo\n' -e empty \
		    cat "hold$i.out"
	done
}

# The connections that request lines of the log had, each once.
logged_connections()
{
	wait_for mux_has_lines "$2" "$1"
	grep -E "$1" "$MUXLOG" | cut -d'|' -f1 | sort -u
}

mux_case drain
drain_body()
{
	status_site
	mux_log_reset
	in_flight 10
	served /drain
	old=$(logged_connections '/drain' 1)
	served '/?new'
	served '/?newer'
	new=$(logged_connections '/.new' 2)
	case $new in
	'' | "$old") atf_fail "'$new' has new requests after a DRAIN on '$old'" ;;
	esac
	in_flight_end 10
	atf_check_equal "$old" "$(logged_connections '/hold' 10)"
	# The client of a drained connection closes it after the last request.
	wait_for grep -Eq '^close' bad.out
	served '/?newest'
	good_manners
	mux_finish
}

mux_case drain_close
drain_close_body()
{
	status_site
	for round in 1 2 3 4 5; do
		in_flight 5
		served "/drain-close?$round"
		served "/?$round"
		in_flight_end 5
		served "/?again$round"
	done
	good_manners
	mux_finish
}

# A hundred requests that each make the connection go.
mux_case drain_often
drain_often_body()
{
	status_site
	atf_check -s exit:0 -o save:codes -e ignore \
	    curl -sS -Z -m 10 --parallel-immediate --parallel-max 50 \
	    -w '%{http_code}\n' -o /dev/null "$WEB/{,drain}?[1-200]"
	atf_check -s exit:0 -o match:'^ *400 200$' -e empty \
	    sh -c 'sort codes | uniq -c'
	good_manners
	mux_finish
}

# broken_off curl-argument...: the client can tell that its page is not whole:
# it ends early (18), before it began (52), or its stream is reset (92).
broken_off()
{
	broken=0
	curl -sS -m 5 "$@" >page 2>error || broken=$?
	case $broken in
	18 | 52 | 92) ;;
	*) web_fail "curl ended with $broken" error ;;
	esac
	case $(cat page) in
	'' | part) ;;
	*) web_fail "this is no part of the page" page ;;
	esac
}

mux_case cut
cut_body()
{
	status_site
	in_flight 5
	for where in '' /raw; do
		for i in 1 2 3; do
			broken_off "$WEB$where/cut?$i"
			broken_off --http2-prior-knowledge "$WEB2$where/cut?$i"
			served "/?$i"
		done
	done
	in_flight_end 5
	atf_check_equal 1 "$(cut -d'|' -f1 "$MUXLOG" | grep . | sort -u | wc -l)"
	good_manners
	mux_finish
}

mux_case stingy
stingy_body()
{
	status_site
	bytes 2000000 >body
	for where in '' /raw; do
		client "stingy" -m 15 -H Expect: --data-binary @body \
		    -w '%{http_code}' -o /dev/null "$WEB$where/stingy"
		stingy=$CLIENT
		n=0
		while kill -0 "$stingy" 2>/dev/null; do
			n=$((n + 1))
			served "/?$n"
			atf_check -s exit:0 -o inline:'POST /x 2000000\n' \
			    -e empty curl -sS -m 5 -H Expect: \
			    --data-binary @body "$WEB/x"
		done
		mux_wait "$stingy"
		echo "$n others were served"
		[ $n -gt 5 ] || atf_fail "the others were not"
		atf_check -s exit:0 -o match:'^504$' -e empty cat stingy.out
	done
	good_manners
	mux_finish
}
