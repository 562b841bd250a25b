# shellcheck shell=sh
# The process: signals, log, rights:
#
#	term_idle	TERM with idle connections: at once, status 0
#	term_busy	what runs is finished; nothing new is begun
#	term_drain	but not for ever
#	term_twice	a second one: now
#	interrupt	INT is as TERM
#	reopen		HUP: the log is opened again
#	reopen_fails	then the old one is kept
#	pulse		USR1: how long the event loop was kept
#	log_lines	their form
#	log_gone	nobody reads its standard error any more
#	log_stuck	or somebody holds it and does not read
#	user		-u
#	flag_f		-f, for fcgiwrap's sake
#	one_process	no process but itself and the scripts

. "$(atf_get_srcdir)/lib.sh"

# Idle connections are closed, the socket is gone, the status is 0.
gateway_case term_idle
term_idle_body()
{
	use_cgi hello
	start_gateway -L drain=600 "$TREE"
	atf_check -s exit:0 -o empty -e empty ./play <<PLAY
$(request 1 hello a)
expect-end 1 0 0
connection 1
run kill -TERM $GATEWAY_PID
expect-close
connection 0
expect-close
PLAY
	wait_for ended "$GATEWAY_PID"
	stop_gateway
	atf_check -s exit:0 -o empty -e empty test ! -e gw.sock
}

# The requests that live then get whole answers, while new connections are
# refused; their connections are closed after them.
gateway_case term_busy
term_busy_body()
{
	use_cgi drip
	start_gateway -L drain=600 "$TREE"
	atf_check -s exit:0 -o empty -e empty ./play <<PLAY
$(request 1 drip a)
expect-stdout 1 one\n
connection 1
$(request 1 drip b)
expect-stdout 1 one\n
$(request 2 drip c)
expect-stdout 2 one\n
run kill -TERM $GATEWAY_PID
until ! $FCGI_CLIENT -f /dev/null gw.sock 2>/dev/null
run touch cgi-bin/b.go
expect-stdout 1 two\n
expect-end 1 0 0
run touch cgi-bin/a.go cgi-bin/c.go
expect-stdout 2 two\n
expect-end 2 0 0
expect-close
connection 0
expect-stdout 1 two\n
expect-end 1 0 0
expect-close
PLAY
	wait_for ended "$GATEWAY_PID"
	stop_gateway
}

# And leaves no script behind.
gateway_case term_drain
term_drain_body()
{
	use_cgi silent
	mk_cgi deaf <<'CGI'
#!/bin/sh
trap '' TERM
echo $$ >deaf.new && mv deaf.new deaf.pid
while :; do
	sleep 1
done
CGI
	start_gateway -L drain=0.3,grace=600 "$TREE"
	atf_check -s exit:0 -o empty -e empty ./play <<PLAY
$(request 1 silent a)
$(request 2 deaf b)
until test -s cgi-bin/a.pid
until test -s cgi-bin/deaf.pid
run kill -TERM $GATEWAY_PID
expect-close
PLAY
	wait_for ended "$GATEWAY_PID"
	wait_for ended "$(cat cgi-bin/a.pid)"
	wait_for ended "$(cat cgi-bin/deaf.pid)"
	stop_gateway
}

# What runs is ended, however long drain and grace are.
gateway_case term_twice
term_twice_body()
{
	use_cgi silent
	start_gateway -L drain=600,grace=600 "$TREE"
	atf_check -s exit:0 -o empty -e empty ./play <<PLAY
$(request 1 silent a)
until test -s cgi-bin/a.pid
run kill -TERM $GATEWAY_PID
expect-no-record 300
run kill -0 $GATEWAY_PID
run kill -TERM $GATEWAY_PID
expect-close
PLAY
	wait_for ended "$GATEWAY_PID"
	wait_for ended "$(cat cgi-bin/a.pid)"
	stop_gateway
}

# Status 0, and no socket is left.
gateway_case interrupt
interrupt_body()
{
	use_cgi hello
	# A background job of a shell ignores INT, so perl sets it right.
	run_under <<'WRAPPER'
exec perl -e '$SIG{INT} = "DEFAULT"; exec @ARGV' "$@"
WRAPPER
	start_gateway "$TREE"
	kill -INT "$GATEWAY_PID"
	wait_for ended "$GATEWAY_PID"
	stop_gateway
	atf_check -s exit:0 -o empty -e empty test ! -e gw.sock
}

# A stopped process is one whose loop is kept.
gateway_case pulse
pulse_body()
{
	use_cgi hello
	start_gateway "$TREE"
	kill -USR1 "$GATEWAY_PID"
	logged 'event loop: measured for a minute'
	kill -STOP "$GATEWAY_PID"
	sleep 0.3
	kill -CONT "$GATEWAY_PID"
	kill -USR1 "$GATEWAY_PID"
	logged 'event loop: longest turn [0-9]* us in [0-9]* ms'
	atf_check_equal yes "$(sed -n 's/.*longest turn \([0-9]*\) us.*/\1/p' \
	    "$LOG" | awk '{ print ($1 >= 200000 ? "yes" : $1) }')"
	stop_gateway
}

# As log rotation does it: rename, then HUP.
gateway_case reopen
reopen_body()
{
	LOG=$PWD/log
	start_gateway -l "$LOG" "$TREE"
	./get nothing1 >answer || :
	logged nothing1
	mv log log.old
	./get nothing2 >answer || :
	wait_for grep -q nothing2 log.old
	kill -HUP "$GATEWAY_PID"
	wait_for test -e log
	./get nothing3 >answer || :
	logged nothing3
	atf_check -s exit:1 -o empty -e empty grep nothing3 log.old
	finish
	atf_check -s exit:0 -o empty -e empty cat gateway.err
}

# It must not end up without any log.
gateway_case reopen_fails
reopen_fails_body()
{
	mkdir logs
	LOG=$PWD/logs/log
	start_gateway -l "$LOG" "$TREE"
	mv logs moved
	LOG=$PWD/moved/log
	kill -HUP "$GATEWAY_PID"
	./get nothing1 >answer || :
	logged nothing1
	finish
}

# start_piped reader...: a gateway whose standard error is a pipe to that.
start_piped()
{
	make_tools
	mkfifo pipe
	"$@" <pipe >/dev/null &
	READER=$!
	run_under <<'WRAPPER'
exec "$@" 2>pipe
WRAPPER
	launch ./wrapper "$AFCGI" -s unix:gw.sock -e "AFTEST=$MARK" "$TREE"
	launched
}

# A log that cannot be written costs nothing but its lines.
gateway_case log_gone
log_gone_body()
{
	use_cgi hello
	start_piped sh -c 'read -r line'
	wait "$READER"
	for n in 1 2 3; do
		./get nothing$n >answer || :
		atf_check -s exit:0 -o match:'^404 ' -e empty cat answer
	done
	finish
}

# Its lines are lost once the buffers are full; nothing waits for it.
gateway_case log_stuck
log_stuck_body()
{
	use_cgi hello
	start_piped sleep 600
	atf_check -s exit:0 -o match:'^requests=4000 ok=4000 ' -e empty \
	    ./get nothing -k -n 4000 -m 50 -t 100
	atf_check -s exit:0 -o inline:'hello x\n' -e empty \
	    ./get hello -b -p QUERY_STRING=x
	finish
	kill "$READER"
}

# Time, level, and whom it is about.
gateway_case log_lines
log_lines_body()
{
	use_cgi hello
	port=$(free_port)
	start_gateway -d -s "tcp:127.0.0.1:$port" "$TREE"
	./get nothing >answer || :
	SOCKET=tcp:127.0.0.1:$port ./get nothing >answer || :
	finish
	time='20[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z'
	atf_check -s exit:1 -o empty -e empty \
	    grep -Ev "^$time (debug|info|warning|error) ." gateway.err
	uid=$(id -u)
	logged "conn [0-9]+ \(unix uid=$uid pid=[0-9]+\)"
	logged "conn [0-9]+ \(127\.0\.0\.1:[0-9]+\)"
	logged "conn [0-9]+ request 1: .*$TREE/nothing"
	logged " info listening on unix:.*gw.sock$"
	# Nothing below information without -d.
	: >gateway.err
	start_gateway "$TREE"
	finish
	atf_check -s exit:1 -o empty -e empty grep " debug " gateway.err
}

# The socket is made first, with root's rights.
gateway_case user
user_requires()
{
	atf_set require.user root
}
user_body()
{
	use_cgi hello
	mk_cgi ids <<'CGI'
#!/bin/sh
printf 'Content-Type: text/plain\n\n%s %s %s\n' "$(id -u)" "$(id -g)" "$(id -G)"
CGI
	uid=$(id -u nobody) gid=$(id -g nobody)
	mkdir spool
	chown nobody spool
	# shellcheck disable=SC2046
	$(as_nobody) test -x "$TREE/ids" || atf_skip "nobody cannot get to $PWD"
	start_gateway -u nobody -T "$PWD/spool" "$TREE"
	atf_check -s exit:0 -o inline:"$uid $gid $gid\n" -e empty ./get ids -b
	atf_check -s exit:0 -o match:"^Uid:.$uid.$uid.$uid.$uid$" -e empty \
	    cat "/proc/$GATEWAY_PID/status"
	finish
}

# Standard error is forwarded with or without it.
gateway_case flag_f
flag_f_body()
{
	mk_cgi warns <<'CGI'
#!/bin/sh
printf 'Content-Type: text/plain\n\npage\n'
echo warning >&2
CGI
	start_gateway -f "$TREE"
	atf_check -s exit:0 -o inline:'page\n' -e inline:'warning\n' \
	    ./get warns -b
	finish
}

# One process serves all; its only children are the scripts themselves.
gateway_case one_process
one_process_body()
{
	use_cgi drip
	start_gateway "$TREE"
	atf_check_equal '' "$(child_pids "$GATEWAY_PID")"
	atf_check -s exit:0 -o empty -e empty ./play <<PLAY
$(request 1 drip a)
expect-stdout 1 one\n
run test \$(cat cgi-bin/a.pid) = \$(cat /proc/$GATEWAY_PID/task/*/children)
run touch cgi-bin/a.go
expect-end 1 0 0
PLAY
	finish
}
