# shellcheck shell=sh
# The chat of contrib/async-server, on the wire: many lines and listeners.
#
#	ring		as many lines as are kept, and bytes
#	many		200 listeners get every line in order
#	burst		more than is kept, in one turn of the loop
#	flood		a hundred on one connection, and far more than it carries at
#			once: the posts wait for them
#	small		listeners with a credit of nine bytes at a time
#	stalled		who takes nothing is dropped when it is too late, others
#			go on, and the memory stays what it is
#	crowd		10,000 idle listeners cost 2 KiB each at most

. "$(atf_get_srcdir)/lib.sh"
. "$(atf_get_srcdir)/async.sh"

# many_lines.pl n length: posts so many lines of so many bytes on one
# connection, all at once, and waits for the answers.
make_poster()
{
	cat >many_lines.pl <<'POST'
use strict;
use IO::Socket::UNIX;
my ($n, $length, $from) = (@ARGV, 1);
my $c = IO::Socket::UNIX->new(Peer => "gw.sock") or die;
sub record { my ($type, $id, $content) = @_;
	pack("CCnnn", 1, $type, $id, length $content, 0) . $content }
my $params = join "", map { pack("CC", map length, @$_) . join "", @$_ }
    ["REQUEST_METHOD", "POST"], ["SCRIPT_NAME", "/chat"];
my $out = "";
for my $i (1 .. $n) {
	my $line = sprintf "line %d", $from + $i - 1;
	$line .= "." x ($length - length $line) if length $line < $length;
	$out .= record(1, $i, pack "nCx5", 1, 1) . record(4, $i, $params) .
	    record(4, $i, "") . record(5, $i, $line) . record(5, $i, "");
}
my ($answers, $left, $in) = (0, length $out, "");
$c->blocking(0);
while ($answers < $n) {
	my ($r, $w) = ("", "");
	vec($r, fileno $c, 1) = 1;
	vec($w, fileno $c, 1) = 1 if $left;
	select $r, $w, undef, 20 or die "no answer";
	if ($left) {
		my $k = syswrite $c, $out, 1 << 20, length($out) - $left;
		$left -= $k if $k;
	}
	my $k = sysread $c, $in, 1 << 16, length $in;
	die "closed" if defined $k && $k == 0;
	$answers++ while $in =~ s/.*?Status: 204 No Content//s;
	die $in if $in =~ /Status: [^2]/;
}
POST
}

# What is kept is 1,024 lines, or 64 KiB of events.
gateway_case ring
ring_body()
{
	start_async
	make_poster
	atf_check -s exit:0 -o empty -e empty perl many_lines.pl 1024 1
	./ask chat -b -t 1 -p HTTP_LAST_EVENT_ID=0 | grep ^data >heard
	seq -f 'data: line %.0f' 1 1024 >expected
	atf_check -s exit:0 -o file:expected -e empty cat heard
	atf_check -s exit:0 -o empty -e empty perl many_lines.pl 1 1 1025
	./ask chat -b -t 1 -p HTTP_LAST_EVENT_ID=0 | grep ^data >heard
	seq -f 'data: line %.0f' 2 1025 >expected
	atf_check -s exit:0 -o file:expected -e empty cat heard
	# events of 530 bytes: `id: 1026\ndata: ', 512, `\n\n'
	for n in 1 122 1 3000; do
		from=$(($(sed -n '$s/[^0-9]//gp' heard) + 1))
		atf_check -s exit:0 -o empty -e empty \
		    perl many_lines.pl $n 512 $from
		./ask chat -b -t 1 -p HTTP_LAST_EVENT_ID=0 >all
		sed 1,2d all >events
		grep ^data events >heard
		atf_check -s exit:0 -o match:"^data: line $((from + n - 1))\\.*\$" \
		    -e empty tail -n 1 heard
		[ "$(wc -c <events)" -le 65536 ] || atf_fail "too much is kept"
	done
	[ "$(wc -l <heard)" = 123 ] ||
	    atf_fail "$(wc -l <heard) lines of 512 bytes are kept"
	first=$((from + n - 123))
	sed 's/\.*$//' heard >got
	seq -f 'data: line %.0f' $first $((first + 122)) >expected
	atf_check -s exit:0 -o file:expected -e empty cat got
	async_finish
}

# chat_many connections listeners lines: a play; each listener ends with all
# lines, in order.
chat_many()
{
	for chat_conn in $(seq "$1"); do
		echo "connection $chat_conn"
		[ "$chat_conn" != 1 ] || cat <<'PLAY'
get-values AFCGI_WINDOW
expect-values AFCGI_WINDOW=*
PLAY
		for chat_id in $(seq $(($2 / $1))); do
			echo "begin $chat_id keep"
			[ "$chat_conn" != 1 ] || echo "window $chat_id 300"
			async_params "$chat_id" GET chat ''
			echo "expect-stdout $chat_id retry"
		done
	done
	echo 'connection 0'
	posts 1 "$3"
	for chat_conn in $(seq "$1"); do
		echo "connection $chat_conn"
		for chat_id in $(seq $(($2 / $1))); do
			cat <<PLAY
expect-stdout $chat_id data: line $3\n
PLAY
		done
	done
	echo "run kill -TERM $GATEWAY_PID"
	for chat_conn in $(seq "$1"); do
		echo "connection $chat_conn"
		for chat_id in $(seq $(($2 / $1))); do
			cat <<PLAY
expect-end $chat_id 0 0
expect-stdout-is $chat_id ${CHAT}$(cat log)
PLAY
		done
	done
}

gateway_case many
many_body()
{
	start_async
	log_of 1 200 >log
	chat_many 4 200 200 >plan
	atf_check -s exit:0 -o empty -e empty ./play <plan
	wait_for ended "$GATEWAY_PID"
	stop_gateway
}

# More than is kept comes in one turn of the loop: who reads has it all, though
# it was not served before.
gateway_case burst
burst_body()
{
	start_async
	make_poster
	{
		for id in $(seq 0 9); do
			echo "connection $id"
			listen 1
			listen 2
			echo 'expect-stdout 2 retry'
		done
		cat <<PLAY
run kill -STOP $GATEWAY_PID
run for n in 1000 2000 3000 4000; do perl many_lines.pl 100 200 \$n & done
sleep 500
run kill -CONT $GATEWAY_PID
PLAY
		for id in $(seq 0 9); do
			cat <<PLAY
connection $id
expect-stdout 1 id: 400\n
expect-stdout 2 id: 400\n
PLAY
		done
		echo "run kill -TERM $GATEWAY_PID"
		for id in $(seq 0 9); do
			cat <<PLAY
connection $id
expect-end 1 0 0
expect-end 2 0 0
print 1
print 2
PLAY
		done
	} >plan
	atf_check -s exit:0 -o save:all -e empty ./play <plan
	grep ^id: all >got
	for id in $(seq 20); do
		seq -f 'id: %.0f' 1 400
	done >expected
	cmp got expected || atf_fail "lines are missing"
	[ "$(grep ^data: all | sort -u | wc -l)" = 400 ] ||
	    atf_fail "not all lines are there"
	wait_for ended "$GATEWAY_PID"
	stop_gateway
}

gateway_case flood
flood_body()
{
	start_async
	make_poster
	{
		for id in $(seq 1 100); do
			listen "$id"
		done
		echo 'expect-stdout 100 retry'
		echo 'run perl many_lines.pl 1000 400 >posted & echo $! >post.pid'
		for id in $(seq 1 100); do
			printf '%s\n' "expect-stdout $id id: 1000\n"
		done
		echo "run kill -TERM $GATEWAY_PID"
		for id in $(seq 1 100); do
			echo "expect-end $id 0 0"
		done
	} >plan
	atf_check -s exit:0 -o ignore -e empty ./play <plan
	wait_for ended "$GATEWAY_PID"
	stop_gateway
}

gateway_case small
small_body()
{
	start_async
	atf_check -s exit:0 -o empty -e empty ./play <<PLAY
get-values AFCGI_WINDOW
expect-values AFCGI_WINDOW=*
begin 1 keep
window 1 9
$(async_params 1 GET chat '')
begin 2 keep
window 2 20
$(async_params 2 GET chat '')
$(posts 1 30)
$(listen 3)
expect-stdout 1 line 30\n\n
expect-stdout 2 line 30\n\n
begin 4 keep
window 4 11
$(async_params 4 GET chat '' HTTP_LAST_EVENT_ID=0)
expect-stdout 4 line 30\n\n
run kill -TERM $GATEWAY_PID
expect-stdout-is 1 ${CHAT}$(log_of 1 30)
expect-stdout-is 2 ${CHAT}$(log_of 1 30)
expect-stdout-is 4 ${CHAT}$(log_of 1 30)
PLAY
	wait_for ended "$GATEWAY_PID"
	stop_gateway
}

gateway_case stalled
stalled_body()
{
	start_async
	make_poster
	log_of 1 3000 >log
	before=$(memory)
	{
		# 1 is not read, 2 has credit that does not come again
		listen 1
		cat <<PLAY
expect-stdout 1 retry
stop-reading
connection 2
get-values AFCGI_WINDOW
expect-values AFCGI_WINDOW=*
PLAY
		for id in $(seq 100); do
			echo "begin $id keep"
			echo "credit $id $((id * 9))"
			async_params "$id" GET chat ''
		done
		open_listener 200
		cat <<PLAY
connection 3
$(listen 3)
expect-stdout 3 retry
PLAY
		for turn in $(seq 0 29); do
			cat <<PLAY
run perl many_lines.pl 100 1 $((turn * 100 + 1))
expect-stdout 3 data: line $((turn * 100 + 100))\n\n
PLAY
		done
		cat <<PLAY
connection 2
expect-end 1 1 200
expect-end 100 1 200
expect-stdout 200 data: line 3000\n\n
run sed -n 's/^VmRSS:[^0-9]*\([0-9]*\).*/\1/p' /proc/$GATEWAY_PID/status >during
begin 1 keep
credit 1 2000
$(async_params 1 GET chat '')
expect-stdout 1 data: line 3000\n\n
run kill -TERM $GATEWAY_PID
connection 3
expect-stdout-is 3 ${CHAT}$(cat log)
connection 2
expect-stdout-is 200 ${CHAT}$(cat log)
PLAY
	} >plan
	atf_check -s exit:0 -o empty -e empty ./play <plan
	[ "$(grep -c 'a listener that takes nothing is dropped' gateway.err)" = 100 ] ||
	    atf_fail "not 100 are dropped: $(grep -c dropped gateway.err)"
	if no_sanitizer; then
		[ "$(cat during)" -lt $((before + 2048)) ] ||
		    atf_fail "$before KB became $(cat during) KB"
	fi
	wait_for ended "$GATEWAY_PID"
	stop_gateway
}

# open_listener id: lines of a play: one with a window that is kept open.
open_listener()
{
	echo "begin $1 keep"
	echo "window $1 2000"
	async_params "$1" GET chat ''
	echo "expect-stdout $1 retry"
}

gateway_case crowd 300
crowd_body()
{
	start_async
	before=$(memory)
	# as nginx's parameters are: a kilobyte
	long=$(bytes 900 | tr '\n' x)
	{
		for id in $(seq 10000); do
			listen "$id" "LONG=$long"
		done
		cat <<PLAY
expect-stdout 10000 retry
run sed -n 's/^VmRSS:[^0-9]*\([0-9]*\).*/\1/p' /proc/$GATEWAY_PID/status >during
connection 1
$(posts 1 1)
connection 0
expect-stdout 1 data: line 1\n\n
expect-stdout 5000 data: line 1\n\n
expect-stdout 10000 data: line 1\n\n
PLAY
	} >plan
	atf_check -s exit:0 -o empty -e empty ./play <plan
	if no_sanitizer; then
		each=$((($(cat during) - before) * 1024 / 10000))
		echo "a listener costs $each bytes"
		[ $each -le 2048 ] || atf_fail "a listener costs $each bytes"
	fi
	async_finish
}
