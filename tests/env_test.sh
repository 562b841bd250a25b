# shellcheck shell=sh
# The environment of a script, and its arguments:
#
#	meta		RFC 3875 meta-variables, and what the server sent
#	query		QUERY_STRING is always there
#	dropped		HTTP_PROXY, loader and interpreter variables
#	empties		empty ones that mean nothing are left out
#	twice		the same name twice
#	redirect_status	never set by itself, nor by the client
#	own		none of the gateway's own environment, but a PATH
#	option_e	-e
#	isindex		words as arguments, for GET and HEAD, with -x only
#	length		a body of unknown length, and of none

. "$(atf_get_srcdir)/lib.sh"

# has line...: each is a line of the environment in the file `answer'.
has()
{
	for line in "$@"; do
		grep -Fqx -e "$line" answer ||
		    { cat answer >&2; atf_fail "no $line"; }
	done
}

# hasnt name...: none of them is set.
hasnt()
{
	for name in "$@"; do
		grep -q "^$name=" answer &&
		    { cat answer >&2; atf_fail "$name is set"; }
	done
	return 0
}

# As they came, under their names, once; and none that was not sent.
gateway_case meta
meta_body()
{
	use_cgi env hello
	start_gateway "$TREE"
	atf_check -s exit:0 -o save:answer -e empty ./get env -b \
	    -p AUTH_TYPE=Basic -p REMOTE_USER=me -p REMOTE_PORT=99 \
	    -p HTTP_HOST=example.org -p HTTPS=on -p REQUEST_URI=/cgi-bin/env \
	    -p SERVER_ADDR=127.0.0.2 -p lower_Case.x=y -p UNKNOWN_THING=42 \
	    -p HTTP_AUTHORIZATION=secret -p DOCUMENT_ROOT=/nowhere
	has GATEWAY_INTERFACE=CGI/1.1 SERVER_PROTOCOL=HTTP/1.1 \
	    SERVER_SOFTWARE=fcgi-client SERVER_NAME=localhost SERVER_PORT=80 \
	    REMOTE_ADDR=127.0.0.1 REQUEST_METHOD=GET QUERY_STRING= \
	    SCRIPT_NAME=/cgi-bin/env "SCRIPT_FILENAME=$TREE/env" \
	    AUTH_TYPE=Basic REMOTE_USER=me REMOTE_PORT=99 \
	    HTTP_HOST=example.org HTTPS=on REQUEST_URI=/cgi-bin/env \
	    SERVER_ADDR=127.0.0.2 lower_Case.x=y UNKNOWN_THING=42 \
	    HTTP_AUTHORIZATION=secret DOCUMENT_ROOT=/nowhere
	hasnt PATH_INFO PATH_TRANSLATED CONTENT_LENGTH CONTENT_TYPE
	atf_check -s exit:0 -o inline:'1\n' -e empty \
	    grep -c '^REQUEST_METHOD=' answer
	finish
}

# Section 4.1.7: the server MUST set it.
gateway_case query
query_body()
{
	use_cgi env hello
	start_gateway "$TREE"
	atf_check -s exit:0 -o save:answer -e empty "$FCGI_CLIENT" -b \
	    -p "SCRIPT_FILENAME=$TREE/env" -p REQUEST_METHOD=GET gw.sock
	has QUERY_STRING= GATEWAY_INTERFACE=CGI/1.1
	atf_check -s exit:0 -o save:answer -e empty ./get env -b \
	    -p "QUERY_STRING=a=b&c=%20+d\$(x)"
	has "QUERY_STRING=a=b&c=%20+d\$(x)"
	finish
}

# None of them gets through; a name that only begins alike does.
gateway_case dropped
dropped_body()
{
	use_cgi env hello
	start_gateway "$TREE"
	names="HTTP_PROXY HTTP_CONTENT_LENGTH HTTP_CONTENT_TYPE LD_PRELOAD
	    LD_LIBRARY_PATH LD_AUDIT DYLD_INSERT_LIBRARIES BASH_ENV ENV IFS
	    PERL5OPT PERL5LIB PYTHONPATH PYTHONSTARTUP RUBYOPT GCONV_PATH"
	options=
	for name in $names; do
		options="$options -p $name=evil"
	done
	# shellcheck disable=SC2086
	atf_check -s exit:0 -o save:answer -e empty \
	    ./get env -b $options -p HTTP_PROXY_CONNECTION=kept
	# shellcheck disable=SC2086
	hasnt $names
	has HTTP_PROXY_CONNECTION=kept
	atf_check -s exit:1 -o empty -e empty grep evil answer
	finish
}

# An empty CONTENT_LENGTH is no length; an empty header is one.
gateway_case empties
empties_body()
{
	use_cgi env hello
	start_gateway "$TREE"
	atf_check -s exit:0 -o save:answer -e empty ./get env -b \
	    -p CONTENT_LENGTH= -p CONTENT_TYPE= -p REMOTE_USER= -p AUTH_TYPE= \
	    -p REMOTE_IDENT= -p HTTP_ACCEPT= -p OTHER=
	hasnt CONTENT_LENGTH CONTENT_TYPE REMOTE_USER AUTH_TYPE REMOTE_IDENT
	has HTTP_ACCEPT= OTHER=
	finish
}

# RFC 3875 section 4.1.18: one value, that means the same.
gateway_case twice
twice_body()
{
	use_cgi env hello
	start_gateway "$TREE"
	atf_check -s exit:0 -o save:answer -e empty ./get env -b \
	    -p HTTP_ACCEPT=a -p HTTP_X=1 -p HTTP_ACCEPT=b -p HTTP_X= \
	    -p HTTP_ACCEPT=c -p HTTP_COOKIE=k=1 -p HTTP_COOKIE=l=2 \
	    -p REMOTE_ADDR=10.0.0.1
	has 'HTTP_ACCEPT=a, b, c' 'HTTP_COOKIE=k=1; l=2' REMOTE_ADDR=10.0.0.1
	for name in HTTP_ACCEPT HTTP_X HTTP_COOKIE REMOTE_ADDR; do
		atf_check_equal 1 "$(grep -c "^$name=" answer)"
	done
	finish
}

# php-cgi takes it for the proof that its web server checked the request.
gateway_case redirect_status
redirect_status_body()
{
	use_cgi env hello
	cp cgi-bin/env cgi-bin/page.test
	chmod 644 cgi-bin/page.test
	start_gateway -i .test=/usr/bin/perl "$TREE"
	atf_check -s exit:0 -o save:answer -e empty \
	    ./get env -b -p REDIRECT_STATUS=200
	hasnt REDIRECT_STATUS
	atf_check -s exit:0 -o save:answer -e empty ./get page.test -b
	has REDIRECT_STATUS=200
	finish
}

# Secrets of the service manager stay with it.
gateway_case own
own_body()
{
	use_cgi env hello
	run_under <<'WRAPPER'
exec env SECRET_OF_THE_GATEWAY=1 LISTEN_PID=1 NOTIFY_SOCKET=/none "$@"
WRAPPER
	start_gateway "$TREE"
	atf_check -s exit:0 -o save:answer -e empty ./get env -b
	hasnt SECRET_OF_THE_GATEWAY LISTEN_PID NOTIFY_SOCKET HOME
	atf_check -s exit:0 -o match:'^PATH=/.*/bin' -e empty cat answer
	finish
}

# A value, or the gateway's own; the web server's wins over neither.
gateway_case option_e
option_e_body()
{
	use_cgi env hello
	run_under <<'WRAPPER'
exec env INHERITED=mine "$@"
WRAPPER
	start_gateway -e GIVEN=value -e INHERITED -e NOT_SET_ANYWHERE \
	    -e EMPTY= -e PATH=/only/this "$TREE"
	mk_cgi env <<'CGI'
#!/bin/sh
printf 'Content-Type: text/plain\n\n'
exec /usr/bin/env
CGI
	atf_check -s exit:0 -o save:answer -e empty ./get env -b
	has GIVEN=value INHERITED=mine EMPTY= PATH=/only/this
	hasnt NOT_SET_ANYWHERE
	finish
}

# RFC 3875 section 4.4.
gateway_case isindex
isindex_body()
{
	use_cgi hello
	mk_cgi words <<'CGI'
#!/bin/sh
printf 'Content-Type: text/plain\n\n'
for word in "$@"; do
	printf '[%s]' "$word"
done
echo
CGI
	start_gateway "$TREE"
	atf_check -s exit:0 -o inline:'\n' -e empty \
	    ./get words -b -p QUERY_STRING=one+two
	stop_gateway
	: >gateway.err
	start_gateway -x "$TREE"
	atf_check -s exit:0 -o inline:'[one][two three]\n' -e empty \
	    ./get words -b -p QUERY_STRING=one+two%20three
	# Section 7.2: what a shell acts upon is escaped.  What a program could
	# take for an option never gets there.
	atf_check -s exit:0 -o inline:"[a\\\\\$b\\\\;c][d]\n" -e empty \
	    ./get words -b -p "QUERY_STRING=a\$b;c+d"
	atf_check -s exit:0 -o inline:'\n' -e empty \
	    ./get words -b -p QUERY_STRING=-x+one
	atf_check -s exit:0 -o inline:'\n' -e empty \
	    ./get words -b -p QUERY_STRING=one+%2dx
	for query in a=b a+b=c ''; do
		atf_check -s exit:0 -o inline:'\n' -e empty \
		    ./get words -b -p "QUERY_STRING=$query"
	done
	atf_check -s exit:0 -o inline:'\n' -e empty \
	    ./get words -b -p QUERY_STRING=one -p REQUEST_METHOD=POST
	finish
}

# Section 4.1.2, and chunked uploads: the length is known or there is none.
gateway_case length
length_body()
{
	use_cgi hello
	mk_cgi length <<'CGI'
#!/bin/sh
n=$(wc -c)
printf 'Content-Type: text/plain\n\n%s %s\n' "${CONTENT_LENGTH-unset}" "$n"
CGI
	start_gateway "$TREE"
	bytes 1000 >body
	atf_check -s exit:0 -o inline:'1000 1000\n' -e empty \
	    ./post length body -b
	atf_check -s exit:0 -o inline:'unset 1000\n' -e empty \
	    ./get length -b -d body -p REQUEST_METHOD=POST
	atf_check -s exit:0 -o inline:'unset 1000\n' -e empty \
	    ./post length body -b -p CONTENT_LENGTH=
	atf_check -s exit:0 -o inline:'unset 0\n' -e empty ./get length -b
	atf_check -s exit:0 -o inline:'0 0\n' -e empty \
	    ./get length -b -p CONTENT_LENGTH=0
	finish
}
