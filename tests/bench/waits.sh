# shellcheck shell=sh
# shellcheck disable=SC2154 # variables of others
# Measurements of time, for run.sh: what waits for what.

# measure_drips clients: each gets a line a second; DRIPS of them.
measure_drips()
{
	used $((DRIPS + 20)) ./drips -c "$1" -l "$DRIPS" -s $((DRIPS + 8)) \
	    "$SITE_PORT" "$SITE_BASE/drip?$DRIPS" >drips.out 2>drips.err || :
	whole=$(field whole <drips.out)
	drips_figure=
	[ "$whole" != "$1" ] ||
	    drips_figure="figure=$(field delay_max <drips.out)
		each_web=$(growth web_peak "$1")
		each_gateway=$(growth gateway_peak "$1")
		fds_web=$(growth web_fds "$1")
		fds_gateway=$(growth gateway_fds "$1")"
	failed=$(($1 - ${whole:-0}))
	# Whom most do not get a line from will not do better in other rounds.
	[ $failed -le $(($1 / 2)) ] || drips_figure="hung=1"
	figure "$drips_figure" asked="$1" failed=$failed
	recover
}

# growth name number: of that, since the site began, for each.
growth()
{
	calc "($(used_field "$1") - $(field "$1" <"$site/base")) / $2"
}

# pages: ten clients that ask now and then, into pages.out.
pages()
{
	used $((SECONDS_EACH + 10)) -s "$site" ./clients -c 10 -p 50 -s "$SECONDS_EACH" \
	    "$SITE_PORT" "$SITE_SMALL" >pages.out 2>pages.err || :
}

# measure_aside drips: what a page takes beside so many drips, and one client
# that has asked for 1 GB and does not read it.
measure_aside()
{
	pages
	idle=$(field p99 <pages.out)
	./drips -c "$1" -l 1000 -s 100 "$SITE_PORT" "$SITE_BASE/drip?1000" \
	    >drips.out 2>drips.err &
	echo $! >>client.pids
	./stall "$SITE_PORT" "$SITE_BASE/gush?1024" >stall.out &
	echo $! >>client.pids
	aside_begins
	pages
	stop_clients
	p99=$(field p99 <pages.out)
	good=$(field good <pages.out)
	aside_figure=hung=1
	[ "$good" = 0 ] || aside_figure="figure=$(calc "$p99 / $idle")"
	failed=$(($(field bad <pages.out) + $(field unanswered <pages.out)))
	figure "$aside_figure" p50="$(field p50 <pages.out)" p99="$p99" \
	    idle="$idle" asked=$((good + failed)) failed=$failed \
	    spool="$(used_field spool)"
	recover
}

# They all run, and what is to be stalled is; or two seconds are over.
aside_begins()
{
	for _ in $(seq 20); do
		sleep 0.1
		! grep -q ready drips.out || break
	done
	sleep 0.5
}

# measure_gone: how long a script that neither reads nor writes goes on when its
# client has left.  Given up after GIVE_UP seconds.
measure_gone()
{
	rm -f pids/silent
	client silent "$SITE_URL/silent?$PWD/pids/silent"
	wait_for test -s pids/silent
	script=$(cat pids/silent)
	gone=$(perl -MTime::HiRes=time,sleep -e '
		my ($client, $script, $limit) = @ARGV;
		kill "KILL", $client;
		my $start = time;
		while (time - $start < $limit) {
			open my $f, "<", "/proc/$script/stat" or last;
			last if <$f> =~ /\) Z/;
			sleep 0.001;
		}
		my $took = time - $start;
		exit if $took >= $limit;
		printf "%.3f\n", $took;
	' "$CLIENT" "$script" "$GIVE_UP")
	wait "$CLIENT" 2>/dev/null || :
	rm -f client.pids
	if [ -n "$gone" ]; then
		figure figure="$gone"
	else
		figure hung=1
		kill -KILL "$script"
	fi
	recover
}

# measure_stall number: so many scripts are started at once, over one connection
# and past the web server.  The gateway measures itself: it says in its log,
# when USR1 asks for it, how long its loop was kept at most since it was last
# asked.  (One that does not know the signal would be ended by it.)
measure_stall()
{
	case $site in
	*-gateway) ;;
	*) return 0 ;;
	esac
	if ! stall_known; then
		figure unavailable=1
		return 0
	fi
	stall_ask >/dev/null
	./load -n "$1" "$site/gw.sock" "$PWD/cgi-bin/hello" >load.out ||
	    say "$site: $(cat load.out)" >&2
	turn=$(stall_ask)
	if [ -n "$turn" ]; then
		figure figure="$turn"
	else
		figure unavailable=1
	fi
}

# Does the gateway handle USR1?
stall_known()
{
	perl -ne 'exit !(hex($1) >> 9 & 1) if /^SigCgt:\s+[0-9a-f]{8}(\w{8})/' \
	    "/proc/$SITE_SERVER/status"
}

# stall_ask: what it says.
stall_ask()
{
	stall_lines=$(stall_said | wc -l)
	kill -USR1 "$SITE_SERVER"
	for _ in $(seq 20); do
		if [ "$(stall_said | wc -l)" -gt "$stall_lines" ]; then
			stall_said | tail -n 1
			return
		fi
		sleep 0.05
	done
}

stall_said()
{
	sed -n 's/.*longest turn \([0-9]*\) us.*/\1/p' "$site/gateway.err"
}
