# shellcheck shell=sh
# shellcheck disable=SC2034,SC2119 # variables and functions of mux.sh
# Request ids of the nginx module, and whose bytes are whose.  The peer
# (record.pl) knows flow control and writes down every record it gets; it
# complains about ids that come twice, streams that go on after their end, and
# whatever is no record.
#
#	retire       requests=5: no request is lost when connections retire, and
#	             no id is used twice
#	retire_go    likewise with Go's server, which would mix the two requests
#	leavers      2,000 uploads that break off, each with another request at
#	             its heels: every one has its own body
#	leavers_go, leavers_gateway  likewise with those
#	leavers_pages  a thousand clients that do not wait for their pages, among
#	             a thousand that do, with Go's server, which ends an aborted
#	             request, and Perl's, which answers it all the same
#	bodies       bodies full of FastCGI records, of every size that lies near
#	             a boundary: buffered in memory, in a file, and not at all
#	bodies_chunked  likewise in chunks
#	abort        a client's leaving is on the wire at once, and touches nobody
#	             else
#	abort_page   likewise in the middle of its page, which it has not read
#	head, accel  HEAD and X-Accel-Redirect are no reasons to abort

. "$(atf_get_srcdir)/lib.sh"
. "$(atf_get_srcdir)/web.sh"
. "$(atf_get_srcdir)/mux.sh"

# ids_nginx: /file/ has bodies in a file, /raw/ does not buffer them.
ids_nginx()
{
	mux_start_nginx <<'CONF'
include params;
fastcgi_read_timeout 20s;
client_body_buffer_size 1m;
location / {
	fastcgi_pass mux;
}
location /file/ {
	rewrite ^/file(/.*) $1 break;
	fastcgi_pass mux;
	client_body_in_file_only clean;
}
location /half/ {
	rewrite ^/half(/.*) $1 break;
	fastcgi_pass mux;
	client_body_buffer_size 8k;
}
location /raw/ {
	rewrite ^/raw(/.*) $1 break;
	fastcgi_pass mux;
	fastcgi_buffering off;
	fastcgi_request_buffering off;
}
location /static/ {
}
CONF
}

recorder()
{
	mux_peer record perl "$TESTS/peers/record.pl" gw.sock
	ids_nginx
	mux_warm
}

# The peer saw nothing wrong, and that was over shared connections.
good_manners()
{
	! mux_is_on || atf_check_equal 0 "$(mux_plain)"
	atf_check -s exit:1 -o empty -e empty grep BAD record.out
}

# n pages, each the URI of its own request.
own_pages()
{
	rm -f own.*
	atf_check -s exit:0 -o save:codes -e ignore \
	    curl -sS -Z --parallel-immediate --parallel-max 200 \
	    -w '%{http_code}\n' -o 'own.#1' "$WEB$1[1-$2]."
	atf_check -s exit:0 -o match:"^ *$2 200\$" -e empty \
	    sh -c 'sort codes | uniq -c'
	i=0
	while [ $i -lt "$2" ]; do
		i=$((i + 1))
		grep -Fq "$1$i." "own.$i" ||
		    web_fail "request $i has not its own page" "own.$i"
	done
}

mux_case retire
retire_body()
{
	MUX_ARGS="requests=5"
	recorder
	own_pages '/slow/20/?' 1000
	good_manners
	if mux_is_on; then
		# shellcheck disable=SC2016 # awk's
		atf_check -s exit:0 -o empty -e empty awk '
			$1 == "begin" && ++n[$2] > 5 { print "too many on", $2 }
			$1 == "begin" && seen[$2, $3]++ { print "twice:", $3 }' \
		    record.out
	fi
	mux_finish
}

go_server()
{
	[ -x "$TESTS/peer-go" ] || atf_skip "peer-go was not built"
	mux_peer go "$TESTS/peer-go" gw.sock
}

mux_case retire_go
retire_go_body()
{
	go_server
	MUX_ARGS="requests=5"
	ids_nginx
	mux_warm
	own_pages '/env?ms=20&' 1000
	mux_finish
}

# leave n: that many, in each way that a body may take.
leave()
{
	for way in /raw /half ''; do
		atf_check -s exit:0 -o empty -e empty perl \
		    "$TESTS/peers/leaver.pl" "$WEB_PORT" $(($1 / 3)) \
		    "$way/upload" "$way/upload"
	done
	atf_check -s exit:0 -o empty -e empty perl "$TESTS/peers/leaver.pl" \
	    "$WEB_PORT" $(($1 / 3)) /raw/upload /upload
}

mux_case leavers
leavers_body()
{
	recorder
	leave 2000
	good_manners
	mux_finish
}

mux_case leavers_go
leavers_go_body()
{
	go_server
	ids_nginx
	mux_warm
	leave 2000
	mux_finish
}

mux_case leavers_gateway 300
leavers_gateway_body()
{
	mk_cgi upload <"$TESTS/peers/peer.cgi"
	start_gateway "/=$TREE"
	ids_nginx
	mux_warm /upload
	leave 500
	mux_finish
}

# Whoever has left gets nothing, and nobody gets it in his place.
mux_case leavers_pages
leavers_pages_body()
{
	go_server
	ids_nginx
	leave_pages '/env?ms=20&'
	mux_peer_kill
	perl -MNet::Async::FastCGI -MIO::Async::Loop -e 1 2>/dev/null || {
		mux_finish
		return 0
	}
	mux_peer async perl "$TESTS/peers/async.pl" gw.sock
	leave_pages '/env?'
	mux_finish
}

leave_pages()
{
	mux_warm
	for path in '/delay?ms=150&' '/delay?ms=60&'; do
		curl -sS -Z --parallel-immediate --parallel-max 50 -m 0.1 \
		    -o stranger "$WEB${path}[1-500]" >/dev/null 2>&1 &
		set -- "$@" $!
	done
	own_pages "$1" 1000
	shift
	for pid in "$@"; do
		wait "$pid" || :
	done
	! mux_is_on || atf_check_equal 0 "$(mux_plain)"
}

# Whatever these bytes are taken for, records are what they look like: at
# every offset from 0 to 7 begins one that would do harm.
evil()
{
	perl -e '
		my ($n, $body) = ($ARGV[0], "");
		my @records = (
			pack("CCnnCC nCx5", 1, 1, 2, 8, 0, 0, 1, 1), # BEGIN
			pack("CCnnCC", 1, 2, 1, 0, 0, 0), # ABORT
			pack("CCnnCC", 1, 4, 2, 0, 0, 0), # end of PARAMS
			pack("CCnnCC", 1, 5, 1, 0, 0, 0), # end of STDIN
			pack("CCnnCC", 1, 9, 0, 0, 0, 0), # GET_VALUES
			pack("CCnnCCN", 1, 200, 1, 4, 0, 0, 1 << 30), # CREDIT
			pack("CCnnCC", 1, 5, 65535, 65535, 255, 0));
		for (my $i = 0; length $body < $n; $i++) {
			$body .= $records[$i % @records];
			$body .= "x" if $i % 9 == 8;
		}
		print substr $body, 0, $n;' "$1"
}

# bodies curl-argument...: each of them, in every way.
bodies()
{
	sizes="1 7 8 9 15 16 17 255 256 4095 4096 8191 8192 8193 16384"
	for edge in 32768 65536 98304 131072 262144; do
		for near in -16 -9 -8 -7 -1 0 1 7 8 9; do
			sizes="$sizes $((edge + near))"
		done
	done
	sizes="$sizes 65519 65527 1000003"
	for size in $sizes; do
		evil "$size" >"evil.$size"
		sum="$(sha256sum <"evil.$size" | cut -d' ' -f1) $size"
		for way in '' /file /half /raw; do
			answer=$(curl -sS -m 20 "$@" -H Expect: \
			    -T "evil.$size" "$WEB$way/sum") ||
			    atf_fail "$size bytes to $way/sum: curl failed"
			[ "$answer" = "$sum" ] ||
			    atf_fail "$size bytes to $way/sum: $answer"
		done
	done
	for way in '' /file /half /raw; do
		atf_check -s exit:0 -o file:evil.1000003 -e empty \
		    curl -sS -m 20 "$@" -H Expect: -T evil.1000003 \
		    "$WEB$way/echo"
	done
	good_manners
}

mux_case bodies
bodies_body()
{
	recorder
	bodies
	mux_finish
}

mux_case bodies_chunked
bodies_chunked_body()
{
	recorder
	bodies -H 'Transfer-Encoding: chunked'
	mux_finish
}

# leave_timed query: the client CLIENT, whose request has that in its URI, is
# ended once its request is known; ABORT_REQUEST follows at once.
leave_timed()
{
	wait_for grep -Fq "$1 " record.out
	id=$(grep -F "$1 " record.out | head -n 1 | cut -d' ' -f2,3)
	left=$(date +%s.%N)
	client_leave "$CLIENT"
	wait_for grep -Eq "^abort $id( |\$)" record.out
	took=$(perl -e 'printf "%d", 1000 * ($ARGV[0] - $ARGV[1])' \
	    "$(sed -n "s/^abort $id .*\([0-9]\{10\}\.\)/\1/p" record.out)" "$left")
	echo "$1: ABORT_REQUEST after $took ms"
	[ "$took" -lt $((1000 * SLOWER)) ] || atf_fail "that is late"
}

mux_case abort
abort_body()
{
	mux_is_on || atf_skip "without the module the connection is closed"
	recorder
	client other "$WEB/slow/8000/"
	other=$CLIENT
	for i in 1 2 3 4 5; do
		for way in '' /raw; do
			client a "$WEB$way/silent?$i$way"
			leave_timed "?$i$way"
			client b --http2-prior-knowledge "$WEB2$way/silent?h$i$way"
			leave_timed "?h$i$way"
			client c -d body "$WEB$way/silent?b$i$way"
			leave_timed "?b$i$way"
			upload_start "u$i${way#/}" "$WEB/raw/silent?u$i$way" 20000
			leave_timed "?u$i$way"
			exec 9>&-
		done
	done
	mux_wait "$other"
	atf_check -s exit:0 -o inline:'/slow/8000/\n' -e empty cat other.out
	atf_check_equal 40 "$(grep -c '^abort' record.out)"
	good_manners
	mux_finish
}

# A page that its client does not take waits for credit, and for nothing after
# that.  (nginx would buffer it in /, and there it may be complete by then.)
mux_case abort_page
abort_page_body()
{
	mux_is_on || atf_skip "without the module the connection is closed"
	recorder
	client other "$WEB/slow/5000/"
	other=$CLIENT
	for i in 1 2 3 4 5; do
		client a --limit-rate 1000 -o /dev/null "$WEB/raw/flood?$i"
		leave_timed "?$i"
		client b --limit-rate 1000 -o /dev/null --http2-prior-knowledge \
		    "$WEB2/raw/flood?h$i"
		leave_timed "?h$i"
	done
	mux_wait "$other"
	atf_check_equal 10 "$(grep -c '^abort' record.out)"
	good_manners
	mux_finish
}

# Who has all that he asked for has not left.
mux_case head
head_body()
{
	mux_is_on || atf_skip "without the module the connection is closed"
	recorder
	for i in 1 2 3; do
		atf_check -s exit:0 -o match:'^HTTP/1.1 200' -e empty \
		    curl -sS -m 5 -I "$WEB/late?$i"
		atf_check -s exit:0 -o match:'^HTTP/2 200' -e empty \
		    curl -sS -m 5 -I --http2-prior-knowledge "$WEB2/late?$i"
	done
	late_ends 6
	mux_finish
}

mux_case accel
accel_body()
{
	mux_is_on || atf_skip "without the module the connection is closed"
	mkdir static
	echo "a static file" >static/file.txt
	recorder
	for i in 1 2 3; do
		atf_check -s exit:0 -o inline:'a static file\n' -e empty \
		    curl -sS -m 5 "$WEB/accel?$i"
		atf_check -s exit:0 -o inline:'a static file\n' -e empty \
		    curl -sS -m 5 -d body "$WEB/accel?$i"
	done
	late_ends 6
	mux_finish
}

# The n requests, which the server has not ended, go on to their end.
late_ends()
{
	: >go
	wait_for late_ended "$1"
	atf_check -s exit:1 -o empty -e empty grep '^abort' record.out
	atf_check -s exit:0 -o ignore -e empty curl -sS -m 5 "$WEB/x"
	good_manners
}

late_ended()
{
	[ "$(grep -c '^after' record.out)" -eq "$1" ]
}
