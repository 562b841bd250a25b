# shellcheck shell=sh
# Flow control for each request, fcgi_flow(7), on the wire: its beginning, the
# output, and what is wrong:
#
#	negotiated	asked for, answered; then windows, in any pieces
#	not_negotiated	not asked for: the types mean nothing
#	errors	what breaks the rules of credit ends its connection alone
#	splitting	records are cut to the credit that is left
#	stalled	a client that takes nothing costs no memory and no others
#	idle_time	but the script's time: it is cut like any other
#	client_gone	and its script ends with it
#	cut	a script dead after its header: AFCGI_CUT, the connection lives
#	page	one that does not fit the credit is a cut

. "$(atf_get_srcdir)/lib.sh"
. "$(atf_get_srcdir)/flow.sh"

gateway_case negotiated
negotiated_body()
{
	use_cgi hello echo
	start_gateway -L window=8k "$TREE"
	wire <<PLAY
get-values AFCGI_WINDOW FCGI_MPXS_CONNS
expect-values AFCGI_WINDOW=8192 FCGI_MPXS_CONNS=1
$(windowed 1 30 hello one)
stdin 1
expect-stdout 1 Content-Type: text/pla
credit 1 0
credit 1 9
expect-stdout 1 i
credit 1 100
expect-end 1 0 0
expect-stdout-is 1 Content-Type: text/plain\r\n\r\nhello one\n
$(open_window 2 4096 echo)
stdin 2 abc
expect-stdout 2 \r\n\r\nabc
$(request 3 hello three)
expect-stdout 3 hello three\n
expect-end 3 0 0
stdin 2 def
expect-stdout 2 def
stdin 2
expect-end 2 0 0
credit 2 100
credit 1 2147483647
$(request 1 hello again)
expect-end 1 0 0
PLAY
	finish
}

gateway_case not_negotiated
not_negotiated_body()
{
	use_cgi hello
	start_gateway "$TREE"
	wire <<PLAY
get-values FCGI_MPXS_CONNS
expect-values FCGI_MPXS_CONNS=1
begin 1 keep
record 200 1 00000000
record 200 7
record 200 0 00000001
expect-unknown 200
record 201 0
expect-unknown 201
$(params 1 hello one)
record 200 1 ffffffff
stdin 1
expect-end 1 0 0
expect-stdout-is 1 Content-Type: text/plain\r\n\r\nhello one\n
PLAY
	finish
}

gateway_case errors
errors_body()
{
	use_cgi hello silent
	start_gateway -L window=4k "$TREE"
	while read -r bad; do
		: >gateway.err
		wire <<PLAY
$NEGOTIATE
$(windowed 1 1000 silent a)
begin 2 keep
$(params 2 silent b)
$(windowed 3 1000 hello three)
stdin 3
expect-end 3 0 0
connection 1
$NEGOTIATE
$(windowed 1 1000 hello one)
connection 0
$bad
expect-close
connection 1
stdin 1
expect-end 1 0 0
PLAY
		logged 'protocol error.*type (5|200)'
	done <<BAD
record 200 1
record 200 1 000000
record 200 1 0000000000
record 200 3 0000000000
record 200 0 00000001
record 200 4 00000001
record 200 2 00000000
credit 1 2147482648
header 1 200 1 65535 255
header 1 5 1 65535 0
BAD
	finish
}

gateway_case splitting
splitting_body()
{
	mk_cgi long <<'CGI'
#!/bin/sh
printf 'Content-Type: text/plain\n\n'
seq 1 20000
CGI
	start_gateway "$TREE"
	for window in 20 100 1000 9999 32768 1000000; do
		atf_check -s exit:0 -o save:answer -e empty ./play <<PLAY
$NEGOTIATE
$(open_window 1 $window long)
stdin 1
expect-end 1 0 0
print 1
PLAY
		atf_check -s exit:0 -o empty -e empty \
		    sh -c 'sed 1,2d answer | cmp - expected' <<NONE
$(seq 1 20000 >expected)
NONE
	done
	finish
}

# What the gateway holds for 50 of them is little; scripts are not read.
gateway_case stalled
stalled_body()
{
	use_cgi flood hello
	start_gateway -L scripts=100 "$TREE"
	before=$(memory)
	{
		echo "$NEGOTIATE"
		for id in $(seq 1 50); do
			windowed "$id" 32768 flood "$id"
			echo "stdin $id"
		done
		for id in $(seq 1 50); do
			echo "expect-stdout-bytes $id 32000"
		done
		echo 'sleep 300'
		open_window 100 4096 hello
		echo 'stdin 100'
		echo 'expect-end 100 0 0'
		echo "run sed -n 's/^VmRSS:[^0-9]*//p' /proc/$GATEWAY_PID/status >rss"
		echo "run ls /proc/$GATEWAY_PID/fd | wc -l >fds"
		# all go on, and end
		for id in $(seq 1 50); do
			echo "credit $id 100000"
			echo "expect-stdout-bytes $id 131000"
		done
		for id in $(seq 1 50); do
			echo "abort $id"
		done
		for id in $(seq 1 50); do
			echo "expect-end $id"
		done
	} >plan
	atf_check -s exit:0 -o empty -e empty ./play <plan
	# three pipes for each, and a little
	[ "$(cat fds)" -le $((GATEWAY_FDS + 160)) ] ||
	    atf_fail "$(cat fds) descriptors"
	finish
	require_plain_build
	after=$(sed 's/[^0-9].*//' rss)
	[ $((after - before)) -lt 4000 ] ||
	    atf_fail "$before KB have become $after KB"
}

gateway_case idle_time
idle_time_body()
{
	use_cgi flood
	start_gateway -L idle_time=0.5 "$TREE"
	atf_check -s exit:0 -o empty -e empty ./play <<PLAY
$NEGOTIATE
$(windowed 1 1000 flood a)
stdin 1
expect-end 1 1 200
PLAY
	logged 'too slow \(limit idle_time\)'
	finish
}

gateway_case client_gone
client_gone_body()
{
	use_cgi flood
	start_gateway "$TREE"
	atf_check -s exit:0 -o empty -e empty ./play <<PLAY
$NEGOTIATE
$(windowed 1 1000 flood a)
stdin 1
$(windowed 2 0 flood b)
stdin 2
expect-stdout-bytes 1 900
abort 1
expect-end 1
until test -e cgi-bin/b.pid
close
PLAY
	finish
}

gateway_case cut
cut_body()
{
	use_cgi hello
	mk_cgi dies <<'CGI'
#!/bin/sh
printf 'Content-Type: text/plain\n\nsome'
kill -9 $$
CGI
	mk_cgi short <<'CGI'
#!/bin/sh
printf 'Content-Type: text/plain\nContent-Length: 10\n\nsome'
echo oops >&2
exit 5
CGI
	start_gateway "$TREE"
	wire <<PLAY
$NEGOTIATE
$(windowed 1 1000 dies a)
stdin 1
expect-end 1 137 200
expect-stdout-is 1 Content-Type: text/plain\r\n\r\nsome
$(windowed 2 1000 short b)
stdin 2
expect-end 2 5 200
$(windowed 3 1000 hello c)
stdin 3
expect-end 3 0 0
expect-stdout-end 3
PLAY
	# the records of a cut response are not ended either
	atf_check -s exit:1 -o empty -e match:'its stdout did not' \
	    ./play <<PLAY
$NEGOTIATE
$(windowed 1 1000 dies a)
stdin 1
expect-end 1
expect-stdout-end 1
PLAY
	finish
}

gateway_case page
page_body()
{
	use_cgi hello
	says headless <<'CGI'
no header\n
CGI
	start_gateway "$TREE"
	wire <<PLAY
$NEGOTIATE
$(windowed 1 500 missing a)
stdin 1
expect-stdout 1 Status: 404
expect-end 1 0 0
$(windowed 2 50 missing a)
stdin 2
expect-end 2 1 200
$(windowed 3 500 headless a)
stdin 3
expect-stdout 3 Status: 502
expect-end 3 0 0
$(windowed 4 0 headless a)
stdin 4
expect-end 4 1 200
PLAY
	finish
}
