# shellcheck shell=sh
# Clients that leave.  Their scripts end at once; nobody else notices:
#
#	close		the connection's end, with a silent script
#	abort		ABORT_REQUEST: END_REQUEST follows, the connection stays
#	shared		one of many on a connection
#	all		the end of a connection with many requests
#	tcp		close and reset of a TCP connection
#	blocked		a script that waits for room in stdout
#	upload		the client leaves in mid-body: the script sees no end of
#			file
#	paused		the close is noticed while reading is paused
#	queued		a request that waits for a slot never runs
#	unborn		abort before the PARAMS are whole: no script
#	late		abort of a request that has ended, twice, after END
#	aborted_id	what comes for an aborted id is ignored

. "$(atf_get_srcdir)/lib.sh"

# The program that a web server cannot see: it neither reads nor writes.
gateway_case close
close_body()
{
	use_cgi silent hello
	start_gateway "$TREE"
	atf_check -s exit:0 -o empty -e empty ./play <<PLAY
$(request 1 silent a)
until test -s cgi-bin/a.pid
close
PLAY
	wait_for ended "$(cat cgi-bin/a.pid)"
	# Also when the body has not ended.
	atf_check -s exit:0 -o empty -e empty ./play <<PLAY
begin 1
$(params 1 silent b)
until test -s cgi-bin/b.pid
close
PLAY
	wait_for ended "$(cat cgi-bin/b.pid)"
	finish
}

# The script ends, END_REQUEST follows, and the connection serves on; without
# KEEP_CONN it is closed.
gateway_case abort
abort_body()
{
	use_cgi silent hello drip
	start_gateway "$TREE"
	atf_check -s exit:0 -o empty -e empty ./play <<PLAY
$(request 1 silent a)
until test -s cgi-bin/a.pid
abort 1
expect-end 1
until ! kill -0 \$(cat cgi-bin/a.pid) 2>/dev/null
$(request 2 drip b)
expect-stdout 2 one\n
abort 2
expect-end 2
until ! kill -0 \$(cat cgi-bin/b.pid) 2>/dev/null
$(request 3 hello on)
expect-stdout 3 hello on
expect-end 3 0 0
begin 4
$(params 4 silent d)
until test -s cgi-bin/d.pid
abort 4
expect-end 4
expect-close
PLAY
	finish
}

# The others run on, and get their own bytes.
gateway_case shared
shared_body()
{
	use_cgi silent drip
	start_gateway "$TREE"
	atf_check -s exit:0 -o empty -e empty ./play <<PLAY
$(request 1 drip a)
$(request 2 silent b)
$(request 3 drip c)
expect-stdout 1 one\n
expect-stdout 3 one\n
until test -s cgi-bin/b.pid
abort 2
expect-end 2
until ! kill -0 \$(cat cgi-bin/b.pid) 2>/dev/null
run touch cgi-bin/a.go cgi-bin/c.go
expect-stdout 1 two\n
expect-end 1 0 0
expect-stdout 3 two\n
expect-end 3 0 0
PLAY
	finish
}

# Every script of that connection ends, and none of another one.
gateway_case all
all_body()
{
	use_cgi silent drip flood
	start_gateway "$TREE"
	atf_check -s exit:0 -o empty -e empty ./play <<PLAY
$(for id in $(seq 20); do request "$id" silent "s$id"; done)
$(request 30 flood f)
$(request 31 drip d)
$(for id in $(seq 20); do echo "until test -s cgi-bin/s$id.pid"; done)
expect-stdout 30 f
expect-stdout 31 one
connection 1
$(request 1 drip other)
expect-stdout 1 one
connection 0
close
connection 1
until ! cat cgi-bin/[sfd]*.pid | xargs -n 1 kill -0 2>/dev/null
run touch cgi-bin/other.go
expect-stdout 1 two
expect-end 1 0 0
PLAY
	finish
}

# Over TCP a close is a FIN, which is behind the bytes that wait, or a reset.
gateway_case tcp
tcp_body()
{
	use_cgi silent
	port=$(free_port)
	start_gateway -s "tcp:127.0.0.1:$port" "$TREE"
	# With bytes unread the close is a reset.
	for last in "close" "stdin-bytes 1 3000000"; do
		rm -f cgi-bin/a.pid
		atf_check -s exit:0 -o empty -e empty \
		    env SOCKET="tcp:127.0.0.1:$port" ./play <<PLAY
begin 1
$(params 1 silent a)
until test -s cgi-bin/a.pid
$last
PLAY
		wait_for ended "$(cat cgi-bin/a.pid)"
	done
	finish
}

# The client has not read, so the pipe is full, so is the socket.
gateway_case blocked
blocked_body()
{
	use_cgi flood
	start_gateway "$TREE"
	for how in "abort 1" close; do
		rm -f cgi-bin/a.pid
		atf_check -s exit:0 -o empty -e empty ./play <<PLAY
stop-reading
$(request 1 flood a)
until test -s cgi-bin/a.pid
sleep 300
$how
until ! kill -0 \$(cat cgi-bin/a.pid) 2>/dev/null
PLAY
	done
	finish
}

# It must not take half a body for a whole one.
gateway_case upload
upload_body()
{
	mk_cgi upload <<'CGI'
#!/bin/sh
trap 'exit 1' TERM
echo $$ >"$QUERY_STRING.new" && mv "$QUERY_STRING.new" "$QUERY_STRING.pid"
cat >"$QUERY_STRING.body"
echo yes >"$QUERY_STRING.eof"
CGI
	start_gateway "$TREE"
	cat >length <<'TOOL'
#!/bin/sh
[ -e "cgi-bin/$1.body" ] && [ "$(wc -c <"cgi-bin/$1.body")" -eq "$2" ]
TOOL
	chmod 755 length
	n=0
	for length in CONTENT_LENGTH=1000000 NO_LENGTH=1; do
		for how in close "abort 1"; do
			n=$((n + 1))
			atf_check -s exit:0 -o empty -e empty ./play <<PLAY
begin 1 keep
$(params 1 upload "$n" $length)
stdin-bytes 1 300000
until ./length $n 300000
$how
until ! kill -0 \$(cat cgi-bin/$n.pid) 2>/dev/null
PLAY
			atf_check -s exit:0 -o empty -e empty \
			    test ! -e "cgi-bin/$n.eof"
		done
	done
	# Likewise when a part of it waits in the gateway.
	mk_cgi deaf <<'CGI'
#!/bin/sh
trap 'exit 1' TERM
echo $$ >"$QUERY_STRING.new" && mv "$QUERY_STRING.new" "$QUERY_STRING.pid"
until [ -e go ]; do
	sleep 0.03
done
cat >"$QUERY_STRING.body"
echo yes >"$QUERY_STRING.eof"
CGI
	atf_check -s exit:0 -o empty -e empty ./play <<PLAY
begin 1
$(params 1 deaf late CONTENT_LENGTH=1000000)
stdin-bytes 1 100000
flush
until test -s cgi-bin/late.pid
close
until ! kill -0 \$(cat cgi-bin/late.pid) 2>/dev/null
run touch cgi-bin/go
PLAY
	atf_check -s exit:0 -o empty -e empty test ! -e cgi-bin/late.eof
	finish
}

# More than the gateway holds for a script that does not read: it reads no
# more of the connection, but for its end.
gateway_case paused
paused_body()
{
	use_cgi silent
	start_gateway "$TREE"
	atf_check -s exit:0 -o empty -e empty ./play <<PLAY
begin 1
$(params 1 silent a CONTENT_LENGTH=50000000)
stdin-bytes 1 50000000
until test -s cgi-bin/a.pid
sleep 500
close
PLAY
	wait_for ended "$(cat cgi-bin/a.pid)"
	# And with KEEP_CONN, when other requests are live on it.
	atf_check -s exit:0 -o empty -e empty ./play <<PLAY
$(request 1 silent b)
begin 2 keep
$(params 2 silent c CONTENT_LENGTH=20000000)
stdin-bytes 2 20000000
until test -s cgi-bin/b.pid
until test -s cgi-bin/c.pid
sleep 300
close
PLAY
	wait_for ended "$(cat cgi-bin/b.pid)"
	wait_for ended "$(cat cgi-bin/c.pid)"
	finish
}

# What nobody waits for must not run when a slot is free.
gateway_case queued
queued_body()
{
	use_cgi drip hello
	mk_cgi never <<'CGI'
#!/bin/sh
echo ran >ran
CGI
	start_gateway -L scripts=1 "$TREE"
	atf_check -s exit:0 -o empty -e empty ./play <<PLAY
$(request 1 drip a)
expect-stdout 1 one
$(request 2 never x)
expect-no-record 200
abort 2
expect-end 2
connection 1
$(request 1 never y)
expect-no-record 200
close
connection 0
$(request 3 hello last)
run touch cgi-bin/a.go
expect-end 1 0 0
expect-stdout 3 hello last
PLAY
	finish
	atf_check -s exit:0 -o empty -e empty test ! -e cgi-bin/ran
}

# There is no script yet, and there will be none.
gateway_case unborn
unborn_body()
{
	use_cgi hello
	mk_cgi never <<'CGI'
#!/bin/sh
echo ran >ran
CGI
	start_gateway "$TREE"
	atf_check -s exit:0 -o empty -e empty ./play <<PLAY
begin 1 keep
params 1 SCRIPT_NAME=/cgi-bin/never SCRIPT_FILENAME=$TREE/never
abort 1
expect-end 1
params 1
stdin 1
begin 2 keep
abort 2
expect-end 2
$(request 3 hello on)
expect-stdout 3 hello on
begin 4 keep
params 4 SCRIPT_NAME=/cgi-bin/never SCRIPT_FILENAME=$TREE/never
close
PLAY
	finish
	atf_check -s exit:0 -o empty -e empty test ! -e cgi-bin/ran
}

# It may cross the END_REQUEST on the wire, and may come more than once.
gateway_case late
late_body()
{
	use_cgi silent hello
	start_gateway "$TREE"
	atf_check -s exit:0 -o empty -e empty ./play <<PLAY
$(request 1 hello a)
expect-end 1 0 0
abort 1
abort 1
$(request 2 silent b)
until test -s cgi-bin/b.pid
abort 2
abort 2
abort 2
expect-end 2
abort 2
$(request 3 hello c)
abort 3
expect-end 3
$(request 3 hello d)
expect-stdout 3 hello d
expect-end 3 0 0
PLAY
	finish
}

# A web server may have sent more of the body before it knew.
gateway_case aborted_id
aborted_id_body()
{
	use_cgi silent hello
	start_gateway "$TREE"
	atf_check -s exit:0 -o empty -e empty ./play <<PLAY
begin 1 keep
$(params 1 silent a)
stdin 1 some
until test -s cgi-bin/a.pid
abort 1
stdin-bytes 1 1000000
stdin 1
expect-end 1
$(request 2 hello on)
expect-stdout 2 hello on
expect-end 2 0 0
PLAY
	finish
}
