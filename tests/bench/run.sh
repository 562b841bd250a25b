#!/bin/sh
# The gateway against what people run today, in one run: "make bench".  Web
# servers with all that runs scripts for them (the peers, see site.sh) take each
# measurement in turn, round after round; medians count.  Prints one table, and
# leaves bench.json and bench.svg beside the gateway.
#
#	PEERS		sites of site.sh
#	MEASURES	rows of measures.txt, or their first words
#	ROUNDS		3
#	FULL=yes	all peers and rows, longer and larger: more than an hour
#	SECONDS_EACH	of one measurement of pages (1; 5 in full)
#	SIZE		of streams, MB (256; 1024)
#	STREAM_LIMIT	seconds for a stream (30; 120), ECHO_LIMIT: for one that
#			is sent back (8; 20), GIVE_UP: for the script of a
#			client that has left (3; 14)
#	DRIPS		lines of each of 2,000 scripts (6; 20)
#	WORKERS		of nginx (1)
#	UWSGI		processes (16)

[ "${FULL:-}" = yes ] || FULL=
PEERS=${PEERS:-module-gateway nginx-gateway nginx-fcgiwrap16 nginx-uwsgi
    lighttpd-stream apache-cgid ${FULL:+keep-gateway haproxy-gateway
    nginx-fcgiwrap4 keep-fcgiwrap4 keep-fcgiwrap16 lighttpd-cgi apache-tuned}}
export SITES="$PEERS" # for site.sh
. "$(dirname "$0")/bench.sh"
here=$AFCGI_TOP/tests/bench
. "$here/site.sh"
. "$here/floor.sh"
. "$here/pages.sh"
. "$here/streams.sh"
. "$here/waits.sh"
have wrk >&2
bench_helper drips
bench_helper relay

# setting name short full: from the environment, or by the length of the run.
setting()
{
	eval "$1=\${$1:-\${FULL:+$3}}"
	eval "$1=\${$1:-$2}"
	eval "echo \"$1: \$$1\"" >>settings
}
echo "ROUNDS: $ROUNDS" >settings
setting SECONDS_EACH 1 5
setting SIZE 256 1024
setting STREAM_LIMIT 30 120
setting ECHO_LIMIT 8 20
setting GIVE_UP 3 14
setting DRIPS 6 20
setting WORKERS 1 1
setting UWSGI 16 16
# shellcheck disable=SC2034 # for mux.sh
MUX_WORKERS=$WORKERS
# shellcheck disable=SC2034 # for front.sh: those of nginx/conf/afcgi.conf
FRONT_BUFFERS=yes

# rows: those of measures.txt that are wanted.
rows()
{
	awk -v full="$FULL" -v wanted=" ${MEASURES:-} " '
	/^#/ { next }
	{ gsub(/[ \n\t]+/, " ", wanted); split($1, name, "-") }
	wanted ~ /[^ ]/ {
		if (index(wanted, " " $1 " ") || index(wanted, " " name[1] " "))
			print $1
		next
	}
	$2 == "short" || full != "" { print $1 }' "$here/measures.txt"
}

# used limit [-s directory] command...: runs it under usage.pl; what it and the
# site used is in the file usage.
used()
{
	used_limit=$1
	used_spool=
	shift
	if [ "$1" = -s ]; then
		used_spool=$2
		shift 2
	fi
	rm -f usage
	perl "$here/usage.pl" -l "$used_limit" -o usage \
	    ${used_spool:+-s "$used_spool"} "$SITE_WEB" "$SITE_GATEWAY" "$@"
}

used_field()
{
	field "$1" <usage
}

# figure name=value...: a turn's result, with what it used.
figure()
{
	printf '%s ' "$round" "$row" "$site" "$@" "$(cat usage 2>/dev/null)" |
	    tr -s ' \n\t' ' ' >>figures
	echo >>figures
}

# recover: the site is as it was before its clients left.  Scripts that go on
# are ended, and a server that does not serve is started again.
recover()
{
	for _ in $(seq 20); do
		if [ -z "$(leftovers)" ] && site_serves; then
			return
		fi
		sleep 0.1
	done
	leftovers | xargs -r kill -KILL 2>/dev/null || :
	site_serves || site_again "$site"
}

# turn: the present row for the present site, unless it has hung before: it is
# not waited for again.
turn()
{
	! grep -Eq "^[0-9]+ $row $site .*hung=1" figures || return 0
	site_use "$site"
	# shellcheck disable=SC2034 # for all measures
	SITE_URL=http://127.0.0.1:$SITE_PORT$SITE_BASE
	if [ ! -f "$site/base" ]; then
		used 10 true
		cp usage "$site/base"
	fi
	rm -f usage
	# shellcheck disable=SC2046 # the words of the row
	measure_$(echo "$row" | sed 's/-/ /g')
}

# ticks: the machine's processor time so far, all of it and what others took.
ticks()
{
	awk '/^cpu / {
		for (i = 2; i <= 9; i++) n += $i
		print n, $9
		exit
	}' /proc/stat
}

mk_cgi hello.sh <<'CGI'
#!/bin/sh
printf 'Content-Type: text/plain\n\nhello, world\n'
CGI
mk_cgi hello.pl <<'CGI'
#!/usr/bin/perl
print "Content-Type: text/plain\n\nhello, world\n";
CGI
mk_cgi hello.py <<'CGI'
#!/usr/bin/python3
print("Content-Type: text/plain\n\nhello, world")
CGI
truncate -s "${SIZE}M" upload
cat upload >/dev/null
mkdir pids
chmod 777 pids # for what runs as nobody behind Apache
: >figures

[ -n "$(rows)" ] || atf_fail "no such measures: $MEASURES"
start=$(date +%s)
sh "$here/machine.sh" "$AFCGI" >machine
ticks >began
sites_start >&2
for round in $(seq "$ROUNDS"); do
	for row in $(rows); do
		say "round $round of $ROUNDS, $row," \
		    "$(($(date +%s) - start)) s" >&2
		floor "$(awk -v row="$row" '$1 == row { print $5 }' \
		    "$here/measures.txt")"
		for site in $sites; do
			turn
		done
	done
	# Who was first is last in the next round.
	# shellcheck disable=SC2086 # a list
	set -- $sites
	first_site=$1
	shift
	sites="$* $first_site"
done
{
	echo "stolen: $(echo "$(cat began)" "$(ticks)" |
	    awk '{ printf "%.1f %%", ($4 - $2) / ($3 - $1) * 100 }')"
	echo "took: $(($(date +%s) - start)) s"
	# shellcheck disable=SC2154 # of site.sh
	echo "left out: slowcgi (not in Debian)$(echo "$site_missing" |
	    sed 's/  */, /g; s/, $//')"
} >>machine
out=$(dirname "$AFCGI")
perl "$here/summary.pl" "$here/measures.txt" machine settings figures \
    >"$out/bench.json"
perl "$here/plot.pl" "$out/bench.json" >"$out/bench.svg"
perl "$here/table.pl" "$out/bench.json"
