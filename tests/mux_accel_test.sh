# shellcheck shell=sh
# shellcheck disable=SC2034,SC2046,SC2086,SC2119,SC2120 # words; for mux.sh
# What scripts ask of nginx, which answers for them or changes its way:
#
#	redirects  a local redirect (file, script), an absolute one
#	accel      X-Accel-Redirect, to a file or a script, is no abort
#	rate       X-Accel-Limit-Rate, limit_rate: slow, whole, alone
#	buffering  X-Accel-Buffering: no and yes replace fastcgi_buffering
#	finalize   a body filter ends the response (only in sanitize-nginx's nginx)

. "$(atf_get_srcdir)/lib.sh"
. "$(atf_get_srcdir)/web.sh"
. "$(atf_get_srcdir)/mux.sh"
. "$(atf_get_srcdir)/mux_site.sh"

# RFC 3875 6.2.2 and 6.2.3: a local redirect is served as if the client had
# asked for it; an absolute one goes to the client, with its page.
mux_case redirects
redirects_body()
{
	mkdir static
	echo "a static file" >static/file.txt
	mux_site <<'CONF'
location /static/ { }
CONF
	web_redirects
	mux_finish
}

# The client gets another page; what the script does besides must be done.
mux_case accel
accel_body()
{
	mkdir static
	echo "a static file" >static/file.txt
	mux_site <<'CONF'
location /static/ { internal; }
CONF
	mk_cgi accel <<'CGI'
#!/bin/sh
tag=${PATH_INFO#/}
printf 'X-Accel-Redirect: %s\nContent-Type: text/plain\n\nnot this\n' \
    "$QUERY_STRING"
while [ ! -e "$tag.go" ]; do sleep 0.05; done
: >"$tag.done"
CGI
	for mode in $NGINX_MODES; do
		base=$WEB/$mode/cgi-bin/accel
		atf_check -s exit:0 -o inline:'a static file\n' -e empty \
		    curl -sS "$base/f$mode?/static/file.txt"
		atf_check -s exit:0 -o match:'^PATH_INFO=/other$' -e empty \
		    curl -sS "$base/s$mode?/$mode/cgi-bin/env/other"
		: >cgi-bin/f$mode.go
		: >cgi-bin/s$mode.go
		wait_for test -e cgi-bin/f$mode.done
		wait_for test -e cgi-bin/s$mode.done
	done
	mux_finish
}

# Slow for its own client, whole, and for nobody else.
mux_case rate
rate_body()
{
	mux_site <<'CONF'
location ~ ^/slow([01])(/cgi-bin/.*)$ {
	fastcgi_pass mux;
	include params;
	fastcgi_param SCRIPT_NAME $2;
	limit_rate 150k;
}
location ~ ^/upstream(/cgi-bin/.*)$ {
	fastcgi_pass mux;
	include params;
	fastcgi_param SCRIPT_NAME $1;
	fastcgi_limit_rate 150k;
}
CONF
	mk_cgi accel-rate <<'CGI'
#!/bin/sh
printf 'X-Accel-Limit-Rate: 150000\nContent-Type: text/plain\n\n'
exec seq -f %07.0f 0 49999
CGI
	seq -f %07.0f 0 49999 >want
	jobs=
	start=$(date +%s)
	for path in b0r0k0/cgi-bin/accel-rate b1r1k1/cgi-bin/accel-rate \
	    slow0/cgi-bin/size?400000 upstream/cgi-bin/size?400000; do
		curl -sS -m 60 "$WEB/$path" >"got.${path%%/*}" &
		jobs="$jobs $!"
	done
	for i in $(seq 20); do
		atf_check -s exit:0 -o match:^QUERY -e empty \
		    curl -sS -m 10 "$WEB/b0r0k0/cgi-bin/env?$i"
	done
	mux_wait $jobs
	[ $(($(date +%s) - start)) -ge 1 ] || atf_fail "no rate was limited"
	for file in got.*; do
		cmp $file want || atf_fail $file
	done
	mux_one_connection 24
	mux_finish
}

# Which of the two ways a response takes is the script's to say.
mux_case buffering
buffering_body()
{
	mux_site </dev/null
	for way in no yes; do
		mk_cgi $way <<CGI
#!/bin/sh
printf 'X-Accel-Buffering: $way\nContent-Type: text/plain\n\n'
seq -f %07.0f 0 99999
CGI
		seq -f %07.0f 0 99999 >want
		for mode in $MUX_MODES; do
			atf_check -s exit:0 -o file:want -e empty \
			    curl -sS "$WEB/$mode/cgi-bin/$way"
		done
	done
	mux_one_connection 8
	mux_finish
}

# nginx's code that reads from upstream goes on for a moment with a connection
# that a filter, which it has called, has made it close.
mux_case finalize
finalize_body()
{
	[ "${NGINX_MULTIPLEX:-}" = static ] ||
	    atf_skip "needs the filter of tests/filter in nginx"
	mux_site <<'CONF'
location /final/ {
	fastcgi_pass mux;
	include params;
	finalize_body on;
	error_page 415 = /none;
}
location /final/unbuffered/ {
	fastcgi_pass mux;
	include params;
	fastcgi_buffering off;
	finalize_body on;
	error_page 415 = /none;
}
location /none { return 204; }
CONF
	mk_cgi final/page <<'CGI'
#!/bin/sh
printf 'Content-Type: text/plain\n\n'
seq 20000
CGI
	mkdir cgi-bin/final/unbuffered
	cp cgi-bin/final/page cgi-bin/final/unbuffered/page
	for way in final final/unbuffered; do
		for i in 1 2 3 4 5; do
			atf_check -s exit:0 -o inline:'204 0\n' -e empty \
			    curl -sS -m 10 -w '%{http_code} %{size_download}\n' \
			    "$WEB/$way/page?$i"
		done
	done
	mux_finish
}
