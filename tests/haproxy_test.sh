# shellcheck shell=sh
# The gateway behind HAProxy, a multiplexing FastCGI client that nobody here
# wrote (option mpxs-conns, http-reuse always):
#
#	request      GET with PATH_INFO, POST, chunked upload, HEAD
#	multiplex    drips, uploads, echoes and a 40 MB download live at once on
#	             ONE connection, each answer whole
#	abort        a client leaves: its script alone ends, the connection and
#	             the requests on it go on
#	alone        likewise with a connection for each request
#	upload       a client leaves in its body: no EOF to the script
#	errors       403, 404, 502, 504; the connection survives them
#	cut          a script that dies in its body: the client can tell when the
#	             request was alone; other requests on the connection go on
#	head         a script may finish after HEAD
#
# Two things are avoided that end HAProxy 2.6.12 itself: floods of FCGI_STDERR
# and option get-values.

. "$(atf_get_srcdir)/lib.sh"
. "$(atf_get_srcdir)/web.sh"
HAPROXY_OPTIONS="
	option mpxs-conns
	option keep-conn
	option max-reqs 1000"
web_needs haproxy curl perl

# shellcheck disable=SC2120 # most callers need nothing of the gateway
haproxy_site()
{
	web_scripts
	start_gateway "$@" "$PWD/cgi-bin"
	start_haproxy <<CONF
fcgi-app cgi
	docroot $PWD
	path-info ^(/cgi-bin/[^/]+)(/.*)?\$
$HAPROXY_OPTIONS
	log-stderr stderr format raw daemon
	set-param AFCGI_HEADER_TIME 0.2 if { path_beg /cgi-bin/silent/hurry }
CONF
}

web_case request
request_body()
{
	haproxy_site
	bytes 300000 >body
	base=$WEB/cgi-bin
	atf_check -s exit:0 -e empty -o match:'^SCRIPT_NAME=/cgi-bin/env$' \
	    -o match:'^PATH_INFO=/more/path$' -o match:'^QUERY_STRING=a=b$' \
	    curl -sS "$base/env/more/path?a=b"
	atf_check -s exit:0 -o file:body -e empty \
	    curl -sS -H 'Expect:' --data-binary @body "$base/echo"
	# HAProxy 2.6.12 answers 400 itself to chunks longer than its buffer.
	bytes 10000 >short
	atf_check -s exit:0 -o file:short -e empty curl -sS -H 'Expect:' \
	    -H 'Transfer-Encoding: chunked' --data-binary @short "$base/echo"
	atf_check -s exit:0 -e empty -o match:'^HTTP/1.1 200' \
	    -o match:'^[Xx]-[Tt]est: yes' -o not-match:REQUEST_METHOD \
	    curl -sSI "$base/env"
	atf_check -s exit:0 -o inline:'not read\n' -e empty \
	    curl -sS -m 60 -H 'Expect:' --data-binary @body "$base/deaf"
	web_finish
}

# A connection is shared: nothing on it waits for anything else on it.
web_case multiplex
multiplex_body()
{
	haproxy_site
	mk_cgi gush <<'CGI'
#!/usr/bin/perl
print "Content-Type: text/plain\n\n";
print "0123456789abcde\n" x 65536 for 1 .. 40;
CGI
	bytes 1000000 >body
	base=$WEB/cgi-bin
	atf_check -s exit:0 -o ignore -e empty curl -sS "$base/env"
	for i in 1 2 3 4 5 6 7 8 9 10; do
		client drip$i "$base/drip?$i"
	done
	for i in 1 2 3 4 5 6 7 8 9 10; do
		wait_for grep -q one drip$i.out
	done
	atf_check_equal 1 "$(connections)"
	client gush "$base/gush"
	gush=$CLIENT
	for i in 1 2 3 4 5 6 7 8 9 10; do
		atf_check -s exit:0 -o file:body -e empty curl -sS -m 60 \
		    -H 'Expect:' --data-binary @body "$base/echo"
	done
	wait "$gush" || atf_fail "the download failed"
	atf_check -s exit:0 -o match:'^41943040 ' -e empty wc -c gush.out
	atf_check_equal 1 "$(connections)"
	for i in 1 2 3 4 5 6 7 8 9 10; do
		: >cgi-bin/$i.go
		wait_for grep -q two drip$i.out
	done
	web_finish
}

# HAProxy 2.6 sends ABORT_REQUEST only while the request's body is not at its
# end; of a client that leaves later the gateway never hears.
web_case abort
abort_body()
{
	haproxy_site -L grace=0.3
	base=$WEB/cgi-bin
	client drip "$base/drip?drip"
	wait_for grep -q one drip.out
	client other "$base/silent?other"
	other=$(script_pid other)
	for script in silent stubborn flood; do
		upload_start $script "$base/$script?$script" 20000 \
		    -H 'Transfer-Encoding:' -H 'Content-Length: 400000'
		pid=$(script_pid $script)
		client_leave "$CLIENT"
		exec 9>&-
		wait_for ended "$pid"
		if ended "$other"; then atf_fail "the other script ended"; fi
		atf_check_equal 1 "$(connections)"
	done
	: >cgi-bin/drip.go
	wait_for grep -q two drip.out
	web_finish
}

# With a connection for each request its close tells.
web_case alone
alone_body()
{
	HAPROXY_OPTIONS="	no option keep-conn"
	haproxy_site
	for script in silent flood family; do
		client $script -o /dev/null "$WEB/cgi-bin/$script?$script"
		pid=$(script_pid $script)
		client_leave "$CLIENT"
		wait_for ended "$pid"
	done
	web_finish
}

web_case upload
upload_body()
{
	haproxy_site
	upload_leave up "$WEB/cgi-bin/upload?up" 20000 \
	    -H 'Transfer-Encoding:' -H 'Content-Length: 400000'
	web_finish
}

web_case errors
errors_body()
{
	haproxy_site
	base=$WEB/cgi-bin
	mk_cgi shut </dev/null
	chmod 644 cgi-bin/shut
	client drip "$base/drip?drip"
	wait_for grep -q one drip.out
	atf_check -s exit:0 -o inline:'403 Forbidden\n403' -e empty \
	    curl -sS -w '%{http_code}' "$base/shut"
	atf_check -s exit:0 -o inline:'404 Not Found\n404' -e empty \
	    curl -sS -w '%{http_code}' "$base/none"
	atf_check -s exit:0 -o inline:'502 Bad Gateway\n502' -e empty \
	    curl -sS -w '%{http_code}' "$base/mute"
	atf_check -s exit:0 -o match:'504$' -e empty \
	    curl -sS -w '%{http_code}' "$base/silent/hurry?hurry"
	wait_for ended "$(script_pid hurry)"
	atf_check_equal 1 "$(connections)"
	: >cgi-bin/drip.go
	wait_for grep -q two drip.out
	web_finish
}

web_case cut
cut_body()
{
	haproxy_site
	base=$WEB/cgi-bin
	atf_check -s not-exit:0 -o ignore -e match:'^curl: ' \
	    curl -sS "$base/cut"
	atf_check -s not-exit:0 -o ignore -e match:'^curl: ' \
	    curl -sS "$base/cutraw"
	client drip "$base/drip?drip"
	wait_for grep -q one drip.out
	# Shared, the connection cannot be closed: an END_REQUEST before the
	# announced length must do.  HAProxy waits for the rest then.
	atf_check -s not-exit:0 -o ignore -e match:'^curl: ' \
	    curl -sS -m 2 "$base/cut"
	: >cgi-bin/drip.go
	wait_for grep -q two drip.out
	atf_check -s exit:0 -o match:'^QUERY' -e empty curl -sS "$base/env"
	web_finish
}

web_case head
head_body()
{
	haproxy_site
	atf_check -s exit:0 -o match:'^[Cc]ontent-[Ll]ength: 5' -e empty \
	    curl -sSI "$WEB/cgi-bin/after?head"
	: >cgi-bin/head.go
	wait_for test -e cgi-bin/head.done
	web_finish
}
