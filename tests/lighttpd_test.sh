# shellcheck shell=sh
# The gateway behind lighttpd's mod_fastcgi, with stream-request-body and
# stream-response-body 0, 1 and 2 (the hosts s0, s1 and s2):
#
#	request    a prefix "/cgi-bin/", of which lighttpd makes SCRIPT_NAME and
#	           PATH_INFO: GET with PATH_INFO, POST, chunked upload, HEAD
#	extension  ".cgi" with its own local check
#	echo       1 MB both ways
#	errors     403, 404, 502, 504
#	redirects  local ones and absolute ones
#	           (to lighttpd both are a 302 to the client)
#	drips      lines arrive while the script runs
#	flood      the client of a writing script leaves: the script ends
#	upload     a client leaves in its body: no EOF to the script
#	cut        a script that dies in its body: the client can tell

. "$(atf_get_srcdir)/lib.sh"
. "$(atf_get_srcdir)/web.sh"
web_needs lighttpd curl perl

lighttpd_site()
{
	web_scripts
	start_gateway "$@" "$PWD/cgi-bin"
	start_lighttpd <<CONF
\$HTTP["host"] == "s1" {
	server.stream-request-body = 1
	server.stream-response-body = 1
}
\$HTTP["host"] == "s2" {
	server.stream-request-body = 2
	server.stream-response-body = 2
}
\$HTTP["host"] == "ext" {
	fastcgi.server = ( ".cgi" => ((
		"socket" => "$PWD/$WEB_SOCKET"
	)) )
} else \$HTTP["host"] != "ext" {
	fastcgi.server = ( "/cgi-bin/" => ((
		"socket" => "$PWD/$WEB_SOCKET",
		"check-local" => "disable"
	)) )
}
CONF
}

web_case request
request_body()
{
	lighttpd_site
	bytes 100000 >body
	base=$WEB/cgi-bin
	for host in s0 s1 s2; do
		atf_check -s exit:0 -e empty \
		    -o match:'^SCRIPT_NAME=/cgi-bin/env$' \
		    -o match:'^PATH_INFO=/more/path$' \
		    -o match:'^QUERY_STRING=a=b$' \
		    curl -sS -H "Host: $host" "$base/env/more/path?a=b"
		atf_check -s exit:0 -o file:body -e empty \
		    curl -sS -H "Host: $host" -H 'Expect:' \
		    --data-binary @body "$base/echo"
		atf_check -s exit:0 -e empty -o match:'^HTTP/1.1 200' \
		    -o match:'^X-Test: yes' -o not-match:REQUEST_METHOD \
		    curl -sSI -H "Host: $host" "$base/env"
	done
	# A body of unknown length that it may not collect is 411 to lighttpd.
	atf_check -s exit:0 -o file:body -e empty curl -sS -H 'Host: s0' \
	    -H 'Expect:' -H 'Transfer-Encoding: chunked' \
	    --data-binary @body "$base/echo"
	web_finish
}

web_case extension
extension_body()
{
	lighttpd_site
	ln cgi-bin/env cgi-bin/env.cgi
	sed 's/^env)/env.cgi)/' cgi-bin/env >cgi-bin/new
	cat cgi-bin/new >cgi-bin/env.cgi
	atf_check -s exit:0 -e empty -o match:'^SCRIPT_NAME=/cgi-bin/env.cgi$' \
	    -o match:'^PATH_INFO=/more/path$' -o match:'^QUERY_STRING=a=b$' \
	    curl -sS -H 'Host: ext' "$WEB/cgi-bin/env.cgi/more/path?a=b"
	web_finish
}

web_case echo
echo_body()
{
	lighttpd_site
	bytes 1000000 >body
	for host in s0 s1 s2; do
		atf_check -s exit:0 -o file:body -e empty curl -sS -m 60 \
		    -H "Host: $host" -H 'Expect:' --data-binary @body \
		    "$WEB/cgi-bin/echo"
		atf_check -s exit:0 -o inline:'not read\n' -e empty \
		    curl -sS -m 60 -H "Host: $host" -H 'Expect:' \
		    --data-binary @body "$WEB/cgi-bin/deaf"
	done
	web_finish
}

web_case errors
errors_body()
{
	lighttpd_site -L header_time=1
	mk_cgi shut </dev/null
	chmod 644 cgi-bin/shut
	base=$WEB/cgi-bin
	for host in s0 s1 s2; do
		atf_check -s exit:0 -o inline:'403 Forbidden\n403' -e empty \
		    curl -sS -H "Host: $host" -w '%{http_code}' "$base/shut"
		atf_check -s exit:0 -o inline:'404 Not Found\n404' -e empty \
		    curl -sS -H "Host: $host" -w '%{http_code}' "$base/none"
		atf_check -s exit:0 -o inline:'502 Bad Gateway\n502' -e empty \
		    curl -sS -H "Host: $host" -w '%{http_code}' "$base/mute"
		atf_check -s exit:0 -o match:'504$' -e empty \
		    curl -sS -H "Host: $host" -w '%{http_code}' \
		    "$base/silent?$host"
		wait_for ended "$(script_pid "$host")"
	done
	web_finish
}

web_case redirects
redirects_body()
{
	mkdir static
	echo "a static file" >static/file.txt
	lighttpd_site
	mk_cgi go <<'CGI'
#!/bin/sh
printf 'Location: %s\n\n' "$QUERY_STRING"
CGI
	for host in s0 s1 s2; do
		atf_check -s exit:0 -o inline:'302 http://example.com/x' \
		    -e empty curl -sS -H "Host: $host" -o /dev/null \
		    -w '%{http_code} %{redirect_url}' \
		    "$WEB/cgi-bin/go?http://example.com/x"
		atf_check -s exit:0 -o inline:'a static file\n' -e empty \
		    curl -sSL -H "Host: $host" \
		    "$WEB/cgi-bin/go?/static/file.txt"
	done
	web_finish
}

web_case drips
drips_body()
{
	lighttpd_site
	for host in s1 s2; do
		client $host -H "Host: $host" "$WEB/cgi-bin/drip?$host"
		wait_for grep -q '^one$' $host.out
		atf_check -s exit:1 -o empty -e empty grep two $host.out
		: >cgi-bin/$host.go
		wait_for grep -q '^two$' $host.out
		wait "$CLIENT" || atf_fail "the client failed"
	done
	web_finish
}

web_case flood
flood_body()
{
	lighttpd_site
	for host in s1 s2; do
		client $host -H "Host: $host" -o /dev/null \
		    "$WEB/cgi-bin/flood?$host"
		pid=$(script_pid $host)
		client_leave "$CLIENT"
		wait_for ended "$pid"
	done
	web_finish
}

web_case upload
upload_body()
{
	lighttpd_site
	for host in s1 s2; do
		upload_leave $host "$WEB/cgi-bin/upload?$host" 200000 \
		    -H "Host: $host" -H 'Transfer-Encoding:' \
		    -H 'Content-Length: 400000'
	done
	web_finish
}

web_case cut
cut_body()
{
	lighttpd_site
	for host in s1 s2; do
		atf_check -s not-exit:0 -o ignore -e match:'^curl: ' \
		    curl -sS -H "Host: $host" "$WEB/cgi-bin/cut"
		# A response that is over before lighttpd has begun its own
		# gets a Content-Length from it.
		client $host -H "Host: $host" "$WEB/cgi-bin/cutraw?$host"
		wait_for grep -q part $host.out
		: >cgi-bin/$host.go
		wait "$CLIENT" && atf_fail "it looked whole"
		atf_check -s exit:0 -o match:'^QUERY' -e empty \
		    curl -sS -H "Host: $host" "$WEB/cgi-bin/env"
	done
	web_finish
}
