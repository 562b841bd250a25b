# shellcheck shell=sh
# Scripts on which other gateways hang, lose pages or processes:
#
#	echo		5 MB both ways at once, with and without a length
#	write_first	300 KB of output before the first read of 5 MB
#	write_later	reads all of 5 MB, then answers
#	unread		5 MB that the script never reads: its page is whole
#	unread_half	it reads a part, answers, and goes
#	nginx_header	nginx gets no header before its body has come
#	stderr_flood	200 MB of stderr, then the page
#	stderr_first	stderr comes after the header, not before it
#	closed_stdout	the answer ends with stdout, not with the script
#	grandchild_stdout	a child that holds stdout keeps the answer open
#	grandchild_stderr	one that holds stderr does not
#	daemon		one that closed both is not killed
#
# After each one the gateway serves others, and no process and no descriptor
# is left.

. "$(atf_get_srcdir)/lib.sh"

# nginx is treated in its own way, since it sends no more of a body once it has
# the response's header.
SERVERS="fcgi-client nginx/1.22.1"
export SERVER_SOFTWARE

# meanwhile: other pages are served while the request of this play is live.
MEANWHILE='run ./get hello -b -p QUERY_STRING=meanwhile >/dev/null'

# Byte for byte, whoever the web server is, on a connection of its own and on
# one that is shared, and with buffers as small as can be.
gateway_case echo
echo_body()
{
	use_cgi echo hello
	start_gateway "$TREE"
	bytes 5000000 >body
	for SERVER_SOFTWARE in $SERVERS; do
		atf_check -s exit:0 -o file:body -e empty \
		    ./post echo body -b -t 60
		atf_check -s exit:0 -o file:body -e empty \
		    ./get echo -b -d body -t 60 -p REQUEST_METHOD=POST
		atf_check -s exit:0 -o file:body -e empty \
		    ./post echo body -b -k -t 60
	done
	# Three at once on one connection, and with little room.
	stop_gateway
	: >gateway.err
	start_gateway -L stdin=4k,output=64k "$TREE"
	for SERVER_SOFTWARE in $SERVERS; do
		atf_check -s exit:0 -o file:body -e empty \
		    ./post echo body -b -t 60
		atf_check -s exit:0 -o match:'ok=3 connections=1' -e empty \
		    ./post echo body -k -n 3 -X -t 60
	done
	stop_gateway
	: >gateway.err
	start_gateway -L spool=100k "$TREE"
	SERVER_SOFTWARE=
	atf_check -s exit:0 -o file:body -e empty ./post echo body -b -t 60
	SERVER_SOFTWARE=nginx/1.22.1
	atf_check -s exit:0 -o match:'^Status: 413 ' -e empty \
	    ./post echo body -t 60
	finish
}

# Neither side may wait for the other.
gateway_case write_first
write_first_body()
{
	use_cgi hello
	mk_cgi write <<'CGI'
#!/bin/sh
printf 'Content-Type: text/plain\n\n'
yes 12345678 | head -n 34000
wc -c
CGI
	start_gateway "$TREE"
	bytes 5000000 >body
	{ yes 12345678 | head -n 34000; echo 5000000; } >expected
	for SERVER_SOFTWARE in $SERVERS; do
		atf_check -s exit:0 -o file:expected -e empty \
		    ./post write body -b -t 60
		atf_check -s exit:0 -o match:'ok=3 connections=1' -e empty \
		    ./post write body -k -n 3 -t 60
	done
	finish
}

# The whole body is there when the script has read to its end.
gateway_case write_later
write_later_body()
{
	use_cgi hello
	mk_cgi later <<'CGI'
#!/bin/sh
sum=$(cksum)
printf 'Content-Type: text/plain\n\n%s\n' "$sum"
CGI
	start_gateway "$TREE"
	bytes 5000000 >body
	cksum <body >expected
	atf_check -s exit:0 -o file:expected -e empty ./post later body -b
	finish
}

# The page is whole, wherever the body was when the script ended.
gateway_case unread
unread_body()
{
	use_cgi hello
	start_gateway "$TREE"
	bytes 5000000 >body
	for SERVER_SOFTWARE in $SERVERS; do
		for option in "" -k "-c 1000" "-w 100000"; do
			# shellcheck disable=SC2086
			atf_check -s exit:0 -o inline:'hello unread\nend app=0 proto=0\n' \
			    -e empty ./post hello body -be $option \
			    -p QUERY_STRING=unread
		done
	done
	atf_check -s exit:0 -o empty -e empty ./play <<PLAY
begin 1 keep
$(params 1 hello a CONTENT_LENGTH=5000000)
stdin-bytes 1 5000000
stdin 1
expect-stdout 1 hello a
expect-end 1 0 0
begin 2 keep
$(params 2 hello b CONTENT_LENGTH=5000000)
stdin-bytes 2 5000000
stdin 2
$(request 3 hello c)
expect-end 2 0 0
expect-stdout 3 hello c
expect-end 3 0 0
PLAY
	finish
}

# What it has not read is dropped, and harms nobody behind it.
gateway_case unread_half
unread_half_body()
{
	mk_cgi half <<'CGI'
#!/bin/sh
head -c 1000000 >/dev/null
printf 'Content-Type: text/plain\n\nenough\n'
CGI
	start_gateway "$TREE"
	bytes 5000000 >body
	for SERVER_SOFTWARE in $SERVERS; do
		atf_check -s exit:0 -o inline:'enough\nend app=0 proto=0\n' -e empty \
		    ./post half body -be
		atf_check -s exit:0 -o match:'ok=4 connections=1' -e empty \
		    ./post half body -k -n 4 -x 'enough\n'
	done
	finish
}

# Not before the end of the body, then at once; but a script that has ended, or
# whose body will never fit, does not wait for it.
gateway_case nginx_header
nginx_header_body()
{
	use_cgi echo hello
	start_gateway "$TREE"
	atf_check -s exit:0 -o empty -e empty ./play <<PLAY
begin 1 keep
$(params 1 echo a SERVER_SOFTWARE=nginx/1.22.1)
stdin 1 first\n
expect-no-record 300
stdin 1 second\n
stdin 1
expect-stdout 1 \r\n\r\nfirst\nsecond\n
expect-end 1 0 0
begin 2 keep
$(params 2 hello b SERVER_SOFTWARE=nginx/1.22.1)
stdin 2 first\n
expect-stdout 2 hello b
expect-end 2 0 0
begin 3 keep
$(params 3 echo c SERVER_SOFTWARE=nginx/1.22.1)
stdin 3 first\n
expect-no-record 100
abort 3
expect-end 3
begin 4 keep
$(params 4 echo d)
stdin 4 first\n
expect-stdout 4 first\n
stdin 4
expect-end 4 0 0
PLAY
	finish
}

# It costs nobody anything but the script's own time.
gateway_case stderr_flood
stderr_flood_body()
{
	use_cgi hello
	mk_cgi noisy <<'CGI'
#!/bin/sh
echo x >started
head -c 200000000 /dev/zero >&2
printf 'Content-Type: text/plain\n\npage\n'
head -c 200000000 /dev/zero >&2
CGI
	start_gateway "$TREE"
	atf_check -s exit:0 -o empty -e empty ./play <<PLAY
timeout 60
$(request 1 noisy a)
until test -s cgi-bin/started
$MEANWHILE
$(request 2 hello same)
expect-stdout 2 hello same
expect-stdout 1 \r\n\r\npage\n
expect-end 1 0 0
PLAY
	finish
}

# nginx takes FCGI_STDERR before the header for the answer's end, at times.
gateway_case stderr_first
stderr_first_body()
{
	use_cgi hello
	mk_cgi warns <<'CGI'
#!/bin/sh
echo early >&2
until [ -e go ]; do
	sleep 0.03
done
printf 'Content-Type: text/plain\n\npage\n'
until [ -e go2 ]; do
	sleep 0.03
done
echo late >&2
CGI
	start_gateway "$TREE"
	atf_check -s exit:0 -o empty -e empty ./play <<PLAY
$(request 1 warns a)
expect-no-record 300
run touch cgi-bin/go
expect-stdout 1 page
expect-stderr 1 early\n
run touch cgi-bin/go2
expect-stderr 1 late\n
expect-end 1 0 0
PLAY
	# Without any header there is a page, and stderr all the same.
	mk_cgi fails <<'CGI'
#!/bin/sh
echo reason >&2
exit 3
CGI
	atf_check -s ignore -o match:'^Status: 502 ' -e inline:'reason\n' \
	    ./get fails
	finish
}

# The script may go on for as long as it likes: it is not killed.
gateway_case closed_stdout
closed_stdout_body()
{
	use_cgi hello
	mk_cgi shut <<'CGI'
#!/bin/sh
printf 'Content-Type: text/plain\n\npage\n'
exec >&- 2>&-
until [ -e go ]; do
	sleep 0.03
done
echo yes >done
CGI
	start_gateway -L grace=0.1,linger=0.2 "$TREE"
	atf_check -s exit:0 -o inline:'page\nend app=0 proto=0\n' -e empty \
	    ./get shut -be
	# Longer than grace and linger together.
	atf_check -s exit:0 -o empty -e empty ./play <<PLAY
expect-no-record 700
PLAY
	touch cgi-bin/go
	wait_for test -s cgi-bin/done
	# Also when there is a body that it has not read.
	rm cgi-bin/go cgi-bin/done
	bytes 1000000 >body
	atf_check -s exit:0 -o inline:'page\nend app=0 proto=0\n' -e empty \
	    ./post shut body -be
	touch cgi-bin/go
	wait_for test -s cgi-bin/done
	finish
}

# As any web server's CGI: the answer ends at the end of stdout, of which the
# child has a part.
gateway_case grandchild_stdout
grandchild_stdout_body()
{
	use_cgi hello
	mk_cgi parent <<'CGI'
#!/bin/sh
printf 'Content-Type: text/plain\n\npage\n'
(until [ -e go ]; do sleep 0.03; done; echo child) &
CGI
	start_gateway "$TREE"
	atf_check -s exit:0 -o empty -e empty ./play <<PLAY
$(request 1 parent a)
expect-stdout 1 page\n
expect-no-record 300
$MEANWHILE
run touch cgi-bin/go
expect-stdout 1 child\n
expect-end 1 0 0
PLAY
	finish
}

# The answer has ended; the child lives, and may write its errors until the
# gateway closes that pipe.
gateway_case grandchild_stderr
grandchild_stderr_body()
{
	use_cgi hello
	mk_cgi parent <<'CGI'
#!/bin/sh
printf 'Content-Type: text/plain\n\npage\n'
(until [ -e go ]; do sleep 0.03; done; echo ok >done) >/dev/null </dev/null &
CGI
	start_gateway -L linger=0.2 "$TREE"
	atf_check -s exit:0 -o inline:'page\nend app=0 proto=0\n' -e empty \
	    ./get parent -be
	wait_for no_fds
	touch cgi-bin/go
	wait_for test -s cgi-bin/done
	finish
}

# What a script starts for later is none of the gateway's business.
gateway_case daemon
daemon_body()
{
	use_cgi hello
	mk_cgi parent <<'CGI'
#!/bin/sh
printf 'Content-Type: text/plain\n\npage\n'
(until [ -e go ]; do sleep 0.03; done; echo ok >done) \
    >/dev/null 2>&1 </dev/null &
CGI
	start_gateway -L grace=0.1 "$TREE"
	atf_check -s exit:0 -o inline:'page\nend app=0 proto=0\n' -e empty \
	    ./get parent -be
	atf_check -s exit:0 -o inline:'page\nend app=0 proto=0\n' -e empty \
	    ./get parent -bek
	wait_for no_fds
	touch cgi-bin/go
	wait_for test -s cgi-bin/done
	finish
}
