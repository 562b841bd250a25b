# shellcheck shell=sh
# shellcheck disable=SC2034,SC2046,SC2086,SC2119,SC2120 # words; for mux.sh
# Time limits and clients that leave.  What ends is one request, and its
# script; `drip' is a request beside it that must not notice:
#
#	connect    a server that does not accept: fastcgi_connect_timeout
#	read       a silent script: 504, and it ends at once
#	read_late  likewise after its header; one that is slow but not silent
#	send       a script that never reads an unbuffered upload
#	silent     the client leaves before the header, in all modes
#	flood      likewise while the script writes
#	download   likewise in the midst of a big response, having read slowly
#	upload     likewise in its body
#	queued     likewise while its script waits for its turn
#	crowd      40 of 80 leave at once
#	ignore     fastcgi_ignore_client_abort: the script goes on
#	script     a script's time limit in the gateway: 504, cut
#	linger     the script goes on after its response: nobody ends it

. "$(atf_get_srcdir)/lib.sh"
. "$(atf_get_srcdir)/web.sh"
. "$(atf_get_srcdir)/mux.sh"
. "$(atf_get_srcdir)/mux_site.sh"

# beside: a request that lives as long as the test, until beside_end.
beside()
{
	client beside "$WEB/b0r0k0/cgi-bin/drip?beside"
	BESIDE=$CLIENT
	wait_for grep -q one beside.out
}

# It has seen nothing, and everything went over its connection.
beside_end()
{
	: >cgi-bin/beside.go
	mux_wait "$BESIDE"
	atf_check -s exit:0 -o inline:'one\ntwo\n' -e empty cat beside.out
	mux_one_connection
}

# soon pid: it ends within a second, and the time that a machine may be busy.
soon()
{
	soon_start=$(date +%s%N)
	wait_for ended "$1"
	soon_ms=$((($(date +%s%N) - soon_start) / 1000000))
	[ $soon_ms -lt $((2500 * SLOWER)) ] ||
	    atf_fail "the script ended after $soon_ms ms"
}

# Its queue is full, so that connect() is not answered, or fails at once (a unix
# socket).  Others of the upstream are asked.
mux_case connect
connect_body()
{
	port=$(free_port)
	cat >full.pl <<'PEER'
use IO::Socket::INET;
my $port = shift;
my $listener = IO::Socket::INET->new(LocalAddr => "127.0.0.1:$port",
    Listen => 1, ReuseAddr => 1) or die;
my @fill = map { IO::Socket::INET->new(PeerAddr => "127.0.0.1:$port",
    Blocking => 0) } 1 .. 16;
$| = 1;
print "ready\n";
sleep 600;
PEER
	mux_peer full perl full.pl "$port"
	MUX_HTTP="upstream full { server 127.0.0.1:$port; $(mux_directive) }
	    upstream two { server 127.0.0.1:$port max_fails=0;
	    server unix:gw.sock max_fails=0; $(mux_directive) }"
	mux_site <<'CONF'
location ~ ^/full(/cgi-bin/.*)$ {
	fastcgi_pass full;
	fastcgi_connect_timeout 500ms;
	include params;
	fastcgi_param SCRIPT_NAME $1;
}
location ~ ^/two(/cgi-bin/.*)$ {
	fastcgi_pass two;
	fastcgi_connect_timeout 500ms;
	include params;
	fastcgi_param SCRIPT_NAME $1;
}
CONF
	for i in 1 2 3; do
		atf_check -s exit:0 -o inline:504 -e empty curl -sS -m 20 \
		    -o /dev/null -w '%{http_code}' "$WEB/full/cgi-bin/env"
	done
	# Those that wait together for the connection.
	atf_check -s exit:0 -o save:codes -e ignore curl -sS -Z -m 20 \
	    --parallel-immediate --parallel-max 20 -o /dev/null \
	    -w '%{http_code}\n' "$WEB/full/cgi-bin/env?[1-20]"
	grep -qv 50 codes && web_fail "answered" codes
	atf_check -s exit:0 -o save:codes -e ignore curl -sS -Z -m 20 \
	    --parallel-immediate --parallel-max 20 -o /dev/null \
	    -w '%{http_code}\n' "$WEB/two/cgi-bin/env?[1-20]"
	atf_check_equal "20 200" "$(mux_codes codes)"
	# A client that leaves while it connects.
	client leaves "$WEB/full/cgi-bin/env"
	client_leave "$CLIENT"
	atf_check -s exit:0 -o match:^QUERY -e empty \
	    curl -sS "$WEB/cgi-bin/env"
	mux_finish
}

# short_site: /short/ gives up after 0.7 s.
short_site()
{
	mux_site "$@" <<'CONF'
location ~ ^/short([01])(/cgi-bin/.*)$ {
	fastcgi_pass mux;
	fastcgi_read_timeout 700ms;
	fastcgi_send_timeout 700ms;
	fastcgi_request_buffering off;
	include params;
	fastcgi_param SCRIPT_NAME $2;
}
location ~ ^/shortu(/cgi-bin/.*)$ {
	fastcgi_pass mux;
	fastcgi_buffering off;
	fastcgi_read_timeout 700ms;
	include params;
	fastcgi_param SCRIPT_NAME $1;
}
CONF
}

mux_case read
read_body()
{
	short_site </dev/null
	beside
	for way in short0 shortu; do
		client $way -o /dev/null -w '%{http_code}' \
		    "$WEB/$way/cgi-bin/silent?$way"
		pid=$(script_pid $way)
		mux_wait "$CLIENT"
		soon "$pid"
		atf_check -s exit:0 -o inline:504 -e empty cat $way.out
	done
	beside_end
	mux_finish
}

# A part of a response must not look whole.
mux_case read_late
read_late_body()
{
	short_site </dev/null
	beside
	mk_cgi stops <<'CGI'
#!/bin/sh
echo $$ >$QUERY_STRING.pid
printf 'Content-Type: text/plain\n\nbegin\n'
exec sleep 600
CGI
	mk_cgi steady <<'CGI'
#!/bin/sh
printf 'Content-Type: text/plain\n\n'
for i in 1 2 3 4 5 6 7 8; do echo $i; sleep 0.25; done
CGI
	seq 8 >want
	for way in short0 shortu; do
		client $way.steady "$WEB/$way/cgi-bin/steady"
		steady=$CLIENT
		client $way "$WEB/$way/cgi-bin/stops?$way"
		pid=$(script_pid $way)
		if wait "$CLIENT"; then atf_fail "it looked whole"; fi
		soon "$pid"
		mux_wait "$steady"
		atf_check -s exit:0 -o file:want -e empty cat $way.steady.out
	done
	beside_end
	mux_finish
}

# The window of its request fills, and nobody else's.
mux_case send
send_body()
{
	short_site -L spool=0 </dev/null
	beside
	bytes 5000000 >body
	client send -o /dev/null -w '%{http_code}' -H Expect: -T body \
	    "$WEB/short0/cgi-bin/silent?send"
	pid=$(script_pid send)
	for i in 1 2 3 4 5; do
		atf_check -s exit:0 -o match:^QUERY -e empty \
		    curl -sS -m 10 "$WEB/cgi-bin/env"
	done
	wait "$CLIENT" || :
	soon "$pid"
	if mux_is_on; then
		atf_check -s exit:0 -o inline:504 -e empty cat send.out
	fi
	beside_end
	mux_finish
}

mux_case silent
silent_body()
{
	mux_site </dev/null
	beside
	for mode in $NGINX_MODES; do
		client "$mode" "$WEB/$mode/cgi-bin/silent?$mode"
		pid=$(script_pid "$mode")
		client_leave "$CLIENT"
		soon "$pid"
		client "p$mode" --http2-prior-knowledge -d body=1 \
		    "$WEB2/$mode/cgi-bin/silent?p$mode"
		pid=$(script_pid "p$mode")
		client_leave "$CLIENT"
		soon "$pid"
	done
	beside_end
	mux_finish
}

# It may be held up anywhere.
mux_case flood
flood_body()
{
	mux_site </dev/null
	beside
	for mode in $NGINX_MODES; do
		client "$mode" --limit-rate 100k -o /dev/null \
		    "$WEB/$mode/cgi-bin/flood?$mode"
		pid=$(script_pid "$mode")
		client_leave "$CLIENT"
		soon "$pid"
	done
	beside_end
	mux_finish
}

mux_case download
download_body()
{
	mux_site </dev/null
	beside
	mk_cgi big <<'CGI'
#!/bin/sh
echo $$ >$QUERY_STRING.pid
printf 'Content-Type: text/plain\n\n'
exec yes $QUERY_STRING
CGI
	for mode in $MUX_MODES; do
		client "$mode" --limit-rate 50k \
		    "$WEB/$mode/cgi-bin/big?$mode"
		pid=$(script_pid "$mode")
		wait_for test -s "$mode.out"
		atf_check -s exit:0 -o match:^QUERY -e empty \
		    curl -sS -m 10 "$WEB/$mode/cgi-bin/env"
		client_leave "$CLIENT"
		soon "$pid"
		[ "$(sort -u "$mode.out" | grep -cvx "$mode")" -le 1 ] ||
		    atf_fail "another's bytes"
	done
	beside_end
	mux_finish
}

# What came of the body is not taken for the whole.
mux_case upload
upload_body()
{
	mux_site </dev/null
	beside
	for mode in b0r0k0 b0r0k1 b1r0k0 b1r0k1; do
		upload_leave "$mode" "$WEB/$mode/cgi-bin/upload?$mode" 20000
		upload_leave "l$mode" "$WEB/$mode/cgi-bin/upload?l$mode" \
		    20000 -H 'Transfer-Encoding:' -H 'Content-Length: 400000'
	done
	beside_end
	mux_finish
}

# What nobody waits for any more is not begun.
mux_case queued
queued_body()
{
	mux_site -L scripts=1,queue_wait=60 </dev/null
	beside
	client queued "$WEB/b0r0k0/cgi-bin/silent?queued"
	waits=$CLIENT
	client next "$WEB/b0r0k0/cgi-bin/env?next"
	client_leave "$waits"
	: >cgi-bin/beside.go
	wait_for grep -q QUERY_STRING=next next.out
	beside_end
	atf_check -s exit:1 -o empty -e empty test -e cgi-bin/queued.pid
	mux_finish
}

mux_case crowd
crowd_body()
{
	mux_site </dev/null
	mkdir out
	beside
	for i in $(seq 40); do
		client leaves$i "$WEB/b0r0k0/cgi-bin/silent?leaves$i"
		leaves="${leaves:-} $CLIENT"
		client stays$i "$WEB/b1r1k1/cgi-bin/drip?stays$i"
		stays="${stays:-} $CLIENT"
	done
	for i in $(seq 40); do
		script_pid leaves$i >>pids
		script_pid stays$i >/dev/null
	done
	kill -KILL $leaves
	while read -r pid; do wait_for ended "$pid"; done <pids
	for i in $(seq 40); do : >cgi-bin/stays$i.go; done
	mux_wait $stays
	for i in $(seq 40); do
		atf_check -s exit:0 -o inline:'one\ntwo\n' -e empty \
		    cat stays$i.out
	done
	beside_end
	mux_finish
}

# Until there is something to write nobody looks.
mux_case ignore
ignore_body()
{
	mux_site <<'CONF'
location ~ ^/ignore(/cgi-bin/.*)$ {
	fastcgi_pass mux;
	fastcgi_ignore_client_abort on;
	include params;
	fastcgi_param SCRIPT_NAME $1;
}
CONF
	beside
	mk_cgi works <<'CGI'
#!/bin/sh
tag=$QUERY_STRING
: >$tag.pid
while [ ! -e $tag.go ]; do sleep 0.05; done
: >$tag.done
printf 'Content-Type: text/plain\n\n'
seq 200000
CGI
	client works "$WEB/ignore/cgi-bin/works?works"
	wait_for test -e cgi-bin/works.pid
	client_leave "$CLIENT"
	for i in 1 2 3; do
		atf_check -s exit:0 -o match:^QUERY -e empty \
		    curl -sS "$WEB/cgi-bin/env"
	done
	: >cgi-bin/works.go
	wait_for test -e cgi-bin/works.done
	beside_end
	mux_finish
}

# The limit is the gateway's: its page, or a response that breaks off.
mux_case script
script_body()
{
	mux_site -L header_time=1,idle_time=1 <<'CONF'
location = /patient {
	fastcgi_pass mux;
	include params;
	fastcgi_param AFCGI_IDLE_TIME 60;
	fastcgi_param SCRIPT_NAME /cgi-bin/drip;
}
CONF
	client patient "$WEB/patient?patient"
	patient=$CLIENT
	for mode in $MUX_MODES; do
		atf_check -s exit:0 -o inline:504 -e empty curl -sS -m 20 \
		    -o /dev/null -w '%{http_code}' \
		    "$WEB/$mode/cgi-bin/silent?$mode"
		atf_check -s not-exit:0 -o inline:'one\n' -e match:curl \
		    curl -sS -N -m 20 "$WEB/$mode/cgi-bin/drip?d$mode"
	done
	: >cgi-bin/patient.go
	mux_wait "$patient"
	atf_check -s exit:0 -o inline:'one\ntwo\n' -e empty cat patient.out
	mux_finish
}

mux_case linger
linger_body()
{
	mux_site </dev/null
	for mode in $MUX_MODES; do
		atf_check -s exit:0 -o inline:'page\n' -e empty \
		    curl -sS -m 20 "$WEB/$mode/cgi-bin/after?$mode"
		: >"cgi-bin/$mode.go"
		wait_for test -e "cgi-bin/$mode.done"
	done
	mux_one_connection 4
	mux_finish
}
