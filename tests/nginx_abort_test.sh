# shellcheck shell=sh
# shellcheck disable=SC2119,SC2120 # nginx_site's arguments are the gateway's
# Clients that leave, behind an nginx that nobody changed:
#
#	silent     the script neither reads nor writes: it ends all the same, in
#	           every mode of buffering, request buffering and keep_conn
#	flood      likewise one that writes for ever
#	stubborn   one deaf to TERM is killed after the grace
#	family     its children go with it
#	upload     the client leaves in its body: that never looks like the end
#	others     requests of other clients go on
#	head       HEAD: the script may finish although nginx hung up
#	redirect   likewise after a local redirect

. "$(atf_get_srcdir)/lib.sh"
. "$(atf_get_srcdir)/web.sh"
web_needs nginx curl perl

# Nothing but the client's leaving can end the script.
web_case silent
silent_body()
{
	nginx_site </dev/null
	for mode in $NGINX_MODES; do
		client "$mode" "$WEB/$mode/cgi-bin/silent?$mode"
		pid=$(script_pid "$mode")
		if ended "$pid"; then atf_fail "it ended by itself"; fi
		client_leave "$CLIENT"
		wait_for ended "$pid"
		client "p$mode" -d body=1 "$WEB/$mode/cgi-bin/silent?p$mode"
		pid=$(script_pid "p$mode")
		client_leave "$CLIENT"
		wait_for ended "$pid"
	done
	nginx_log_clean
	web_finish
}

# A script that writes without end goes too, wherever its output is held up.
web_case flood
flood_body()
{
	nginx_site </dev/null
	for mode in $NGINX_MODES; do
		client "$mode" --limit-rate 100k -o /dev/null \
		    "$WEB/$mode/cgi-bin/flood?$mode"
		pid=$(script_pid "$mode")
		client_leave "$CLIENT"
		wait_for ended "$pid"
	done
	nginx_log_clean
	web_finish
}

# TERM is a request, KILL is not.
web_case stubborn
stubborn_body()
{
	nginx_site -L grace=0.3 </dev/null
	client deaf "$WEB/b0r0k0/cgi-bin/stubborn?deaf"
	pid=$(script_pid deaf)
	wait_for test -s cgi-bin/deaf.deaf
	client_leave "$CLIENT"
	wait_for ended "$pid"
	nginx_log_clean
	web_finish
}

# The whole process group is ended.
web_case family
family_body()
{
	nginx_site </dev/null
	client family "$WEB/b0r0k0/cgi-bin/family?family"
	pid=$(script_pid family)
	wait_for test -s cgi-bin/family.child
	child=$(cat cgi-bin/family.child)
	client_leave "$CLIENT"
	wait_for ended "$pid"
	wait_for ended "$child"
	nginx_log_clean
	web_finish
}

# What came of the body is not taken for the whole: the script is killed
# before it can see an end.
web_case upload
upload_body()
{
	nginx_site </dev/null
	for mode in b0r0k0 b0r0k1 b1r0k0 b1r0k1; do
		upload_leave "$mode" "$WEB/$mode/cgi-bin/upload?$mode" 20000
	done
	nginx_log_clean
	web_finish
}

# One client's leaving is nothing to the others.
web_case others
others_body()
{
	nginx_site </dev/null
	for mode in $NGINX_MODES; do
		client "$mode.a" "$WEB/$mode/cgi-bin/drip?a$mode"
		stays=$CLIENT
		client "$mode.b" "$WEB/$mode/cgi-bin/silent?b$mode"
		wait_for grep -q one "$mode.a.out"
		pid=$(script_pid "b$mode")
		client_leave "$CLIENT"
		wait_for ended "$pid"
		: >"cgi-bin/a$mode.go"
		wait "$stays" || atf_fail "the other client failed"
		atf_check -s exit:0 -o inline:'one\ntwo\n' -e empty \
		    cat "$mode.a.out"
	done
	nginx_log_clean
	web_finish
}

# nginx closes the connection as soon as it has a HEAD request's header;
# nobody left, and what the script does besides must be done.
web_case head
head_body()
{
	nginx_site </dev/null
	for mode in $NGINX_MODES; do
		atf_check -s exit:0 -o match:'^Content-Length: 5' -e empty \
		    curl -sSI "$WEB/$mode/cgi-bin/after?$mode"
		: >"cgi-bin/$mode.go"
		wait_for test -e "cgi-bin/$mode.done"
	done
	nginx_log_clean
	web_finish
}

# Likewise when nginx goes elsewhere for the page.
web_case redirect
redirect_body()
{
	mkdir static
	echo "a static file" >static/file.txt
	nginx_site </dev/null
	mk_cgi go <<'CGI'
#!/bin/sh
printf 'Location: /static/file.txt\n\n'
while [ ! -e "$QUERY_STRING.go" ]; do sleep 0.05; done
: >"$QUERY_STRING.done"
CGI
	for mode in $NGINX_MODES; do
		atf_check -s exit:0 -o inline:'a static file\n' -e empty \
		    curl -sS "$WEB/$mode/cgi-bin/go?$mode"
		: >"cgi-bin/$mode.go"
		wait_for test -e "cgi-bin/$mode.done"
	done
	nginx_log_clean
	web_finish
}
