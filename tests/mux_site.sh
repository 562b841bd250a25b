# shellcheck shell=sh
# shellcheck disable=SC2034,SC2153,SC2154 # variables for, and of, others
# The site that most tests of nginx's own behaviours under the module have: a
# gateway behind upstream "mux", one shared connection, eight modes.  Sourced
# after lib.sh, web.sh and mux.sh.  Besides web_scripts these are in cgi-bin/:
#
#	blocks	as many bytes as QUERY_STRING says, all different; blocks_sum
#		is what they amount to
#	size	likewise, with nothing else in it (lib.sh's bytes())
#	sum	the checksum of its body
#	count	notes its call in TAG.calls, prints "call N"; TAG is the path after
#		its name

# Locations /cgi-bin/ and /bXrYkZ/cgi-bin/ (nginx_modes) to the upstream.
mux_locations()
{
	echo 'location /cgi-bin/ { fastcgi_pass mux; include params; }'
	nginx_modes | sed 's/fastcgi_pass [^;]*;/fastcgi_pass mux;/'
}

# The modes that differ over a shared connection.
MUX_MODES="b0r0k0 b0r1k1 b1r0k1 b1r1k0"

mux_scripts()
{
	web_scripts
	mk_cgi blocks <<'CGI'
#!/usr/bin/perl
my $n = $ENV{QUERY_STRING};
my $rest = join '', map { sprintf "%07d\n", $_ } 1 .. 2047;
print "Content-Type: application/octet-stream\n\n";
for (my $i = 0; $n > 0; $i++) {
	my $block = sprintf("%07d\n", $i) . $rest;
	$block = substr $block, 0, $n if $n < length $block;
	print $block;
	$n -= length $block;
}
CGI
	mk_cgi size <<'CGI'
#!/bin/sh
printf 'Content-Type: text/plain\n\n'
exec 2>/dev/null
seq -f %07.0f 0 $(((QUERY_STRING + 7) / 8)) | head -c "$QUERY_STRING"
CGI
	mk_cgi sum <<'CGI'
#!/bin/sh
printf 'Content-Type: text/plain\n\n'
exec md5sum
CGI
	mk_cgi count <<'CGI'
#!/bin/sh
tag=${PATH_INFO#/}
echo "$REQUEST_METHOD" >>"$tag.calls"
printf 'Content-Type: text/plain\n'
[ ! -e "$tag.fields" ] || cat "$tag.fields"
printf '\ncall %d\n' "$(wc -l <"$tag.calls")"
CGI
}

blocks_sum()
{
	QUERY_STRING=$1 "$TREE/blocks" | tail -n +3 | md5sum | cut -c1-32
}

# mux_site [argument...]: all of it, with these arguments of the gateway's, and
# more lines of the server block from stdin; warm, with an empty log.
mux_site()
{
	mux_scripts
	start_gateway "$@" "$PWD/cgi-bin"
	mux_start_nginx <<CONF
$(mux_locations)
$(cat)
CONF
	mux_warm /cgi-bin/env
	mux_log_reset
}

# mux_http 1|2: what $MUX_CURL and $MUX_WEB speak, for loops over both.
mux_http()
{
	MUX_CURL="curl -sS -m 100"
	MUX_WEB=$WEB
	if [ "$1" = 2 ]; then
		MUX_CURL="$MUX_CURL --http2-prior-knowledge"
		MUX_WEB=$WEB2
	fi
}

# mux_shared [n]: every request that was logged, n at least, went over shared
# connections with flow control, unless it went to no server.
mux_shared()
{
	wait_for mux_has_lines "${1:-1}" '^'
	mux_is_on || return 0
	if grep -Ev '^([0-9]+\|[0-9]+\|1|-\|-\|-\|-)\|' "$MUXLOG" >mux.plain; then
		web_fail "not multiplexed, or without windows" mux.plain
	fi
}

# mux_one_connection [n]: likewise, and it was the same one.
mux_one_connection()
{
	mux_shared "$@"
	mux_is_on || return 0
	[ "$(cut -d'|' -f1 "$MUXLOG" | sort -u | grep -vc '^-')" -eq 1 ] ||
	    web_fail "more than one connection" "$MUXLOG"
	atf_check_equal 1 "$(mux_connections)"
}

# rss pid...: the resident memory of these processes, in KB.
rss()
{
	for mux_pid; do
		sed -n 's/^VmRSS:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$mux_pid/status"
	done | awk '{ n += $1 } END { print n + 0 }'
}

# grown what before after limit: in KB.  A sanitizer keeps memory for itself.
grown()
{
	echo "$1: $2 KB, then $3 KB, limit +$4 KB"
	if [ $(($3 - $2)) -gt "$4" ] && ! mux_sanitized; then
		atf_fail "$1 grew from $2 to $3 KB"
	fi
}

mux_sanitized()
{
	[ "${NGINX_MULTIPLEX:-}" = static ] || grep -q -e __asan_init -e __tsan_init \
	    "$(command -v "${NGINX:-nginx}")" "$AFCGI" ||
	    [ -n "${AFCGI_VALGRIND:-}" ]
}

# mux_calls tag: how often count has run.
mux_calls()
{
	if [ -f "cgi-bin/$1.calls" ]; then
		wc -l <"cgi-bin/$1.calls"
	else
		echo 0
	fi
}

# mux_codes file: "N code" for each code in a file of codes, one a line.
mux_codes()
{
	sort "$1" | uniq -c | sed 's/^ *//'
}

# mux_rude name [argument...]: the peer rude.pl on the socket name.sock.
mux_rude()
{
	mux_peer "$1" perl "$TOP/tests/peers/rude.pl" "$1.sock" "$@"
}

# rude_seen name expression: how many requests like that it has had.
rude_seen()
{
	grep -c -e "$2" "$1.out" || :
}
