# shellcheck shell=sh
# shellcheck disable=SC2119,SC2120 # nginx_site's arguments are the gateway's
# What goes wrong behind an nginx that nobody changed:
#
#	errors       403, 404, 502, 504 pages
#	busy         503 with Retry-After past the queue's limit
#	cut          a script that dies in its body: the client can tell
#	big_header   a 40 KB header through fastcgi_buffer_size; one too big is
#	             nginx's 502 and the gateway's next request works

. "$(atf_get_srcdir)/lib.sh"
. "$(atf_get_srcdir)/web.sh"
web_needs nginx curl perl

# An error is a short page of the gateway's, never a connection that breaks.
web_case errors
errors_body()
{
	nginx_site <<CONF
location ~ ^/slow(/cgi-bin/.*)\$ {
	fastcgi_pass unix:$WEB_SOCKET;
	include params;
	fastcgi_param SCRIPT_FILENAME \$document_root\$1;
	fastcgi_param AFCGI_HEADER_TIME 0.2;
}
CONF
	mk_cgi shut </dev/null
	chmod 644 cgi-bin/shut
	mk_cgi dies <<'CGI'
#!/bin/sh
kill -SEGV $$
CGI
	for mode in $NGINX_MODES; do
		base=$WEB/$mode/cgi-bin
		atf_check -s exit:0 -o inline:'403 Forbidden\n403' -e empty \
		    curl -sS -w '%{http_code}' "$base/shut"
		atf_check -s exit:0 -o inline:'404 Not Found\n404' -e empty \
		    curl -sS -w '%{http_code}' "$base/none"
		atf_check -s exit:0 -o inline:'502 Bad Gateway\n502' -e empty \
		    curl -sS -w '%{http_code}' "$base/mute"
		atf_check -s exit:0 -o inline:'502 Bad Gateway\n502' -e empty \
		    curl -sS -w '%{http_code}' "$base/dies"
	done
	atf_check -s exit:0 -o match:'^504 ' -o match:'^504$' -e empty \
	    curl -sS -w '%{http_code}\n' "$WEB/slow/cgi-bin/silent?slow"
	wait_for ended "$(script_pid slow)"
	nginx_log_clean
	web_finish
}

# One script runs, one waits, the third is told when to come again.
web_case busy
busy_body()
{
	nginx_site -L scripts=1,queue=1,queue_wait=120 </dev/null
	base=$WEB/b0r1k1/cgi-bin
	client first "$base/drip?first"
	wait_for grep -q one first.out
	client second -i "$base/env"
	client third -i "$base/env"
	wait_for grep -q '^HTTP/1.1 503' second.out third.out
	atf_check -s exit:0 -o match:'^.*:Retry-After: [0-9]+' -e empty \
	    grep -E '^Retry-After' second.out third.out
	: >cgi-bin/first.go
	wait_for grep -q '^HTTP/1.1 200' second.out third.out
	wait_for grep -q two first.out
	nginx_log_clean
	web_finish
}

# A response that broke off must not look whole, whatever the mode, and the
# next request on what is left must work.
web_case cut
cut_body()
{
	nginx_site </dev/null
	for mode in $NGINX_MODES; do
		for script in cut cutraw; do
			atf_check -s not-exit:0 -o ignore -e match:'^curl: ' \
			    curl -sS "$WEB/$mode/cgi-bin/$script"
			atf_check -s exit:0 -o match:'^QUERY' -e empty \
			    curl -sS "$WEB/$mode/cgi-bin/env"
		done
	done
	atf_check -s exit:1 -o empty -e empty \
	    grep -E '\[(alert|crit|emerg)\]' nginx/error.log
	web_finish
}

# A big header passes where nginx has room for it; where it has not, that is
# one request's trouble.
web_case big_header
big_header_body()
{
	nginx_site <<CONF
location ~ ^/big(/cgi-bin/.*)\$ {
	fastcgi_pass keep;
	fastcgi_keep_conn on;
	fastcgi_buffer_size 64k;
	fastcgi_buffers 4 64k;
	fastcgi_busy_buffers_size 128k;
	include params;
	fastcgi_param SCRIPT_FILENAME \$document_root\$1;
}
CONF
	mk_cgi big <<'CGI'
#!/usr/bin/perl
print "Content-Type: text/plain\n";
print "X-Field-$_: ", "x" x 990, "\n" for 1 .. 40;
print "\nafter it\n";
CGI
	atf_check -s exit:0 -e empty -o match:'^X-Field-40: x{990}' \
	    -o match:'^after it$' curl -sSi "$WEB/big/cgi-bin/big"
	for mode in b0r1k0 b1r1k1; do
		atf_check -s exit:0 -o match:'^502' -e empty curl -sS \
		    -o /dev/null -w '%{http_code}' "$WEB/$mode/cgi-bin/big"
		atf_check -s exit:0 -o match:'^QUERY' -e empty \
		    curl -sS "$WEB/$mode/cgi-bin/env"
	done
	web_finish
}
