# shellcheck shell=sh
# shellcheck disable=SC2034,SC2153,SC2154 # variables for, and of, others
# Several web servers at once, each with a FastCGI server of its own, for
# measurements that take them in turn.  Sourced after bench.sh.  A site is
# named FRONT-SERVER and lives in a directory of that name:
#
#	module-	nginx with the module	-gateway	afcgi, over cgi-bin/
#	nginx-	nginx as it is		-go		Go's net/http/fcgi
#	haproxy-	HAProxy, multiplexing
#
# nginx buffers below /, and below /raw/ it does not, either way.
#
#	SITES	which (all)

SITES=${SITES:-module-gateway nginx-gateway haproxy-gateway
    module-go nginx-go haproxy-go}
. "$AFCGI_TOP/tests/mux.sh"
MUX_MODULE=$(dirname "$AFCGI")/ngx_http_upstream_fastcgi_multiplex_module.so
site_go=$(dirname "$AFCGI")/tests/peer-go
bench_helper clients
bench_helper stall
{ have curl && have perl; } || exit 0

site_missing=
site_may()
{
	case $site_missing in
	*" $1 "*) return 1 ;;
	esac
	if ! test "$2" "$3"; then
		site_missing="$site_missing $1 "
		say "$1: missing, left out"
		return 1
	fi
}

# site_can site: whether all that it needs is there.
site_can()
{
	case $1 in
	module-*) site_may module -f "$MUX_MODULE" || return 1 ;;
	esac
	case $1 in
	haproxy-*) site_may haproxy -n "$(command -v haproxy)" || return 1 ;;
	*) site_may nginx -n "$(command -v nginx)" || return 1 ;;
	esac
	case $1 in
	*-go) site_may peer-go -x "$site_go" || return 1 ;;
	esac
}

site_server()
{
	case $1 in
	*-gateway)
		LOG=$PWD/gateway.err
		start_gateway -L scripts=4000 "/=$bench_work/cgi-bin"
		SITE_SERVER=$GATEWAY_PID
		GATEWAY_PID= # stop_web ends it, with all others
		echo "$SITE_SERVER" >>web.pids
		cp gateway.pid .. # and stop_gateway its scripts
		;;
	*-go)
		mux_peer go "$site_go" gw.sock
		SITE_SERVER=$PEER_PID
		;;
	esac
}

site_front()
{
	case $1 in
	haproxy-*)
		start_haproxy <<CONF
fcgi-app cgi
	docroot $bench_work/cgi-bin
	option mpxs-conns
	option keep-conn
	option max-reqs 1000
CONF
		SITE_WORKERS=$(tail -n 1 web.pids)
		MUX_PID=
		return
		;;
	esac
	MUXLOG=$PWD/nginx/mux.log
	MUX_OFF=1
	case $1 in
	module-*) MUX_OFF= ;;
	esac
	mux_start_nginx <<CONF
include params;
$(mux_raw)
CONF
	mux_warm /hello
	SITE_WORKERS=$(mux_workers | tr '\n' ' ')
}

# What the sites are asked for: a small page, the text in it, one that takes a
# second, 1 GB, and something that does not read a body.
site_pages()
{
	site_raw=/raw
	case $1 in
	haproxy-*) site_raw= ;;
	esac
	case $1 in
	*-gateway)
		SITE_SMALL=$site_raw/hello
		SITE_TEXT="hello, world"
		SITE_SECOND=/sleep1
		SITE_DOWN="$site_raw/gush?1024"
		SITE_UP="$site_raw/silent?/dev/null"
		;;
	*-go)
		# Unbuffered requests are not multiplexed by the module here.
		SITE_SMALL="/bytes?n=13"
		SITE_TEXT=0000000
		SITE_SECOND="/delay?ms=1000"
		SITE_DOWN="$site_raw/bytes?n=1073741824"
		SITE_UP="$site_raw/delay?ms=20000"
		;;
	esac
}

# site_start site
# shellcheck disable=SC2103,SC2164 # set -e
site_start()
{
	mkdir "$1"
	ln -s ../web.pids "$1/web.pids"
	cd "$1"
	site_server "$1"
	site_front "$1"
	cat >vars <<VARS
SITE_PORT=$WEB_PORT
SITE_SERVER=$SITE_SERVER
SITE_WORKERS="$SITE_WORKERS"
SITE_PIDS="$MUX_PID $SITE_WORKERS $SITE_SERVER"
VARS
	cd ..
}

# site_again site: when there is no other way out of its state.
site_again()
{
	# shellcheck disable=SC2086 # a list
	kill -KILL $SITE_PIDS
	rm -rf "./$1"
	site_start "$1"
}

# site_use site: sets the variables of that site.
site_use()
{
	# shellcheck disable=SC1090
	. "./$1/vars"
	site_pages "$1"
}

sites_start()
{
	sites=
	for site in $SITES; do
		site_can "$site" || continue
		site_start "$site"
		sites="$sites $site"
	done
}

sites_stop()
{
	stop_web
	for site in $sites; do
		rm -rf "./$site"
	done
}
