#!/bin/sh
# Many requests of one second at once through nginx, with the module and as it
# is: 100 with one worker and 1,000 with two, to Go's server and to scripts
# behind the gateway.  For scripts the measure is a bare loop that starts as
# many of them and waits.  How many connections the workers had at most is what
# ss(8) says; the module's may have one each.  Allowed: 1.3 s for 100 to Go,
# and 1.2 times the bare loop for scripts.
. "$(dirname "$0")/bench.sh"
SITES=${SITES:-module-go nginx-go module-gateway nginx-gateway}
. "$AFCGI_TOP/tests/bench/site.sh"
have ss || exit 0

# shared: how many connections to the server a worker has, the most of any.
shared()
{
	ss -xpH | awk -v workers="$SITE_WORKERS" '
		$2 == "ESTAB" && $5 ~ /gw\.sock$/ { server[$6] }
		{ peer[NR] = $8; who[NR] = $0 }
		END {
			n = split(workers, w, " ")
			for (l in peer) for (i = 1; i <= n; i++)
				if (peer[l] in server && who[l] ~ "pid=" w[i] ",")
					count[i]++
			for (i = 1; i <= n; i++)
				if (count[i] > most) most = count[i]
			print most + 0
		}'
}

# measure site number: into site.number and site.number.connections.
measure()
{
	site_use "$1"
	case $1 in
	*-go) text='done' ;;
	*) text=$SITE_TEXT ;;
	esac
	./clients -c "$2" -n 1 -s 60 -w 60 -x "$text" "$SITE_PORT" \
	    "$SITE_SECOND" >clients.out &
	clients=$!
	while kill -0 $clients 2>/dev/null; do
		sleep 0.4 # it takes a while itself
		shared >>"$1.$2.connections"
	done
	wait $clients || say "$1: wrong answers: $(cat clients.out)"
	cat clients.out >>"$1.$2"
}

# report site number
report()
{
	walls=$(field wall <"$1.$2" | tr '\n' ' ')
	wall=$(field wall <"$1.$2" | median)
	most=$(sort -n "$1.$2.connections" | tail -n 1)
	against=
	case $1 in
	*-gateway)
		bare=$(median <"bare.$2")
		against=" bare $bare s, ratio $(calc "$wall / $bare")"
		case $1 in
		module-*) against="$against (1.2 allowed)" ;;
		esac
		;;
	module-go) [ "$2" != 100 ] || against=" (1.3 s allowed)" ;;
	esac
	say "$2 requests of 1 s, $1: $wall s,$against" \
	    "(each round: $walls); connections of a worker: $most"
}

for number in 100 1000; do
	[ $number = 100 ] || export MUX_WORKERS=2 # for mux.sh
	sites_start
	for _ in $(seq "$ROUNDS"); do
		./bare $number $number "$PWD/cgi-bin/sleep1" | field wall \
		    >>bare.$number
		for site in $sites; do
			measure "$site" $number
		done
	done
	for site in $sites; do
		report "$site" $number
	done
	sites_stop
done
