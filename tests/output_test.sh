# shellcheck shell=sh
# The response of a script on its way to the web server:
#
#	header_forms	LF, CRLF; split over many writes; with the body at once
#	one_record	the header goes out as one record, as soon as it is whole
#	drips		what follows goes out at once
#	binary		bodies of any bytes, of no bytes
#	required	none of Content-Type, Location, Status: 502
#	no_header	output that has none, or never ends it: 502
#	status		Status as the script gave it; 1xx and nonsense: 502
#	authorizer	Variable- fields and an empty body pass
#	safe_log	what a script wrote is shown safely in the log

. "$(atf_get_srcdir)/lib.sh"

# The same header and the same body, however they are written.
gateway_case header_forms
header_forms_body()
{
	says lf <<'CGI'
Content-Type: text/plain\nX-A: 1\n\nbody\n\nmore\n
CGI
	says crlf <<'CGI'
Content-Type: text/plain\r\nX-A: 1\r\n\r\nbody\n\nmore\n
CGI
	says mixed <<'CGI'
Content-Type: text/plain\r\nX-A: 1\n\r\nbody\n\nmore\n
CGI
	mk_cgi bytewise <<'CGI'
#!/usr/bin/perl
$| = 1;
for my $c (split //, "Content-Type: text/plain\r\nX-A: 1\r\n\r\nbody\n\nmore\n") {
	syswrite STDOUT, $c;
	select undef, undef, undef, 0.005;
}
CGI
	start_gateway "$TREE"
	for script in lf crlf mixed bytewise; do
		atf_check -s exit:0 -o inline:'body\n\nmore\n' -e empty \
		    ./get $script -b
		atf_check -s exit:0 -e empty \
		    -o inline:'Content-Type: text/plain\nX-A: 1\n' \
		    sh -c "./get $script | tr -d '\r' | sed '/^\$/,\$d'"
	done
	finish
}

# nginx looks for the header's end in what it has read so far.
gateway_case one_record
one_record_body()
{
	use_cgi hello
	mk_cgi pieces <<'CGI'
#!/bin/sh
printf 'Content-Type: '
sleep 0.1
printf 'text/plain\nX-Long: %04000d\n' 1
sleep 0.1
printf '\n'
until [ -e go ]; do
	sleep 0.03
done
echo body
CGI
	start_gateway "$TREE"
	atf_check -s exit:0 -o match:'stdout=4038 stderr=0 records=1$' \
	    -e empty ./play <<PLAY
$(request 1 pieces a)
expect-stdout 1 1\r\n\r\n
count 1
run touch cgi-bin/go
expect-stdout 1 body\n
expect-end 1 0 0
PLAY
	finish
}

# Each line arrives before the next is written.
gateway_case drips
drips_body()
{
	use_cgi hello
	mk_cgi steps <<'CGI'
#!/bin/sh
printf 'Content-Type: text/plain\n\n'
for i in 1 2 3 4 5; do
	until [ -e "step$i" ]; do
		sleep 0.02
	done
	echo "line $i"
done
CGI
	start_gateway "$TREE"
	{
		request 1 steps a
		printf '%s\n' 'expect-stdout 1 \r\n\r\n'
		for i in 1 2 3 4 5; do
			echo "run touch cgi-bin/step$i"
			echo "expect-stdout 1 line $i"
		done
		echo "expect-end 1 0 0"
	} >plan
	atf_check -s exit:0 -o empty -e empty ./play <plan
	finish
}

# Nothing is changed in a body.
gateway_case binary
binary_body()
{
	use_cgi echo hello
	says nothing <<'CGI'
Status: 204 No Content\n\n
CGI
	start_gateway "$TREE"
	perl -e 'srand 1; print map { chr rand 256 } 1 .. 300000' >body
	atf_check -s exit:0 -o file:body -e empty ./post echo body -b
	perl -e 'print map { chr } 0 .. 255' >body
	atf_check -s exit:0 -o file:body -e empty ./post echo body -b
	: >body
	atf_check -s exit:0 -o empty -e empty ./post echo body -b
	atf_check -s exit:0 -o match:'^Status: 204 No Content' -e empty \
	    ./get nothing
	finish
}

# RFC 3875 section 6.2: at least one of them.
gateway_case required
required_body()
{
	says other <<'CGI'
X-Other: field\nSet-Cookie: a=b\n\nbody\n
CGI
	says typed <<'CGI'
content-TYPE: text/html\n\nbody\n
CGI
	says status <<'CGI'
Status: 404 Not Found\n\nbody\n
CGI
	says location <<'CGI'
Location: http://example.org/\n\nbody\n
CGI
	says blank <<'CGI'
\n\nbody\n
CGI
	start_gateway "$TREE"
	bad other
	bad blank
	for script in typed status location; do
		atf_check -s exit:0 -o inline:'body\n' -e empty \
		    ./get $script -b
	done
	finish
}

# What is no header is not sent to the client.
gateway_case no_header
no_header_body()
{
	says text <<'CGI'
Hello, world\n\nContent-Type: text/plain\n\nbody\n
CGI
	says unfinished <<'CGI'
Content-Type: text/plain\nX-A: 1\n
CGI
	says noline <<'CGI'
Content-Type: text/plain
CGI
	says space <<'CGI'
Content-Type : text/plain\n\nbody\n
CGI
	start_gateway "$TREE"
	bad text Hello
	bad unfinished
	bad noline
	# RFC 9112 section 5.1: a server must not pass a name and a space on.
	header space >space.header
	atf_check -s exit:1 -o empty -e empty \
	    grep '^Content-Type :' space.header
	finish
}

# With its reason, without, and 502 for what is none.
gateway_case status
status_body()
{
	says reason <<'CGI'
Status: 418 I am a teapot\nContent-Type: text/plain\n\nshort\n
CGI
	says number <<'CGI'
Status: 201\nContent-Type: text/plain\n\nmade\n
CGI
	says info <<'CGI'
Status: 100 Continue\nContent-Type: text/plain\n\nx\n
CGI
	says early <<'CGI'
Status: 103\nContent-Type: text/plain\n\nx\n
CGI
	says two <<'CGI'
Status: 20\nContent-Type: text/plain\n\nx\n
CGI
	says four <<'CGI'
Status: 2000 OK\nContent-Type: text/plain\n\nx\n
CGI
	says word <<'CGI'
Status: OK\nContent-Type: text/plain\n\nx\n
CGI
	says none <<'CGI'
Status:\nContent-Type: text/plain\n\nx\n
CGI
	start_gateway "$TREE"
	atf_check -s exit:0 -o match:'^Status: 418 I am a teapot' \
	    -o match:'^short$' -e empty ./get reason
	atf_check -s exit:0 -o match:'^Status: 201' -o match:'^made$' -e empty \
	    ./get number
	for script in info early two four word none; do
		bad $script Status
	done
	finish
}

# FastCGI section 6.3.
gateway_case authorizer
authorizer_body()
{
	says allow <<'CGI'
Status: 200 OK\nVariable-AUTH_METHOD: database\n\n
CGI
	says deny <<'CGI'
Status: 403 Forbidden\nContent-Type: text/plain\n\nno\n
CGI
	start_gateway "$TREE"
	atf_check -s exit:0 -o match:'^Status: 200 OK' \
	    -o match:'^Variable-AUTH_METHOD: database' -e empty \
	    ./get allow -r 2
	atf_check -s exit:0 -o match:'^Status: 403 ' -o match:'^no$' -e empty \
	    ./get deny -r 2
	finish
}

# A line of the log is a line, whatever the script wrote.
gateway_case safe_log
safe_log_body()
{
	says evil <<'CGI'
evil\033[2J\001\nerror: forged line\n\377\n\nbody\n
CGI
	start_gateway "$TREE"
	bad evil evil
	atf_check -s exit:1 -o empty -e empty \
	    grep -a "$(printf '[\001\033\377]')" gateway.err
	atf_check -s exit:1 -o empty -e empty grep '^error: forged' gateway.err
	finish
}
