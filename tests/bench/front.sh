# shellcheck shell=sh
# shellcheck disable=SC2034,SC2153,SC2154 # variables for, and of, others
# The web server of a site (site.sh), by the first part of the site's name.

MUX_MODULE=$(dirname "$AFCGI")/ngx_http_upstream_fastcgi_multiplex_module.so

front_can()
{
	case $1 in
	module)
		site_may module -f "$MUX_MODULE" || return 1
		set -- nginx
		;;
	keep) set -- nginx ;;
	apache) set -- apache2 ;;
	nginx | haproxy | lighttpd) ;;
	*) atf_fail "no such web server: $1" ;;
	esac
	site_may "$1" -n "$(command -v "$1")"
}

# front_base front: the path below which scripts are, unbuffered.
front_base()
{
	case $1 in
	module | nginx | keep) echo /raw ;;
	lighttpd | apache) echo /cgi-bin ;;
	esac
}

# front_start site: sets WEB_PORT, SITE_WORKERS and SITE_WEB, and adds to
# SITE_PIDS.
front_start()
{
	case $1 in
	haproxy-*) front_haproxy ;;
	lighttpd-*) front_lighttpd "${1#*-}" ;;
	apache-*) front_apache "${1#*-}" ;;
	*) front_nginx "${1%%-*}" "${1#*-}" ;;
	esac
}

# A web server of one process.
front_process()
{
	SITE_WORKERS=$(tail -n 1 web.pids)
	SITE_WEB=$SITE_WORKERS
	SITE_PIDS="$SITE_PIDS $SITE_WORKERS"
}

front_haproxy()
{
	start_haproxy <<CONF
fcgi-app cgi
	docroot $bench_work/cgi-bin
	option mpxs-conns
	option keep-conn
	option max-reqs 1000
CONF
	front_process
}

# front_nginx front server
front_nginx()
{
	MUXLOG=$PWD/nginx/mux.log
	MUX_OFF=1
	MUX_SERVERS=
	case $1 in
	module) MUX_OFF= ;;
	keep) MUX_SERVERS="server unix:gw.sock; keepalive 64;" ;;
	esac
	front_locations "$@" >locations
	mux_start_nginx <locations
	mux_warm /hello
	SITE_WORKERS=$(mux_workers | tr '\n' ' ')
	SITE_WEB=$MUX_PID+
	SITE_PIDS="$SITE_PIDS $MUX_PID $SITE_WORKERS"
}

# front_locations front server: / buffers, /raw/ does not, either way, and does
# not log.
front_locations()
{
	front_protocol=fastcgi
	front_pass=mux
	if [ "$2" = uwsgi ]; then
		front_protocol=uwsgi
		front_pass=unix:gw.sock
		sed -n 's/^fastcgi_param/uwsgi_param/p' \
		    "$AFCGI_TOP/nginx/conf/afcgi_params"
		cat <<'CONF'
uwsgi_param PATH_INFO $fastcgi_script_name;
uwsgi_modifier1 9;
CONF
	else
		echo 'include params;'
		[ "$1" != keep ] || echo 'fastcgi_keep_conn on;'
	fi
	[ -z "${FRONT_BUFFERS:-}" ] ||
	    sed -n "s/^fastcgi_buffer/${front_protocol}_buffer/p" \
		"$AFCGI_TOP/nginx/conf/afcgi.conf"
	cat <<CONF
location / {
	root $bench_work/cgi-bin;
	${front_protocol}_pass $front_pass;
}
location /raw/ {
	root $bench_work/cgi-bin;
	access_log off;
	rewrite ^/raw(/.*) \$1 break;
	${front_protocol}_pass $front_pass;
	${front_protocol}_buffering off;
	${front_protocol}_request_buffering off;
}
CONF
}

# front_lighttpd cgi|stream: as Debian has it, or with nothing kept back.
front_lighttpd()
{
	{
		cat <<'CONF'
server.modules += ( "mod_cgi" )
cgi.assign = ( "" => "" )
CONF
		[ "$1" = cgi ] || cat <<'CONF'
server.stream-response-body = 1
server.stream-request-body = 1
server.max-request-size = 0
server.max-fds = 16384
server.max-keep-alive-requests = 100000
CONF
	} >cgi.conf
	start_lighttpd <cgi.conf
	front_process
}

# front_apache cgid|tuned: as Debian's mpm_event.conf has it, or with threads
# for everybody.
front_apache()
{
	{
		cat <<CONF
LoadModule cgid_module $(apache_modules)/mod_cgid.so
LoadModule alias_module $(apache_modules)/mod_alias.so
ScriptSock $PWD/cgid.sock
ScriptAlias /cgi-bin/ $bench_work/cgi-bin/
CONF
		if [ "$1" = cgid ]; then
			cat <<'CONF'
StartServers 2
MinSpareThreads 25
MaxSpareThreads 75
ThreadLimit 64
ThreadsPerChild 25
MaxRequestWorkers 150
CONF
		else
			cat <<'CONF'
ServerLimit 20
StartServers 2
MinSpareThreads 128
MaxSpareThreads 2560
ThreadLimit 128
ThreadsPerChild 128
MaxRequestWorkers 2560
MaxKeepAliveRequests 0
ListenBacklog 4096
CONF
		fi
	} >cgid.conf
	start_apache <cgid.conf
	front_apache=$(tail -n 1 web.pids)
	wait_for apache_gateway
	SITE_GATEWAY=$apache_daemon
	SITE_WORKERS=
	SITE_WEB=$front_apache+
	SITE_PIDS="$SITE_PIDS $front_apache"
}

# The process that starts scripts: whose socket it is.
apache_gateway()
{
	apache_socket=$(awk -v path="$PWD/cgid.sock" \
	    'index($8, path) == 1 { print $7; exit }' /proc/net/unix)
	for apache_daemon in $(child_pids "$front_apache"); do
		[ -z "$(find "/proc/$apache_daemon/fd" \
		    -lname "socket:\[$apache_socket\]")" ] || return 0
	done
	return 1
}
