# shellcheck shell=sh
# shellcheck disable=SC2034,SC2153 # most variables are for, or of, others
# An nginx with the multiplexing module, for the tests of the module.  Sourced
# after lib.sh and web.sh.  Everything is in the current directory, as there:
#
#	nginx/nginx.conf, nginx/error.log	nginx's own
#	nginx/mux.log	a line a request, written at its end; also $MUXLOG:
#		connection|streams|window|upstream_status|status|upstream_addr|uri|pid
#				("-|-|-|..." for a plain connection)
#	NAME.out	what the peer NAME printed
#
# What a case sets before mux_start_nginx:
#
#	MUX_ARGS	of fastcgi_multiplex in upstream "mux"
#	MUX_SERVERS	lines of that upstream; server unix:$WEB_SOCKET; if empty
#	MUX_HTTP	lines of http{}: upstreams (mux_directive), caches
#	MUX_MAIN	lines outside of http{}
#	MUX_LISTEN	parameters of listen
#	MUX_WORKERS	how many; 1
#
# and in the environment:
#
#	NGINX		the program; nginx
#	NGINX_MULTIPLEX	"static" when the module is built into it
#	MUX_OFF		leaves the module out: what nginx does by itself
#	MUX_DEBUG	the error log says everything
#	MUX_USE		the method for events, such as poll

MUX_MODULE=$TESTS/../ngx_http_upstream_fastcgi_multiplex_module.so
MUXLOG=$PWD/nginx/mux.log
MUX_WORKERS=1
MUX_ARGS=
MUX_SERVERS=
MUX_HTTP=
MUX_MAIN=
MUX_LISTEN=
MUX_PID=

# mux_case name [timeout]: a case that leaves nothing running; its body is the
# function name_body, what it needs besides nginx and curl is in MUX_NEEDS.
mux_case()
{
	atf_test_case "$1" cleanup
	eval "${1}_head() { mux_requires ${2:-180}; }"
	eval "${1}_cleanup() { stop_clients; stop_web; stop_gateway; }"
	CASES="$CASES $1"
}
MUX_NEEDS=

mux_requires()
{
	atf_set timeout $(($1 * SLOWER))
	atf_set require.progs "${NGINX:-nginx} curl perl $MUX_NEEDS"
}

# True unless nginx is on trial without the module.
mux_is_on()
{
	[ -z "${MUX_OFF:-}" ]
}

# mux_directive [argument...]: the directive, for upstreams of one's own.
mux_directive()
{
	! mux_is_on || echo "fastcgi_multiplex $*;"
}

# The module, or variables that look like it.
mux_load()
{
	if ! mux_is_on || [ "${NGINX_MULTIPLEX:-}" = static ]; then
		return 0
	fi
	[ -f "$MUX_MODULE" ] || atf_skip "no nginx module (make nginx)"
	echo "load_module $MUX_MODULE;"
}

# mux_raw: two locations; / buffers, /raw/ does not, in either direction.
mux_raw()
{
	cat <<'CONF'
location / {
	fastcgi_pass mux;
}
location /raw/ {
	rewrite ^/raw(/.*) $1 break;
	fastcgi_pass mux;
	fastcgi_buffering off;
	fastcgi_request_buffering off;
}
CONF
}

# An upgraded nginx has no other environment than this.
mux_sanitizers()
{
	if [ "${NGINX_MULTIPLEX:-}" = static ]; then
		echo "env ASAN_OPTIONS; env LSAN_OPTIONS; env UBSAN_OPTIONS;"
	fi
}

mux_no_module()
{
	mux_is_on || cat <<'CONF'
	map $pid $fastcgi_multiplex_connection { default "-"; }
	map $pid $fastcgi_multiplex_streams { default "-"; }
	map $pid $fastcgi_multiplex_window { default "-"; }
CONF
}

# Connections spread over several workers only if each has its own queue.
mux_listen()
{
	printf 'listen 127.0.0.1:%s backlog=4096' "$1"
	[ "$MUX_WORKERS" = 1 ] || printf ' reuseport'
	printf ' %s' "${2:-}" "$MUX_LISTEN"
	echo ';'
}

# mux_start_nginx: lines of the server block on stdin.  Its upstream is "mux",
# as in  location / { fastcgi_pass mux; include params; }.  Sets WEB, and WEB2
# for HTTP/2 without TLS (curl --http2-prior-knowledge).
mux_start_nginx()
{
	WEB_PORT=$(free_port)
	mux_port2=$(free_port)
	mkdir -p nginx
	: >"$MUXLOG"
	cp "$TOP/nginx/conf/afcgi_params" nginx/params
	mux_loads=$(mux_load)
	mux_level=info
	[ -z "${MUX_DEBUG:-}" ] || mux_level=debug
	cat >nginx/nginx.conf <<CONF
$mux_loads
$(web_user "user root;")
$(mux_sanitizers)
daemon off;
worker_processes $MUX_WORKERS;
worker_rlimit_nofile 16384;
error_log $PWD/nginx/error.log $mux_level;
pid $PWD/nginx/nginx.pid;
events { worker_connections 8192; ${MUX_USE:+use $MUX_USE;} }
$MUX_MAIN
http {
	log_format mux '\$fastcgi_multiplex_connection|'
	    '\$fastcgi_multiplex_streams|\$fastcgi_multiplex_window|'
	    '\$upstream_status|\$status|\$upstream_addr|\$request_uri|\$pid';
	access_log $MUXLOG mux;
	client_max_body_size 0;
	client_body_temp_path $PWD/nginx/body;
	fastcgi_temp_path $PWD/nginx/fastcgi;
	proxy_temp_path $PWD/nginx/proxy;
	uwsgi_temp_path $PWD/nginx/uwsgi;
	scgi_temp_path $PWD/nginx/scgi;
	keepalive_requests 100000;
	map \$server_port \$afcgi_host { default \$host:\$server_port; }
$(mux_no_module)
	upstream mux {
		${MUX_SERVERS:-server unix:$WEB_SOCKET;}
		$(mux_directive "$MUX_ARGS")
	}
$MUX_HTTP
	server {
		$(mux_listen "$WEB_PORT")
		$(mux_listen "$mux_port2" http2)
		http2_max_concurrent_streams 1024;
		root $PWD;
$(cat)
	}
}
CONF
	# NGINX in its environment means something else to nginx.
	web_run nginx env -u NGINX "${NGINX:-nginx}" -e "$PWD/nginx/error.log" \
	    -p "$PWD/nginx" -c "$PWD/nginx/nginx.conf"
	MUX_PID=$!
	WEB2=http://127.0.0.1:$mux_port2
}

# mux_peer name command...: a FastCGI server in the background, on whatever
# socket its arguments say, once it has printed the line "ready".  Sets
# PEER_PID.
mux_peer()
{
	mux_name=$1
	shift
	: >"$mux_name.out" # where another's "ready" may be
	"$@" >"$mux_name.out" 2>&1 </dev/null &
	PEER_PID=$!
	echo $PEER_PID >>web.pids
	wait_for mux_peer_ready "$PEER_PID" "$mux_name.out"
}

mux_peer_ready()
{
	if ended "$1"; then web_fail "the peer did not start" "$2"; fi
	grep -q '^ready' "$2"
}

# mux_peer_kill [pid]: with KILL; waits until it is gone.
mux_peer_kill()
{
	kill -KILL "${1:-$PEER_PID}"
	wait "${1:-$PEER_PID}" 2>/dev/null || :
}

# mux_wait pid...: background jobs of this shell, that must succeed.
mux_wait()
{
	for mux_job in "$@"; do
		wait "$mux_job" || atf_fail "a client failed ($?)"
	done
}

# The nginx workers of now.
mux_workers()
{
	child_pids "$MUX_PID"
}

# mux_warm [path]: requests, one at least, until every worker has served one of
# them multiplexed.
mux_warm()
{
	mux_is_on || return 0
	mux_tries=0
	mux_before=$(wc -l <"$MUXLOG")
	while [ "$(mux_warm_workers)" -lt "$MUX_WORKERS" ]; do
		mux_tries=$((mux_tries + 1))
		[ $mux_tries -lt 300 ] ||
		    web_fail "no request was multiplexed" nginx/error.log
		curl -sS -o /dev/null "$WEB${1:-/}" ||
		    web_fail "no answer" nginx/error.log
	done
}

# How many of the workers have served a request that was multiplexed since.
mux_warm_workers()
{
	mux_pids=$(mux_workers | tr '\n' ' ')
	awk -F'|' -v pids="$mux_pids" -v before="$mux_before" '
		BEGIN { n = split(pids, p, " "); for (i = 1; i <= n; i++) w[p[i]] }
		NR > before && $1 ~ /^[0-9]/ && ($NF in w) && !($NF in seen) { seen[$NF]; c++ }
		END { print c + 0 }' "$MUXLOG"
}

# mux_plain: how many requests since the last warm-up went over plain
# connections.
mux_plain()
{
	sed 1,"$mux_before"d "$MUXLOG" | grep -c '^-.*|unix:' || :
}

# mux_lines pattern: how many lines of the access log match it, with the log
# complete: what it is about may be written after its client has its answer.
mux_lines()
{
	grep -Ec -e "$1" "$MUXLOG" || :
}

# mux_logged n pattern: there are n such lines, now or soon, and no more.
mux_logged()
{
	wait_for mux_has_lines "$1" "$2"
	[ "$(mux_lines "$2")" = "$1" ] ||
	    web_fail "not $1 lines of the access log match $2" "$MUXLOG"
}

mux_has_lines()
{
	[ "$(mux_lines "$2")" -ge "$1" ]
}

# mux_log_reset: forgets the requests so far.
mux_log_reset()
{
	: >"$MUXLOG"
}

# mux_connections [pid...]: how many connections these servers (the gateway)
# and their children have accepted on unix sockets and have open.
mux_connections()
{
	[ -r /proc/net/unix ] || atf_skip "no /proc/net/unix"
	[ $# -gt 0 ] || set -- "$GATEWAY_PID"
	# shellcheck disable=SC2046 # a list of pids
	set -- "$@" $(for mux_pid in "$@"; do child_pids "$mux_pid"; done)
	perl -e '
		my %mine = map { (readlink // "") =~ /^socket:.(\d+)/ ? ($1, 1) : () }
		    map { glob "/proc/$_/fd/*" } @ARGV;
		open my $f, "<", "/proc/net/unix" or die;
		my $n = grep { my @c = split; @c > 7 && $c[5] eq "03" && $mine{$c[6]} }
		    <$f>;
		print "$n\n";' "$@"
}

# mux_fds: the descriptors that the workers have open, all together.
mux_fds()
{
	mux_count=0
	for mux_pid in $(mux_workers); do
		mux_count=$((mux_count + $(count_fds "$mux_pid")))
	done
	echo "$mux_count"
}

# mux_reload: HUP; waits until new workers serve (old ones may serve on).
mux_reload()
{
	mux_old=$(mux_workers)
	kill -HUP "$MUX_PID"
	wait_for mux_has_reloaded
}

mux_has_reloaded()
{
	mux_new=0
	for mux_pid in $(mux_workers); do
		case "
$mux_old
" in
		*"
$mux_pid
"*)	;;
		*) mux_new=$((mux_new + 1)) ;;
		esac
	done
	[ $mux_new -ge "$MUX_WORKERS" ]
}

# mux_log_clean: nothing in the error log is the module's fault, whatever the
# peer has done: no dead worker, no alert, nothing that a sanitizer found.  That
# a socket is not there is the peer's own affair, and nginx tries again when its
# port is somebody else's for a moment.
mux_log_clean()
{
	if grep -E '\[(alert|crit|emerg)\]|open socket #|exited with code [1-9]|Sanitizer|runtime error:' \
	    nginx/error.log nginx.out |
	    grep -Ev '(crit.* connect|emerg.* bind)\(\) to' >nginx.bad
	then
		web_fail "nginx's error log is not clean" nginx.bad
	fi
}

# mux_stop: QUIT, which a master without requests obeys at once, status 0.
mux_stop()
{
	kill -QUIT "$MUX_PID"
	wait_for ended "$MUX_PID"
	mux_status=0
	wait "$MUX_PID" || mux_status=$?
	[ $mux_status -eq 0 ] ||
	    web_fail "nginx ended with status $mux_status" nginx/error.log
}

# mux_finish: the end of a body.
mux_finish()
{
	stop_clients
	mux_stop
	mux_log_clean
	stop_web
	if [ -n "$GATEWAY_PID" ]; then finish; fi
}

# Locations to the upstream, whose prefix it does not see: /r is unbuffered in
# both directions, /b in neither.
mux_raw_locations()
{
	cat <<'CONF'
location /r/ {
	rewrite ^/r(/.*) $1 break;
	fastcgi_pass mux;
	fastcgi_buffering off;
	fastcgi_request_buffering off;
}
location /b/ {
	rewrite ^/b(/.*) $1 break;
	fastcgi_pass mux;
}
CONF
}
