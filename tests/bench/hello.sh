#!/bin/sh
# The smallest page, from a static program, a shell script and a perl script:
# requests a second, latency and failures of afcgi and fcgiwrap behind nginx,
# of lighttpd's mod_cgi and of Apache's mod_cgid, and their ratio to the floor,
# a bare loop of vfork and exec with 1, 2 or 4 in flight (the best of them).
#
#	CLIENTS		connections of the load generator (8)
#	DURATION	of one measurement (3s)
. "$(dirname "$0")/bench.sh"
CLIENTS=${CLIENTS:-8}
DURATION=${DURATION:-3s}

have wrk || exit 0
mk_cgi hello.sh <<'CGI'
#!/bin/sh
printf 'Content-Type: text/plain\n\nhello, world\n'
CGI
mk_cgi hello.pl <<'CGI'
#!/usr/bin/perl
print "Content-Type: text/plain\n\nhello, world\n";
CGI

# measure peer url program: a line of name=value into peer.program.
measure()
{
	wrk -t 1 -c "$CLIENTS" -d "$DURATION" --latency "$2/cgi-bin/$3" \
	    >wrk.out 2>&1 || cat wrk.out
	awk -v failures=0 '
	function ms(s) {
		return s ~ /us$/ ? s / 1000 : s ~ /ms$/ ? s + 0 : s * 1000
	}
	/50%/ { p50 = ms($2) }
	/99%/ { p99 = ms($2) }
	/Requests\/sec/ { rate = $2 }
	/Non-2xx/ { failures += $NF }
	/Socket errors/ { gsub(/,/, ""); failures += $4 + $6 + $8 + $10 }
	END { print "rate=" rate, "p50=" p50, "p99=" p99,
	    "failures=" failures }' wrk.out >>"$1.$3"
}

floor()
{
	for inflight in 1 2 4; do
		./bare 1000 $inflight "$PWD/cgi-bin/$1" |
		    field rate
	done | sort -g | tail -n 1 >>"floor.$1"
}

start_gateway "$PWD/cgi-bin"
peers="afcgi keep"
if have fcgiwrap; then
	peer_fcgiwrap
	peers="$peers fcgiwrap"
fi
peer_nginx
nginx=$WEB
if have lighttpd; then
	peer_lighttpd
	lighttpd=$WEB
	peers="$peers lighttpd"
fi
if have apache2; then
	peer_apache
	apache=$WEB
	peers="$peers apache"
fi
for _ in $(seq "$ROUNDS"); do
	for program in hello hello.sh hello.pl; do
		floor $program
		for peer in $peers; do
			case $peer in
			lighttpd) url=$lighttpd ;;
			apache) url=$apache ;;
			*) url=$nginx/$peer ;;
			esac
			measure "$peer" "$url" $program
		done
	done
done
for program in hello hello.sh hello.pl; do
	floor=$(median <floor.$program)
	say "$program: floor $floor/s"
	for peer in $peers; do
		rate=$(field rate <"$peer.$program" | median)
		say "$program: $peer $rate/s," \
		    "$(calc "$rate / $floor") of the floor," \
		    "p50 $(field p50 <"$peer.$program" | median) ms," \
		    "p99 $(field p99 <"$peer.$program" | median) ms," \
		    "failures $(field failures <"$peer.$program" | tr '\n' ' ')"
	done
done
