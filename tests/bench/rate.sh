#!/bin/sh
# Requests a second of a page that costs its server nothing, through nginx with
# two workers, 64 clients that keep their connections: with the module, with
# keepalive, and plain; to fcgi-async, Go's net/http/fcgi and php-fpm (which
# does not multiplex: there the module has keepalive, and does nothing).
# Everything is on one machine, wrk too.
#
# Printed are medians of the rounds: requests a second, p99, and the processor
# time that one takes of nginx and of the server; then the module against the
# better one of the other two, round by round.  Allowed: 1.0 at least with
# fcgi-async.  (Go does better with GOGC=1000 in the environment: it is its
# garbage collector that minds many requests at a time on one connection.)
#
#	CLIENTS		64
#	SECONDS_EACH	of one measurement (5)
#	PAIRS		see async.sh
. "$(dirname "$0")/bench.sh"
. "$AFCGI_TOP/tests/bench/async.sh"
CLIENTS=${CLIENTS:-64}
SECONDS_EACH=${SECONDS_EACH:-5}
PAIRS=${PAIRS:-module-async keep-async nginx-async module-go keep-go nginx-go
    module-php keep-php nginx-php}
{ have wrk && have curl && have ss; } || exit 0
tick=$(getconf CLK_TCK)

# load seconds: into wrk.out.
load()
{
	wrk -t 1 -c "$CLIENTS" -d "$1" --latency \
	    "http://127.0.0.1:$PAIR_PORT/delay?ms=0" >wrk.out
}

# figures nginx server: ticks that they took; a line of name=value.
figures()
{
	awk -v nginx="$1" -v server="$2" -v tick="$tick" '
	$1 == "99%" {
		p99 = $2 + 0
		if ($2 ~ /us$/) p99 /= 1000
		else if ($2 !~ /ms$/) p99 *= 1000
	}
	$2 == "requests" { n = $1 }
	$1 == "Requests/sec:" { rate = $2 }
	$1 == "Non-2xx" { wrong += $NF }
	$1 == "Socket" {
		gsub(",", "")
		wrong += $4 + $6 + $8 + $10
	}
	END {
		printf "rate=%.0f p99=%.3f nginx=%.1f server=%.1f wrong=%d\n",
		    rate, p99, nginx / tick / n * 1e6, server / tick / n * 1e6,
		    wrong
	}' wrk.out
}

measure()
{
	pair_use "$1"
	measure_nginx=$(ticks "$PAIR_NGINX")
	measure_server=$(ticks "$PAIR_SERVER")
	load "$SECONDS_EACH" &
	measure_load=$!
	sleep 1
	shared >>"$1.connections"
	wait $measure_load
	figures $(($(ticks "$PAIR_NGINX") - measure_nginx)) \
	    $(($(ticks "$PAIR_SERVER") - measure_server)) >>"$1.figures"
}

# middle pair name: of all rounds.
middle()
{
	field "$2" <"$1.figures" | median
}

report()
{
	say "$1: $(middle "$1" rate) requests/s (each round:" \
	    "$(field rate <"$1.figures" | tr '\n' ' ' | sed 's/ $//'))," \
	    "p99 $(middle "$1" p99) ms, processor time of a request:" \
	    "nginx $(middle "$1" nginx) us," \
	    "server $(middle "$1" server) us; connections of a worker:" \
	    "$(sort -n "$1.connections" | tail -n 1)"
	[ "$(field wrong <"$1.figures" | sort -n | tail -n 1)" = 0 ] ||
	    say "$1: wrong answers: $(field wrong <"$1.figures" | tr '\n' ' ')"
}

# better server: the better one of the plain pairs.
better()
{
	for better_pair in "keep-$1" "nginx-$1"; do
		[ ! -f "$better_pair.figures" ] ||
		    echo "$(middle "$better_pair" rate) $better_pair"
	done | sort -n | tail -n 1 | cut -d ' ' -f 2
}

compare()
{
	compare_best=$(better "$1")
	if [ -z "$compare_best" ] || [ ! -f "module-$1.figures" ]; then
		return
	fi
	field rate <"module-$1.figures" >module.rates
	field rate <"$compare_best.figures" >best.rates
	paste module.rates best.rates | awk '{ print $1 / $2 }' >ratios
	compare_limit=
	[ "$1" != async ] || compare_limit=" (1.0 allowed at least)"
	say "module-$1 to $compare_best: $(calc "$(median <ratios)")$compare_limit"
}

pairs=
for pair in $PAIRS; do
	pair_can "$pair" || continue
	pair_start "$pair"
	pair_use "$pair"
	load 1 # finds out whether the server multiplexes, for every worker
	pairs="$pairs $pair"
done
for _ in $(seq "$ROUNDS"); do
	for pair in $pairs; do
		measure "$pair"
	done
done
for pair in $pairs; do
	report "$pair"
done
for server in async go php; do
	compare $server
done
