# shellcheck shell=sh
# How a script ends whose client has left, and which one does not:
#
#	group		children of the script too
#	stubborn	KILL for who ignores TERM, after the grace and not before
#	tidy		a script that cleans up at TERM has the time to
#	head		a HEAD client that goes with the header does not kill
#	accel		nor does X-Accel-Redirect
#	linger		but both have an end

. "$(atf_get_srcdir)/lib.sh"

# Children and grandchildren end with the script, none is left.
gateway_case group
group_body()
{
	mk_cgi family <<'CGI'
#!/bin/sh
sleep 600 &
echo $! >child.new && mv child.new child.pid
(sleep 600 & echo $! >grand.new; mv grand.new grand.pid; wait)
CGI
	start_gateway "$TREE"
	atf_check -s exit:0 -o empty -e empty ./play <<PLAY
$(request 1 family a)
until test -s cgi-bin/child.pid
until test -s cgi-bin/grand.pid
close
PLAY
	wait_for ended "$(cat cgi-bin/child.pid)"
	wait_for ended "$(cat cgi-bin/grand.pid)"
	finish
}

# Longer than the grace it does not live; TERM it has had.
gateway_case stubborn
stubborn_body()
{
	mk_cgi stubborn <<'CGI'
#!/bin/sh
trap 'echo term >>terms' TERM
echo $$ >pid.new && mv pid.new pid
while :; do
	sleep 0.1
done
CGI
	start_gateway -L grace=0.5 "$TREE"
	atf_check -s exit:0 -o empty -e empty ./play <<PLAY
$(request 1 stubborn a)
until test -s cgi-bin/pid
abort 1
until test -s cgi-bin/terms
until ! kill -0 \$(cat cgi-bin/pid) 2>/dev/null
expect-end 1
PLAY
	stop_gateway
	rm cgi-bin/pid cgi-bin/terms
	: >gateway.err
	# With a long one it goes on, until its gateway is told to hurry.
	start_gateway -L grace=600,drain=0.2 "$TREE"
	atf_check -s exit:0 -o empty -e empty ./play <<PLAY
$(request 1 stubborn a)
until test -s cgi-bin/pid
close
until test -s cgi-bin/terms
connection 1
sleep 700
run kill -0 \$(cat cgi-bin/pid)
PLAY
	stop_gateway
	rm -f cgi-bin/pid cgi-bin/terms
	: >gateway.err
	# The parameter sets it for one request.
	start_gateway -L grace=600 "$TREE"
	atf_check -s exit:0 -o empty -e empty ./play <<PLAY
$(request 1 stubborn a AFCGI_GRACE=0.2)
until test -s cgi-bin/pid
close
PLAY
	wait_for ended "$(cat cgi-bin/pid)"
	finish
}

# TERM comes first, and the script has the grace to clean up.
gateway_case tidy
tidy_body()
{
	mk_cgi tidy <<'CGI'
#!/bin/sh
trap 'sleep 0.5; echo done >done; exit 0' TERM
echo $$ >pid.new && mv pid.new pid
while :; do
	sleep 0.1
done
CGI
	start_gateway "$TREE"
	atf_check -s exit:0 -o empty -e empty ./play <<PLAY
$(request 1 tidy a)
until test -s cgi-bin/pid
close
PLAY
	wait_for ended "$(cat cgi-bin/pid)"
	atf_check -s exit:0 -o inline:'done\n' -e empty cat cgi-bin/done
	finish
}

# It has what it asked for; the script's work is not undone.
gateway_case head
head_body()
{
	mk_cgi works <<'CGI'
#!/bin/sh
printf 'Content-Type: text/plain\n\n'
until [ -e "$QUERY_STRING.go" ]; do
	sleep 0.03
done
echo page
echo yes >"$QUERY_STRING.done"
CGI
	start_gateway -L grace=0.1 "$TREE"
	atf_check -s exit:0 -o empty -e empty ./play <<PLAY
begin 1
$(params 1 works a REQUEST_METHOD=HEAD)
stdin 1
expect-stdout 1 \r\n\r\n
close
connection 1
sleep 400
run touch cgi-bin/a.go
until test -s cgi-bin/a.done
PLAY
	# A GET client that goes does end it.
	atf_check -s exit:0 -o empty -e empty ./play <<PLAY
$(request 1 works b)
expect-stdout 1 \r\n\r\n
close
connection 1
sleep 400
run touch cgi-bin/b.go
PLAY
	finish
	atf_check -s exit:0 -o empty -e empty test ! -e cgi-bin/b.done
}

# nginx closes as soon as it knows where to look.
gateway_case accel
accel_body()
{
	mk_cgi works <<'CGI'
#!/bin/sh
printf 'Content-Type: text/plain\nX-Accel-Redirect: /elsewhere\n\n'
until [ -e go ]; do
	sleep 0.03
done
echo page
echo yes >done
CGI
	start_gateway -L grace=0.1 "$TREE"
	atf_check -s exit:0 -o empty -e empty ./play <<PLAY
$(request 1 works a SERVER_SOFTWARE=nginx/1.22.1)
expect-stdout 1 X-Accel-Redirect
close
connection 1
sleep 400
run touch cgi-bin/go
until test -s cgi-bin/done
PLAY
	finish
}

# The script's work is its own business, but not for ever.
gateway_case linger
linger_body()
{
	mk_cgi works <<'CGI'
#!/bin/sh
echo $$ >"$QUERY_STRING.new" && mv "$QUERY_STRING.new" "$QUERY_STRING.pid"
printf 'Content-Type: text/plain\nX-Accel-Redirect: /elsewhere\n\n'
exec sleep 600
CGI
	start_gateway -L linger=0.3 "$TREE"
	atf_check -s exit:0 -o empty -e empty ./play <<PLAY
begin 1
$(params 1 works a REQUEST_METHOD=HEAD)
stdin 1
expect-stdout 1 \r\n\r\n
close
PLAY
	wait_for ended "$(cat cgi-bin/a.pid)"
	atf_check -s exit:0 -o empty -e empty ./play <<PLAY
$(request 1 works b SERVER_SOFTWARE=nginx/1.22.1)
expect-stdout 1 \r\n\r\n
close
PLAY
	wait_for ended "$(cat cgi-bin/b.pid)"
	finish
}
