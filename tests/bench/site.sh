# shellcheck shell=sh
# shellcheck disable=SC2034,SC2153,SC2154 # variables for, and of, others
# Several web servers at once, each with what runs its scripts, for
# measurements that take them in turn.  Sourced after bench.sh.  A site is
# named FRONT-SERVER and lives in a directory of that name:
#
#	module-	nginx with the module	-gateway	afcgi
#	nginx-	nginx as it is		-go		Go's net/http/fcgi
#	keep-	likewise, keep_conn	-fcgiwrapN	fcgiwrap -c N
#	haproxy-	HAProxy, multiplexing	-uwsgi		uWSGI's cgi plugin
#
#	lighttpd-	-cgi	its mod_cgi		-stream	without buffers
#	apache-		-cgid	its mod_cgid		-tuned	for many clients
#
# All scripts are those of cgi-bin/, unbuffered, but those of lighttpd-cgi.
#
#	SITES	which (those that mux.sh and stalled.sh are about)

SITES=${SITES:-module-gateway nginx-gateway haproxy-gateway
    module-go nginx-go haproxy-go}
. "$AFCGI_TOP/tests/mux.sh"
. "$AFCGI_TOP/tests/bench/server.sh"
. "$AFCGI_TOP/tests/bench/front.sh"
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
	front_can "${1%%-*}" && server_can "${1#*-}"
}

# site_start site
# shellcheck disable=SC2103,SC2164 # set -e
site_start()
{
	mkdir "$1"
	ln -s ../web.pids "$1/web.pids"
	ln -s ../cgi-bin "$1/cgi-bin"
	cd "$1"
	server_start "${1#*-}"
	front_start "$1"
	cat >vars <<VARS
SITE_PORT=$WEB_PORT
SITE_SERVER=$SITE_SERVER
SITE_WORKERS="$SITE_WORKERS"
SITE_WEB=$SITE_WEB
SITE_GATEWAY=$SITE_GATEWAY
SITE_PIDS="$SITE_PIDS"
VARS
	cd ..
}

# site_again site: when there is no other way out of its state.  Its processes
# are forgotten: soon others may have their numbers.
site_again()
{
	for site_pid in $SITE_PIDS; do
		echo "$site_pid"
		child_pids "$site_pid" || : # they come and go
	done >"$1.pids"
	xargs kill -KILL <"$1.pids" 2>/dev/null || :
	grep -vxFf "$1.pids" web.pids >web.left || :
	cat web.left >web.pids
	rm -rf "./$1" "./$1.pids" web.left
	site_start "$1"
	site_use "$1"
}

# What the sites are asked for: a small page, the text in it, one that takes a
# second, 1 GB, and something that does not read a body.
site_pages()
{
	SITE_BASE=$(front_base "${1%%-*}")
	case $1 in
	*-go)
		# Unbuffered requests are not multiplexed by the module here.
		SITE_SMALL="/bytes?n=13"
		SITE_TEXT=0000000
		SITE_SECOND="/delay?ms=1000"
		SITE_DOWN="$SITE_BASE/bytes?n=1073741824"
		SITE_UP="$SITE_BASE/delay?ms=20000"
		;;
	*)
		SITE_SMALL=$SITE_BASE/hello
		SITE_TEXT="hello, world"
		SITE_SECOND=/sleep1
		SITE_DOWN="$SITE_BASE/gush?1024"
		SITE_UP="$SITE_BASE/silent?/dev/null"
		;;
	esac
}

# site_use site: sets the variables of that site:
#
#	SITE_PORT	where it listens; paths are as above, below SITE_BASE
#	SITE_SERVER	the process that runs scripts, "" if it is a web server
#	SITE_WORKERS	the web server's, "" if they come and go
#	SITE_WEB, SITE_GATEWAY	both as groups for usage.pl
#	SITE_PIDS	those whose end is its end, but for their children
site_use()
{
	# shellcheck disable=SC1090
	. "./$1/vars"
	site_pages "$1"
}

# site_serves: it answers, and soon.
site_serves()
{
	curl -sS -m 2 -o page "http://127.0.0.1:$SITE_PORT$SITE_SMALL" \
	    2>>serves.err && grep -q "$SITE_TEXT" page
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
	stop_servers
	for site in $sites; do
		rm -rf "./$site"
	done
}
