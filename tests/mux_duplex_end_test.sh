# shellcheck shell=sh
# shellcheck disable=SC2034,SC2046,SC2086,SC2119,SC2120 # words; for mux.sh
# Requests that are still being sent when something ends, through nginx, to a
# server that answers while it reads (peers/both.pl):
#
#	manners    a server sees each request's records in order, no more than it
#	           has given credit for
#	dies       its connection, or it, ends after the header, in the midst of
#	           the body: the response is cut
#	cut        it cuts one response: others go on over the connection
#	answers    it ends one request before the body is there: a whole response,
#	           and others go on
#	late       it reads the body only after fastcgi_send_timeout
#	aborted    a client leaves in the midst of it: FCGI_ABORT_REQUEST
#	gone       it has sent its body and gone before that is read
#	silence    if nginx cannot see that, when the server is silent for too long
#	next       a server that dies before its header is followed by one without
#	           windows, or without multiplexing, and the body is whole there
#
# What they cannot do is in mux_duplex_ask_test.sh.

. "$(atf_get_srcdir)/lib.sh"
. "$(atf_get_srcdir)/web.sh"
. "$(atf_get_srcdir)/mux.sh"

# end_site [directive...]: /r is unbuffered in both directions, /b in neither.
end_site()
{
	mux_is_on || atf_skip "nginx stops sending when it has a header"
	mux_start_nginx <<CONF
include params;
$*
$(mux_raw_locations)
location /u/ {
	rewrite ^/u(/.*) \$1 break;
	fastcgi_pass mux;
	fastcgi_buffering off;
}
CONF
}

# both_server: that peer, on gw.sock.
both_server()
{
	rm -f both.do
	mux_peer both perl "$TESTS/peers/both.pl" gw.sock both
}

both_site()
{
	bytes 1000000 >body
	bytes 275000 >small # little more than a window
	both_server
	end_site "$@"
	mux_warm /b/else
	mux_log_reset
}

good_manners()
{
	atf_check -s exit:1 -o empty -e empty grep BAD both.out
}

# beside: a request that goes on over the connection, until beside_end.
beside()
{
	mkfifo beside.fifo
	curl -sSN -T . "$WEB/r/echo" <beside.fifo >beside.out 2>beside.err &
	BESIDE=$!
	echo $BESIDE >>client.pids
	: >beside.out
	exec 8>beside.fifo
	beside_part first
}

beside_part()
{
	echo "$1" >&8
	wait_for grep -qx "$1" beside.out
}

beside_end()
{
	beside_part last
	exec 8>&-
	mux_wait $BESIDE
}

# held tag path [curl-argument...]: a client whose body is not read, and who has
# the first line of the answer.
held()
{
	held_tag=$1
	held_path=$2
	shift 2
	: >"$held_tag.out"
	client "$held_tag" "$@" -H Expect: -T "$HELD_BODY" "$held_path"
	wait_for grep -q '^one$' "$held_tag.out"
}
HELD_BODY=body

# The client knows that it has not all.  It may have been told in its upload.
is_cut()
{
	cut_status=0
	wait "$1" || cut_status=$?
	case $cut_status in
	18 | 55 | 56 | 92) ;;
	*) web_fail "curl ended with $cut_status" "$2.err" ;;
	esac
	atf_check -s exit:0 -o inline:'one\n' -e empty cat "$2.out"
}

mux_case manners
manners_body()
{
	both_site
	for way in r u b; do
		for n in 1 2 3 4; do
			curl -sS -m $DEADLINE -H Expect: -T body \
			    -o echo.$way$n "$WEB/$way/echo" &
			jobs="${jobs:-} $!"
		done
		atf_check -s exit:0 -o inline:'page\n' -e empty \
		    curl -sS -m $DEADLINE "$WEB/$way/page"
	done
	mux_wait $jobs
	for way in r u b; do
		for n in 1 2 3 4; do
			cmp echo.$way$n body || atf_fail "$way"
		done
	done
	mux_logged 15 '^[0-9]+\|[0-9]+\|1\|'
	good_manners
	mux_finish
}

# Of the ways to say /b/ there is none: nginx keeps the line until there is
# more.
mux_case dies
dies_body()
{
	both_site
	for deed in die exit; do
		held r1 "$WEB/r/held"
		r1=$CLIENT
		held r2 --http2-prior-knowledge "$WEB2/r/held"
		r2=$CLIENT
		held u1 "$WEB/u/held"
		u1=$CLIENT
		echo $deed >both.do
		is_cut "$r1" r1
		is_cut "$r2" r2
		is_cut "$u1" u1
		rm both.do r1.out r2.out u1.out
		good_manners
		[ $deed = die ] || both_server
		atf_check -s exit:0 -o inline:'1000000\n' -e empty \
		    curl -sS -m $DEADLINE -H Expect: -T body "$WEB/r/count"
	done
	mux_finish
}

mux_case cut
cut_body()
{
	both_site
	beside
	for way in r u; do
		held $way.1 "$WEB/$way/held"
		one=$CLIENT
		held $way.2 --http2-prior-knowledge "$WEB2/$way/held"
		beside_part $way
		echo cut >both.do
		is_cut "$one" $way.1
		is_cut "$CLIENT" $way.2
		rm both.do
	done
	beside_end
	mux_logged 5 '^[0-9]+\|[0-9]+\|1\|'
	good_manners
	mux_finish
}

# What nginx has of the body then goes nowhere.
mux_case answers
answers_body()
{
	both_site
	beside
	for way in r u; do
		held $way.1 "$WEB/$way/held"
		beside_part $way
		echo end >both.do
		wait "$CLIENT" || : # nginx may close in the upload
		atf_check -s exit:0 -o inline:'one\ntwo\n' -e empty \
		    cat $way.1.out
		rm both.do
		atf_check -s exit:0 -o inline:'page\n' -e empty curl -sS \
		    -m $DEADLINE -H Expect: -T body "$WEB/$way/page"
		beside_part $way.again
	done
	beside_end
	atf_check_equal 0 "$(grep -c '^abort' both.out)"
	mux_logged 5 '^[0-9]+\|[0-9]+\|1\|'
	good_manners
	mux_finish
}

mux_case late
late_body()
{
	both_site 'fastcgi_send_timeout 1s;'
	for way in r u; do
		held $way.1 "$WEB/$way/held"
		clients="${clients:-} $CLIENT"
		held $way.2 --http2-prior-knowledge "$WEB2/$way/held"
		clients="$clients $CLIENT"
	done
	ticks=$(late_ticks)
	sleep 2.5 # it is the time that counts
	ticks=$(($(late_ticks) - ticks))
	echo read >both.do
	mux_wait $clients
	for file in [ru].[12].out; do
		atf_check -s exit:0 -o inline:'one\ntwo\n1000000\n' -e empty \
		    cat $file
	done
	# Meanwhile nginx has slept, too.
	[ $ticks -lt $(($(getconf CLK_TCK) * SLOWER)) ] ||
	    atf_fail "the worker was busy for $ticks ticks"
	good_manners
	mux_finish
}

# The processor time of the workers, in ticks of the clock.
late_ticks()
{
	for late_pid in $(mux_workers); do
		cut -d' ' -f14,15 "/proc/$late_pid/stat"
	done | awk '{ n += $1 + $2 } END { print n }'
}

# What nginx reads of the client tells it.
mux_case aborted
aborted_body()
{
	both_site
	beside
	held r2 --http2-prior-knowledge "$WEB2/r/held"
	client_leave "$CLIENT"
	aborted=3
	case ${MUX_USE:-epoll} in
	epoll)	# with poll nginx may stop looking after its client
		held u1 "$WEB/u/held"
		client_leave "$CLIENT"
		# nor does it see the end that it does not read
		full=$(grep -c ^full both.out || :)
		HELD_BODY=small
		held r1 "$WEB/r/held"
		wait_for more_full "$full"
		client_leave "$CLIENT"
		HELD_BODY=body
		aborted=5 ;;
	esac
	held u2 --http2-prior-knowledge "$WEB2/u/held"
	client_leave "$CLIENT"
	perl "$TESTS/peers/duplex.pl" "$WEB_PORT" /r/echo 30 $DEADLINE 5 \
	    >duplex.out 2>&1 &
	CLIENT=$!
	echo $CLIENT >>client.pids
	wait_for grep -q waits duplex.out
	client_leave $CLIENT
	wait_for aborted_times $aborted
	beside_end
	good_manners
	mux_finish
}

more_full()
{
	[ "$(grep -c ^full both.out)" -gt "$1" ]
}

aborted_times()
{
	[ "$(grep -c '^abort' both.out)" -eq "$1" ]
}

# It has gone before nginx could know that there is more than the window.
mux_case gone
gone_body()
{
	both_site
	case ${MUX_USE:-epoll} in
	epoll)	;;
	*)	atf_skip "nginx does not see it" ;;
	esac
	cat >gone.pl <<'CLIENT'
use strict;
use warnings;
use IO::Socket::INET;
my $socket = IO::Socket::INET->new(PeerAddr => "127.0.0.1:$ARGV[0]") or
    die "connect: $!\n";
syswrite $socket, "PUT /r/held HTTP/1.1\r\nHost: localhost\r\n" .
    "Content-Length: 280000\r\n\r\n" . 'x' x 1000;
my $in = '';
until ($in =~ /one/) {
	sysread $socket, $in, 65536, length $in or die "cut: $in\n";
}
syswrite $socket, 'x' x 279000;
CLIENT
	for i in 1 2 3 4 5; do
		perl gone.pl "$WEB_PORT"
		wait_for aborted_times $i
	done
	good_manners
	mux_finish
}

# The end of a TCP connection comes behind what was sent before, and that is not
# read while the server reads nothing: the silence of the server is limited.
mux_case silence
silence_body()
{
	both_site 'fastcgi_read_timeout 2s;'
	held r1 "$WEB/r/held"
	client_leave "$CLIENT"
	wait_for aborted_times 1
	held r1 "$WEB/r/held"
	is_cut "$CLIENT" r1
	wait_for aborted_times 2
	good_manners
	mux_finish
}

# What was sent to the first is sent again; what was not, too.
mux_case next
next_body()
{
	mux_is_on || atf_skip "nothing has windows"
	bytes 3000000 >body
	sum=$(sha256sum <body | cut -d' ' -f1)
	# Closes the connection when it has had a part of a body, or at once.
	cat >dies.pl <<'PEER'
use strict;
use warnings;
use Wire;
my %had;
Wire::serve($ARGV[0],
    begun => sub { my ($req) = @_;
	Wire::hangup($req->{conn})
	    if $req->{params}{QUERY_STRING} eq 'at%20once' },
    input => sub { my ($req, $bytes) = @_;
	Wire::hangup($req->{conn})
	    if ($had{$req} += length $bytes) > 100000;
	Wire::credit($req, 8 + length $bytes) },
    request => sub { Wire::answer($_[0], Wire::page("page\n")) });
PEER
	MUX_SERVERS="server unix:a.sock max_fails=0;
	    server unix:b.sock backup;"
	mux_peer a perl -I"$TESTS/peers" dies.pl a.sock
	end_site 'fastcgi_next_upstream error timeout non_idempotent;'
	for kind in plain no; do
		case $kind in
		plain)	mux_peer b perl "$TESTS/peers/record.pl" b.sock plain
			want="^$sum 3000000\$" ;;
		no)	mux_peer b perl "$TESTS/peers/bad.pl" b.sock no
			want='^POST /b/sum.* 3000000$' ;;
		esac
		mux_warm /b/page
		mux_log_reset
		for i in 1 2 3; do
			for query in '' '?at%20once'; do
				atf_check -s exit:0 -o match:"$want" -e empty \
				    curl -sS -m $DEADLINE -H Expect: \
				    --data-binary @body "$WEB/b/sum$query"
			done
		done
		mux_logged 6 'unix:a.sock, unix:b.sock'
		mux_peer_kill
	done
	mux_finish
}
