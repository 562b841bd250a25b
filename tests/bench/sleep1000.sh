#!/bin/sh
# 1,000 concurrent requests over ONE FastCGI connection, to a program that
# sleeps for a second, against a bare loop that starts 1,000 of the same
# program.  The design allows 1 s + 1.3 x (bare - 1 s).
. "$(dirname "$0")/bench.sh"

start_gateway "$PWD/cgi-bin"
for round in $(seq "$ROUNDS"); do
	./bare 1000 1000 "$PWD/cgi-bin/sleep1" >bare.out
	./load -n 1000 gw.sock "$PWD/cgi-bin/sleep1" >load.out ||
	    say "round $round: wrong answers"
	say "round $round: bare $(cat bare.out)"
	say "round $round: afcgi $(cat load.out)"
	field wall <bare.out >>bare.walls
	field wall <load.out >>load.walls
done
bare=$(median <bare.walls)
wall=$(median <load.walls)
limit=$(calc "1 + 1.3 * ($bare - 1)")
say "median: afcgi $wall s, bare $bare s, allowed $limit s," \
    "ratio without the sleep $(calc "($wall - 1) / ($bare - 1)") (1.3 allowed)"
