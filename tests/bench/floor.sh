# shellcheck shell=sh
# shellcheck disable=SC2154 # variables of others
# The floors, for run.sh: programs of ours that do the least of what a gateway
# has to do, without HTTP.  Each is taken once a round, when a row wants it.

# floor name: "-" is none.
floor()
{
	if [ "$1" = - ] || [ -f "floor.$round.$1" ]; then
		return
	fi
	: >"floor.$round.$1"
	case $1 in
	down) floor_stream ;;
	up) floor_stream -u ;;
	*) floor_pages "$1" ;;
	esac | tr '\n' ' ' | sed "s/^/$round $1 floor /; s/ *$//" >floor.out
	cat floor.out >>figures
	echo >>figures
}

# Starting a program in one loop, with 1, 2 and 4 in flight; the best of them
# counts.  Two loops at once, each with two, are only told of.
floor_pages()
{
	for inflight in 1 2 4; do
		floor_loop $inflight "$1" | sed "s/^/inflight$inflight=/"
	done | best
	floor_loop 2 "$1" >loop.out &
	floor_other=$!
	loops=$(floor_loop 2 "$1")
	wait $floor_other
	echo "loops=$(calc "$loops + $(cat loop.out)")"
}

# floor_loop inflight program: so many a second.
floor_loop()
{
	number=$(./bare 20 "$1" "$PWD/cgi-bin/$2" | field rate)
	number=$(calc "int($number * $SECONDS_EACH * 0.3) + 1")
	./bare "${number%.*}" "$1" "$PWD/cgi-bin/$2" | field rate
}

# The bytes of a stream, by copy and by splice.
floor_stream()
{
	./relay "$@" "$SIZE" | sed 's/rate=/copy=/; s/cpu=/copy_cpu=/' |
	    tr ' ' '\n' >relay.out
	./relay "$@" -s "$SIZE" | sed 's/rate=/splice=/; s/cpu=/splice_cpu=/' |
	    tr ' ' '\n' >>relay.out
	best <relay.out
}

# best: adds the largest value as the figure.
best()
{
	awk -F= '!/cpu/ && $2 > most { most = $2 }
	    { print }
	    END { print "figure=" most }'
}
