# shellcheck shell=sh
# shellcheck disable=SC2034,SC2119 # variables and functions of mux.sh
# The nginx module and FastCGI servers that nobody here wrote, and the gateway:
#
#	go, async    Go's net/http/fcgi and Perl's Net::Async::FastCGI multiplex
#	             but know no flow control
#	gateway      has it all
#	php, libfcgi say that they do not multiplex: plain connections
#
# Each: GET, HEAD, POST, 20 MB down, 5 MB up, a chunked upload that nginx does
# not buffer, 100 requests at once over HTTP/1.1 and over HTTP/2; and which
# connection each of them went over.
#
#	together     100 requests of 1 s on one connection take about a second
#	workers      1000 at once over one connection for each of two workers
#	question     a libfcgi server is asked with a request, so it never hangs

. "$(atf_get_srcdir)/lib.sh"
. "$(atf_get_srcdir)/web.sh"
. "$(atf_get_srcdir)/mux.sh"
. "$(atf_get_srcdir)/fpm.sh"
MUX_NEEDS="sha256sum h2load"

# / buffers, /raw/ does not, in either direction.
peer_nginx()
{
	mux_start_nginx <<CONF
include params;
${PEER_FILE:+fastcgi_param SCRIPT_FILENAME $PEER_FILE;}
$(mux_raw)
CONF
}
PEER_FILE=

# fetch shared|plain curl-argument...: curl, which must succeed; the request
# went over such a connection.  The page is in "page".
fetch()
{
	fetch_way=$1
	shift
	mux_log_reset
	atf_check -s exit:0 -o save:page -e empty curl -sS -m 60 "$@"
	way 1 "$fetch_way"
}

# way n shared|plain: so went the n requests that the log has.
way()
{
	mux_is_on || return 0
	case $2 in
	shared)	mux_logged "$1" '^[0-9]' ;;
	plain)	mux_logged "$1" '^-?\|' ;;
	esac
}

# same_page file: the page is that.
same_page()
{
	atf_check -s exit:0 -o empty -e empty cmp page "$1"
}

# exchange sum reading raw rest: all that a server must do with one request
# at a time.  "sum" makes what /upload answers; requests with a body go the
# way "reading", what is not buffered "raw", and all others "rest".
exchange()
{
	bytes 20000000 >down
	bytes 5000000 >up
	$1 <up | sed 's/ *-$//' | cut -d' ' -f1 >sum
	fetch "$4" "$WEB/env?a=b"
	atf_check -s exit:0 -o match:'^QUERY_STRING=a=b$' -e empty cat page
	fetch "$4" -I "$WEB/env"
	atf_check -s exit:0 -o match:'^HTTP/1.1 200' -o match:'^X-Test: yes' \
	    -o not-match:REQUEST_METHOD -e empty cat page
	fetch "$2" -d hello=world "$WEB/echo"
	atf_check -s exit:0 -o inline:'hello=world' -e empty cat page
	fetch "$4" "$WEB/bytes?n=20000000"
	same_page down
	fetch "$3" "$WEB/raw/bytes?n=20000000"
	same_page down
	fetch "$2" -H Expect: --data-binary @up "$WEB/upload"
	atf_check -s exit:0 -o match:"^$(cat sum) " -e empty cat page
	fetch "$3" -H Expect: -H 'Transfer-Encoding: chunked' -T up \
	    "$WEB$CHUNKED/upload"
	atf_check -s exit:0 -o match:"^$(cat sum) " -e empty cat page
	fetch "$4" --http2-prior-knowledge "$WEB2/bytes?n=20000000"
	same_page down
	fetch "$2" --http2-prior-knowledge -T up "$WEB2/upload"
	atf_check -s exit:0 -o match:"^$(cat sum) " -e empty cat page
}
CHUNKED=/raw

# A hundred at once, each with its own answer.
crowd()
{
	mux_log_reset
	atf_check -s exit:0 -o save:codes -e ignore \
	    curl -sS -Z --parallel-immediate --parallel-max 100 \
	    -w '%{http_code}\n' -o 'crowd.#1' "$WEB/env?no=[1-100]."
	atf_check -s exit:0 -o match:'^ *100 200$' -e empty \
	    sh -c 'sort codes | uniq -c'
	for i in 1 10 50 99 100; do
		atf_check -s exit:0 -o match:"^QUERY_STRING=no=$i\\.\$" \
		    -e empty cat crowd.$i
	done
	way 100 "$1"
	mux_log_reset
	atf_check -s exit:0 -o match:'100 succeeded, 0 failed' \
	    -o match:' 100 2xx,' -o match:'\(1000000\) data$' -e empty \
	    h2load -n 100 -c 1 -m 100 "$WEB2/bytes?n=10000"
	way 100 "$1"
}

require_peer()
{
	[ -x "$TESTS/$1" ] || atf_skip "$1 was not built"
}

start_go()
{
	require_peer peer-go
	mux_peer go "$TESTS/peer-go" gw.sock
}

# stats: connections that Go's server has accepted.
stats()
{
	curl -sS "$WEB/stats" | cut -d' ' -f1
}

# Go multiplexes but has no flow control: what could stop the others for want
# of it, a body that is not read, or a page that a client does not take, goes
# by itself; all else shares one connection.
mux_case go
go_body()
{
	start_go
	peer_nginx
	mux_warm /env
	exchange sha256sum plain plain shared
	crowd shared
	atf_check_equal "$(mux_is_on && echo 1 || echo 0)" \
	    "$(mux_connections "$PEER_PID")"
	mux_finish
}

mux_case async
async_body()
{
	perl -MNet::Async::FastCGI -MIO::Async::Loop -e 1 2>/dev/null ||
	    atf_skip "no Net::Async::FastCGI"
	mux_peer async perl "$TESTS/peers/async.pl" gw.sock
	peer_nginx
	mux_warm /env
	exchange sha256sum plain plain shared
	crowd shared
	mux_finish
}

# With flow control everything shares the connection.
mux_case gateway
gateway_body()
{
	for name in delay bytes echo upload env; do
		mk_cgi $name <"$TESTS/peers/peer.cgi"
	done
	start_gateway "/=$TREE"
	peer_nginx
	mux_warm /env
	exchange sha256sum shared shared shared
	crowd shared
	mux_is_on && atf_check_equal 1 "$(mux_connections)"
	atf_check -s exit:1 -o empty -e empty grep -E '^[0-9]+\|[0-9]+\|0' \
	    "$MUXLOG"
	mux_finish
}

# php-fpm, four children, with the user who runs the test.
mux_case php
php_body()
{
	fpm=$(php_fpm)
	[ -x "$fpm" ] || atf_skip "no php-fpm"
	cp "$TESTS/peers/peer.php" .
	PEER_FILE=$PWD/peer.php
	CHUNKED= # it reads no body without a CONTENT_LENGTH
	fpm_conf 4
	echo 'php_admin_value[post_max_size] = 100M' >>fpm.conf
	"$fpm" -n -R -F -y fpm.conf -c /dev/null >php.out 2>&1 </dev/null &
	echo $! >>web.pids
	wait_for answers
	peer_nginx
	curl -sS -o /dev/null "$WEB/env" # the question's own
	exchange sha256sum plain plain plain
	crowd plain
	mux_finish
}

# libfcgi does one request at a time.
mux_case libfcgi
libfcgi_body()
{
	require_peer peer-libfcgi
	mux_peer libfcgi "$TESTS/peer-libfcgi" gw.sock
	peer_nginx
	curl -sS -o /dev/null "$WEB/env" # the question's own
	exchange cksum plain plain plain
	crowd plain
	mux_finish
}
# Requests to an asynchronous server take as long as the longest of them.
mux_case together
together_body()
{
	start_go
	peer_nginx
	mux_warm /env
	before=$(stats)
	mux_log_reset
	start=$(date +%s%N)
	atf_check -s exit:0 -o save:codes -e ignore \
	    curl -sS -Z --parallel-immediate --parallel-max 100 \
	    -w '%{http_code}\n' -o /dev/null "$WEB/delay?ms=1000&[1-100]"
	took=$((($(date +%s%N) - start) / 1000000))
	atf_check -s exit:0 -o match:'^ *100 200$' -e empty \
	    sh -c 'sort codes | uniq -c'
	echo "100 requests of 1 s took $took ms"
	[ $took -lt 5000 ] || atf_fail "they waited for each other"
	way 100 shared
	if mux_is_on; then
		atf_check_equal "$before" "$(stats)"
		mux_logged 1 '^[0-9]+\|100\|0\|200'
	fi
	mux_finish
}

# Two workers have two connections, and a thousand requests fit on each.
mux_case workers
workers_body()
{
	start_go
	MUX_WORKERS=2
	peer_nginx
	mux_warm /env
	before=$(stats)
	mux_log_reset
	start=$(date +%s%N)
	for i in 1 2 3 4; do
		curl -sS -Z --parallel-immediate --parallel-max 250 -w '%{http_code}\n' \
		    -o /dev/null "$WEB/delay?ms=1000&[1-250]" \
		    >codes.$i 2>/dev/null &
		set -- "$@" $!
	done
	mux_wait "$@"
	took=$((($(date +%s%N) - start) / 1000000))
	echo "1000 requests of 1 s took $took ms"
	atf_check -s exit:0 -o match:'^ *1000 200$' -e empty \
	    sh -c 'cat codes.* | sort | uniq -c'
	way 1000 shared
	if mux_is_on; then
		atf_check_equal "$before" "$(stats)"
		atf_check_equal 2 "$(mux_connections "$PEER_PID")"
	fi
	mux_finish
}

# A libfcgi server that is asked alone would never answer and never serve.
mux_case question
question_body()
{
	require_peer peer-libfcgi
	mux_peer libfcgi "$TESTS/peer-libfcgi" gw.sock
	MUX_ARGS="retry=1s"
	peer_nginx
	end=$(($(date +%s) + 4))
	while [ "$(date +%s)" -lt $end ]; do
		atf_check -s exit:0 -o match:'^QUERY_STRING=a=b$' -e empty \
		    curl -sS -m 10 "$WEB/env?a=b"
	done
	asked=$(mux_lines '^[0-9]')
	[ "$asked" -le 5 ] || atf_fail "it was asked $asked times in 4 s"
	mux_finish
}
