# shellcheck shell=sh
# shellcheck disable=SC2034,SC2046,SC2086,SC2119,SC2120 # words; for mux.sh
# A server fails, and nginx asks the next one:
#
#	error      nobody listens there; it dies with the request; with many
#	post       a POST is not asked twice unless non_idempotent says so
#	states     http_500, http_503, http_404, invalid_header, an empty answer
#	overloaded FCGI_OVERLOADED: nothing was started, the next one is asked
#	timeout    a silent server; an upload to it
#	tries      fastcgi_next_upstream_tries and _timeout
#	bounded    every try dies: a request is tried a few times, not for ever
#	begun      a response that has begun is never begun again
#	backup     servers that are backup, or down
#	max_fails  a server that failed is left alone, and comes back
#	unbuffered a server that cannot be reached does not spoil the next one

. "$(atf_get_srcdir)/lib.sh"
. "$(atf_get_srcdir)/web.sh"
. "$(atf_get_srcdir)/mux.sh"
. "$(atf_get_srcdir)/mux_site.sh"

# next_site directive...: peers a and b, which have been heard of, and these
# directives in the location.
next_site()
{
	: "${MUX_SERVERS:=server unix:a.sock max_fails=0;
	    server unix:b.sock max_fails=0;}"
	mux_rude a
	mux_rude b
	mux_start_nginx <<CONF
location / {
	fastcgi_pass mux;
	include params;
	$*
}
CONF
	next_warm
}

next_warm()
{
	for next_i in 1 2 3 4 5 6; do
		curl -sS -o /dev/null "$WEB/warm" || atf_fail "no answer"
	done
	mux_log_reset
}

# next_ask n body [curl-argument...]: n requests that have this answer.
next_ask()
{
	next_n=$1
	next_body=$2
	shift 2
	for next_i in $(seq "$next_n"); do
		atf_check -s exit:0 -o inline:"$next_body" -e empty \
		    curl -sS -m 30 "$@"
	done
}

mux_case error
error_body()
{
	MUX_SERVERS="server unix:none.sock max_fails=0;
	    server unix:a.sock max_fails=0; server unix:b.sock max_fails=0;"
	next_site
	rm -f b.do
	echo die >a.do
	next_ask 12 'page b\n' "$WEB/page"
	[ "$(rude_seen a '^die')" -ge 3 ] || atf_fail "a was not asked"
	# Many at once: the death of one connection is not that of the other.
	atf_check -s exit:0 -o save:codes -e ignore curl -sS -Z \
	    --parallel-immediate --parallel-max 50 -o /dev/null \
	    -w '%{http_code}\n' "$WEB/page?[1-50]"
	atf_check_equal "50 200" "$(mux_codes codes)"
	# Back again.
	rm a.do
	atf_check -s exit:0 -o match:'^page [ab]$' -e empty curl -sS "$WEB/page"
	mux_finish
}

# What has been sent may have been done.
mux_case post
post_body()
{
	next_site
	echo die >a.do
	echo die >b.do
	: >a.out
	: >b.out
	for i in 1 2 3 4; do
		next_ask 1 502 -o /dev/null -w '%{http_code}' \
		    -d x=y "$WEB/page"
	done
	tries=$(($(rude_seen a '^die POST') + $(rude_seen b '^die POST')))
	atf_check_equal 4 $tries
	mux_finish
}

mux_case post_again
post_again_body()
{
	next_site 'fastcgi_next_upstream error timeout non_idempotent;'
	bytes 50000 >body
	echo die >a.do
	next_ask 6 'page b\n' --data-binary @body "$WEB/page"
	[ "$(rude_seen a '^die POST')" -ge 1 ] || atf_fail "a was not asked"
	mux_finish
}

# Each is as good as an error where nginx is told so.
mux_case states
states_body()
{
	next_site 'fastcgi_next_upstream error http_500 http_503 http_404
	    invalid_header;'
	for deed in 500 503 404 invalid empty; do
		echo $deed >a.do
		next_ask 4 'page b\n' "$WEB/page"
		[ "$(rude_seen a "^$deed GET")" -ge 1 ] ||
		    atf_fail "$deed: a was not asked"
	done
	# The last answer counts.
	echo 503 >a.do
	echo 503 >b.do
	next_ask 2 503 -o /dev/null -w '%{http_code}' "$WEB/page"
	# A state that is not named is an answer.
	echo 403 >a.do
	echo 403 >b.do
	next_ask 2 403 -o /dev/null -w '%{http_code}' "$WEB/page"
	mux_finish
}

mux_case overloaded
overloaded_body()
{
	next_site
	mux_is_on || atf_skip "stock nginx takes that for an empty answer"
	echo busy >a.do
	next_ask 4 'page b\n' "$WEB/page"
	[ "$(rude_seen a '^busy')" -ge 1 ] || atf_fail "a was not asked"
	echo busy >b.do
	next_ask 2 502 -o /dev/null -w '%{http_code}' "$WEB/page"
	rm a.do b.do
	next_ask 1 200 -o /dev/null -w '%{http_code}' "$WEB/page"
	mux_finish
}

# A silent request is given up, alone: its neighbour is slower than that.
mux_case timeout
timeout_body()
{
	next_site 'fastcgi_next_upstream error timeout non_idempotent;
	    fastcgi_read_timeout 1500ms; fastcgi_limit_rate 50k;'
	bytes 100000 >body
	echo hang >a.do
	next_ask 2 'page b\n' "$WEB/page"
	next_ask 2 'page b\n' --data-binary @body "$WEB/page"
	[ "$(rude_seen a '^hang')" -ge 2 ] || atf_fail "a was not asked"
	if mux_is_on; then
		[ "$(rude_seen a '^abort')" -eq "$(rude_seen a '^hang')" ] ||
		    atf_fail "what was given up was not aborted"
	fi
	mux_finish
}

# So many, and no more.
mux_case tries
tries_body()
{
	MUX_SERVERS="server unix:a.sock max_fails=0;
	    server unix:b.sock max_fails=0; server unix:c.sock max_fails=0;"
	mux_rude c
	next_site 'fastcgi_next_upstream error timeout http_500;
	    fastcgi_next_upstream_tries 2;'
	for name in a b c; do
		echo 500 >$name.do
		: >$name.out
	done
	next_ask 3 500 -o /dev/null -w '%{http_code}' "$WEB/page"
	tries=$(cat a.out b.out c.out | grep -c '^500')
	atf_check_equal 6 "$tries"
	mux_finish
}

mux_case tries_time
tries_time_body()
{
	MUX_SERVERS="server unix:a.sock max_fails=0;
	    server unix:b.sock max_fails=0; server unix:c.sock max_fails=0;
	    server unix:d.sock max_fails=0;"
	mux_rude c
	mux_rude d
	next_site 'fastcgi_next_upstream error timeout;
	    fastcgi_read_timeout 400ms; fastcgi_next_upstream_timeout 500ms;'
	for name in a b c d; do
		echo hang >$name.do
		: >$name.out
	done
	next_ask 1 504 -o /dev/null -w '%{http_code}' "$WEB/page"
	tries=$(cat a.out b.out c.out d.out | grep -c '^hang')
	[ "$tries" -le 2 ] || atf_fail "$tries tries in 0.5 s"
	mux_finish
}

# A shared connection may have died of age, so one more try than there are
# servers is right; but a request that kills its server must not do so for ever.
mux_case bounded
bounded_body()
{
	next_site
	for deed in die die busy; do
		next_warm
		for name in a b; do
			echo $deed >$name.do
			: >$name.out
		done
		next_ask 5 502 -o /dev/null -w '%{http_code}' "$WEB/page"
		tries=$(cat a.out b.out | grep -c "^$deed")
		echo "$deed: $tries tries of 5 requests"
		[ "$tries" -ge 5 ] || atf_fail "hardly tried"
		[ "$tries" -le 15 ] || atf_fail "tried too often"
		rm a.do b.do
	done
	mux_finish
}

# Likewise with one server alone, warm and cold, alone and in a crowd.
mux_case bounded_one
bounded_one_body()
{
	MUX_SERVERS="server unix:a.sock;"
	next_site
	echo die >a.do
	: >a.out
	next_ask 10 502 -o /dev/null -w '%{http_code}' "$WEB/page"
	tries=$(rude_seen a '^die')
	[ "$tries" -le 20 ] || atf_fail "$tries tries of 10 requests"
	atf_check -s exit:0 -o save:codes -e ignore curl -sS -Z \
	    --parallel-immediate --parallel-max 40 -o /dev/null \
	    -w '%{http_code}\n' "$WEB/page?[1-40]"
	atf_check_equal "40 502" "$(mux_codes codes)"
	rm a.do
	wait_for bounded_again
	mux_finish
}

bounded_again()
{
	[ "$(curl -sS -m 10 "$WEB/page")" = 'page a' ]
}

# A client cannot take a part of one and a part of another.
mux_case begun
begun_body()
{
	next_site 'fastcgi_next_upstream error timeout invalid_header http_500
	    non_idempotent;'
	mux_is_on || atf_skip "a short response looks whole without the module"
	for deed in part cut; do
		echo $deed >a.do
		echo $deed >b.do
		for i in 1 2; do
			atf_check -s exit:18 -o ignore -e match:curl \
			    curl -sS -m 30 "$WEB/page"
		done
	done
	atf_check_equal 4 "$(cat a.out b.out | grep -Ec '^(part|cut) ')"
	mux_finish
}

# They are asked when the others have failed; those that are down never.
mux_case backup
backup_body()
{
	MUX_SERVERS="server unix:a.sock max_fails=1 fail_timeout=60s;
	    server unix:c.sock down; server unix:b.sock backup;"
	mux_rude c
	next_site
	next_ask 4 'page a\n' "$WEB/page"
	mux_peer_kill "$(sed -n 2p web.pids)"
	next_ask 4 'page b\n' "$WEB/page"
	atf_check_equal 0 "$(rude_seen c '^page')"
	atf_check_equal 0 "$(rude_seen c '^accept')"
	mux_finish
}

mux_case max_fails
max_fails_body()
{
	MUX_SERVERS="server unix:a.sock max_fails=1 fail_timeout=2s;
	    server unix:b.sock max_fails=0;"
	next_site
	echo die >a.do
	: >a.out
	next_ask 10 'page b\n' "$WEB/page"
	# Once, or twice if the two seconds went by meanwhile.
	[ "$(rude_seen a '^die')" -le 4 ] ||
	    atf_fail "a was asked $(rude_seen a '^die') times"
	rm a.do
	wait_for bounded_again
	mux_finish
}

# What was noted of the first server's failure is not taken for the second's,
# whose response comes in pieces.
mux_case unbuffered
unbuffered_body()
{
	MUX_SERVERS="server 127.0.0.1:$(free_port) max_fails=0;
	    server unix:gw.sock max_fails=0;"
	mux_site </dev/null
	for i in 1 2 3 4; do
		client "u$i" "$WEB/b0r1k0/cgi-bin/drip?u$i"
		wait_for grep -q '^one$' "u$i.out"
		: >"cgi-bin/u$i.go"
		wait "$CLIENT" || atf_fail "the response was cut"
		atf_check -s exit:0 -o inline:'one\ntwo\n' -e empty \
		    cat "u$i.out"
	done
	mux_finish
}
