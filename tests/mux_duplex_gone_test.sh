# shellcheck shell=sh
# shellcheck disable=SC2016,SC2034,SC2046,SC2086,SC2119,SC2120 # words; for mux.sh
# Clients that leave while their bodies are blocked and nginx, for one reason or
# another, does not read the response either, and what that costs others:
#
#	full       they read nothing, so that the response is blocked as well
#	limited    fastcgi_limit_rate has nginx wait
#	disk       the pipe is full, and nothing may go to a file
#	early      before there is a header: 499, which no cache keeps
#
# and those that stay:
#
#	slow       a script that has begun its answer takes its body for longer
#	           than fastcgi_read_timeout
#	patient    over HTTP/2 one that does not read is not the client's fault

. "$(atf_get_srcdir)/lib.sh"
. "$(atf_get_srcdir)/web.sh"
. "$(atf_get_srcdir)/mux.sh"

# gone_site: with more locations on stdin, and besides cgi-bin's env, flood and
# silent:
#
#	slow	its header, and then a line of its body each half second
#	late	its header, and after 3 s the length of its body
gone_site()
{
	mux_is_on || atf_skip "nginx stops sending when it has a header"
	use_cgi env flood silent
	mk_cgi slow <<'CGI'
#!/bin/sh
printf 'Content-Type: text/plain\n\n'
for i in 1 2 3 4 5 6 7 8; do
	head -c 600000 | wc -c >>slow.count
	sleep 0.5
done
wc -c >>slow.count
echo whole
CGI
	mk_cgi late <<'CGI'
#!/bin/sh
printf 'Content-Type: text/plain\n\n'
sleep 3
wc -c
CGI
	start_gateway "$PWD/cgi-bin"
	# Beyond it the kernel does not admit that a client has left.
	MUX_LISTEN="rcvbuf=200k"
	mux_start_nginx <<CONF
fastcgi_request_buffering off;
include params;
location /cgi-bin/ {
	fastcgi_pass mux;
}
$(cat)
CONF
	mux_warm /cgi-bin/env
	cat >gone.pl <<'CLIENT'
# gone.pl PORT PATH METHOD BYTES: sends the beginning of a large body, half
# closes, reads nothing, and stays, until somebody ends it.
use strict;
use warnings;
use IO::Socket::INET;
my ($port, $path, $method, $bytes) = @ARGV;
$| = 1;
my $socket = IO::Socket::INET->new(PeerAddr => "127.0.0.1:$port") or
    die "connect: $!\n";
syswrite $socket, "$method $path HTTP/1.1\r\nHost: localhost\r\n" .
    "Content-Length: 10000000\r\n\r\n";
my $sent = 0;
while ($sent < $bytes) {
	my $n = syswrite $socket, 'x' x ($bytes - $sent) or last;
	$sent += $n;
}
print "sent\n";
<STDIN>;
shutdown $socket, 1;
print "closed\n";
sleep 600;
CLIENT
}

# gone_location name [directive...]: /name/cgi-bin/.
gone_location()
{
	printf 'location ~ ^/%s(/cgi-bin/.*)$ {\n' "$1"
	shift
	printf '%s\n' "$@" 'fastcgi_pass mux;' 'include params;' \
	    'fastcgi_param SCRIPT_NAME $1;' '}'
}

# leaves path method bytes: such a client; it has gone when its script has.
leaves()
{
	tag=${1#*\?}
	mkfifo "$tag.fifo"
	perl gone.pl "$WEB_PORT" "$1" "$2" "$3" <"$tag.fifo" >"$tag.out" 2>&1 &
	CLIENT=$!
	echo $CLIENT >>client.pids
	exec 9>"$tag.fifo"
	pid=$(script_pid "$tag")
	wait_for grep -q sent "$tag.out"
	sleep 0.2 # nginx reads what it has room for
	: >nginx/error.log
	exec 9>&-
	wait_for ended "$pid"
	wait_for grep -q 'closed connection while its request was sent' \
	    nginx/error.log
}

# The worker serves others.
gone_others()
{
	atf_check -s exit:0 -o match:'^QUERY_STRING=after$' -e empty \
	    curl -sS -m $DEADLINE "$WEB/cgi-bin/env?after"
}

# gone_flood name [directive...]: through such a location; the response is
# blocked too.
gone_flood()
{
	gone_seen
	gone_location "$@" >location
	gone_site <location
	for n in 155000 200000; do
		leaves "/$1/cgi-bin/flood?$1$n" POST $n
		gone_others
	done
	mux_finish
}

gone_seen()
{
	case ${MUX_USE:-epoll} in
	epoll)	;;
	*)	atf_skip "nginx does not see them leave" ;;
	esac
}

mux_case full
full_body()
{
	gone_flood full 'fastcgi_buffering off;'
}

mux_case limited
limited_body()
{
	gone_flood limited 'fastcgi_limit_rate 100;'
}

mux_case disk
disk_body()
{
	gone_flood disk 'fastcgi_max_temp_file_size 0;'
}

mux_case early
early_body()
{
	gone_seen
	MUX_HTTP="fastcgi_cache_path $PWD/cache keys_zone=pages:1m;"
	gone_location kept 'fastcgi_cache pages;' 'fastcgi_cache_key $1;' \
	    'fastcgi_cache_valid any 1m;' \
	    'error_page 502 504 = /kept/cgi-bin/instead;' >location
	gone_site <location
	mk_cgi instead <<'CGI'
#!/bin/sh
: >instead.ran
CGI
	leaves "/kept/cgi-bin/silent?early" GET 130000
	mux_logged 1 '\|499\|.*/silent'
	mk_cgi silent <<'CGI'
#!/bin/sh
printf 'Content-Type: text/plain\n\na page\n'
CGI
	atf_check -s exit:0 -o inline:'a page\n' -e empty \
	    curl -sS -m $DEADLINE "$WEB/kept/cgi-bin/silent?early"
	[ ! -e cgi-bin/instead.ran ] || atf_fail "an error page was made"
	gone_others
	mux_finish
}

mux_case slow
slow_body()
{
	gone_location slow 'fastcgi_read_timeout 2s;' >locations
	gone_location buffered 'fastcgi_read_timeout 2s;' \
	    'fastcgi_request_buffering on;' >>locations
	gone_site <locations
	# More than pipe and window hold: that is silence at the end.
	bytes 6000000 >body
	for way in slow buffered; do
		atf_check -s exit:0 -o inline:'whole\n' -e empty \
		    curl -sS -m $DEADLINE -H Expect: -T body \
		    "$WEB/$way/cgi-bin/slow"
		atf_check -s exit:0 -o inline:'6000000\n' -e empty \
		    awk '{ n += $1 } END { print n }' cgi-bin/slow.count
		rm cgi-bin/slow.count
	done
	mux_finish
}

mux_case patient
patient_body()
{
	gone_site <<'CONF'
client_body_timeout 1s;
CONF
	bytes 1500000 >body
	atf_check -s exit:0 -o inline:'1500000\n' -e empty curl -sS \
	    --http2-prior-knowledge -m $DEADLINE -T body "$WEB2/cgi-bin/late"
	mux_finish
}
