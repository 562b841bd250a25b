#!/bin/sh
# What clients that stall cost others.  CLIENTS of them ask for small pages,
# one each PAUSE ms, while others have asked for 1 GB and read nothing, or send
# 1 GB to what reads nothing: one such client, then CROWD of them.  Through
# nginx with the module, nginx as it is, and a multiplexing HAProxy, to the
# gateway and to Go's server.  What is stalled is not buffered.
#
# Printed are medians of the rounds: p99 of the small pages without and with
# those clients (a request that got no answer counts with the 3 seconds or more
# that it waited), and how much the PSS of the web server's process and of the
# FastCGI server grew, at worst.  Allowed with the module and the gateway: 1.2
# times the p99; two windows (512 KiB) for one client, 32 KiB each for many.  A
# site that is idle meanwhile is asked as well, for thousands of full sockets
# cost the whole machine something.
#
#	CLIENTS (50), PAUSE (100), CROWD (2000)
#	SECONDS_EACH	of one measurement (3)
#	KINDS		which (download-1 upload-1 download-CROWD upload-CROWD)
. "$(dirname "$0")/bench.sh"
. "$AFCGI_TOP/tests/bench/site.sh"
CLIENTS=${CLIENTS:-50}
PAUSE=${PAUSE:-100}
CROWD=${CROWD:-2000}
SECONDS_EACH=${SECONDS_EACH:-3}
KINDS=${KINDS:-download-1 upload-1 download-$CROWD upload-$CROWD}

# The processor time, in ticks, of the site's servers.
ticks()
{
	for pid in $SITE_WORKERS $SITE_SERVER; do
		sed 's/.*) //' "/proc/$pid/stat"
	done | awk '{ n += $12 + $13 } END { print n + 0 }'
}

# settle: until the site has nothing more to do, which is when everybody waits
# for clients that do not come.  Given up after 20 s.
settle()
{
	after=$(ticks)
	for _ in $(seq 40); do
		before=$after
		sleep 0.5
		after=$(ticks)
		[ $((after - before)) -gt 3 ] || return 0
	done
	say "$kind, $site: still busy after 20 s"
}

# small tag: the small pages, into site.tag.
small()
{
	# shellcheck disable=SC2153
	./clients -c "$CLIENTS" -p "$PAUSE" -s "$SECONDS_EACH" \
	    -x "$SITE_TEXT" "$SITE_PORT" "$SITE_SMALL" \
	    >>"$site.$1" 2>>"$site.err" || :
}

# beside: the same of a site that has nothing to do with it, while the clients
# of this one are stalled: what so many sockets and processes cost the machine.
beside()
{
	for other in $sites; do
		[ "$other" = "$site" ] || break
	done
	[ "$other" != "$site" ] || return 0
	this=$site
	site=$other
	site_use "$site"
	small beside
	site=$this
	site_use "$site"
}

# memory tag: of both processes, into site.worker.tag and site.server.tag.
memory()
{
	# shellcheck disable=SC2086 # a list
	pss $SITE_WORKERS >>"$site.worker.$1"
	pss "$SITE_SERVER" >>"$site.server.$1"
}

# Nothing is left of what has stalled, and the site serves.
recovered()
{
	curl -sS -m 2 -o page "http://127.0.0.1:$SITE_PORT$SITE_SMALL" \
	    2>>"$site.err" && grep -q "$SITE_TEXT" page || return 1
	case $site in
	*-gateway) [ -z "$(child_pids "$SITE_SERVER")" ] ;;
	esac
}

# A web server that is not taking a body does not see its client leave: it is
# the scripts that end then.
recover()
{
	case $kind-$site in
	upload-*-gateway) child_pids "$SITE_SERVER" | xargs -r kill 2>/dev/null || : ;;
	esac
	for _ in $(seq 40); do
		! recovered || return 0
		sleep 0.25
	done
	say "$kind, $site: not as before 10 s after the clients left:" \
	    "started again"
	site_again "$site"
}

# stalled: with those clients
stalled()
{
	upload=
	path=$SITE_DOWN
	case $kind in
	upload-*)
		upload=-u
		path=$SITE_UP
		;;
	esac
	: >stall.out
	./stall -c "${kind#*-}" $upload "$SITE_PORT" "$path" >stall.out &
	stall=$!
	echo $stall >>client.pids
	wait_for grep -q ready stall.out
	settle
	memory stalled
	small stalled
	beside
	memory stalled
	kill -TERM $stall
	wait $stall
	tail -n 1 stall.out >>"$site.stall"
	rm -f client.pids
	recover
}

measure()
{
	site_use "$site"
	small alone
	[ -f "$site.worker.alone" ] || memory alone
	stalled
}

# growth worker|server: in KiB, at worst.
growth()
{
	echo $(($(sort -n "$site.$1.stalled" | tail -n 1) - \
	    $(cat "$site.$1.alone")))
}

# total field: of all rounds
total()
{
	field "$1" <"$site.stalled" | awk '{ n += $1 } END { print n + 0 }'
}

report()
{
	alone=$(field p99 <"$site.alone" | median)
	stalled=$(field p99 <"$site.stalled" | median)
	limit=
	[ "$site" != module-gateway ] || limit=" (1.2 allowed)"
	say "$kind, $site: p99 $alone ms, stalled $stalled ms," \
	    "ratio $(calc "$stalled / $alone")$limit;" \
	    "p50 $(field p50 <"$site.alone" | median) and" \
	    "$(field p50 <"$site.stalled" | median) ms;" \
	    "$(total good) answers, $(total bad) wrong," \
	    "$(total unanswered) missing"
	[ ! -s "$site.beside" ] ||
	    say "$kind, $site: p99 $(field p99 <"$site.beside" | median) ms" \
	    "beside others that are stalled," \
	    "ratio $(calc "$(field p99 <"$site.beside" | median) / $alone")"
	say "$kind, $site: worker +$(growth worker) KiB$(memory_limit | tr -d '\n')," \
	    "server +$(growth server) KiB; stalled clients that were closed:" \
	    "$(field closed <"$site.stall" | tr '\n' ' ')"
}

# What the worker's memory comes to for each client, and may come to.
memory_limit()
{
	number=${kind#*-}
	limit=512
	if [ "$number" -gt 1 ]; then
		echo ", $(calc "$(growth worker) / $number") each"
		limit=32
	fi
	[ "$site" != module-gateway ] || echo " ($limit allowed)"
}

for kind in $KINDS; do
	sites_start
	for _ in $(seq "$ROUNDS"); do
		for site in $sites; do
			measure
		done
	done
	for site in $sites; do
		report
	done
	for site in $sites; do
		rm -f "$site".*
	done
	sites_stop
done
