# shellcheck shell=sh
# Peers that break the rules.  In each case the log says what was wrong and
# from whom, that connection or that request alone ends, and everybody else
# is served:
#
#	version		a version byte that is not 1, first or later
#	begin_length	BEGIN_REQUEST of another length than 8
#	live_id		BEGIN_REQUEST for an id that is in use
#	never_begun	PARAMS, STDIN, ABORT for an id that was never begun
#	null_id		an application record with id 0
#	truncated	the connection ends inside a header, content or padding
#	begin_flood	10,000 BEGIN_REQUESTs and nothing else
#	deaf_flood	floods of what must be answered, and nobody who reads it
#	pair_lies	pairs longer than their stream, up to 4 GiB
#	bad_names	NUL, control bytes and `=' in names, empty names
#	bad_values	NUL in values, newline in a header's value
#	out_of_order	STDIN before the end of PARAMS, PARAMS after it
#	after_end	STDIN after its end
#	lengths_lie	records whose length swallows the next one
#	noise		connections full of random bytes
#	mutants		good requests with a byte changed

. "$(atf_get_srcdir)/lib.sh"

# protocol_error line...: they are played, on connection 0, after a request
# (id 9) was begun there whose script waits; the gateway must close that
# connection, end that script and say why once, and go on with another one.
protocol_error()
{
	use_cgi drip hello
	for way in "split 0" "split 1"; do
		protocol_error_once "$way" "$@"
	done
}

protocol_error_once()
{
	rm -f cgi-bin/*.pid
	: >gateway.err
	{
		echo "$1"
		shift
		echo "connection 1"
		request 1 drip other
		echo "expect-stdout 1 one"
		echo "connection 0"
		request 9 drip victim
		echo "expect-stdout 9 one"
		printf '%s\n' "$@"
		echo "expect-close"
		echo "connection 1"
		echo "run touch cgi-bin/other.go"
		echo "expect-stdout 1 two"
		echo "expect-end 1 0 0"
	} >plan
	atf_check -s exit:0 -o empty -e empty ./play <plan
	wait_for ended "$(cat cgi-bin/victim.pid)"
	rm -f cgi-bin/other.go
	logged ' conn [0-9]+ .unix uid=[0-9]+ pid=[0-9]+.: protocol error: '
	atf_check -s exit:0 -o inline:'1\n' -e empty \
	    grep -c 'protocol error' gateway.err
}

# Version 0, 2 and 255, as the connection's first byte and behind a request.
gateway_case version
version_body()
{
	use_cgi hello
	start_gateway "$TREE"
	for version in 0 2 255; do
		atf_check -s exit:0 -o empty -e empty ./play <<PLAY
header $version 1 1 8 0
raw 0001000000000000
expect-close
PLAY
		logged 'protocol error'
		: >gateway.err
		protocol_error "header $version 5 9 0 0"
	done
	finish
}

# Empty, a byte short and a byte long.
gateway_case begin_length
begin_length_body()
{
	start_gateway "$TREE"
	protocol_error "record 1 1"
	protocol_error "record 1 1 00010000000000"
	protocol_error "record 1 1 000100000000000000"
	finish
}

# Neither before nor after its PARAMS are whole.
gateway_case live_id
live_id_body()
{
	start_gateway "$TREE"
	protocol_error "begin 9 keep"
	protocol_error "begin 3" "begin 3"
	finish
}

# There is nothing that such a record could belong to.
gateway_case never_begun
never_begun_body()
{
	start_gateway "$TREE"
	for line in "params 5 A=B" "params 5" "stdin 5 text" "stdin 5" \
	    "abort 5" "abort 65535"; do
		protocol_error "$line"
	done
	finish
}

# Id 0 is for management records.
gateway_case null_id
null_id_body()
{
	start_gateway "$TREE"
	for line in "begin 0" "params 0 A=B" "stdin 0 x" "abort 0"; do
		protocol_error "$line"
	done
	finish
}

# A peer that goes inside a record is gone, like any other; the log tells the
# difference.
gateway_case truncated
truncated_body()
{
	use_cgi drip hello
	start_gateway "$TREE"
	for end in "raw 01" "raw 01040001" "raw 01050009000010" \
	    "raw 0105000900100000ff" "raw 010500090001080078ffff"; do
		: >gateway.err
		rm -f cgi-bin/victim.pid
		atf_check -s exit:0 -o empty -e empty ./play <<PLAY
$(request 9 drip victim)
expect-stdout 9 one
$end
half-close
expect-close
PLAY
		wait_for ended "$(cat cgi-bin/victim.pid)"
		logged ' conn [0-9]+ .unix.*(inside|trunc|middle)'
	done
	finish
}

# Sixteen bytes each, and no more: the first 256 wait, every other one is
# answered with 503, and memory does not grow with them.
gateway_case begin_flood
begin_flood_body()
{
	use_cgi hello
	start_gateway "$TREE"
	before=$(sed -n 's/^VmHWM:[^0-9]*\([0-9]*\).*/\1/p' \
	    "/proc/$GATEWAY_PID/status")
	{
		seq -f 'begin %g keep' 1 10000
		echo "flush"
		echo "expect-end 257 * 0"
		echo "expect-stdout 257 Status: 503 "
		echo "expect-end 10000 * 0"
		echo "expect-stdout 10000 Status: 503 "
		params 256 hello patience
		echo "stdin 256"
		echo "expect-stdout 256 hello patience"
		echo "expect-end 256 0 0"
		echo "run ./get hello >/dev/null"
	} >plan
	atf_check -s exit:0 -o empty -e empty ./play <plan
	after=$(sed -n 's/^VmHWM:[^0-9]*\([0-9]*\).*/\1/p' \
	    "/proc/$GATEWAY_PID/status")
	memory_is_odd || [ $((after - before)) -lt 8192 ] ||
	    atf_fail "$((after - before)) KB more than before"
	finish
}

# With a sanitizer linked in or under valgrind, memory means nothing.
memory_is_odd()
{
	grep -Eq '__[at]san_init' "$AFCGI" || [ -n "${AFCGI_VALGRIND:-}" ]
}

# A peer that asks and asks and does not read: the gateway stops to listen to
# it, keeps little, and goes on with others.
gateway_case deaf_flood
deaf_flood_body()
{
	use_cgi hello
	start_gateway "$TREE"
	for line in 'get-values FCGI_MPXS_CONNS FCGI_MAX_CONNS' 'record 99 0' \
	    'begin & filter keep' 'begin & keep'; do
		{
			echo "stop-reading"
			seq 30000 | sed "s/.*/$line/"
			echo "sleep 300"
			echo "connection 1"
			request 1 hello other
			echo "expect-stdout 1 hello other"
			echo "expect-end 1 0 0"
		} >plan
		atf_check -s exit:0 -o empty -e empty ./play <plan
	done
	after=$(sed -n 's/^VmHWM:[^0-9]*\([0-9]*\).*/\1/p' \
	    "/proc/$GATEWAY_PID/status")
	memory_is_odd || [ "$after" -lt 12000 ] || atf_fail "it uses $after KB"
	finish
}

# bad_params hex: a PARAMS stream that must be answered with 400, on a
# connection that lives on.
bad_params()
{
	atf_check -s exit:0 -o empty -e empty ./play <<PLAY
begin 1 keep
params 1 SCRIPT_NAME=/cgi-bin/hello SCRIPT_FILENAME=$TREE/hello
record 4 1 $1
params 1
stdin 1
expect-end 1 * 0
expect-stdout 1 Status: 400 Bad Request\r\n
expect-stdout 1 \r\n\r\n400 Bad Request\n
$(request 2 hello on)
expect-stdout 2 hello on
expect-end 2 0 0
PLAY
}

# A name or value that ends after its stream, and lengths without a pair.
gateway_case pair_lies
pair_lies_body()
{
	use_cgi hello
	start_gateway "$TREE"
	bad_params 0201580a
	bad_params 010558
	bad_params 7f7f5859
	bad_params ffffffff01
	bad_params ffffffffffffffff5859
	bad_params 80ffffff80ffffff58
	bad_params 8000ffff0158
	bad_params 01
	bad_params 80
	bad_params 800000
	bad_params 0180000058
	# In GET_VALUES there is nothing to refuse but the answer.
	for values in ffffffff01 02 "$(printf %08000d 0)"; do
		atf_check -s exit:0 -o empty -e empty ./play <<PLAY
record 9 0 $values
expect-values
$(request 1 hello on)
expect-stdout 1 hello on
PLAY
	done
	logged ' conn [0-9]+ request 1: '
	finish
}

# NUL, newline, DEL and `=' in a name, and no name at all.
gateway_case bad_names
bad_names_body()
{
	use_cgi hello
	start_gateway "$TREE"
	bad_params 0301410042ff
	bad_params 0301410a4278
	bad_params 0301417f4278
	bad_params 0301413d4278
	bad_params 000178
	bad_params 0000
	finish
}

# NUL in any value; CR and LF in a header's, where it would make a script
# see what no client could send.
gateway_case bad_values
bad_values_body()
{
	use_cgi hello
	start_gateway "$TREE"
	bad_params 010341780078
	bad_params 0603485454505f41780a78
	bad_params 0603485454505f41780d78
	finish
}

# The order of the streams is part of the protocol.
gateway_case out_of_order
out_of_order_body()
{
	start_gateway "$TREE"
	protocol_error "begin 3" "stdin 3 early"
	protocol_error "begin 3" "params 3 A=B" "stdin 3"
	protocol_error "params 9 LATE=1"
	finish
}

# What follows the end of STDIN never reaches the script; others are served.
gateway_case after_end
after_end_body()
{
	use_cgi hello
	mk_cgi slowcat <<'CGI'
#!/bin/sh
printf 'Content-Type: text/plain\n\none\n'
while [ ! -e "$QUERY_STRING.go" ]; do
	sleep 0.03
done
cat
CGI
	start_gateway "$TREE"
	atf_check -s exit:0 -o empty -e empty ./play <<PLAY
begin 1 keep
$(params 1 slowcat a)
stdin 1 body
stdin 1
expect-stdout 1 one\n
connection 1
begin 1 keep
$(params 1 slowcat b)
stdin 1 body
stdin 1
expect-stdout 1 one\n
stdin 1 late
stdin 1
flush
run touch cgi-bin/a.go cgi-bin/b.go
connection 0
expect-stdout-is 1 Content-Type: text/plain\r\n\r\none\nbody
connection 2
$(request 1 hello other)
expect-stdout 1 hello other
PLAY
	finish
}

# A content length that reaches over the next record's header.
gateway_case lengths_lie
lengths_lie_body()
{
	use_cgi hello
	start_gateway "$TREE"
	# STDIN that claims 65,535 bytes and swallows what comes: no answer is
	# due, and none must come for what was only content.
	atf_check -s exit:0 -o empty -e empty ./play <<PLAY
begin 1 keep
header 1 4 1 65535 255
$(request 2 hello swallowed)
flush
expect-no-record 200
connection 1
$(request 1 hello other)
expect-stdout 1 hello other
expect-end 1 0 0
PLAY
	# One that claims too little: the rest is read as a header.
	atf_check -s exit:0 -o empty -e empty ./play <<PLAY
begin 1 keep
header 1 4 1 2 0
raw 0b0541414141414141414141
expect-close
PLAY
	finish
}

# 200 connections of random bytes; the seed is fixed, a failure repeats.
gateway_case noise
noise_body()
{
	use_cgi hello
	start_gateway "$TREE"
	perl -e 'srand(20261124);
	    for my $c (1 .. 200) {
		    my $n = 1 + int rand 3000;
		    # Half of them begin as a record would.
		    my $start = $c % 2 ? "" : sprintf "01%02x", rand 14;
		    print "connection $c\nlenient\nraw $start", unpack("H*",
			join "", map { chr rand 256 } 1 .. $n), "\n";
	    }' >plan
	atf_check -s exit:0 -o empty -e empty ./play <plan
	finish
}

# 400 whole requests, one byte of each changed.
gateway_case mutants
mutants_body()
{
	use_cgi hello
	start_gateway "$TREE"
	TREE=$TREE perl -e 'srand(2);
	    sub rec { my ($t, $c) = @_;
		    return pack("CCnnCC", 1, $t, 1, length $c, 0, 0) . $c; }
	    sub pair { return pack("CC", map { length } @_) . join "", @_; }
	    my $good = rec(1, pack("nCx5", 1, 1)) .
		rec(4, pair("SCRIPT_NAME", "/cgi-bin/hello") .
		    pair("SCRIPT_FILENAME", "$ENV{TREE}/hello") .
		    pair("REQUEST_METHOD", "GET")) .
		rec(4, "") . rec(5, "body") . rec(5, "");
	    for my $c (1 .. 400) {
		    my $bad = $good;
		    substr($bad, rand length $bad, 1) = chr rand 256;
		    printf "connection %d\nlenient\nraw %s\nflush\n", $c, unpack "H*",
			$bad;
	    }' >plan
	atf_check -s exit:0 -o empty -e empty ./play <plan
	finish
}
