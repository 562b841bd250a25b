# shellcheck shell=sh
# shellcheck disable=SC2034,SC2046,SC2086,SC2119,SC2120 # words; for mux.sh
# Subrequests, which run beside their parent on the same connection, and what
# nginx tells of each request:
#
#	ssi        twenty parts of a page, live at once, each in its place; one of
#	           them fails, one is in the page twice
#	ssi_leave  the client leaves: all parts' scripts end
#	auth       auth_request: 200, 401, 403; with a body to pass on
#	addition   before and after a page
#	mirror     the copy's answer is nobody's
#	error_page a script for the error of another
#	variables  $upstream_*: addresses, states, times, bytes
#	access_log of a request without an upstream, and of two

. "$(atf_get_srcdir)/lib.sh"
. "$(atf_get_srcdir)/web.sh"
. "$(atf_get_srcdir)/mux.sh"
. "$(atf_get_srcdir)/mux_site.sh"

# A page of parts: made by nginx from a file, or by a script.
sub_page()
{
	mkdir -p static
	{
		echo begin
		for i in $(seq 20); do
			echo "<!--#include virtual=\"/cgi-bin/meet?$i\" -->"
		done
		echo '<!--#include virtual="/b0r0k0/cgi-bin/none" -->'
		echo '<!--#include virtual="/b1r1k1/cgi-bin/size?100000" -->'
		echo '<!--#include virtual="/b1r1k1/cgi-bin/size?100000" -->'
		echo end
	} >static/page.shtml
	{
		echo begin
		for i in $(seq 20); do echo "part $i"; echo; done
		echo '404 Not Found'
		echo
		bytes 100000; echo
		bytes 100000; echo
		echo end
	} >want
	# Each part waits for all others: they must run at the same time.
	mk_cgi meet <<'CGI'
#!/bin/sh
: >"met.$QUERY_STRING"
while [ "$(echo met.* | wc -w)" -lt 20 ]; do sleep 0.02; done
printf 'Content-Type: text/plain\n\npart %s\n' "$QUERY_STRING"
CGI
	mk_cgi page <<CGI
#!/bin/sh
printf 'Content-Type: text/html\n\n'
exec cat $PWD/static/page.shtml
CGI
}

mux_case ssi
ssi_body()
{
	mux_site <<'CONF'
location /static/ { ssi on; types { text/html shtml; } }
location ~ ^/ssi(/cgi-bin/.*)$ {
	ssi on;
	fastcgi_pass mux;
	include params;
	fastcgi_param SCRIPT_NAME $1;
}
CONF
	sub_page
	for page in static/page.shtml ssi/cgi-bin/page; do
		for web in "$WEB" "--http2-prior-knowledge $WEB2"; do
			rm -f cgi-bin/met.*
			atf_check -s exit:0 -o file:want -e empty \
			    curl -sS -m 60 $web/$page
		done
	done
	if mux_is_on; then atf_check_equal 1 "$(mux_connections)"; fi
	mux_finish
}

# The parts are their parent's: with it they go.
mux_case ssi_leave
ssi_leave_body()
{
	mux_site <<'CONF'
location /static/ { ssi on; types { text/html shtml; } }
CONF
	mkdir -p static
	for i in a b c d; do
		echo "<!--#include virtual=\"/b0r0k0/cgi-bin/silent?$i\" -->"
	done >static/page.shtml
	client leaves "$WEB/static/page.shtml"
	for i in a b c d; do script_pid $i >/dev/null; done
	client stays "$WEB/b0r0k0/cgi-bin/drip?stays"
	wait_for grep -q one stays.out
	client_leave "$(head -n 1 client.pids)"
	for i in a b c d; do wait_for ended "$(script_pid $i)"; done
	: >cgi-bin/stays.go
	mux_wait "$CLIENT"
	atf_check -s exit:0 -o inline:'one\ntwo\n' -e empty cat stays.out
	mux_finish
}

# The authorizing script is asked before each request, on the same connection.
mux_case auth
auth_body()
{
	mux_site <<'CONF'
location ~ ^/auth(/cgi-bin/.*)$ {
	auth_request /may;
	auth_request_set $who $upstream_http_x_who;
	fastcgi_pass mux;
	include params;
	fastcgi_param SCRIPT_NAME $1;
	fastcgi_param WHO $who;
}
location = /may {
	internal;
	fastcgi_pass mux;
	include params;
	fastcgi_pass_request_body off;
	fastcgi_param CONTENT_LENGTH "";
	fastcgi_param SCRIPT_NAME /cgi-bin/may;
}
CONF
	mk_cgi may <<'CGI'
#!/bin/sh
case $REQUEST_URI in
*yes)	status=200 ;;
*who)	status=401 ;;
*)	status=403 ;;
esac
printf 'Status: %s\nX-Who: somebody\nContent-Type: text/plain\n\n' $status
seq 100000
CGI
	bytes 300000 >body
	base=$WEB/auth/cgi-bin
	for i in 1 2 3; do
		atf_check -s exit:0 -o match:'^WHO=somebody$' -e empty \
		    curl -sS "$base/env?yes"
		atf_check -s exit:0 -o file:body -e empty \
		    curl -sS -H Expect: --data-binary @body "$base/echo?yes"
		atf_check -s exit:0 -o inline:401 -e empty curl -sS \
		    -o /dev/null -w '%{http_code}' "$base/env?who"
		atf_check -s exit:0 -o inline:403 -e empty curl -sS \
		    -o /dev/null -w '%{http_code}' -d x=y "$base/env?no"
	done
	if mux_is_on; then atf_check_equal 1 "$(mux_connections)"; fi
	mux_finish
}

mux_case addition
addition_body()
{
	mux_site <<'CONF'
location ~ ^/add(/cgi-bin/.*)$ {
	add_before_body /before;
	add_after_body /after;
	addition_types *;
	fastcgi_pass mux;
	include params;
	fastcgi_param SCRIPT_NAME $1;
}
location = /before {
	fastcgi_pass mux;
	fastcgi_buffering off;
	include params;
	fastcgi_param QUERY_STRING 70000;
	fastcgi_param SCRIPT_NAME /cgi-bin/size;
}
location = /after {
	fastcgi_pass mux;
	include params;
	fastcgi_param QUERY_STRING 8;
	fastcgi_param SCRIPT_NAME /cgi-bin/size;
}
CONF
	{ bytes 70000; bytes 100000; bytes 8; } >want
	for i in 1 2 3; do
		atf_check -s exit:0 -o file:want -e empty \
		    curl -sS -m 20 "$WEB/add/cgi-bin/size?100000"
	done
	if mux_is_on; then atf_check_equal 1 "$(mux_connections)"; fi
	mux_finish
}

# Both get the body; what the copy answers, or that it never does, is nothing.
mux_case mirror
mirror_body()
{
	mux_site <<'CONF'
location ~ ^/mirror(/cgi-bin/.*)$ {
	mirror /copy;
	fastcgi_pass mux;
	include params;
	fastcgi_param SCRIPT_NAME $1;
}
location = /copy {
	internal;
	fastcgi_pass mux;
	include params;
	fastcgi_param SCRIPT_NAME /cgi-bin/upload;
}
CONF
	bytes 200000 >body
	for i in 1 2 3; do
		atf_check -s exit:0 -o file:body -e empty curl -sS -m 20 \
		    -H Expect: --data-binary @body \
		    "$WEB/mirror/cgi-bin/echo?copy$i"
		wait_for test -e "cgi-bin/copy$i.eof"
		atf_check -s exit:0 -o file:body -e empty \
		    cat "cgi-bin/copy$i.body"
	done
	if mux_is_on; then atf_check_equal 1 "$(mux_connections)"; fi
	mux_finish
}

# The first script's response is dropped, the second's sent, one request after
# the other on the connection.
mux_case error_page
error_page_body()
{
	mux_site <<'CONF'
location ~ ^/our(/cgi-bin/.*)$ {
	fastcgi_pass mux;
	fastcgi_intercept_errors on;
	error_page 404 502 = @other;
	include params;
	fastcgi_param SCRIPT_NAME $1;
}
location @other {
	fastcgi_pass mux;
	include params;
	fastcgi_param SCRIPT_NAME /cgi-bin/env;
}
CONF
	for i in 1 2 3; do
		for script in none mute; do
			atf_check -s exit:0 -o match:"^QUERY_STRING=$i\$" \
			    -e empty curl -sS "$WEB/our/cgi-bin/$script?$i"
		done
	done
	if mux_is_on; then atf_check_equal 1 "$(mux_connections)"; fi
	mux_finish
}

# They say of a stream what they would say of a connection.
mux_case variables
variables_body()
{
	MUX_HTTP="log_format up '\$uri|\$upstream_addr|\$upstream_status'
	    '|\$upstream_connect_time|\$upstream_header_time'
	    '|\$upstream_response_time|\$upstream_response_length'
	    '|\$upstream_bytes_received|\$upstream_bytes_sent|\$request_time|';"
	mux_site <<CONF
location ~ ^/v([01])(/cgi-bin/.*)\$ {
	access_log $PWD/nginx/up.log up;
	fastcgi_pass mux;
	include params;
	fastcgi_param SCRIPT_NAME \$2;
}
location ~ ^/vu(/cgi-bin/.*)\$ {
	access_log $PWD/nginx/up.log up;
	fastcgi_buffering off;
	fastcgi_pass mux;
	include params;
	fastcgi_param SCRIPT_NAME \$1;
}
CONF
	mk_cgi late <<'CGI'
#!/bin/sh
cat >/dev/null
sleep 0.3
printf 'Content-Type: text/plain\n\n'
sleep 0.3
seq -f %07.0f 0 12499
CGI
	bytes 50000 >body
	for way in v0 vu; do
		: >nginx/up.log
		curl -sS -o /dev/null --data-binary @body \
		    "$WEB/$way/cgi-bin/late"
		wait_for test -s nginx/up.log
		cat nginx/up.log
		variables_check <nginx/up.log ||
		    web_fail "$way: not what they should be" nginx/up.log
	done
	mux_finish
}

# The times are right to a second, since machines may be busy.
variables_check()
{
	awk -F'|' '
		function bad(what) { print what; failed = 1 }
		$2 != "unix:gw.sock" { bad("addr") }
		$3 != "200" { bad("status") }
		$4 !~ /^[0-9.]+$/ || $4 > 1 { bad("connect_time") }
		$5 !~ /^[0-9.]+$/ || $5 < 0.25 || $5 > 3 { bad("header_time") }
		$6 !~ /^[0-9.]+$/ || $6 < 0.55 || $6 > 5 { bad("response_time") }
		$6 < $5 || $5 < $4 || $10 + 0.02 < $6 { bad("order of times") }
		$7 < 100000 || $7 > 101000 { bad("response_length") }
		$8 < 100000 || $8 > 110000 { bad("bytes_received") }
		$9 < 50000 || $9 > 60000 { bad("bytes_sent") }
		END { exit failed }'
}

# Where no server was asked there is no connection; of several the last counts.
mux_case access_log
access_log_body()
{
	mkdir static
	echo file >static/file.txt
	MUX_SERVERS="server unix:none.sock max_fails=0;
	    server unix:gw.sock max_fails=0;"
	mux_site <<'CONF'
location /static/ { }
CONF
	for i in 1 2 3 4 5 6; do
		atf_check -s exit:0 -o match:^QUERY -e empty \
		    curl -sS "$WEB/b1r1k1/cgi-bin/env?$i"
	done
	curl -sS -o /dev/null "$WEB/static/file.txt"
	mux_logged 1 '^-?\|-?\|-?\|-\|200\|-\|/static/file.txt\|'
	mux_is_on || atf_skip "the rest is the module's"
	mux_logged 3 '^[0-9]+\|1\|1\|502, 200\|200\|unix:none.sock, unix:gw.sock'
	mux_logged 3 '^[0-9]+\|1\|1\|200\|200\|unix:gw.sock\|'
	mux_finish
}
