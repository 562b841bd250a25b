# shellcheck shell=sh
# shellcheck disable=SC2034,SC2046,SC2086,SC2119,SC2120 # words; for mux.sh
# What nginx makes of response headers, with the module below it:
#
#	head       HEAD is no abort; the script finishes, the connection stays
#	odd        1xx, no status, odd ones, no header: as over a plain connection
#	nph        a status line
#	fields     repeated fields, both ways
#	big        a header of 40 KB where there is room; 502 where not
#	stderr     goes to the error log
#	catch      fastcgi_catch_stderr
#	intercept  error_page for the gateway's and the script's errors
#	cut        a script that dies in its body: its client alone can tell

. "$(atf_get_srcdir)/lib.sh"
. "$(atf_get_srcdir)/web.sh"
. "$(atf_get_srcdir)/mux.sh"
. "$(atf_get_srcdir)/mux_site.sh"

# nginx leaves as soon as it has the header; nobody else did.
mux_case head
head_body()
{
	mux_site </dev/null
	for mode in $NGINX_MODES; do
		for http in 1 2; do
			mux_http $http
			tag=$mode$http
			atf_check -s exit:0 -e empty \
			    -o match:'^[Cc]ontent-[Ll]ength: 5' \
			    $MUX_CURL -I "$MUX_WEB/$mode/cgi-bin/after?$tag"
			atf_check -s exit:0 -o match:QUERY -e empty \
			    $MUX_CURL "$MUX_WEB/$mode/cgi-bin/env"
			: >"cgi-bin/$tag.go"
			wait_for test -e "cgi-bin/$tag.done"
		done
	done
	# One whose page has a body that nginx has to throw away.
	mk_cgi after-big <<'CGI'
#!/bin/sh
printf 'Content-Type: text/plain\nX-Accel-Redirect: /static/file.txt\n\n'
seq 500000
: >"$QUERY_STRING.done"
CGI
	for mode in $NGINX_MODES; do
		curl -sSI -o /dev/null "$WEB/$mode/cgi-bin/after-big?big$mode"
		wait_for test -e "cgi-bin/big$mode.done"
	done
	mux_log_clean
	wait_for mux_idle
	mux_finish
}

# All that is open is the connections: no request is left on them.
mux_idle()
{
	[ -z "$(script_pids)" ]
}

# The same answers, but for the date, whatever is in them.
mux_case odd
odd_body()
{
	MUX_SERVERS="server unix:odd.sock max_fails=0;"
	MUX_HTTP="upstream plain { server unix:odd.sock max_fails=0; }"
	mux_rude odd
	mux_start_nginx <<'CONF'
location /m/ { fastcgi_pass mux; include params; }
location /p/ { fastcgi_pass plain; include params; }
location /mu/ { fastcgi_pass mux; include params; fastcgi_buffering off; }
location /pu/ { fastcgi_pass plain; include params; fastcgi_buffering off; }
CONF
	mux_warm /m/page
	odd_wait=0.4 # more of the response is what curl waits for
	odd_same odd early
	odd_same odd switch
	odd_wait=20
	for what in none lf high word nph nocontent long zero empty \
	    colon dup bytes; do
		odd_same odd "$what"
	done
	for what in 200 204 206 304 404 416 500 503 999 invalid empty; do
		odd_same $what ''
	done
	mux_is_on || atf_skip "a short response looks whole without the module"
	for u in '' u; do
		for what in cut part; do
			atf_check -s exit:18 -o ignore -e match:curl \
			    curl -sS -m 20 "$WEB/m$u/$what"
		done
		atf_check -s exit:0 -o inline:'page odd\n' -e empty \
		    curl -sS "$WEB/m$u/page"
	done
	mux_finish
}

odd_same()
{
	for method in GET HEAD POST; do
		case $method in
		GET)	args= ;;
		HEAD)	args=-I ;;
		POST)	args="-d x" ;;
		esac
		for u in '' u; do
			for way in p m; do
				curl -si -m $odd_wait $args "$WEB/$way$u/$1?$2" >$way.raw
				echo "curl: $?" >>$way.raw
				tr -d '\r' <$way.raw | grep -av '^Date:' >$way.got
			done
			cmp p.got m.got || {
				cat p.got m.got
				atf_fail "$method $1 $2 differs"
			}
		done
	done
}

# Scripts that write the HTTP status line themselves keep their status.
mux_case nph
nph_body()
{
	mux_site </dev/null
	mk_cgi nph-made <<'CGI'
#!/bin/sh
printf 'HTTP/1.1 201 Made\r\nContent-Type: text/plain\r\n'
printf 'Connection: close\r\n\r\nmade\n'
CGI
	for mode in $NGINX_MODES; do
		atf_check -s exit:0 -o inline:'made\n201' -e empty curl -sS \
		    -w '%{http_code}' "$WEB/$mode/cgi-bin/nph-made"
	done
	mux_one_connection 8
	mux_finish
}

# Fields that come twice reach the other side, as one list or as two.
mux_case fields
fields_body()
{
	mux_site </dev/null
	mk_cgi twice <<'CGI'
#!/bin/sh
printf 'Content-Type: text/plain\nSet-Cookie: a=1\nSet-Cookie: b=2\n\n'
printf '%s\n' "$HTTP_X_LIST" "$HTTP_COOKIE" "${HTTP_PROXY-none}"
echo "${#HTTP_X_LONG}"
CGI
	# PARAMS of more than a record do not split it in two requests.
	long=$(bytes 7000 | tr '\n' ' ')
	long=${long% }
	for http in 1 2; do
		mux_http $http
		atf_check -s exit:0 -e empty -o match:'^one, two$' \
		    -o match:'^c=3; d=4$' -o match:'^none$' \
		    -o match:'^[Ss]et-[Cc]ookie: a=1' -o match:"^${#long}\$" \
		    -o match:'^[Ss]et-[Cc]ookie: b=2' \
		    $MUX_CURL -i -H 'X-List: one' -H 'X-List: two' \
		    -H 'Cookie: c=3' -H 'Cookie: d=4' -H 'Proxy: evil:1' \
		    -H "X-Long: $long" "$MUX_WEB/b1r0k0/cgi-bin/twice"
	done
	mux_one_connection 2
	mux_finish
}

# A big header passes where nginx has room for it; where it has not, that is
# one request's trouble.
mux_case big
big_body()
{
	mux_site <<'CONF'
location ~ ^/big(/cgi-bin/.*)$ {
	fastcgi_pass mux;
	fastcgi_buffer_size 64k;
	fastcgi_buffers 4 64k;
	fastcgi_busy_buffers_size 128k;
	include params;
	fastcgi_param SCRIPT_NAME $1;
}
CONF
	mk_cgi big <<'CGI'
#!/usr/bin/perl
print "Content-Type: text/plain\n";
print "X-Field-$_: ", "x" x 990, "\n" for 1 .. 40;
print "\nafter it\n";
CGI
	client drip "$WEB/b0r0k0/cgi-bin/drip?drip"
	wait_for grep -q one drip.out
	atf_check -s exit:0 -e empty -o match:'^X-Field-40: x{990}' \
	    -o match:'^after it$' curl -sSi "$WEB/big/cgi-bin/big"
	for mode in $NGINX_MODES; do
		atf_check -s exit:0 -o match:'^502' -e empty curl -sS \
		    -o /dev/null -w '%{http_code}' "$WEB/$mode/cgi-bin/big"
		atf_check -s exit:0 -o match:'^QUERY' -e empty \
		    curl -sS "$WEB/$mode/cgi-bin/env"
	done
	: >cgi-bin/drip.go
	mux_wait "$CLIENT"
	mux_one_connection 18
	mux_finish
}

# It is logged with the request that it came from, in whatever mode.
mux_case stderr
stderr_body()
{
	mux_site </dev/null
	mk_cgi warns <<'CGI'
#!/bin/sh
echo "warning before $QUERY_STRING" >&2
printf 'Content-Type: text/plain\n\npage\n'
echo "warning after $QUERY_STRING" >&2
CGI
	for mode in $NGINX_MODES; do
		atf_check -s exit:0 -o inline:'page\n' -e empty \
		    curl -sS "$WEB/$mode/cgi-bin/warns?$mode"
		for when in before after; do
			atf_check -s exit:0 -o match:"warning $when" -e empty \
			    grep -a "warning $when $mode" nginx/error.log
		done
	done
	# A response whose end comes with more of it than fits a buffer.
	mk_cgi floods <<'CGI'
#!/bin/sh
seq -f 'warning %g' 10000 >&2
printf 'Content-Type: text/plain\n\npage\n'
CGI
	for mode in $NGINX_MODES; do
		curl -sS -m 20 -o /dev/null "$WEB/$mode/cgi-bin/floods"
		atf_check -s exit:0 -o inline:'page\n' -e empty \
		    curl -sS -m 20 "$WEB/$mode/cgi-bin/warns?again"
	done
	mux_shared 24
	mux_finish
}

# A pattern in it makes the response an invalid one.
mux_case catch
catch_body()
{
	MUX_SERVERS="server unix:$WEB_SOCKET max_fails=0;"
	mux_site <<'CONF'
location ~ ^/catch(/cgi-bin/.*)$ {
	fastcgi_pass mux;
	fastcgi_catch_stderr "Fatal error";
	include params;
	fastcgi_param SERVER_SOFTWARE other;
	fastcgi_param SCRIPT_NAME $1;
}
CONF
	mk_cgi fatal <<'CGI'
#!/bin/sh
echo "Fatal error: $QUERY_STRING" >&2
sleep 0.2
printf 'Content-Type: text/plain\n\npage\n'
CGI
	client drip "$WEB/b0r0k0/cgi-bin/drip?drip"
	wait_for grep -q one drip.out
	for i in 1 2 3; do
		curl -sS -m 20 -o /dev/null "$WEB/catch/cgi-bin/fatal?$i"
		atf_check -s exit:0 -o match:'^QUERY' -e empty \
		    curl -sS "$WEB/catch/cgi-bin/env"
	done
	: >cgi-bin/drip.go
	mux_wait "$CLIENT"
	mux_one_connection 7
	mux_finish
}

# The page is nginx's; the connection is as good as before.
mux_case intercept
intercept_body()
{
	mkdir static
	echo "our page" >static/page.txt
	mux_site <<'CONF'
location /static/ { }
location ~ ^/our([01])(/cgi-bin/.*)$ {
	fastcgi_pass mux;
	fastcgi_intercept_errors on;
	error_page 404 403 502 503 =200 /static/page.txt;
	include params;
	fastcgi_param SCRIPT_NAME $2;
}
CONF
	mk_cgi busy <<'CGI'
#!/bin/sh
printf 'Status: 503 Busy\nContent-Type: text/plain\n\n'
seq 300000
CGI
	for script in none busy mute; do
		for http in 1 2; do
			mux_http $http
			atf_check -s exit:0 -o inline:'our page\n' -e empty \
			    $MUX_CURL "$MUX_WEB/our0/cgi-bin/$script"
		done
	done
	curl -sS -o /dev/null "$WEB/b0r0k0/cgi-bin/env"
	wait_for mux_idle
	if mux_is_on; then atf_check_equal 1 "$(mux_connections)"; fi
	mux_finish
}

# A response that broke off must not look whole, whatever the mode, and those
# beside it on the connection go on.
mux_case cut
cut_body()
{
	mux_site </dev/null
	for mode in $NGINX_MODES; do
		client $mode "$WEB/$mode/cgi-bin/drip?$mode"
		wait_for grep -q one $mode.out
		for script in cut cutraw; do
			for http in 1 2; do
				mux_http $http
				atf_check -s not-exit:0 -o ignore \
				    -e match:'^curl: ' $MUX_CURL \
				    "$MUX_WEB/$mode/cgi-bin/$script"
			done
		done
		: >cgi-bin/$mode.go
		mux_wait "$CLIENT"
		atf_check -s exit:0 -o inline:'one\ntwo\n' -e empty \
		    cat $mode.out
	done
	mux_one_connection 40
	mux_finish
}
