# shellcheck shell=sh
# What the hot paths cost, in instructions of user space: these do not depend on
# how fast the machine is, nor on what else it does.  callgrind counts those of
# the server, all its threads, in a short play and in a long one; the
# difference, divided, is what one more of it takes:
#
#	async_request	a request's life in fcgi-async
#	script_request	a request's life in the gateway, with a small script
#	async_output	1 MB streamed by fcgi-async, without making the bytes
#	script_output	1 MB streamed from a script
#	script_input	1 MB of STDIN into a script
#
# More than 5 % above the bound in tests/instructions.txt is a failure.  The
# bounds hold for one compiler with its options, and one libc and libevent; with
# others there is nothing to compare.  "make instructions" writes new ones, for
# which AFCGI_INSTRUCTIONS is "renew".  With a failure comes a list of where the
# instructions of the long play are.
#
# Requests come strictly one after another, and bytes in steps: each ends when
# nobody has anything left to do, so that every read finds as much as in any
# other run.  The streams have windows, as behind the module.

. "$(atf_get_srcdir)/lib.sh"
. "$(atf_get_srcdir)/async.sh"
. "$(atf_get_srcdir)/flow.sh"

BOUNDS=$TOP/tests/instructions.txt
SLACK=5 # percent
NOTABLE=10 # percent less, which deserves a new bound

# No variant of memcpy that only some processors have.
PLAIN_LIBC=glibc.cpu.hwcaps=-AVX,-AVX2,-AVX512F,-AVX512VL,-AVX512BW,-ERMS
PLAIN_LIBC=$PLAIN_LIBC,-FSRM,-SSSE3,-SSE4_1,-SSE4_2,-AVX_Fast_Unaligned_Load
PLAIN_LIBC=$PLAIN_LIBC:glibc.cpu.x86_non_temporal_threshold=0xc0000

# Scripts have a path of 100 bytes, wherever we are: each byte of it costs some
# instructions.
if [ ${#PWD} -lt 98 ]; then
	TREE=$PWD/$(printf "%0$((99 - ${#PWD}))d" 0)
fi

# path_case name: a case whose body counts what name_play describes.
path_case()
{
	gateway_case "$1"
	eval "${1}_requires() { atf_set require.progs valgrind; }"
}

# built program: the compiler and its options, as they are written down in it.
built()
{
	grep -aoE '(GNU C[0-9]+|clang version) [0-9.]+[ -~]*' "$1" | sort -u |
	    paste -sd ';'
}

# What the bounds depend on.
versions()
{
	echo "built	$(built "$AFCGI")"
	echo "libc	$(getconf GNU_LIBC_VERSION)"
	echo "libevent	$(pkg-config --modversion libevent_core)"
}

# bound name: what tests/instructions.txt has for it.
bound()
{
	awk -F '\t' -v name="$1" '$1 == name { print $2 }' "$BOUNDS"
}

renews()
{
	[ "${AFCGI_INSTRUCTIONS:-}" = renew ]
}

require_bounds()
{
	require_plain_build
	[ ${#TREE} -eq 100 ] || atf_skip "the path of this directory is too long"
	[ "$(uname -m)" = x86_64 ] || atf_skip "the bounds are for x86_64"
	[ -n "$(built "$AFCGI")" ] ||
	    atf_skip "built without -g, it does not say how"
	make_tools
	mkdir "$TREE"
	ln -s "$TREE" tree
	! renews || return 0
	for path_what in built libc libevent; do
		path_here=$(versions | sed -n "s/^$path_what	//p")
		[ "$path_here" = "$(bound $path_what)" ] || atf_skip \
		    "the bounds are for $(bound $path_what), not $path_here"
	done
}

# launch_counted play program argument...: as start_gateway does.
launch_counted()
{
	cat >counted <<TOOL
#!/bin/sh
exec env GLIBC_TUNABLES=$PLAIN_LIBC valgrind --tool=callgrind \\
    --vgdb=no --callgrind-out-file=$1 --log-file=valgrind.log "\$@"
TOOL
	chmod 755 counted
	shift
	rm -f gw.sock
	launch ./counted "$@" -s unix:gw.sock
	gateway_ready
}

# spent play: the instructions, but for those that make the bytes of "bytes".
spent()
{
	awk '
	/^c?f[lie]=/ {
		id = $1
		sub(/^.*=/, "", id)
		if (NF > 1)
			made[id] = $2 ~ /async-server\/bytes\.c$/
		if (/^f/)
			skip = made[id]
	}
	/^calls=/ { getline; next }
	/^[-+*0-9]/ && !skip { n += $2 }
	END { printf "%d\n", n }' "$1"
}

# count path short long unit: compares what one more unit costs; function
# path_play plays so many, on a server of its own each time.
count()
{
	"$1_play" "$2" short
	stop_gateway
	"$1_play" "$3" long
	stop_gateway
	path_cost=$((($(spent long) - $(spent short)) / $4))
	echo "$1: $path_cost instructions"
	if renews; then
		renew "$1" $path_cost
	else
		compare "$1" $path_cost
	fi
}

compare()
{
	path_bound=$(bound "$1")
	[ -n "$path_bound" ] ||
	    atf_fail "$1: $2 instructions, and no bound yet: make instructions"
	path_more=$(awk "BEGIN { printf \"%.1f\", ($2 / $path_bound - 1) * 100 }")
	if [ $(($2 * 100)) -gt $((path_bound * (100 + SLACK))) ]; then
		callgrind_annotate --auto=no long | sed -n '/^Ir /,$p' | head -n 24 >&2 || :
		atf_fail "$1: $2 instructions, the bound is $path_bound:" \
		    "$path_more % more; if it must be so: make instructions"
	fi
	[ $(($2 * 100)) -ge $((path_bound * (100 - NOTABLE))) ] ||
	    echo "$1: the bound is $path_bound ($path_more %): make instructions"
}

# renew name cost: a new bound; with other versions none of the old ones holds.
renew()
{
	sed '/^[^#]/,$d' "$BOUNDS" >bounds
	versions >>bounds
	for path_what in built libc libevent; do
		[ "$(versions | sed -n "s/^$path_what	//p")" = \
		    "$(bound $path_what)" ] || path_other=yes
	done
	for path_what in async_request script_request async_output \
	    script_output script_input; do
		if [ $path_what = "$1" ]; then
			printf '%s\t%s\n' "$1" "$2"
		elif [ -z "${path_other:-}" ]; then
			sed -n "/^$path_what	/p" "$BOUNDS"
		fi
	done >>bounds
	cat bounds >"$BOUNDS"
}

# one_by_one n text script [pair...]: as many requests on one connection.
one_by_one()
{
	path_n=$1
	path_text=$2
	path_script=$3
	shift 3
	atf_check -s exit:0 -o match:"^requests=$path_n ok=$path_n " -e empty \
	    ./get "$path_script" -n "$path_n" -m 1 -k -t "$DEADLINE" "$@" \
	    -x "$path_text"
}

# idle name: a line of a play: the script, which is name by now, waits.
idle()
{
	cat <<PLAY
until read p <tree/pid; read p n s r </proc/\$p/stat; test "\$n \$s" = "($1) S"
PLAY
}

path_case async_request
async_request_play()
{
	launch_counted "$2" "$ASYNC"
	one_by_one "$1" '0 ms\n' delay -p QUERY_STRING=ms=0
}
async_request_body()
{
	require_bounds
	count async_request 1000 2000 1000
}

path_case script_request
script_request_play()
{
	launch_counted "$2" "$AFCGI" "$TREE"
	one_by_one "$1" 'hello x\n' hello -p QUERY_STRING=x
}
script_request_body()
{
	require_bounds
	use_cgi hello
	count script_request 30 60 30
}

# Each step is two large records and the rest of a pipe, four megabytes are 64.
# (One alone would leave room for what differs when threads start and end, some
# thousand instructions.)
STEP=65536
CREDIT="credit 1 $((STEP + 3 * 8))"

path_case async_output
# (At first: a record of its header, and one of what is left of the credit.)
async_output_play()
{
	launch_counted "$2" "$ASYNC"
	{
		echo "$NEGOTIATE"
		echo "begin 1 keep"
		echo "credit 1 1000"
		async_params 1 GET bytes n=1000000000
		cat <<-PLAY
		stdin 1
		expect-stdout-bytes 1 984
		PLAY
		for path_i in $(seq "$1"); do
			echo "$CREDIT"
			echo "expect-stdout-bytes 1 $((984 + path_i * STEP))"
		done
		echo 'abort 1'
		echo 'expect-end 1 *'
	} >plan
	atf_check -s exit:0 -o empty -e empty ./play <plan
}
async_output_body()
{
	require_bounds
	count async_output 4 68 4
}

# The script has filled its pipe before each step.  Its header is 28 bytes.
path_case script_output
script_output_play()
{
	rm -f tree/pid tree/go
	launch_counted "$2" "$AFCGI" "$TREE"
	{
		echo "$NEGOTIATE"
		echo "begin 1 keep"
		echo "credit 1 36"
		params 1 zeros ''
		cat <<-PLAY
		stdin 1
		expect-stdout-bytes 1 28
		run touch tree/go
		PLAY
		for path_i in $(seq "$1"); do
			idle cat
			echo "$CREDIT"
			echo "expect-stdout-bytes 1 $((28 + path_i * STEP))"
		done
		echo 'abort 1'
		echo 'expect-end 1 *'
	} >plan
	atf_check -s exit:0 -o empty -e empty ./play <plan
}
script_output_body()
{
	require_bounds
	mk_cgi zeros <<'CGI'
#!/bin/sh
echo $$ >pid
printf 'Content-Type: text/plain\n\n'
until [ -e go ]; do sleep 0.01; done
exec cat /dev/zero
CGI
	count script_output 4 68 4
}

# A record is half a window, which comes back when the script has it; 128 of
# them are four megabytes.
path_case script_input
script_input_play()
{
	rm -f tree/pid
	launch_counted "$2" "$AFCGI" -L window=64k "$TREE"
	{
		echo "$NEGOTIATE"
		echo "begin 1 keep"
		echo "credit 1 1000"
		params 1 sink '' REQUEST_METHOD=POST CONTENT_LENGTH=1000000000
		printf '%s\n' 'expect-stdout 1 \r\n\r\n'
		for path_i in $(seq "$1"); do
			idle wc
			echo 'stdin-bytes 1 32760'
			echo "expect-credit 1 $((path_i * 32768))"
		done
		idle wc
		echo 'abort 1'
		echo 'expect-end 1 *'
	} >plan
	atf_check -s exit:0 -o empty -e empty ./play <plan
}
script_input_body()
{
	require_bounds
	mk_cgi sink <<'CGI'
#!/bin/sh
echo $$ >pid
printf 'Content-Type: text/plain\n\n'
exec wc -c
CGI
	count script_input 4 132 4
}
