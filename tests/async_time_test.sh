# shellcheck shell=sh
# The asynchronous server of contrib/async-server, on the wire: what takes its
# time.
#
#	clock		a tick at once and then at every full second
#	clock_room	who has no room misses ticks, and gets no old ones
#	delay		a hundred at a time take as long as one
#	bytes		as many as are wanted, to its limits
#	bytes_stalled	a stalled client costs no memory and nobody else's time

. "$(atf_get_srcdir)/lib.sh"
. "$(atf_get_srcdir)/async.sh"

gateway_case clock
clock_body()
{
	start_async
	# shellcheck disable=SC2016
	cat >times.pl <<'CHECK'
# Ticks as they come, from ./ask clock: one at once, the next at the second.
use strict;
use Time::HiRes qw(time);
use POSIX qw(strftime);
local $/ = "\n\n";
my $began = time;
open my $in, "-|", "./ask", "clock", "-b" or die;
# fcgi-client prints at the end only, so this is about what, not when
my @ticks = <$in>;
my ($i, $at) = (0, int $began);
for (@ticks) {
	my $want = strftime "data: %Y-%m-%dT%H:%M:%SZ\n\n", gmtime $at;
	# this script may have begun just before a second, the server after it
	if ($i++ == 0 && $_ ne $want) {
		$at++;
		$want = strftime "data: %Y-%m-%dT%H:%M:%SZ\n\n", gmtime $at;
	}
	die "tick $i is $_, not $want" if $_ ne $want;
	$at++;
}
my $lasted = time - $began;
die "$i ticks in $lasted s" if $i < $lasted - 1 || $i > $lasted + 2;
CHECK
	sed -i 's/-t [0-9]* /-t 4 /' ask
	atf_check -s exit:0 -o empty -e empty perl times.pl
	# all of them have the same second, and the first one comes at once
	{
		for id in $(seq 1 20); do
			echo "begin $id keep"
			async_params "$id" GET clock ''
			echo "stdin $id"
		done
		for id in $(seq 1 20); do
			cat <<PLAY
expect-stdout $id Z\n\ndata:\s
expect-stdout $id Z\n\n
PLAY
		done
		cat <<'PLAY'
run kill -TERM $(cat gateway.pid)
expect-end 1 0 0
expect-end 20 0 0
print 1
print 20
PLAY
	} >plan
	atf_check -s exit:0 -o save:ticks -e empty ./play <plan
	half=$(($(wc -c <ticks) / 2))
	head -c $half ticks >first
	tail -c $half ticks >last
	atf_check -s exit:0 -o empty -e empty cmp first last
	wait_for ended "$GATEWAY_PID"
	stop_gateway
}

# With nine bytes of credit at a time a tick takes long; ones that come
# meanwhile are missed, and what comes is whole.
gateway_case clock_room
clock_room_body()
{
	start_async
	atf_check -s exit:0 -o save:ticks -e empty ./play <<PLAY
get-values AFCGI_WINDOW
expect-values AFCGI_WINDOW=*
begin 1 keep
credit 1 500
$(async_params 1 GET clock '')
stdin 1
expect-stdout 1 Z\n\n
begin 2 keep
credit 2 118
$(async_params 2 GET clock '')
stdin 2
expect-stdout 2 da
sleep 2500
credit 2 9
expect-stdout 2 t
credit 2 1000
expect-stdout 2 Z\n\ndata:
expect-stdout 2 Z\n\n
abort 1
abort 2
expect-end 1
expect-end 2
print 2
PLAY
	# the first one of id 2 was two and a half seconds old by then
	# shellcheck disable=SC2016
	atf_check -s exit:0 -o empty -e empty perl -e '
		local $/;
		my @s = <> =~ /^data: \S+T\d\d:\d\d:(\d\d)Z\n\n/gm;
		@s >= 2 or die "@s";
		my $gap = ($s[1] - $s[0]) % 60;
		$gap >= 2 or die "an old tick came: @s";' ticks
	async_finish
}

gateway_case delay
delay_body()
{
	start_async
	{
		for id in $(seq 100); do
			echo "begin $id keep"
			async_params "$id" GET delay ms=1000
			echo "stdin $id"
		done
		for id in $(seq 100); do
			cat <<PLAY
expect-end $id 0 0
expect-stdout-is $id Status: 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 8\r\n\r\n1000 ms\n
PLAY
		done
	} >plan
	# shellcheck disable=SC2016
	atf_check -s exit:0 -o save:took -e empty perl -MTime::HiRes=time -e '
		my $t = time;
		system "./play <plan" and exit 1;
		printf "%.2f\n", time - $t;'
	awk -v most=$((2 * SLOWER)) '{ exit !($1 >= 1 && $1 < most) }' took ||
	    atf_fail "it took $(cat took) s"
	# in the order of their times, not of their coming
	atf_check -s exit:0 -o empty -e empty ./play <<PLAY
begin 1 keep
$(async_params 1 GET delay ms=60000)
stdin 1
begin 2 keep
$(async_params 2 GET delay ms=300)
stdin 2
begin 3 keep
$(async_params 3 GET delay ms=1)
stdin 3
expect-end 3
begin 4 keep
$(async_params 4 GET delay)
stdin-bytes 4 100000
expect-end 4
expect-end 2
abort 1
expect-end 1
PLAY
	async_finish
}

gateway_case bytes
bytes_body()
{
	start_async
	for n in 0 1 63 64 65 8192 32768 131072 131073 20000000; do
		pattern $n >expected
		atf_check -s exit:0 -o file:expected -e empty \
		    ./ask bytes -b -p QUERY_STRING=n=$n
		atf_check -s exit:0 -e empty \
		    -o match:"^Content-Length: $n.\$" \
		    -o match:'^Content-Type: application/octet-stream.$' \
		    ./ask bytes -p QUERY_STRING=n=$n
	done
	# several at a time, beside what is small
	pattern 300000 | cksum >expected
	{
		for id in $(seq 10); do
			echo "begin $id keep"
			async_params "$id" GET bytes n=300000
			echo "stdin $id"
		done
		for id in $(seq 10); do
			echo "expect-end $id 0 0"
			echo "count $id"
		done
		echo "print 7"
	} >plan
	atf_check -s exit:0 -o save:all -e empty ./play <plan
	[ "$(grep -ac '^id=.* stdout=300066 ' all)" = 10 ] || atf_fail "$(head all)"
	tail -c 300000 all | cksum >got
	atf_check -s exit:0 -o file:expected -e empty cat got
	async_finish
}

gateway_case bytes_stalled
bytes_stalled_body()
{
	start_async
	before=$(memory)
	{
		echo 'get-values AFCGI_WINDOW'
		echo 'expect-values AFCGI_WINDOW=*'
		# 500 with little credit; one connection that is not read
		for id in $(seq 500); do
			echo "begin $id keep"
			echo "credit $id 200"
			async_params "$id" GET bytes n=1099511627776
			echo "stdin $id"
		done
		cat <<PLAY
expect-stdout-bytes 1 184
expect-stdout-bytes 500 184
connection 1
begin 1 keep
$(async_params 1 GET bytes n=1000000000)
stdin 1
expect-stdout 1 ABC
stop-reading
connection 0
$(open_bytes 501 3000000)
count 501
run sed -n 's/^VmRSS:[^0-9]*\([0-9]*\).*/\1/p' /proc/$GATEWAY_PID/status >during
credit 7 300
expect-stdout-bytes 7 400
PLAY
	} >plan
	atf_check -s exit:0 -o match:'^id=501 stdout=3000067 ' -e empty ./play <plan
	if no_sanitizer; then
		[ "$(cat during)" -lt $((before + 4096)) ] ||
		    atf_fail "$before KB became $(cat during) KB"
	fi
	async_finish
}

# open_bytes id n: lines of a play: so many, with a window that is kept open.
open_bytes()
{
	cat <<PLAY
begin $1 keep
window $1 65536
$(async_params "$1" GET bytes "n=$2")
stdin $1
expect-end $1 0 0
PLAY
}
