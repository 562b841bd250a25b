#!/bin/sh
# Where the time goes: "make profile".  nginx with the module, and the server
# behind it, under one load: what a request or a GB of it takes of the
# processor; then its system calls, which are counted for a second; then a
# profile, by perf, or where that is missing or refused, by callgrind, which
# sees user space only.  The profiles are left in BUILD/profile.
#
#	LOAD		hello: 16 clients, a script that prints a line
#			delay: 64 clients, fcgi-async answers at once
#			download, upload, echo: one client, a stream, unbuffered
#			drips: 2,000 scripts that print a line a second
#	WHO		gateway (afcgi, or fcgi-async), worker (nginx's), or both
#	SECONDS_EACH	of each part but the system calls (5)
#	LINES		of each list (12)
#	PROFILER	perf or callgrind, if it is not to be found out
#
# What has no symbols (Debian's nginx and libevent) is one line for each file.
. "$(dirname "$0")/bench.sh"
here=$AFCGI_TOP/tests/bench
LOAD=${LOAD:-hello}
WHO=${WHO:-both}
[ "$WHO" != both ] || WHO="gateway worker"
SECONDS_EACH=${SECONDS_EACH:-5}
LINES=${LINES:-12}
mkdir -p "$(dirname "$AFCGI")/profile"
out=$(cd "$(dirname "$AFCGI")/profile" && pwd)

for who in $WHO; do
	case $who in
	gateway | worker) ;;
	*) atf_fail "WHO is gateway, worker or both, not $who" ;;
	esac
done
case $LOAD in
delay) . "$here/async.sh" ;;
hello | download | upload | echo | drips) . "$here/site.sh" ;;
*) atf_fail "no such load: $LOAD" ;;
esac
{ have wrk && have curl && have perl; } || exit 0
bench_helper drips
truncate -s 1T huge
# shellcheck disable=SC2034 # for async.sh
WORKERS=1

# servers_start: sets PORT, BASE, and the processes GATEWAY, MASTER and WORKER.
servers_start()
{
	if [ "$LOAD" = delay ]; then
		pair_can module-async || exit 0
		pair_start module-async
		pair_use module-async
		PORT=$PAIR_PORT
		BASE=
		GATEWAY=$PAIR_SERVER
		MASTER=$PAIR_NGINX
	else
		site_can module-gateway || exit 0
		site_start module-gateway
		site_use module-gateway
		PORT=$SITE_PORT
		BASE=$SITE_BASE
		GATEWAY=$SITE_SERVER
		MASTER=${SITE_WEB%+}
	fi
	WORKER=$(child_pids "$MASTER" | head -n 1)
}

# load seconds [command...]: puts the load on for so long, by way of the
# command, and how much it was, in units, into load.done.
load()
{
	load_seconds=$1
	load_url=http://127.0.0.1:$PORT$BASE
	shift
	case $LOAD in
	hello) load_wrk 16 /hello "$@" ;;
	delay) load_wrk 64 '/delay?ms=0' "$@" ;;
	download) load_curl "$load_url/gush?1000000" "$@" ;;
	upload) load_curl "$load_url/sink" "$@" ;;
	echo) load_curl "$load_url/echo" "$@" ;;
	drips)
		"$@" ./drips -c 2000 -l "$load_seconds" \
		    -s $((load_seconds + 60)) "$PORT" \
		    "$BASE/drip?$load_seconds" >load.out 2>load.err || :
		field lines <load.out >load.done
		;;
	esac
	wait_for calm
}

# What was cut off has ended.
calm()
{
	[ -z "$(leftovers)" ]
}

# load_wrk clients path [command...]
load_wrk()
{
	load_clients=$1
	load_path=$2
	shift 2
	"$@" wrk -t 1 -c "$load_clients" -d "${load_seconds}s" --timeout 30s \
	    --latency "$load_url$load_path" >load.out
	wrk_figures <load.out | field asked >load.done
}

# load_curl url [command...]: until the time is over; out and in count once.
load_curl()
{
	load_url=$1
	shift
	set -- "$@" curl -sS -m "$load_seconds" -o /dev/null \
	    -w '%{size_download} %{size_upload}\n'
	[ "$LOAD" = download ] || set -- "$@" -H Expect: -T huge
	"$@" "$load_url" >load.out 2>load.err || :
	awk '{ print ($1 > $2 ? $1 : $2) / 2 ^ 30 }' load.out >load.done
}

unit()
{
	case $LOAD in
	hello | delay) echo request ;;
	drips) echo line ;;
	*) echo GB ;;
	esac
}

# each number: of that, for each unit of the load.
each()
{
	awk -v n="$1" '{
		n = $1 > 0 ? n / $1 : 0
		printf n < 1000 ? "%.4g" : "%.0f", n
	}' load.done
}

# cost: what it takes, with nobody watching.
cost()
{
	load "$SECONDS_EACH" perl "$here/usage.pl" -l $((SECONDS_EACH + 90)) \
	    -o usage "$MASTER+" "$GATEWAY"
	cost_rate=$(awk -v wall="$(field wall <usage)" \
	    '{ printf $1 < 100 ? "%.2f" : "%.0f", $1 / wall }' load.done)
	say "$LOAD: $cost_rate $(unit | sed '/GB/!s/$/s/') a second;" \
	    "processor time of a $(unit):" \
	    "gateway $(cost_each gateway_cpu), nginx $(cost_each web_cpu)"
}

cost_each()
{
	cost_seconds=$(field "$1" <usage)
	if [ "$(unit)" = GB ]; then
		echo "$(each "$cost_seconds") s"
	else
		echo "$(each "$(calc "$cost_seconds * 1000000")") us"
	fi
}

# pid_of who
pid_of()
{
	if [ "$1" = gateway ]; then echo "$GATEWAY"; else echo "$WORKER"; fi
}

# watch_end pid: of strace or perf, in the background, which ends by SIGINT,
# and says so with its status.
watch_end()
{
	kill -INT "$1"
	wait "$1" 2>/dev/null || :
}

traced()
{
	! grep -L 'TracerPid:.[1-9]' "/proc/$1"/task/*/status | grep -q .
}

# calls who: all its threads, but not its children.
calls()
{
	have strace || return 0
	# shellcheck disable=SC2046 # a list
	perl -e '$SIG{INT} = "DEFAULT"; exec @ARGV' strace -qq -c -o calls \
	    $(find "/proc/$(pid_of "$1")/task" -mindepth 1 -maxdepth 1 \
		-printf '-p %f ') 2>strace.err &
	calls_strace=$!
	for _ in $(seq 100); do
		! traced "$(pid_of "$1")" || break
		kill -0 $calls_strace 2>/dev/null || break
		sleep 0.02
	done
	if ! traced "$(pid_of "$1")"; then
		say "$1: strace is refused: $(tail -n 1 strace.err)"
		return 0
	fi
	load 1
	watch_end $calls_strace
	awk '$1 ~ /^[0-9.]+$/ && $NF != "total" { print $4, $NF }' calls |
	    sort -rn >calls.list
	say "$1: system calls of a $(unit)," \
	    "$(each "$(awk '{ n += $1 } END { print n + 0 }' calls.list)") in all"
	head -n "$LINES" calls.list | while read -r calls_n calls_name; do
		printf '%12s    %s\n' "$(each "$calls_n")" "$calls_name"
	done
}

may_perf()
{
	command -v perf >/dev/null &&
	    perf record -q -N -o probe.data -- true >/dev/null 2>&1
}

# by_perf who: likewise.
by_perf()
{
	perf_data=$out/$LOAD-$1.data
	rm -f "$perf_data"
	perl -e '$SIG{INT} = "DEFAULT"; exec @ARGV' perf record -q -N -i -g \
	    -F 997 -o "$perf_data" -p "$(pid_of "$1")" >perf.out 2>&1 &
	perf_record=$!
	sleep 0.5 # until it has begun
	load "$SECONDS_EACH"
	watch_end $perf_record
	perf report -q --stdio --no-children -g none -F overhead,dso,sym \
	    -i "$perf_data" 2>perf.err | awk '$1 ~ /%$/ {
		share = $1 + 0
		file = $2
		level = $3 == "[k]" ? "kernel" : "user"
		sub(/^ *[^ ]+ +[^ ]+ +[^ ]+ +/, "")
		if ($0 ~ /^0x/)
			$0 = "(no symbols)"
		n[level " " file " " $0] += share
	}
	END { for (i in n) print n[i], i }' | sort -rn >perf.list
	perf script -F ip,sym -i "$perf_data" 2>perf.err | perf_entries |
	    sort -rn >entries.list
	profile_list "$1" kernel <perf.list
	profile_list "$1" entry <entries.list
	profile_list "$1" user <perf.list
	say "$1: more with: perf report -i $perf_data"
}

# perf_entries: what the kernel was entered for, from samples with callers.
# Where there are no counters of the processor, as in virtual machines, perf
# samples by a timer, and sees where the kernel allows interrupts again
# (finish_task_switch); the way there is right all the same.  What had to let
# others run comes back through exit_to_user_mode_loop.
perf_entries()
{
	awk 'BEGIN { RS = "" }
	{
		all++
		entry = ""
		for (i = 2; i <= NF; i += 2)
			if ($i ~ /^__x64_sys_/)
				entry = $i
			else if ($i == "do_syscall_64" && entry == "")
				entry = i > 2 ? $(i - 2) : $i
			else if ($i ~ /^(asm_|ret_from_fork)/)
				entry = $i
		sub(/^(__x64_|asm_)/, "", entry)
		sub(/^(__|k|do_|__do_)?sys_|^(do|kernel)_/, "", entry)
		if (entry != "")
			n[entry]++
	}
	END { for (i in n) print n[i] / all * 100, "entry", "kernel", i }'
}

# profile_list who level: of lines "share level file symbol", sorted.
profile_list()
{
	awk -v who="profile $1" -v level="$2" -v most="$LINES" '
	$2 == level {
		all += $1
		if (++n > most)
			next
		file = $3 == "[kernel.kallsyms]" ? "kernel" : $3
		sub(/^ngx_http_upstream_fastcgi_multiplex_module/, "module", file)
		line[n] = sprintf("%10.2f %%    %-22s ", $1, file)
		sub(/^[^ ]+ [^ ]+ [^ ]+ /, "")
		line[n] = line[n] $0
	}
	END {
		if (n == 0)
			exit
		name = level == "entry" ? "kernel, by its entry" : level
		printf "%s: %s, %.1f %% of its time\n", who, name, all
		for (i = 1; i <= n && i <= most; i++)
			print line[i]
	}'
}

# counted name [words]: a program of that name which runs it, or what the words
# of shell say, under callgrind.
counted()
{
	mkdir -p counted
	cat >"counted/${1##*/}" <<TOOL
#!/bin/sh
exec valgrind -q --tool=callgrind --vgdb=no \\
    --callgrind-out-file=$PWD/callgrind.%p ${2:-$(command -v "$1")} "\$@"
TOOL
	chmod 755 "counted/${1##*/}"
}

# servers_counted: the servers anew, under callgrind.
servers_counted()
{
	stop_servers
	rm -rf module-async module-gateway
	counted nginx "$(command -v "${NGINX:-nginx}")"
	unset NGINX
	PATH=$PWD/counted:$PATH
	if [ "$LOAD" = delay ]; then
		counted "$ASYNC"
		ASYNC=$PWD/counted/${ASYNC##*/}
	else
		counted "$AFCGI" '"$@" #'
		# shellcheck disable=SC2034 # for lib.sh
		GATEWAY_WRAPPER=$PWD/counted/${AFCGI##*/}
	fi
	servers_start
}

# by_callgrind who: once the servers have ended.
by_callgrind()
{
	callgrind_out=$out/$LOAD-$1.callgrind
	cp "callgrind.$(pid_of "$1")" "$callgrind_out"
	callgrind_annotate --auto=no "$callgrind_out" | awk '/\(.*%\)/ && !/TOTALS/ {
		split($0, part, /[(%)]+/)
		sub(/^[^)]*\) */, "")
		file = $0 ~ /\[.*\]$/ ? $0 : "?"
		gsub(/^.*\[|\]$|.*\//, "", file)
		sub(/ \[.*\]$/, "")
		sub(/^.*\//, "")
		sub(/^\?+:/, "")
		print part[2] + 0, "user", file, $0
	}' >callgrind.list
	profile_list "$1" user <callgrind.list
	say "$1: more with: callgrind_annotate $callgrind_out"
}

servers_start
cost
for who in $WHO; do
	calls "$who"
done
if [ "${PROFILER:-}" = perf ] || { [ -z "${PROFILER:-}" ] && may_perf; }; then
	for who in $WHO; do
		by_perf "$who"
	done
else
	have valgrind || exit 0
	say "with callgrind: user space only, in instructions"
	servers_counted
	load "$SECONDS_EACH"
	stop_servers
	for who in $WHO; do
		by_callgrind "$who"
	done
fi
