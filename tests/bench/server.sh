# shellcheck shell=sh
# shellcheck disable=SC2034,SC2153,SC2154 # variables for, and of, others
# What runs the scripts of a site (site.sh), by its name there.  Each listens on
# gw.sock in the current directory; where the web server runs scripts itself
# there is nothing to do.

server_go=$(dirname "$AFCGI")/tests/peer-go
server_uwsgi=/usr/lib/uwsgi/plugins/cgi_plugin.so
UWSGI=${UWSGI:-16} # processes

server_can()
{
	case $1 in
	gateway | cgi | stream | cgid | tuned) ;;
	go) site_may peer-go -x "$server_go" ;;
	fcgiwrap*) site_may fcgiwrap -n "$(command -v fcgiwrap)" ;;
	uwsgi) site_may uwsgi -f $server_uwsgi ;;
	*) atf_fail "no such server: $1" ;;
	esac
}

# server_start server: sets SITE_SERVER and SITE_GATEWAY, and SITE_PIDS to what
# has to be ended with it.
server_start()
{
	SITE_SERVER=
	case $1 in
	gateway) server_gateway ;;
	go)
		mux_peer go "$server_go" gw.sock
		SITE_SERVER=$PEER_PID
		;;
	fcgiwrap*) server_fcgiwrap "${1#fcgiwrap}" ;;
	uwsgi) server_uwsgi ;;
	esac
	SITE_PIDS=$SITE_SERVER
	case $1 in
	fcgiwrap* | uwsgi) SITE_GATEWAY=$SITE_SERVER+ ;;
	*) SITE_GATEWAY=${SITE_SERVER:--} ;;
	esac
}

server_gateway()
{
	LOG=$PWD/gateway.err
	start_gateway -L scripts=4000 "/=$bench_work/cgi-bin"
	SITE_SERVER=$GATEWAY_PID
	GATEWAY_PID= # stop_web ends it, with all others
	echo "$SITE_SERVER" >>web.pids
	cp gateway.pid .. # and stop_gateway its scripts
}

# server_fcgiwrap children
server_fcgiwrap()
{
	server_children=$1
	fcgiwrap -f -c "$1" -s "unix:$PWD/gw.sock" 2>fcgiwrap.err &
	SITE_SERVER=$!
	echo "$SITE_SERVER" >>web.pids
	wait_for fcgiwrap_ready
	# It does not take its workers with it when it ends.
	child_pids "$SITE_SERVER" >>web.pids || : # others come and go
	SITE_PIDS=$SITE_SERVER
}

fcgiwrap_ready()
{
	[ -S gw.sock ] &&
	    [ "$(child_pids "$SITE_SERVER" | wc -l)" -eq "$server_children" ]
}

server_uwsgi()
{
	uwsgi --plugin cgi --cgi "$bench_work/cgi-bin" \
	    --cgi-close-stdin-on-eof --uwsgi-socket gw.sock --master \
	    --die-on-term --no-orphans --processes "$UWSGI" \
	    --listen "$(cat /proc/sys/net/core/somaxconn)" \
	    --disable-logging >uwsgi.err 2>&1 </dev/null &
	SITE_SERVER=$!
	echo "$SITE_SERVER" >>web.pids
	wait_for uwsgi_ready
}

uwsgi_ready()
{
	[ "$(grep -c 'spawned uWSGI worker' uwsgi.err)" -eq "$UWSGI" ]
}
