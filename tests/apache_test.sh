# shellcheck shell=sh
# The gateway behind Apache's mod_proxy_fcgi, over a unix socket and over TCP,
# a connection per request and enablereuse:
#
#	request    GET with PATH_INFO, POST, chunked upload, HEAD
#	handler    SetHandler "proxy:unix:...", as distributions document it
#	generic    ProxyFCGIBackendType GENERIC, which leaves "proxy:fcgi://" in
#	           SCRIPT_FILENAME
#	echo       1 MB both ways
#	errors     403, 404, 502, 504
#	redirects  local and absolute
#	drips      flushpackets=on: lines arrive while the script runs
#	flood      the client of a writing script leaves: the script ends
#	upload     a client leaves in its body: no EOF to the script
#	reuse      enablereuse: one connection serves request after request
#	cut        a script that dies in its body: the client can tell

. "$(atf_get_srcdir)/lib.sh"
. "$(atf_get_srcdir)/web.sh"
web_needs apache2 curl perl

APACHE_WAYS="unix0 unix1 tcp0 tcp1"

# apache_site: a prefix for each way to reach the gateway; more lines on stdin.
apache_site()
{
	web_scripts
	gw_port=$(free_port)
	start_gateway -m 0666 -s "tcp:127.0.0.1:$gw_port" "$PWD/cgi-bin"
	sock=unix:$PWD/$WEB_SOCKET
	start_apache <<CONF
StartServers 1
ServerLimit 1
ThreadsPerChild 25
MaxRequestWorkers 25
MinSpareThreads 1
MaxSpareThreads 25
ProxyTimeout 60
ProxyPass "/unix0/cgi-bin/" "$sock|fcgi://u0$PWD/cgi-bin/" flushpackets=on
ProxyPass "/unix1/cgi-bin/" "$sock|fcgi://u1$PWD/cgi-bin/" enablereuse=on flushpackets=on
ProxyPass "/tcp0/cgi-bin/" "fcgi://127.0.0.1:$gw_port$PWD/cgi-bin/" flushpackets=on
ProxyPass "/tcp1/cgi-bin/" "fcgi://127.1:$gw_port$PWD/cgi-bin/" enablereuse=on flushpackets=on
$(cat)
CONF
}

web_case request
request_body()
{
	apache_site </dev/null
	bytes 100000 >body
	for way in $APACHE_WAYS; do
		base=$WEB/$way/cgi-bin
		atf_check -s exit:0 -e empty \
		    -o match:"^SCRIPT_NAME=/$way/cgi-bin/env\$" \
		    -o match:'^PATH_INFO=/more/path$' \
		    -o match:'^QUERY_STRING=a=b$' \
		    -o match:"^SCRIPT_FILENAME=$PWD/cgi-bin/env\$" \
		    curl -sS "$base/env/more/path?a=b"
		atf_check -s exit:0 -o file:body -e empty \
		    curl -sS -H 'Expect:' --data-binary @body "$base/echo"
		atf_check -s exit:0 -o file:body -e empty \
		    curl -sS -H 'Expect:' -H 'Transfer-Encoding: chunked' \
		    --data-binary @body "$base/echo"
		atf_check -s exit:0 -e empty -o match:'^HTTP/1.1 200' \
		    -o match:'^X-Test: yes' -o not-match:REQUEST_METHOD \
		    curl -sSI "$base/env"
	done
	web_finish
}

web_case handler
handler_body()
{
	apache_site <<CONF
<Directory "$PWD/cgi-bin">
	SetHandler "proxy:unix:$PWD/$WEB_SOCKET|fcgi://localhost/"
</Directory>
CONF
	atf_check -s exit:0 -e empty -o match:'^SCRIPT_NAME=/cgi-bin/env$' \
	    -o match:'^PATH_INFO=/more/path$' -o match:'^QUERY_STRING=a=b$' \
	    curl -sS "$WEB/cgi-bin/env/more/path?a=b"
	atf_check -s exit:0 -o match:'^404 Not' -e empty \
	    curl -sS "$WEB/cgi-bin/none"
	web_finish
}

web_case generic
generic_body()
{
	apache_site <<CONF
ProxyFCGIBackendType GENERIC
CONF
	for way in $APACHE_WAYS; do
		atf_check -s exit:0 -e empty \
		    -o match:"^SCRIPT_NAME=/$way/cgi-bin/env\$" \
		    -o match:'^PATH_INFO=/more/path$' \
		    -o match:'^QUERY_STRING=a=b$' \
		    -o match:"^SCRIPT_FILENAME=$PWD/cgi-bin/env\$" \
		    curl -sS "$WEB/$way/cgi-bin/env/more/path?a=b"
	done
	web_finish
}

# Apache sends the whole body before it reads the answer: the gateway must
# take it although the script waits for its output to be read.
web_case echo
echo_body()
{
	apache_site </dev/null
	bytes 1000000 >body
	for way in $APACHE_WAYS; do
		atf_check -s exit:0 -o file:body -e empty curl -sS -m 60 \
		    -H 'Expect:' --data-binary @body "$WEB/$way/cgi-bin/echo"
		atf_check -s exit:0 -o inline:'not read\n' -e empty \
		    curl -sS -m 60 -H 'Expect:' --data-binary @body \
		    "$WEB/$way/cgi-bin/deaf"
	done
	web_finish
}

web_case errors
errors_body()
{
	apache_site <<CONF
LoadModule setenvif_module $(apache_modules)/mod_setenvif.so
SetEnvIf Request_URI /silent/hurry AFCGI_HEADER_TIME=0.2
CONF
	mk_cgi shut </dev/null
	chmod 644 cgi-bin/shut
	for way in $APACHE_WAYS; do
		base=$WEB/$way/cgi-bin
		atf_check -s exit:0 -o inline:'403 Forbidden\n403' -e empty \
		    curl -sS -w '%{http_code}' "$base/shut"
		atf_check -s exit:0 -o inline:'404 Not Found\n404' -e empty \
		    curl -sS -w '%{http_code}' "$base/none"
		atf_check -s exit:0 -o inline:'502 Bad Gateway\n502' -e empty \
		    curl -sS -w '%{http_code}' "$base/mute"
		atf_check -s exit:0 -o match:'504$' -e empty \
		    curl -sS -w '%{http_code}' "$base/silent/hurry?$way"
		wait_for ended "$(script_pid "$way")"
	done
	web_finish
}

# Whoever follows a local redirect, Apache or the client, gets the page.
web_case redirects
redirects_body()
{
	mkdir static
	echo "a static file" >static/file.txt
	apache_site </dev/null
	mk_cgi go <<'CGI'
#!/bin/sh
printf 'Location: %s\n\n' "$QUERY_STRING"
CGI
	for way in $APACHE_WAYS; do
		base=$WEB/$way/cgi-bin
		atf_check -s exit:0 -o inline:'a static file\n' -e empty \
		    curl -sSL "$base/go?/static/file.txt"
		atf_check -s exit:0 -o match:'^302 http://example.com/x' \
		    -e empty curl -sS -o /dev/null \
		    -w '%{http_code} %{redirect_url}\n' \
		    "$base/go?http://example.com/x"
	done
	web_finish
}

web_case drips
drips_body()
{
	apache_site </dev/null
	for way in $APACHE_WAYS; do
		client "$way" "$WEB/$way/cgi-bin/drip?$way"
		wait_for grep -q '^one$' "$way.out"
		atf_check -s exit:1 -o empty -e empty grep two "$way.out"
		: >"cgi-bin/$way.go"
		wait_for grep -q '^two$' "$way.out"
		wait "$CLIENT" || atf_fail "the client failed"
	done
	web_finish
}

web_case flood
flood_body()
{
	apache_site </dev/null
	for way in $APACHE_WAYS; do
		client "$way" -o /dev/null "$WEB/$way/cgi-bin/flood?$way"
		pid=$(script_pid "$way")
		client_leave "$CLIENT"
		wait_for ended "$pid"
	done
	web_finish
}

web_case upload
upload_body()
{
	apache_site </dev/null
	for way in $APACHE_WAYS; do
		upload_leave "$way" "$WEB/$way/cgi-bin/upload?$way" 200000 \
		    -H 'Transfer-Encoding:' -H 'Content-Length: 400000'
	done
	web_finish
}

web_case reuse
reuse_body()
{
	apache_site </dev/null
	for i in 1 2 3 4 5; do
		atf_check -s exit:0 -o match:"^QUERY_STRING=$i\$" -e empty \
		    curl -sS "$WEB/unix1/cgi-bin/env?$i"
		atf_check_equal 1 "$(connections)"
	done
	web_finish
}

web_case cut
cut_body()
{
	# Apache leaves the last chunk out, but closes only when it would close
	# an idle connection.
	apache_site <<CONF
KeepAliveTimeout 100ms
CONF
	for way in $APACHE_WAYS; do
		for script in cut cutraw; do
			atf_check -s not-exit:0 -o ignore -e match:'^curl: ' \
			    curl -sS "$WEB/$way/cgi-bin/$script"
		done
		atf_check -s exit:0 -o match:'^QUERY' -e empty \
		    curl -sS "$WEB/$way/cgi-bin/env"
	done
	web_finish
}
