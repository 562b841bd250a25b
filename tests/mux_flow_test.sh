# shellcheck shell=sh
# shellcheck disable=SC2034,SC2046,SC2086,SC2119,SC2120 # words; for mux.sh
# One client's pace is nobody else's, and costs a window, not a response:
#
#	download   a client stalls on 200 MB, in each way that nginx passes them
#	           on: others are served, worker and gateway stay small, and when
#	           it goes on it gets it all
#	upload     bodies for scripts that never read, likewise
#	crowd      200 clients stall at once (MUX_STALLED: how many)
#	uploaders  200 stalled uploads at once (MUX_STALLED)
#	turns      a turn to write that was not used in time is lost
#	full_rate  a fast one beside a stalled one has the whole way
#	paces      many at different paces, each gets its own bytes
#	windows    the smallest windows serve as well

. "$(atf_get_srcdir)/lib.sh"
. "$(atf_get_srcdir)/web.sh"
. "$(atf_get_srcdir)/mux.sh"
. "$(atf_get_srcdir)/mux_site.sh"

# How many bytes are many.
FLOW_BYTES=200000000

# flow_site [argument...]: /u/ is unbuffered, /n/ buffered without a file, /t/
# buffered with all that nginx has.
flow_site()
{
	mux_site "$@" <<'CONF'
location ~ ^/u(/cgi-bin/.*)$ {
	fastcgi_pass mux;
	fastcgi_buffering off;
	fastcgi_request_buffering off;
	fastcgi_send_timeout 8s;
	include params;
	fastcgi_param SCRIPT_NAME $1;
}
location ~ ^/n(/cgi-bin/.*)$ {
	fastcgi_pass mux;
	fastcgi_max_temp_file_size 0;
	include params;
	fastcgi_param SCRIPT_NAME $1;
}
CONF
	flow_client
	flow_others 10
}

# flow_client: stall.pl, an HTTP client that stops:
#
#	stall.pl get PORT N FILE PATH	N connections that read nothing until FILE
#		exists, then all of it; prints "stalled", then a checksum of each
#	stall.pl put PORT N FILE PATH	N connections that send as much as goes;
#		"stalled" when nothing has gone for half a second
flow_client()
{
	cat >stall.pl <<'CLIENT'
use strict;
use Digest::MD5;
use IO::Select;
use IO::Socket::INET;
my ($way, $port, $n, $file, $path) = @ARGV;
$| = 1;
$SIG{PIPE} = 'IGNORE';
my @clients = map {
	my $c = IO::Socket::INET->new(PeerAddr => "127.0.0.1:$port") or
	    die "connect: $!";
	if ($way eq 'get') {
		print $c "GET $path HTTP/1.0\r\nHost: a\r\n\r\n";
		$c->flush;
	} else {
		print $c "POST $path HTTP/1.1\r\nHost: a\r\n" .
		    "Transfer-Encoding: chunked\r\n\r\n";
		$c->flush;
		$c->blocking(0);
	}
	$c;
} 1 .. $n;
if ($way eq 'put') {
	my $chunk = sprintf("%x\r\n", 65536) . 'x' x 65536 . "\r\n";
	my %left = map { $_ => '' } @clients;
	my $select = IO::Select->new(@clients);
	while (my @ready = $select->can_write(0.5)) {
		for my $c (@ready) {
			$left{$c} = $chunk unless length $left{$c};
			my $k = syswrite $c, $left{$c};
			if (!defined $k) {
				next if $!{EAGAIN};
				die "write: $!";
			}
			substr $left{$c}, 0, $k, '';
		}
	}
	print "stalled\n";
	sleep 600;
}
# A byte of each, so that all have begun.
my %first;
sysread $_, $first{$_}, 1 or die "read: $!" for @clients;
print "stalled\n";
select undef, undef, undef, 0.05 until -e $file;
for my $c (@clients) {
	my $head = $first{$c};
	sysread $c, $head, 65536, length $head or die "read: $!"
	    until $head =~ /\r\n\r\n/;
	die $head unless $head =~ m{^HTTP/1.1 200};
	my $sum = Digest::MD5->new;
	$sum->add($head =~ s/.*?\r\n\r\n//sr);
	while (sysread $c, my $bytes, 65536) { $sum->add($bytes) }
	print $sum->hexdigest, "\n";
}
CLIENT
}

# stall tag get|put n path: such clients, once they have stalled.
stall()
{
	perl stall.pl "$2" "$WEB_PORT" "$3" "$1.go" "$4" >"$1.out" 2>"$1.err" &
	CLIENT=$!
	echo $CLIENT >>client.pids
	wait_for flow_stalled "$1"
}

flow_stalled()
{
	[ ! -s "$1.err" ] || web_fail "the client failed" "$1.err"
	grep -q ^stalled "$1.out"
}

# flow_others n: so many small requests, none of which may take long.
flow_others()
{
	for flow_i in $(seq "$1"); do
		atf_check -s exit:0 -o match:"^QUERY_STRING=o$flow_i\$" \
		    -e empty curl -sS -m 5 "$WEB/u/cgi-bin/env?o$flow_i"
	done
}

# flow_before, flow_after worker gateway: the memory that they may have taken,
# in KB.
flow_before()
{
	worker_before=$(rss $(mux_workers))
	gateway_before=$(rss "$GATEWAY_PID")
}

flow_after()
{
	grown "the worker" "$worker_before" "$(rss $(mux_workers))" "$1"
	grown "the gateway" "$gateway_before" "$(rss "$GATEWAY_PID")" "$2"
}

mux_case download
download_body()
{
	flow_site </dev/null
	want=$(blocks_sum $FLOW_BYTES)
	for way in u n b1r1k1; do
		flow_before
		stall $way get 1 "/$way/cgi-bin/blocks?$FLOW_BYTES"
		client=$CLIENT
		flow_others 50
		flow_after 2048 2048
		: >$way.go
		mux_wait "$client"
		atf_check -s exit:0 -o inline:"stalled\n$want\n" -e empty \
		    cat $way.out
		flow_after 2048 2048
	done
	mux_one_connection
	mux_finish
}

# What the gateway's window has taken waits there; the rest at the client.
# nginx does not look at a client that it does not read from, so that it is
# fastcgi_send_timeout that ends the script of one that left.
mux_case upload
upload_body()
{
	flow_site </dev/null
	flow_before
	stall up put 2 "/u/cgi-bin/silent?up"
	pid=$(script_pid up)
	flow_others 50
	flow_after 2048 2048
	for n in 100 300000 1000000; do
		bytes $n >body
		atf_check -s exit:0 -o file:body -e empty curl -sS -m 20 \
		    -H Expect: --data-binary @body "$WEB/u/cgi-bin/echo"
	done
	client_leave "$CLIENT"
	wait_for ended "$pid"
	mux_one_connection
	mux_finish
}

# A small window for each, and what nginx itself has of a client: about 20 KB
# of buffers and pools.
mux_case crowd 600
crowd_body()
{
	n=${MUX_STALLED:-200}
	# shellcheck disable=SC3045 # dash and bash have it
	ulimit -n "$(ulimit -H -n)"
	flow_site -L scripts=$((n + 50)) </dev/null
	mk_cgi forever <<'CGI'
#!/bin/sh
printf 'Content-Type: text/plain\n\n'
exec yes a line of text
CGI
	flow_before
	DEADLINE=$((DEADLINE * 10))
	stall crowd get "$n" "/u/cgi-bin/forever"
	flow_others 30
	flow_after $((n * 64 + 4096)) $((n * 64 + 4096))
	bytes 1000000 >want
	atf_check -s exit:0 -o file:want -e empty \
	    curl -sS -m 30 "$WEB/u/cgi-bin/size?1000000"
	client_leave "$CLIENT"
	flow_others 10
	wait_for no_scripts
	mux_one_connection
	mux_finish
}

mux_case uploaders 600
uploaders_body()
{
	flow_site </dev/null
	mk_cgi deaf-for-ever <<'CGI'
#!/bin/sh
exec sleep 600
CGI
	n=${MUX_STALLED:-200}
	flow_before
	stall crowd put "$n" "/u/cgi-bin/deaf-for-ever"
	flow_others 30
	# Towards a script there is a window of 64 KB, and the way there.
	flow_after $((n * 400 + 4096)) $((n * 400 + 4096))
	bytes 1000000 >body
	atf_check -s exit:0 -o file:body -e empty curl -sS -m 30 -H Expect: \
	    --data-binary @body "$WEB/u/cgi-bin/echo"
	client_leave "$CLIENT"
	wait_for no_scripts
	mux_one_connection
	mux_finish
}

# While the gateway is stopped, 200 requests stand in line, and each is given a
# turn when it goes on.  When it is stopped again their bodies come, all at once.
mux_case turns
turns_body()
{
	flow_site </dev/null
	mk_cgi deaf-for-ever <<'CGI'
#!/bin/sh
exec sleep 600
CGI
	cat >turns.pl <<'CLIENT'
use strict;
use IO::Select;
use IO::Socket::INET;
my ($port, $gateway) = @ARGV;
my @clients = map { IO::Socket::INET->new(PeerAddr => "127.0.0.1:$port") or
    die "connect: $!" } 1 .. 200;
sub all { my $what = shift;
	kill STOP => $gateway;
	syswrite $_, $what or die "write: $!" for @clients;
	sleep 1;
	kill CONT => $gateway;
	sleep 2 }
all("POST /u/cgi-bin/deaf-for-ever HTTP/1.1\r\nHost: a\r\n" .
    "X-Fill: " . "x" x 4000 . "\r\nContent-Length: 20000\r\n\r\n");
all("y" x 16000);
my @answers = IO::Select->new(@clients)->can_read(0);
print scalar @answers, " were answered\n";
CLIENT
	atf_check -s exit:0 -o inline:'0 were answered\n' -e empty \
	    perl turns.pl "$WEB_PORT" "$GATEWAY_PID"
	wait_for no_scripts
	mux_one_connection
	mux_finish
}

# Not a comparison to a second: only that a window is not a rate.
mux_case full_rate
full_rate_body()
{
	flow_site </dev/null
	want=$(blocks_sum $FLOW_BYTES)
	start=$(date +%s%N)
	got=$(curl -sS "$WEB/u/cgi-bin/blocks?$FLOW_BYTES" | md5sum)
	alone=$((($(date +%s%N) - start) / 1000000))
	atf_check_equal "$want  -" "$got"
	stall slow get 3 "/u/cgi-bin/blocks?$FLOW_BYTES"
	start=$(date +%s%N)
	got=$(curl -sS "$WEB/u/cgi-bin/blocks?$FLOW_BYTES" | md5sum)
	beside=$((($(date +%s%N) - start) / 1000000))
	atf_check_equal "$want  -" "$got"
	echo "alone: $alone ms, beside stalled ones: $beside ms"
	[ $beside -lt $((alone * 5 + 3000)) ] ||
	    atf_fail "$alone ms alone, $beside ms beside stalled ones"
	mux_one_connection
	mux_finish
}

mux_case paces
paces_body()
{
	flow_site </dev/null
	size=3000000
	want="$(blocks_sum $size)  -"
	jobs=
	for way in u n b1r1k1; do
		for rate in 1m 1500k 2m 3m 100m; do
			curl -sS --limit-rate $rate \
			    "$WEB/$way/cgi-bin/blocks?$size" |
			    md5sum >sum.$way.$rate &
			jobs="$jobs $!"
			curl -sS --limit-rate $rate --http2-prior-knowledge \
			    "$WEB2/$way/cgi-bin/blocks?$size" |
			    md5sum >sum2.$way.$rate &
			jobs="$jobs $!"
		done
	done
	flow_others 20
	mux_wait $jobs
	for file in sum.* sum2.*; do
		atf_check -s exit:0 -o inline:"$want\n" -e empty cat $file
	done
	mux_one_connection
	mux_finish
}

mux_case windows
windows_body()
{
	MUX_ARGS="window=4k buffer=4k"
	flow_site -L stdin=4k </dev/null
	bytes 2000000 >body
	for way in u n b1r1k1 b0r1k0; do
		jobs=
		for i in 1 2; do
			curl -sS -m 100 -H Expect: --data-binary @body \
			    "$WEB/$way/cgi-bin/echo" >got.$way.$i &
			jobs="$jobs $!"
		done
		mux_wait $jobs
		for i in 1 2; do
			cmp body got.$way.$i || atf_fail "$way"
		done
	done
	mux_one_connection
	mux_finish
}
