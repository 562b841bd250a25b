# shellcheck shell=sh
# The limits of -L, and the parameters that replace some of them for one
# request:
#
#	scripts		more scripts wait for their turn
#	queue		503 with Retry-After when that queue is full
#	queue_wait	and when the wait is too long
#	requests	503 for one request too many on a connection
#	connections	no more are accepted; they are, when one has gone
#	params		431 for too many bytes, of one pair or of many
#	params_time	408 when they do not end in time
#	header		64 KiB pass, a byte more is 502
#	header_time	504; AFCGI_HEADER_TIME
#	idle_time	504 before the header, a cut after it; AFCGI_IDLE_TIME
#	stalled		a client that does not read is idle, too
#	total_time	likewise; AFCGI_TOTAL_TIME
#	not_idle	a script that drips, or reads, is not idle
#	conn_idle	a connection without requests is closed
#	spool		413 for a body that is longer
#	stderr		the rest is dropped and counted
#	parameters	AFCGI_* is not passed on; nonsense in it is an error

. "$(atf_get_srcdir)/lib.sh"

page()
{
	printf 'expect-stdout %d Status: %d \n' "$1" "$2"
	printf 'expect-end %d 0 0\n' "$1"
}

# Scripts wait in order, and all run.
gateway_case scripts
scripts_body()
{
	use_cgi drip hello
	start_gateway -L scripts=1 "$TREE"
	atf_check -s exit:0 -o empty -e empty ./play <<PLAY
$(request 1 drip a)
expect-stdout 1 one\n
$(request 2 hello second)
$(request 3 hello third)
expect-no-record 300
run touch cgi-bin/a.go
expect-end 1 0 0
expect-stdout 2 hello second
expect-end 2 0 0
expect-stdout 3 hello third
expect-end 3 0 0
PLAY
	finish
}

# The page is a plain one, and says when to try again.
gateway_case queue
queue_body()
{
	use_cgi drip hello
	start_gateway -L scripts=1,queue=1 "$TREE"
	atf_check -s exit:0 -o empty -e empty ./play <<PLAY
$(request 1 drip a)
expect-stdout 1 one\n
$(request 2 hello second)
$(request 3 hello third)
expect-stdout 3 Status: 503 Service Unavailable\r\n
expect-stdout 3 Retry-After: 
expect-stdout 3 \r\n\r\n503 Service Unavailable\n
expect-end 3 0 0
run touch cgi-bin/a.go
expect-end 1 0 0
expect-stdout 2 hello second
expect-end 2 0 0
PLAY
	finish
}

# It is answered, and who comes later is served.
gateway_case queue_wait
queue_wait_body()
{
	use_cgi drip hello
	start_gateway -L scripts=1,queue_wait=0.2 "$TREE"
	atf_check -s exit:0 -o empty -e empty ./play <<PLAY
$(request 1 drip a)
expect-stdout 1 one\n
$(request 2 hello second)
expect-stdout 2 Status: 503 Service Unavailable\r\n
expect-stdout 2 Retry-After: 
expect-end 2 0 0
run touch cgi-bin/a.go
expect-end 1 0 0
$(request 3 hello third)
expect-stdout 3 hello third
PLAY
	finish
}

# One that ends makes room for the next.
gateway_case requests
requests_body()
{
	use_cgi drip hello
	start_gateway -L requests=2 "$TREE"
	atf_check -s exit:0 -o empty -e empty ./play <<PLAY
$(request 1 drip a)
expect-stdout 1 one\n
$(request 2 drip b)
expect-stdout 2 one\n
$(request 3 hello third)
$(page 3 503)
run touch cgi-bin/a.go
expect-end 1 0 0
$(request 4 hello fourth)
expect-stdout 4 hello fourth
expect-end 4 0 0
run touch cgi-bin/b.go
expect-end 2 0 0
PLAY
	finish
}

# The third client waits at the door, and loses nothing.
gateway_case connections
connections_body()
{
	use_cgi hello
	start_gateway -L connections=2 "$TREE"
	atf_check -s exit:0 -o empty -e empty ./play <<PLAY
$(request 1 hello zero)
expect-stdout 1 hello zero
expect-end 1 0 0
connection 1
$(request 1 hello first)
expect-stdout 1 hello first
expect-end 1 0 0
connection 2
$(request 1 hello second)
expect-no-record 300
connection 0
close
connection 2
expect-stdout 1 hello second
expect-end 1 0 0
PLAY
	finish
}

# One long value, and many short pairs; the connection lives on.
gateway_case params
params_body()
{
	use_cgi hello
	start_gateway -L params=20k "$TREE"
	long=$(bytes 19000)
	atf_check -s exit:0 -o inline:'hello x\n' -e empty \
	    ./get hello -b -p "LONG=$long" -p QUERY_STRING=x
	long=$(bytes 30000)
	atf_check -s exit:0 -o match:'^Status: 431 ' -o match:'^431 ' -e empty \
	    ./get hello -p "LONG=$long"
	{
		echo "begin 1 keep"
		seq -f 'params 1 NAME%g=a-value-of-some-length' 1 3000
		echo "params 1"
		page 1 431
		request 2 hello on
		echo "expect-stdout 2 hello on"
	} >plan
	atf_check -s exit:0 -o empty -e empty ./play <plan
	finish
}

# The time begins with BEGIN_REQUEST; other requests do not extend it.
gateway_case params_time
params_time_body()
{
	use_cgi hello
	start_gateway -L params_time=0.3 "$TREE"
	atf_check -s exit:0 -o empty -e empty ./play <<PLAY
begin 1 keep
begin 2 keep
params 2 SCRIPT_NAME=/cgi-bin/hello
$(request 3 hello other)
expect-stdout 3 hello other
$(page 1 408)
$(page 2 408)
$(params 1 hello late)
$(request 4 hello on)
expect-stdout 4 hello on
expect-end 4 0 0
PLAY
	finish
}

# The header's length counts with the line ends and the empty line.
gateway_case header
header_body()
{
	mk_cgi long <<'CGI'
#!/bin/sh
# A header of $QUERY_STRING bytes: "X: ...", and the two lines below.
n=$((QUERY_STRING - 30))
printf 'Content-Type: text/plain\nX: '
head -c "$n" /dev/zero | tr '\0' x
printf '\n\nbody\n'
CGI
	start_gateway "$TREE"
	atf_check -s exit:0 -o inline:'body\n' -e empty \
	    ./get long -b -p QUERY_STRING=65000
	atf_check -s exit:0 -o inline:'body\n' -e empty \
	    ./get long -b -p QUERY_STRING=65536
	atf_check -s exit:0 -o match:'^Status: 502 ' -o not-match:xxx -e empty \
	    ./get long -p QUERY_STRING=65537
	logged 'request 1.*long.*header'
	stop_gateway
	: >gateway.err
	start_gateway -L header=1k "$TREE"
	atf_check -s exit:0 -o match:'^Status: 502 ' -e empty \
	    ./get long -p QUERY_STRING=2000
	finish
}

# The script that is too slow is ended.
gateway_case header_time
header_time_body()
{
	use_cgi silent drip hello
	start_gateway -L header_time=0.3 "$TREE"
	atf_check -s exit:0 -o match:'^Status: 504 ' -o match:'^504 ' -e empty \
	    ./get silent -p QUERY_STRING=a
	wait_for ended "$(cat cgi-bin/a.pid)"
	# Once the header is there, the limit is met.
	atf_check -s exit:0 -o empty -e empty ./play <<PLAY
$(request 1 drip b)
expect-stdout 1 one\n
expect-no-record 500
run touch cgi-bin/b.go
expect-stdout 1 two\n
expect-end 1 0 0
PLAY
	stop_gateway
	: >gateway.err
	start_gateway "$TREE"
	atf_check -s exit:0 -o match:'^Status: 504 ' -e empty \
	    ./get silent -p QUERY_STRING=c -p AFCGI_HEADER_TIME=0.2
	wait_for ended "$(cat cgi-bin/c.pid)"
	finish
}

# Nothing read and nothing written for too long.
gateway_case idle_time
idle_time_body()
{
	use_cgi silent drip hello
	start_gateway -L idle_time=0.4 "$TREE"
	atf_check -s exit:0 -o match:'^Status: 504 ' -e empty \
	    ./get silent -p QUERY_STRING=a
	wait_for ended "$(cat cgi-bin/a.pid)"
	atf_check -s exit:5 -o inline:'one\ncut\n' -e empty \
	    ./get drip -be -p QUERY_STRING=b
	wait_for ended "$(cat cgi-bin/b.pid)"
	stop_gateway
	: >gateway.err
	start_gateway "$TREE"
	atf_check -s exit:5 -o inline:'one\ncut\n' -e empty \
	    ./get drip -be -p QUERY_STRING=c -p AFCGI_IDLE_TIME=0.3
	wait_for ended "$(cat cgi-bin/c.pid)"
	finish
}

# Nobody takes what the script writes: it must not hold its place for ever.
gateway_case stalled
stalled_body()
{
	use_cgi flood hello
	start_gateway -L idle_time=0.5 "$TREE"
	atf_check -s exit:0 -o empty -e empty ./play <<PLAY
stop-reading
$(request 1 flood a)
until test -s cgi-bin/a.pid
until ! kill -0 \$(cat cgi-bin/a.pid) 2>/dev/null
resume
expect-cut
PLAY
	finish
}

# However busy it is.
gateway_case total_time
total_time_body()
{
	use_cgi silent flood hello
	start_gateway -L total_time=0.5 "$TREE"
	atf_check -s exit:0 -o match:'^Status: 504 ' -e empty \
	    ./get silent -p QUERY_STRING=a
	wait_for ended "$(cat cgi-bin/a.pid)"
	atf_check -s exit:0 -o match:'^cut$' -e empty sh -c \
	    './get flood -be -p QUERY_STRING=b | tail -n 1 | grep -o "cut$"'
	wait_for ended "$(cat cgi-bin/b.pid)"
	stop_gateway
	: >gateway.err
	start_gateway "$TREE"
	atf_check -s exit:0 -o match:'^Status: 504 ' -e empty \
	    ./get silent -p QUERY_STRING=c -p AFCGI_TOTAL_TIME=0.2
	wait_for ended "$(cat cgi-bin/c.pid)"
	finish
}

# A byte now and then is enough, in either direction.
gateway_case not_idle
not_idle_body()
{
	mk_cgi ticks <<'CGI'
#!/bin/sh
printf 'Content-Type: text/plain\n\n'
for i in 1 2 3 4 5 6; do
	sleep 0.5
	echo $i
done
CGI
	mk_cgi count <<'CGI'
#!/bin/sh
n=$(wc -c)
printf 'Content-Type: text/plain\n\n%d\n' "$n"
CGI
	start_gateway -L idle_time=2 "$TREE"
	atf_check -s exit:0 -o inline:'1\n2\n3\n4\n5\n6\n' -e empty \
	    ./get ticks -b
	atf_check -s exit:0 -o empty -e empty ./play <<PLAY
begin 1 keep
$(params 1 count a)
stdin 1 .
sleep 500
stdin 1 .
sleep 500
stdin 1 .
sleep 500
stdin 1 .
sleep 500
stdin 1 .
sleep 500
stdin 1 .
stdin 1
expect-stdout 1 \r\n\r\n6\n
expect-end 1 0 0
PLAY
	finish
}

# A request keeps it open, for as long as it takes.
gateway_case conn_idle
conn_idle_body()
{
	use_cgi drip hello
	start_gateway -L conn_idle=0.3 "$TREE"
	atf_check -s exit:0 -o empty -e empty ./play <<PLAY
expect-close
connection 1
$(request 1 drip a)
expect-stdout 1 one\n
expect-no-record 600
run touch cgi-bin/a.go
expect-end 1 0 0
expect-close
PLAY
	finish
}

# On a connection that others share, a body that nobody reads goes to disk,
# up to the limit; on its own connection it waits with the web server.
gateway_case spool
spool_body()
{
	use_cgi silent hello echo
	mkdir files
	start_gateway -T "$PWD/files" -L spool=100k "$TREE"
	atf_check -s exit:0 -o empty -e empty ./play <<PLAY
$(request 1 silent a)
until test -s cgi-bin/a.pid
begin 2 keep
$(params 2 silent b)
stdin-bytes 2 1000000
stdin 2
$(page 2 413)
$(request 3 hello on)
expect-stdout 3 hello on
expect-end 3 0 0
close
PLAY
	wait_for ended "$(cat cgi-bin/a.pid)"
	bytes 1000000 >body
	atf_check -s exit:0 -o file:body -e empty ./post echo body -b
	finish
	atf_check -s exit:0 -o empty -e empty ls -A files
}

# The client's part ends at the limit, the log says how much was not sent.
gateway_case stderr
stderr_body()
{
	mk_cgi noisy <<'CGI'
#!/bin/sh
printf 'Content-Type: text/plain\n\npage\n'
yes complaint | head -c 100000 >&2
CGI
	start_gateway -L stderr=1k "$TREE"
	atf_check -s exit:0 -o inline:'page\n' -e save:errors ./get noisy -b
	atf_check_equal 1024 "$(wc -c <errors | tr -d ' ')"
	logged 'noisy.*98976'
	finish
}

# Only the web server can set them; scripts do not see them.
gateway_case parameters
parameters_body()
{
	use_cgi env
	start_gateway "$TREE"
	atf_check -s exit:0 -o not-match:'^AFCGI_' -o match:HTTP_AFCGI -e empty \
	    ./get env -p AFCGI_IDLE_TIME=5 -p AFCGI_UNKNOWN=x \
	    -p HTTP_AFCGI_TOTAL_TIME=0.001
	for value in x -1 1e9999 99999999999999999999; do
		: >gateway.err
		atf_check -s exit:0 -o match:'^Status: 500 ' -e empty \
		    ./get env -p "AFCGI_TOTAL_TIME=$value"
		logged AFCGI_TOTAL_TIME
	done
	finish
}
