#!/bin/sh
# Many who listen to one stream of events, the chat of fcgi-async, over HTTP/1.1
# through nginx with two workers: with the module, and as it is.  Everything is
# on one machine, the listeners too.
#
# First LISTENERS of them, to whom a line is posted each PAUSE ms.  Printed are
# medians of the rounds: until all had a line, the median and the worst of the
# lines (1 s allowed); p50 and p99 of the time to one listener; and what the
# listeners cost while they wait, by PSS and by open descriptors: the server 2
# KiB each at most.
#
# Then 1,000 of them, and some that stop reading.  Lines are posted, one each 20
# ms, until the server has dropped those; the times are those of the others,
# before the stalled ones come, and with them.
#
#	LISTENERS	10000, or what descriptors there are for
#	MESSAGES, PAUSE	20, 500
#	STALLED		how many (1 100)
#	STALLED_MOST	lines after which nobody waits for a drop (2000)
#	PAIRS		see async.sh
. "$(dirname "$0")/bench.sh"
. "$AFCGI_TOP/tests/bench/async.sh"
LISTENERS=${LISTENERS:-10000}
MESSAGES=${MESSAGES:-20}
PAUSE=${PAUSE:-500}
STALLED=${STALLED-1 100}
STALLED_MOST=${STALLED_MOST:-2000}
PAIRS=${PAIRS:-module-async nginx-async}
# shellcheck disable=SC2034 # of wait_for
DEADLINE=600
{ have curl && have ss; } || exit 0
bench_helper listeners "$AFCGI_TOP/tests/bench/response.c"

# Without the module a worker needs two for each listener, and half of the
# listeners, if they are spread evenly.
files=$(files_most)
if [ "$LISTENERS" -gt $((files * 9 / 10)) ]; then
	LISTENERS=$((files * 9 / 10))
	say "$LISTENERS listeners: there are $files descriptors for a process"
fi

# pss pid...: KiB
pss()
{
	for pid; do
		sed -n 's/^Pss: *\([0-9]*\) kB/\1/p' "/proc/$pid/smaps_rollup"
	done | awk '{ n += $1 } END { print n + 0 }'
}

workers()
{
	child_pids "$PAIR_NGINX"
}

fds()
{
	for pid; do
		count_fds "$pid"
	done | awk '{ n += $1 } END { print n + 0 }'
}

# begin pair: starts it, and somebody who will listen.  Each worker comes to
# know its server.
begin()
{
	pair_start "$1"
	pair_use "$1"
	for _ in $(seq 40); do
		curl -sS -o /dev/null "http://127.0.0.1:$PAIR_PORT/live/delay"
	done
	: >listeners.out
	rm -f commands
	mkfifo commands
	./listeners "$PAIR_PORT" /live/chat <commands >listeners.out &
	listeners=$!
	echo $listeners >client.pids
	exec 9>commands
}

end()
{
	exec 9>&-
	wait $listeners
	rm client.pids
	pairs_stop "$1"
}

answered()
{
	kill -0 "$listeners" 2>/dev/null || atf_fail "the listeners have ended"
	[ "$(wc -l <listeners.out)" -gt "$answers" ]
}

# ask command...: what the listeners say to it.
ask()
{
	answers=$(wc -l <listeners.out)
	echo "$*" >&9
	wait_for answered
	tail -n 1 listeners.out
}

# memory file: name=value of what is taken now.
memory()
{
	# shellcheck disable=SC2046 # lists
	echo "server=$(pss "$PAIR_SERVER") nginx=$(pss $(workers))" \
	    "kernel=$(awk '$1 == "Slab:" { print $2 }' /proc/meminfo)" \
	    "server_fds=$(fds "$PAIR_SERVER") nginx_fds=$(fds $(workers))" >"$1"
}

# more name: how much more there is of it than before.
more()
{
	echo $(($(field "$1" <after) - $(field "$1" <before)))
}

# most name: how much more there was of it later, at most.
most()
{
	echo $(($(field "$1" <later | sort -n | tail -n 1) - \
	    $(field "$1" <before)))
}

# many pair: a line of name=value to its figures.
many()
{
	begin "$1"
	memory before
	ask listen "$LISTENERS" >opened
	sleep 1
	memory after
	ask post "$MESSAGES" "$PAUSE" 64 >posted
	number=$(field listening <opened)
	echo "$(cat opened posted)" connections="$(shared)" \
	    server="$(calc "$(more server) / $number")" \
	    nginx="$(calc "$(more nginx) / $number")" \
	    kernel="$(calc "$(more kernel) / $number")" \
	    server_fds="$(field server_fds <after)" \
	    nginx_fds="$(field nginx_fds <after)" |
	    paste -s -d ' ' - >>"$1.many"
	end "$1"
}

# middle name: of all rounds.
middle()
{
	field "$1" <"$figures" | median
}

# none pair name: says so unless there were none in any round.
none()
{
	[ "$(field "$2" <"$figures" | sort -n | tail -n 1)" -eq 0 ] ||
	    say "$1: $2: $(field "$2" <"$figures" | tr '\n' ' ')"
}

many_report()
{
	figures=$1.many
	none "$1" failed
	none "$1" missing
	field why <"$figures" | grep -vx -e - | sort -u |
	    while read -r name; do say "$1: no more listeners: $name"; done
	say "$(middle listening) listeners, $1: all had a line after" \
	    "$(middle all) ms, at worst $(middle max) ms (1000 allowed);" \
	    "p50 $(middle p50) ms, p99 $(middle p99) ms;" \
	    "open after $(middle wall) s"
	say "$(middle listening) listeners, $1: memory of each:" \
	    "server $(middle server) KiB (2 allowed)," \
	    "nginx $(middle nginx) KiB," \
	    "kernel $(middle kernel) KiB;" \
	    "descriptors: server $(middle server_fds)," \
	    "nginx $(middle nginx_fds);" \
	    "connections of a worker: $(middle connections)"
}

dropped()
{
	grep -c 'takes nothing is dropped' "$1/server.out" || :
}

# chat file: some lines; what became of them is added to it.
chat()
{
	ask post 50 20 500 >>"$1"
}

# stalled pair number.  The memory counts once the server has been busy.
stalled()
{
	begin "$1"
	ask listen 1000 >/dev/null
	for _ in 1 2 3 4 5 6 7 8; do
		chat without
	done
	ask stall "$2" >/dev/null
	memory before
	lines=0
	while [ "$(dropped "$1")" -lt "$2" ] &&
	    [ $lines -lt "$STALLED_MOST" ]; do
		chat with
		lines=$((lines + 50))
		memory now
		cat now >>later
	done
	echo "without_p99=$(field p99 <without | median)" \
	    "without_all=$(field all <without | median)" \
	    "p99=$(field p99 <with | median) all=$(field all <with | median)" \
	    "max=$(field max <with | sort -g | tail -n 1)" \
	    "missing=$(field missing <with | sort -n | tail -n 1)" \
	    "lines=$lines dropped=$(dropped "$1")" \
	    "server=$(most server) nginx=$(most nginx)" >>"$1.stalled.$2"
	rm without with later
	end "$1"
}

stalled_report()
{
	figures=$1.stalled.$2
	none "$1" missing
	say "$2 stalled, $1: all others had a line after" \
	    "$(middle without_all) ms without, $(middle all) ms with them," \
	    "at worst $(middle max) ms;" \
	    "p99 $(middle without_p99) and $(middle p99) ms;" \
	    "$(middle dropped) dropped after $(middle lines) lines;" \
	    "server +$(middle server) KiB, nginx +$(middle nginx) KiB"
}

pairs=
for pair in $PAIRS; do
	! pair_can "$pair" || pairs="$pairs $pair"
done
for _ in $(seq "$ROUNDS"); do
	for pair in $pairs; do
		many "$pair"
	done
done
for pair in $pairs; do
	many_report "$pair"
done
for number in $STALLED; do
	for _ in $(seq "$ROUNDS"); do
		for pair in $pairs; do
			stalled "$pair" "$number"
		done
	done
	for pair in $pairs; do
		stalled_report "$pair" "$number"
	done
done
