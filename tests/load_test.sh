# shellcheck shell=sh
# Many requests at once:
#
#	many_ids	hundreds of requests over one connection, ids anywhere,
#			and with one spawner thread, and with sixteen
#	thousand	1,000 over one connection, scripts that sleep a second
#	crowd		256 clients at once, a connection each
#	alive		64 clients that keep their connections: none starves
#	fair		floods and small pages on one connection
#	share		equal floods get equal shares of a connection
#	not_read	a client that does not read stops only its own scripts
#	input_share	a script that does not read its body stops nobody
#	descriptors	at most three descriptors of the gateway for a script

. "$(atf_get_srcdir)/lib.sh"

# All correct, and their records interleaved; how fast is for the benches.
gateway_case thousand 300
thousand_body()
{
	use_cgi nap
	start_gateway -L scripts=1000 "$TREE"
	atf_check -s exit:0 -e empty -o save:result \
	    ./get nap -k -n 1000 -t 200 -p QUERY_STRING=n%d -x 'n%d\nn%d\n'
	atf_check -s exit:0 -e empty -o ignore \
	    grep -E '^requests=1000 ok=1000 connections=1 interleaved=(9..|1000)$' \
	    result
	finish
}

# No connection is refused, however many come at the same moment.
gateway_case crowd 300
crowd_body()
{
	use_cgi hello
	start_gateway "$TREE"
	atf_check -s exit:0 -e empty \
	    -o match:'^requests=256 ok=256 connections=256 ' \
	    ./get hello -n 256 -C 256 -m 1 -t 100 -p QUERY_STRING=n%d \
	    -x 'hello n%d\n'
	finish
}

# Each makes its next request when the last has been answered.
gateway_case alive 300
alive_body()
{
	use_cgi hello
	start_gateway "$TREE"
	atf_check -s exit:0 -e empty \
	    -o match:'^requests=640 ok=640 connections=64 ' \
	    ./get hello -k -n 640 -C 64 -m 1 -t 100 -p QUERY_STRING=n%d \
	    -x 'hello n%d\n'
	finish
}

# Scripts that write as fast as they can do not keep others from being begun,
# answered or aborted on the same connection.
gateway_case fair
fair_body()
{
	use_cgi hello flood
	start_gateway "$TREE"
	{
		for id in 1 2 3 4; do
			request $id flood f$id
			echo "expect-stdout $id f$id"
		done
		for id in 5 6 7 8 9; do
			request $id hello h$id
			echo "expect-stdout $id hello h$id"
			echo "expect-end $id 0 0"
		done
		aborts 1 2 3 4
	} >plan
	atf_check -s exit:0 -o empty -e empty ./play <plan
	finish
}

# Four scripts write 2.7 MB each at the same time: a record of one is followed
# by one of another, so their ends lie close together.
gateway_case share
share_body()
{
	mk_cgi lines <<'CGI'
#!/bin/sh
printf 'Content-Type: text/plain\n\n'
while [ ! -e go ]; do
	sleep 0.03
done
yes "line of $QUERY_STRING" | head -n 250000
CGI
	start_gateway "$TREE"
	{
		for id in 1 2 3 4; do
			request $id lines n$id
			echo "expect-stdout $id Content-Type"
		done
		echo "run touch cgi-bin/go"
		for id in 1 2 3 4; do
			echo "expect-end $id 0 0"
		done
		for id in 1 2 3 4; do
			echo "count $id"
		done
	} >plan
	atf_check -s exit:0 -o save:counts -e empty ./play <plan
	atf_check -s exit:0 -o inline:'4\n' -e empty \
	    grep -c 'stdout=2750028 stderr=0' counts
	atf_check -s exit:0 -e empty -o match:'interleaved=4$' \
	    ./get lines -k -n 4 -t 60 -p QUERY_STRING=n%d -R 250000 \
	    -x 'line of n%d\n'
	finish
}

# What a slow client has not read stays in the pipe of the script; everybody
# on another connection is served, and the gateway's memory is bounded.
gateway_case not_read
not_read_body()
{
	use_cgi hello flood
	# Has the script written nothing for a while?
	cat >stuck <<'TOOL'
#!/bin/sh
io=/proc/$(cat "cgi-bin/$1.pid")/io
first=$(sed -n 's/^wchar: //p' "$io")
sleep 0.3
[ "$first" = "$(sed -n 's/^wchar: //p' "$io")" ]
TOOL
	# Is the gateway no bigger than it should be?
	cat >slim <<'TOOL'
#!/bin/sh
size=$(sed -n 's/^VmHWM:[^0-9]*\([0-9]*\).*/\1/p' \
    "/proc/$(cat gateway.pid)/status")
[ "$size" -lt 20000 ] || ./odd # with a sanitizer, or under valgrind
TOOL
	cat >odd <<TOOL
#!/bin/sh
grep -Eq '__[at]san_init' "$AFCGI" || [ -n "${AFCGI_VALGRIND:-}" ]
TOOL
	chmod 755 stuck slim odd
	start_gateway "$TREE"
	atf_check -s exit:0 -o empty -e empty ./play <<PLAY
$(request 1 flood a)
$(request 2 flood b)
expect-stdout 1 a\n
expect-stdout 2 b\n
stop-reading
connection 1
$(request 1 hello other)
expect-stdout 1 hello other
expect-end 1 0 0
until ./stuck a
until ./stuck b
run ./slim
$(request 1 hello more)
expect-stdout 1 hello more
connection 0
resume
expect-stdout 1 a\n
$(request 3 hello same)
expect-stdout 3 hello same
expect-end 3 0 0
close
PLAY
	finish
}

# Uploads of 3 MB each to scripts that wait before they read them, and other
# requests on the same connection after them.
gateway_case input_share
input_share_body()
{
	use_cgi hello
	mk_cgi later <<'CGI'
#!/bin/sh
printf 'Content-Type: text/plain\n\n'
while [ ! -e go ]; do
	sleep 0.03
done
wc -c
CGI
	start_gateway "$TREE"
	{
		for id in 1 2 3; do
			echo "begin $id keep"
			params $id later n$id CONTENT_LENGTH=3000000
			echo "stdin-bytes $id 3000000"
			echo "stdin $id"
		done
		request 4 hello behind
		echo "expect-stdout 4 hello behind"
		echo "expect-end 4 0 0"
		echo "run touch cgi-bin/go"
		for id in 1 2 3; do
			echo "expect-stdout $id 3000000"
			echo "expect-end $id 0 0"
		done
	} >plan
	atf_check -s exit:0 -o empty -e empty ./play <plan
	finish
}

# Fifty scripts that run: their pipes, and a connection, and no more.
gateway_case descriptors
descriptors_body()
{
	use_cgi silent hello
	start_gateway "$TREE"
	{
		for id in $(seq 50); do
			request "$id" silent "n$id"
		done
		for id in $(seq 50); do
			echo "until test -s cgi-bin/n$id.pid"
		done
		echo "run find /proc/$GATEWAY_PID/fd -type l | wc -l >fds"
		echo "close"
	} >plan
	atf_check -s exit:0 -o empty -e empty ./play <plan
	[ "$(cat fds)" -le $((GATEWAY_FDS + 1 + 3 * 50)) ] ||
		atf_fail "$(cat fds) descriptors, $GATEWAY_FDS at the start"
	finish
}

# Ids all over the range, each used again: every answer is the right one.
gateway_case many_ids
many_ids_body()
{
	use_cgi hello
	start_gateway "$TREE"
	atf_check -s exit:0 -e empty \
	    -o match:'^requests=500 ok=500 connections=1 ' \
	    ./get hello -k -n 500 -m 20 -t 60 -p QUERY_STRING=n%d \
	    -x 'hello n%d\n'
	for n in 1 16; do
		stop_gateway
		: >gateway.err
		start_gateway -t $n "$TREE"
		atf_check -s exit:0 -e empty -o match:' ok=100 ' \
		    ./get hello -k -n 100 -m 20 -t 60 -p QUERY_STRING=n%d \
		    -x 'hello n%d\n'
	done
	finish
}
