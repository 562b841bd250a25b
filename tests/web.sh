# shellcheck shell=sh
# Real web servers for the tests, each in the foreground, in the current
# directory, on a loopback port that was free, as whoever runs the test.
# Sourced after lib.sh.  A caller feeds the lines of the configuration that
# are its own on stdin; start_X sets WEB_PORT and WEB (http://127.0.0.1:port)
# and notes the pid in web.pids, and stop_web ends them all.  They find the
# gateway at $WEB_SOCKET, a path of its unix socket.
#
#	start_nginx     lines of a server block
#	start_haproxy   lines of a backend section, and whole sections after it
#	start_apache    lines of the main server
#	start_lighttpd  lines of the main file
#
# It also has the CGI programs that more than one of their tests needs.

WEB_PORT=
WEB=
WEB_SOCKET=${WEB_SOCKET:-gw.sock}

# web_case name: a test case that leaves nothing running and that is skipped
# where a program of web_needs is missing; its body is the function name_body.
web_case()
{
	atf_test_case "$1" cleanup
	eval "${1}_head() { web_requires; }"
	eval "${1}_cleanup() { stop_clients; stop_web; stop_gateway; }"
	CASES="$CASES $1"
}

web_needs()
{
	WEB_PROGS=$*
}

web_requires()
{
	atf_set timeout 180
	atf_set require.progs "$WEB_PROGS"
}

# web_finish: the end of a body: nothing may be left of any request.
web_finish()
{
	stop_clients
	stop_web
	finish
}

# web_fail text file: ends the test, showing what the server said.
web_fail()
{
	echo "$1" >&2
	if [ -f "$2" ]; then cat "$2" >&2; fi
	atf_fail "$1"
}

# web_run name command...: starts a server and waits until its port answers.
web_run()
{
	web_name=$1
	shift
	"$@" >"$web_name.out" 2>&1 </dev/null &
	echo $! >>web.pids
	# shellcheck disable=SC2034
	WEB=http://127.0.0.1:$WEB_PORT
	perl -MIO::Socket::INET -e '
		my ($pid, $port) = @ARGV;
		for (1 .. 400) {
			exit 0 if IO::Socket::INET->new("127.0.0.1:$port");
			exit 1 unless kill 0, $pid;
			select undef, undef, undef, 0.05;
		}
		exit 1;' $! "$WEB_PORT" ||
	    web_fail "$web_name did not start" "$web_name.out"
}

# stop_web: ends every server that this test started and waits for each.
stop_web()
{
	[ -f web.pids ] || return 0
	while read -r web_pid; do
		kill -TERM "$web_pid" 2>/dev/null || continue
		web_try=0
		while kill -0 "$web_pid" 2>/dev/null; do
			web_try=$((web_try + 1))
			[ $web_try -eq 100 ] && kill -KILL "$web_pid"
			[ $web_try -gt 200 ] && break
			sleep 0.05
		done
	done <web.pids
	rm -f web.pids
}

# stop_clients: whatever curl the test left in the background.
stop_clients()
{
	[ -f client.pids ] || return 0
	while read -r web_pid; do
		kill -TERM "$web_pid" 2>/dev/null || :
	done <client.pids
	rm -f client.pids
}

# As root nginx's workers are root's too: the work directory is nobody's.
web_user()
{
	if [ "$(id -u)" -eq 0 ]; then echo "$1"; fi
}

# nginx_modes: eight locations /bXrYkZ/cgi-bin/, where X, Y and Z (0 or 1) are
# buffering, request buffering and keep_conn (to the keepalive upstream).
nginx_modes()
{
	for web_mode in $NGINX_MODES; do
		web_gw=unix:$WEB_SOCKET
		case $web_mode in *k1) web_gw=keep ;; esac
		cat <<MODE
location ~ ^/$web_mode(/cgi-bin/.*)\$ {
	fastcgi_pass $web_gw;
	fastcgi_buffering $(web_on "$web_mode" b1);
	fastcgi_request_buffering $(web_on "$web_mode" r1);
	fastcgi_keep_conn $(web_on "$web_mode" k1);
	include params;
	fastcgi_param SCRIPT_NAME \$1;
	fastcgi_param SCRIPT_FILENAME \$document_root\$1;
}
MODE
	done
}
NGINX_MODES="b0r0k0 b0r0k1 b0r1k0 b0r1k1 b1r0k0 b1r0k1 b1r1k0 b1r1k1"

web_on()
{
	case $1 in
	*"$2"*) echo on ;;
	*) echo off ;;
	esac
}

start_nginx()
{
	WEB_PORT=$(free_port)
	mkdir -p nginx
	cp "$TOP/nginx/conf/afcgi_params" nginx/params
	cat >nginx/nginx.conf <<CONF
$(web_user "user root;")
daemon off;
worker_processes 1;
error_log $PWD/nginx/error.log info;
pid $PWD/nginx/nginx.pid;
events { worker_connections 2048; }
http {
	access_log off;
	client_max_body_size 0;
	client_body_temp_path $PWD/nginx/body;
	fastcgi_temp_path $PWD/nginx/fastcgi;
	proxy_temp_path $PWD/nginx/proxy;
	uwsgi_temp_path $PWD/nginx/uwsgi;
	scgi_temp_path $PWD/nginx/scgi;
	map \$server_port \$afcgi_host { default \$host:\$server_port; }
	upstream keep { server unix:$WEB_SOCKET; keepalive 64; }
	server {
		listen 127.0.0.1:$WEB_PORT backlog=1024;
		root $PWD;
		location /static/ { }
$(cat)
	}
}
CONF
	web_run nginx nginx -e "$PWD/nginx/error.log" -p "$PWD/nginx" \
	    -c "$PWD/nginx/nginx.conf"
}

# nginx_site gateway-argument...: the scripts, the gateway, and nginx
# with all modes; more lines of the server block on stdin.
nginx_site()
{
	web_scripts
	start_gateway "$@" "$PWD/cgi-bin"
	start_nginx <<CONF
$(nginx_modes)
$(cat)
CONF
}

# nginx_log_clean: nginx saw nothing that is worse than its clients, and no
# answer that broke off.
nginx_log_clean()
{
	atf_check -s exit:1 -o empty -e empty grep -E \
	    '\[(alert|crit|emerg)\]|upstream prematurely|unsupported FastCGI' \
	    nginx/error.log
}

# stdin: the backend's lines, and sections after it (fcgi-app).
start_haproxy()
{
	WEB_PORT=$(free_port)
	cat >haproxy.cfg <<CONF
global
	nbthread 1
	stats socket $PWD/haproxy.sock mode 600 level admin
defaults
	mode http
	timeout connect 5s
	timeout client 60s
	timeout server 60s
	retries 0
	option abortonclose
frontend web
	bind 127.0.0.1:$WEB_PORT
	default_backend cgi
backend cgi
	http-reuse always
	use-fcgi-app cgi
	server gw unix@$PWD/$WEB_SOCKET proto fcgi
$(cat)
CONF
	web_run haproxy haproxy -db -f haproxy.cfg
}

apache_modules()
{
	for web_dir in /usr/lib/apache2/modules /usr/libexec/apache2 \
	    /usr/local/libexec/apache24 /usr/lib64/httpd/modules; do
		if [ -f $web_dir/mod_proxy_fcgi.so ]; then
			echo $web_dir
			return
		fi
	done
	atf_skip "no mod_proxy_fcgi"
}

# Apache refuses to serve as root, so its workers are another user's: callers
# start the gateway with -m 0666, and the directory must let them through.
start_apache()
{
	WEB_PORT=$(free_port)
	web_dir=$(apache_modules)
	chmod 755 .
	cat >apache.conf <<CONF
ServerRoot "$PWD"
ServerName localhost
Listen 127.0.0.1:$WEB_PORT
PidFile "$PWD/apache.pid"
DefaultRuntimeDir "$PWD"
ErrorLog "$PWD/apache.log"
DocumentRoot "$PWD"
Mutex file:$PWD default
LoadModule mpm_event_module $web_dir/mod_mpm_event.so
LoadModule authz_core_module $web_dir/mod_authz_core.so
LoadModule proxy_module $web_dir/mod_proxy.so
LoadModule proxy_fcgi_module $web_dir/mod_proxy_fcgi.so
$(web_user "User nobody")
$(web_user "Group #$(id -g nobody)")
$(cat)
CONF
	web_run apache apache2 -f "$PWD/apache.conf" -DFOREGROUND
}

start_lighttpd()
{
	WEB_PORT=$(free_port)
	cat >lighttpd.conf <<CONF
server.modules = ( "mod_fastcgi" )
server.document-root = "$PWD"
server.bind = "127.0.0.1"
server.port = $WEB_PORT
server.errorlog = "$PWD/lighttpd.log"
server.upload-dirs = ( "$PWD" )
$(cat)
CONF
	web_run lighttpd lighttpd -D -f lighttpd.conf
}

# How many connections to its unix socket the gateway has open.  Other tests
# have a gw.sock of their own: what counts is whose descriptor it is.
connections()
{
	[ -r /proc/net/unix ] || atf_skip "no /proc/net/unix"
	perl -e '
		my %mine = map { (readlink // "") =~ /^socket:.(\d+)/ ? ($1, 1) : () }
		    glob "/proc/$ARGV[0]/fd/*";
		open my $f, "<", "/proc/net/unix" or die;
		my $n = grep { my @c = split; @c > 7 && $c[5] eq "03" && $mine{$c[6]} }
		    <$f>;
		print "$n\n";' "$GATEWAY_PID"
}

# client tag curl-argument...: curl in the background; its output is tag.out,
# its messages tag.err; sets CLIENT to its pid.
client()
{
	web_tag=$1
	shift
	curl -sSN "$@" >"$web_tag.out" 2>"$web_tag.err" &
	CLIENT=$!
	echo $CLIENT >>client.pids
}

# client_leave pid: the client is gone, without a word.
client_leave()
{
	kill -KILL "$1"
	wait "$1" 2>/dev/null || :
}

# upload_start tag url bytes curl-argument...: a client in the background that
# has sent so much of its body and waits, on descriptor 9, for the rest.
upload_start()
{
	web_tag=$1
	web_url=$2
	web_bytes=$3
	shift 3
	mkfifo "$web_tag.fifo"
	curl -sS "$@" -H 'Expect:' -T - "$web_url" <"$web_tag.fifo" \
	    >"$web_tag.out" 2>&1 &
	CLIENT=$!
	echo $CLIENT >>client.pids
	exec 9>"$web_tag.fifo"
	bytes "$web_bytes" >&9
}

# upload_leave, likewise: then that client leaves, and the script (upload)
# must end without ever having seen the end of its input.
upload_leave()
{
	upload_start "$@"
	web_pid=$(script_pid "$web_tag")
	wait_for test -s "cgi-bin/$web_tag.body"
	client_leave "$CLIENT"
	exec 9>&-
	wait_for ended "$web_pid"
	atf_check -s exit:1 -o empty -e empty test -e "cgi-bin/$web_tag.eof"
}

# web_redirects: a local redirect to static/file.txt and to a script, and an
# absolute one, in every mode.
web_redirects()
{
	mk_cgi go <<'CGI'
#!/bin/sh
printf 'Location: %s\n\n' "$QUERY_STRING"
CGI
	mk_cgi away <<'CGI'
#!/bin/sh
printf 'Location: http://example.com/x\nContent-Type: text/plain\n\nover there\n'
CGI
	for web_mode in $NGINX_MODES; do
		web_base=$WEB/$web_mode/cgi-bin
		atf_check -s exit:0 -o inline:'a static file\n200' -e empty \
		    curl -sS -w '%{http_code}' "$web_base/go?/static/file.txt"
		atf_check -s exit:0 -e empty -o match:'^PATH_INFO=/else$' \
		    curl -sS "$web_base/go?/$web_mode/cgi-bin/env/else"
		atf_check -s exit:0 -e empty -o match:'^over there$' \
		    -o match:'^302 http://example.com/x$' \
		    curl -sS -w '%{http_code} %{redirect_url}\n' "$web_base/away"
	done
}

# script_pid tag: the pid of the script that runs under this tag, once it has
# written it.
script_pid()
{
	wait_for test -s "cgi-bin/$1.pid"
	cat "cgi-bin/$1.pid"
}

# web_scripts: makes cgi-bin/ with the programs below, all one file under
# many names.  QUERY_STRING is a tag for the files with which script and test
# talk; each leaves its pid in TAG.pid where that matters.
#
#	env	its environment, and the field X-Test
#	echo	its body, while it reads
#	drip	"one", and after cgi-bin/TAG.go exists, "two"
#	after	a page, and after TAG.go exists, makes TAG.done
#	silent	neither reads nor writes
#	stubborn likewise, deaf to TERM
#	family	likewise, with a child, whose pid is in TAG.child
#	upload	reads its body, makes TAG.eof only at its end
#	flood	writes for ever
#	cut	a part of the body that it announced, then dies by a signal
#	cutraw	likewise, without a Content-Length; with a tag after TAG.go
#	deaf	never reads its body, answers
#	mute	no header at all
web_scripts()
{
	mk_cgi env <<'CGI'
#!/bin/sh
type='Content-Type: text/plain\n'
tag=${QUERY_STRING:-none}
echo $$ >"$tag.new" && mv "$tag.new" "$tag.pid"
wait_go() { while [ ! -e "$tag.go" ]; do sleep 0.05; done; }
case ${0##*/} in
env)	printf "${type}X-Test: yes\n\n"; rm -f none.pid; exec env ;;
echo)	printf "$type\n"; exec cat ;;
drip)	printf "${type}X-Accel-Buffering: no\n\none\n"; wait_go; echo two ;;
after)	printf "${type}Content-Length: 5\n\npage\n"; wait_go; : >"$tag.done" ;;
silent)	exec sleep 600 ;;
stubborn) trap : TERM; echo $$ >"$tag.deaf"; while :; do sleep 1; done ;;
family)	sleep 600 & echo $! >"$tag.child"; wait ;;
upload)	cat >"$tag.body"; : >"$tag.eof"; printf "$type\ntook it\n" ;;
flood)	printf "$type\n"; exec yes ;;
cut)	printf "${type}Content-Length: 1000\n\npart\n"; kill -KILL $$ ;;
cutraw)	printf "$type\npart\n"
	[ "$tag" = none ] || wait_go
	kill -KILL $$ ;;
deaf)	printf "$type\nnot read\n" ;;
mute)	;;
esac
CGI
	for web_name in echo drip after silent stubborn family upload flood cut \
	    cutraw deaf mute; do
		ln -f cgi-bin/env cgi-bin/$web_name
	done
}
