# shellcheck shell=sh
# shellcheck disable=SC2034,SC2046,SC2086,SC2119,SC2120 # words; for mux.sh
# Both directions of a request at once, through nginx and one shared connection
# with flow control:
#
#	parts      a part of a chunked upload comes back before the next one is
#	           sent, and so with the very first requests of a worker
#	first      likewise with others that come at the same time
#	http2      likewise over HTTP/2
#	buffered   nginx has the whole body, the script echoes 20 MB of it: nothing
#	           goes to the gateway's disk
#	pause      a script that answers, and reads later than
#	           fastcgi_send_timeout
#	before     before it has answered, that ends it
#	unread     a whole answer does not wait for the rest of the body
#	accel      nor does a file that the script names, or an error page
#	leave      a client that leaves in the midst of it: its script ends
#	many       8 echoes of 5 MB at once, with small requests between them
#
# How servers end it is in mux_duplex_end_test.sh.

. "$(atf_get_srcdir)/lib.sh"
. "$(atf_get_srcdir)/web.sh"
. "$(atf_get_srcdir)/mux.sh"
. "$(atf_get_srcdir)/mux_site.sh"

# Request buffering off, response buffering on and off.
DUPLEX_MODES="b0r0k0 b1r0k1"

#	both	its header, then its body as it comes; its pid is in TAG.pid
#	pause	its header, and 3 s later the length of its body
#	late	after 3 s a page with the length of its body
duplex_scripts()
{
	mux_scripts
	mk_cgi both <<'CGI'
#!/bin/sh
echo $$ >"${QUERY_STRING:-none}.new"
mv "${QUERY_STRING:-none}.new" "${QUERY_STRING:-none}.pid"
printf 'Content-Type: text/plain\nX-Accel-Buffering: no\n\n'
exec cat
CGI
	mk_cgi pause <<'CGI'
#!/bin/sh
printf 'Content-Type: text/plain\n\n'
sleep 3
wc -c
CGI
	mk_cgi late <<'CGI'
#!/bin/sh
sleep 3
printf 'Content-Type: text/plain\n\n'
wc -c
CGI
}

# duplex_site [argument...]: like mux_site, and cold.
duplex_site()
{
	mux_is_on || atf_skip "nginx stops sending when it has a header"
	duplex_scripts
	start_gateway "$@" "$PWD/cgi-bin"
	mux_start_nginx <<CONF
$(mux_locations)
$(cat)
CONF
}

# echoed path parts [stop]: a client that sends them, in the foreground.
echoed()
{
	perl "$TESTS/peers/duplex.pl" "$WEB_PORT" "$1" "$2" $((DEADLINE / 2)) \
	    ${3:+"$3"}
}

# An nginx that has just started does not know the server, nor does another
# worker.
mux_case parts
parts_body()
{
	MUX_WORKERS=2
	duplex_site </dev/null
	for mode in $DUPLEX_MODES; do
		for i in 1 2 3 4; do
			atf_check -s exit:0 -o empty -e empty perl \
			    "$TESTS/peers/duplex.pl" "$WEB_PORT" \
			    "/$mode/cgi-bin/both?$i" 25 $((DEADLINE / 2))
		done
		mux_shared 4
		mux_reload
		mux_log_reset
	done
	mux_finish
}

# One asks, some wait for its answer, and all of them are served.
mux_case first
first_body()
{
	duplex_site </dev/null
	for i in 1 2 3 4 5; do
		client "get$i" -o /dev/null -w '%{http_code}' \
		    "$WEB/cgi-bin/env?$i"
		gets="${gets:-} $CLIENT"
		echoed "/b0r0k0/cgi-bin/both?a$i" 25 >echo$i.out 2>&1 &
		echoes="${echoes:-} $!"
		echoed "/b1r0k0/cgi-bin/both?b$i" 25 >more$i.out 2>&1 &
		echoes="$echoes $!"
	done
	for job in $echoes; do
		wait "$job" || {
			cat echo?.out more?.out >&2
			atf_fail "a part did not come back"
		}
	done
	mux_wait $gets
	atf_check -s exit:0 -o inline:200200200200200 -e empty \
	    cat get1.out get2.out get3.out get4.out get5.out
	mux_logged 10 '^[0-9]+\|[0-9]+\|1\|.*/both'
	mux_finish
}

mux_case http2
http2_body()
{
	curl --version | grep -q HTTP2 || atf_skip "curl has no HTTP/2"
	duplex_site </dev/null
	for mode in $DUPLEX_MODES; do
		for i in 1 2; do
			http2_parts "$mode$i"
		done
	done
	mux_one_connection 4
	mux_finish
}

# "-T ." reads what there is, and the answer meanwhile.
http2_parts()
{
	mkfifo "$1.fifo"
	curl -sSN --http2-prior-knowledge -T . \
	    "$WEB2/${1%?}/cgi-bin/both?$1" <"$1.fifo" >"$1.out" 2>"$1.err" &
	CLIENT=$!
	echo $CLIENT >>client.pids
	exec 9>"$1.fifo"
	for part in 1 2 3 4 5 6 7 8; do
		echo "part $part" >&9
		wait_for grep -qx "part $part" "$1.out"
	done
	exec 9>&-
	mux_wait $CLIENT
	seq -f 'part %g' 8 >want
	atf_check -s exit:0 -o file:want -e empty cat "$1.out"
}

# With nowhere to put it the gateway would answer 500.
mux_case buffered
buffered_body()
{
	mkdir spool
	duplex_site -T "$PWD/spool" </dev/null
	duplex_warm
	rmdir spool
	bytes 20000000 >body
	for mode in b0r1k0 b1r1k1 b0r0k0 b1r0k0; do
		for http in 1 2; do
			mux_http $http
			atf_check -s exit:0 -o file:body -e empty \
			    $MUX_CURL -H Expect: -T body \
			    "$MUX_WEB/$mode/cgi-bin/both"
		done
	done
	mux_shared 8
	mux_finish
}

# A request whose body is there goes to an unknown server with the question, and
# so without windows.
duplex_warm()
{
	mux_warm /cgi-bin/env
	mux_log_reset
}

# /hasty/bXrY/cgi-bin/, where X and Y are buffering and request buffering.
hasty_site()
{
	duplex_site <<CONF
$(for mode in b0r0 b1r0 b0r1 b1r1; do hasty_location $mode; done)
CONF
	duplex_warm
	bytes 5000000 >body
}

hasty_location()
{
	cat <<CONF
location ~ ^/hasty/$1(/cgi-bin/.*)\$ {
	fastcgi_pass mux;
	fastcgi_send_timeout 1s;
	fastcgi_buffering $(web_on $1 b1);
	fastcgi_request_buffering $(web_on $1 r1);
	include params;
	fastcgi_param SCRIPT_NAME \$1;
}
CONF
}

# It may read as late as it likes.
mux_case pause
pause_body()
{
	hasty_site
	for mode in b0r0 b1r0 b0r1 b1r1; do
		for http in 1 2; do
			mux_http $http
			$MUX_CURL -H Expect: -T body >$mode.$http 2>&1 \
			    "$MUX_WEB/hasty/$mode/cgi-bin/pause" &
			jobs="${jobs:-} $!"
		done
	done
	# The connection is everybody's meanwhile.
	for i in 1 2 3 4 5; do
		atf_check -s exit:0 -o match:"^QUERY_STRING=$i\$" -e empty \
		    curl -sS -m 10 "$WEB/cgi-bin/env?$i"
	done
	mux_wait $jobs
	for file in b?r?.[12]; do
		atf_check -s exit:0 -o inline:'5000000\n' -e empty cat $file
	done
	mux_shared 13
	mux_finish
}

mux_case before
before_body()
{
	hasty_site
	for mode in b0r0 b1r0 b0r1 b1r1; do
		curl -sS -m 60 -o /dev/null -w '%{http_code}' -H Expect: \
		    -T body "$WEB/hasty/$mode/cgi-bin/late" >$mode 2>&1 &
		jobs="${jobs:-} $!"
	done
	for job in $jobs; do
		wait "$job" || : # a connection that is closed in its upload
	done
	for mode in b0r0 b1r0 b0r1 b1r1; do
		atf_check -s exit:0 -o match:504 -e empty cat $mode
	done
	atf_check -s exit:0 -o match:'^QUERY_STRING=after$' -e empty \
	    curl -sS "$WEB/cgi-bin/env?after"
	mux_finish
}

# early path: POSTs a small part of a body that it says is large, and prints
# the whole answer, status first.  A client with more to send waits for ever.
early()
{
	cat >early.pl <<'CLIENT'
use strict;
use warnings;
use IO::Socket::INET;
my ($port, $path, $seconds) = @ARGV;
my $socket = IO::Socket::INET->new(PeerAddr => "127.0.0.1:$port") or
    die "connect: $!\n";
alarm $seconds;
syswrite $socket, "POST $path HTTP/1.1\r\nHost: localhost\r\n" .
    "Content-Length: 5000000\r\n\r\n" . 'x' x 100000;
my $in = '';
until ($in =~ /\r\n0\r\n\r\n$/ ||
    ($in =~ /Content-Length: (\d+)\r\n.*?\r\n\r\n(.*)$/is &&
    length $2 >= $1)) {
	sysread $socket, $in, 65536, length $in or die "cut: $in\n";
}
$in =~ s{^HTTP/1\.1 (\d+).*?\r\n\r\n}{$1 }s;
$in =~ s/(^|\r\n| )[0-9a-f]+\r\n/$1/g;
print $in;
CLIENT
	atf_check -s exit:0 -o "match:$2" -e empty perl early.pl \
	    "$WEB_PORT" "$1" $((DEADLINE / 2))
}

mux_case unread
unread_body()
{
	duplex_site </dev/null
	duplex_warm
	client beside "$WEB/b0r0k0/cgi-bin/drip?beside"
	beside=$CLIENT
	wait_for grep -q one beside.out
	for mode in $DUPLEX_MODES; do
		for i in 1 2 3; do
			early "/$mode/cgi-bin/deaf" '^200 not read'
		done
	done
	: >cgi-bin/beside.go
	mux_wait "$beside"
	atf_check -s exit:0 -o inline:'one\ntwo\n' -e empty cat beside.out
	atf_check -s exit:0 -o match:'^QUERY_STRING=after$' -e empty \
	    curl -sS "$WEB/cgi-bin/env?after"
	mux_shared 8
	mux_finish
}

# What answers in the place of a script takes the upload as it is.
mux_case accel
accel_body()
{
	duplex_site <<'CONF'
location /files/ {
	internal;
	alias files/;
}
location ~ ^/page(/cgi-bin/.*)$ {
	fastcgi_pass mux;
	fastcgi_request_buffering off;
	fastcgi_intercept_errors on;
	error_page 404 /files/none;
	include params;
	fastcgi_param SCRIPT_NAME $1;
}
CONF
	mkdir files nginx/files
	echo 'a file' >nginx/files/file
	echo 'an error' >nginx/files/none
	cp nginx/files/* files/
	mk_cgi names <<'CGI'
#!/bin/sh
printf 'X-Accel-Redirect: /files/file\n\n'
CGI
	mk_cgi none <<'CGI'
#!/bin/sh
printf 'Status: 404 None\nContent-Type: text/plain\n\nnone\n'
CGI
	for mode in $DUPLEX_MODES; do
		early "/$mode/cgi-bin/names" '^200 a file'
	done
	early "/page/cgi-bin/none" '^404 an error'
	# Over HTTP/2 nginx resets a stream in its upload then, as it should, with
	# NO_ERROR, but curl does not understand that at times.
	bytes 300000 >body
	for way in "1 b0r1k0" "1 b1r1k0" "1 b0r0k0" "1 b1r0k1" "2 b0r1k0" \
	    "2 b1r1k0"; do
		mux_http ${way% *}
		atf_check -s exit:0 -o inline:'a file\n' -e empty \
		    $MUX_CURL -H Expect: --data-binary @body \
		    "$MUX_WEB/${way#* }/cgi-bin/names"
	done
	mux_finish
}

mux_case leave
leave_body()
{
	duplex_site </dev/null
	for mode in $DUPLEX_MODES; do
		perl "$TESTS/peers/duplex.pl" "$WEB_PORT" \
		    "/$mode/cgi-bin/both?$mode" 30 10 4 >$mode.out 2>&1 &
		CLIENT=$!
		echo $CLIENT >>client.pids
		pid=$(script_pid $mode)
		wait_for grep -q waits $mode.out
		client_leave $CLIENT
		wait_for ended "$pid"
	done
	# In the midst of bytes, both ways.
	bytes 5000000 >body
	for http in 1 2; do
		mux_http $http
		for mode in $DUPLEX_MODES b1r1k0; do
			client $mode$http --limit-rate 2m ${MUX_CURL#curl} \
			    -H Expect: -T body \
			    "$MUX_WEB/$mode/cgi-bin/both?$mode$http"
			pid=$(script_pid $mode$http)
			wait_for test -s $mode$http.out
			client_leave "$CLIENT"
			wait_for ended "$pid"
		done
	done
	atf_check -s exit:0 -o match:'^QUERY_STRING=after$' -e empty \
	    curl -sS "$WEB/cgi-bin/env?after"
	mux_finish
}

mux_case many 600
many_body()
{
	duplex_site </dev/null
	duplex_warm
	bytes 5000000 >body
	want=$(md5sum <body)
	for mode in b0r0k0 b1r0k1 b0r1k1 b1r1k0; do
		for http in 1 2; do
			mux_http $http
			jobs=
			for i in 1 2 3 4 5 6 7 8; do
				$MUX_CURL -H Expect: -T body \
				    "$MUX_WEB/$mode/cgi-bin/both" |
				    md5sum >sum.$i &
				jobs="$jobs $!"
			done
			for i in 1 2 3 4 5 6 7 8 9 10; do
				atf_check -s exit:0 -e empty \
				    -o match:"^QUERY_STRING=$i\$" curl -sS \
				    -m $DEADLINE "$WEB/$mode/cgi-bin/env?$i"
			done
			mux_wait $jobs
			for i in 1 2 3 4 5 6 7 8; do
				atf_check -s exit:0 -o inline:"$want\n" \
				    -e empty cat sum.$i
			done
		done
	done
	mux_shared 144
	mux_finish
}
