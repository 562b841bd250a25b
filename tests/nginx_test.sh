# shellcheck shell=sh
# shellcheck disable=SC2119,SC2120 # nginx_site's arguments are the gateway's
# The gateway behind an nginx that nobody changed:
#
#	modes        buffering, request buffering and keep_conn, on and off: GET
#	             with PATH_INFO, POST, chunked upload, HEAD, 404
#	echo         5 MB both ways at once in every mode
#	unread       a 5 MB body that the script never reads, or only after it
#	             has written 300 KB, in every mode
#	dropin       Debian's configuration for fcgiwrap, and the one with
#	             fastcgi_split_path_info, unchanged
#	reuse        keep_conn: one connection serves request after request
#	crowd        256 clients at once: no 502
#	alive        64 clients that keep their connections: none starves
#	drips        X-Accel-Buffering: no: lines arrive while the script runs
#	redirects    a local redirect (static file, other script) and an absolute one
#	fields       repeated fields, both ways
#	nph          an HTTP/1.1 status line from the script
#
# After each, nginx's error log must hold nothing that is the gateway's fault.

. "$(atf_get_srcdir)/lib.sh"
. "$(atf_get_srcdir)/web.sh"
web_needs nginx curl perl

# Whatever the mode, a request means the same to the script and to the client.
web_case modes
modes_body()
{
	nginx_site </dev/null
	bytes 100000 >body
	for mode in $NGINX_MODES; do
		base=$WEB/$mode/cgi-bin
		atf_check -s exit:0 -e empty \
		    -o match:'^SCRIPT_NAME=/cgi-bin/env$' \
		    -o match:'^PATH_INFO=/more/path$' \
		    -o match:'^QUERY_STRING=a=b$' \
		    curl -sS "$base/env/more/path?a=b"
		atf_check -s exit:0 -o file:body -e empty \
		    curl -sS --data-binary @body "$base/echo"
		atf_check -s exit:0 -o file:body -e empty \
		    curl -sS -H 'Transfer-Encoding: chunked' \
		    --data-binary @body "$base/echo"
		atf_check -s exit:0 -e empty -o match:'^HTTP/1.1 200' \
		    -o match:'^X-Test: yes' -o not-match:REQUEST_METHOD \
		    curl -sSI "$base/env"
		atf_check -s exit:0 -o match:'^404 ' -e empty \
		    curl -sS -w '%{http_code} ' "$base/none"
	done
	nginx_log_clean
	web_finish
}

# What was written for fcgiwrap serves as it is.
web_case dropin
dropin_body()
{
	[ -f /etc/nginx/fastcgi_params ] || atf_skip "no fastcgi_params"
	web_scripts
	start_gateway "$PWD/cgi-bin"
	start_nginx <<CONF
location /cgi-bin/ {
	gzip off;
	fastcgi_pass unix:$WEB_SOCKET;
	include /etc/nginx/fastcgi_params;
	fastcgi_param SCRIPT_FILENAME $PWD\$fastcgi_script_name;
}
location /split/cgi-bin/ {
	fastcgi_pass unix:$WEB_SOCKET;
	fastcgi_split_path_info ^/split(/cgi-bin/[^/]+)(/.*)?\$;
	include /etc/nginx/fastcgi_params;
	fastcgi_param SCRIPT_FILENAME \$document_root\$fastcgi_script_name;
	fastcgi_param PATH_INFO \$fastcgi_path_info;
}
CONF
	for prefix in '' /split; do
		atf_check -s exit:0 -e empty -o match:'^PATH_INFO=/more$' \
		    -o match:'^SCRIPT_NAME=/cgi-bin/env$' \
		    -o match:"^SCRIPT_FILENAME=$PWD/cgi-bin/env\$" \
		    -o match:"^PATH_TRANSLATED=$PWD/more\$" \
		    curl -sS "$WEB$prefix/cgi-bin/env/more"
		atf_check -s exit:0 -o inline:'x=y' -e empty \
		    curl -sS -d x=y "$WEB$prefix/cgi-bin/echo"
	done
	nginx_log_clean
	web_finish
}

# Full duplex: a script that writes while it reads never blocks for good.
web_case echo
echo_body()
{
	nginx_site </dev/null
	bytes 5000000 >body
	for mode in $NGINX_MODES; do
		atf_check -s exit:0 -o file:body -e empty curl -sS -m 60 \
		    -H 'Expect:' -T body "$WEB/$mode/cgi-bin/echo"
	done
	nginx_log_clean
	web_finish
}

# A page is not lost because its script did not want the body, or wanted it
# late.  (nginx stops sending the body when it has sent on the header.)
web_case unread
unread_body()
{
	nginx_site </dev/null
	mk_cgi late <<'CGI'
#!/bin/sh
printf 'Content-Type: text/plain\n\n'
seq -f %07.0f 40000
wc -c
CGI
	{ seq -f %07.0f 40000; echo 5000000; } >late
	bytes 5000000 >body
	for mode in $NGINX_MODES; do
		atf_check -s exit:0 -o inline:'not read\n' -e empty \
		    curl -sS -m 60 -H 'Expect:' --data-binary @body \
		    "$WEB/$mode/cgi-bin/deaf"
		atf_check -s exit:0 -o file:late -e empty \
		    curl -sS -m 60 -H 'Expect:' --data-binary @body \
		    "$WEB/$mode/cgi-bin/late"
	done
	web_finish
}

# With keep_conn a connection serves requests one after the other.
web_case reuse
reuse_body()
{
	nginx_site </dev/null
	for i in 1 2 3 4 5 6; do
		atf_check -s exit:0 -o match:"^QUERY_STRING=$i\$" -e empty \
		    curl -sS "$WEB/b1r1k1/cgi-bin/env?$i"
		atf_check_equal 1 "$(connections)"
	done
	nginx_log_clean
	web_finish
}

# More clients at once than scripts can start: each gets its page.
web_case crowd
crowd_body()
{
	nginx_site </dev/null
	for mode in b1r1k0 b1r1k1; do
		atf_check -s exit:0 -o save:codes -e ignore \
		    curl -sS -Z --parallel-immediate --parallel-max 256 \
		    -w '%{http_code}\n' -o /dev/null \
		    "$WEB/$mode/cgi-bin/env?[1-256]"
		atf_check -s exit:0 -o match:'^ *256 200$' -e empty \
		    sh -c 'sort codes | uniq -c'
	done
	nginx_log_clean
	web_finish
}

# Clients that keep their connection are not left waiting for one another.
web_case alive
alive_body()
{
	nginx_site </dev/null
	i=0
	while [ $i -lt 64 ]; do
		i=$((i + 1))
		client alive$i -o /dev/null -w '%{http_code}\n' \
		    "$WEB/b1r1k1/cgi-bin/env?[1-5]"
	done
	while read -r pid; do
		wait "$pid" || atf_fail "a client failed"
	done <client.pids
	atf_check -s exit:0 -o match:'^ *320 200$' -e empty \
	    sh -c 'cat alive*.out | sort | uniq -c'
	nginx_log_clean
	web_finish
}

# The script goes on only after the client has its first line.
web_case drips
drips_body()
{
	nginx_site </dev/null
	for mode in $NGINX_MODES; do
		client "$mode" "$WEB/$mode/cgi-bin/drip?$mode"
		wait_for grep -q '^one$' "$mode.out"
		atf_check -s exit:1 -o empty -e empty grep two "$mode.out"
		: >"cgi-bin/$mode.go"
		wait "$CLIENT" || atf_fail "the client failed"
		atf_check -s exit:0 -o inline:'one\ntwo\n' -e empty \
		    cat "$mode.out"
	done
	nginx_log_clean
	web_finish
}

# RFC 3875 6.2.2: a local redirect is served as if the client had asked for
# it; 6.2.3: an absolute one goes to the client, with its page.
web_case redirects
redirects_body()
{
	mkdir static
	echo "a static file" >static/file.txt
	nginx_site </dev/null
	web_redirects
	nginx_log_clean
	web_finish
}

# Fields that come twice reach the other side, as one list or as two.
web_case fields
fields_body()
{
	nginx_site </dev/null
	mk_cgi twice <<'CGI'
#!/bin/sh
printf 'Content-Type: text/plain\nSet-Cookie: a=1\nSet-Cookie: b=2\n\n'
printf '%s\n' "$HTTP_X_LIST" "$HTTP_COOKIE" "${HTTP_PROXY-none}"
CGI
	atf_check -s exit:0 -e empty -o match:'^one, two$' \
	    -o match:'^c=3; d=4$' -o match:'^none$' \
	    -o match:'^Set-Cookie: a=1' -o match:'^Set-Cookie: b=2' \
	    curl -sSi -H 'X-List: one' -H 'X-List: two' -H 'Cookie: c=3' \
	    -H 'Cookie: d=4' -H 'Proxy: evil:1' "$WEB/b1r1k0/cgi-bin/twice"
	nginx_log_clean
	web_finish
}

# Scripts that write the HTTP status line themselves keep their status.
web_case nph
nph_body()
{
	nginx_site </dev/null
	mk_cgi nph-made <<'CGI'
#!/bin/sh
printf 'HTTP/1.1 201 Made\r\nContent-Type: text/plain\r\n'
printf 'Connection: close\r\n\r\nmade\n'
CGI
	for mode in $NGINX_MODES; do
		atf_check -s exit:0 -o inline:'made\n201' -e empty curl -sS \
		    -w '%{http_code}' "$WEB/$mode/cgi-bin/nph-made"
	done
	nginx_log_clean
	web_finish
}
