# shellcheck shell=sh
# shellcheck disable=SC2034,SC2046,SC2086,SC2119,SC2120 # words; for mux.sh
# fastcgi_cache and fastcgi_store over the module:
#
#	hit         MISS, then HIT: the script runs once
#	head        a response without its body is cached as such
#	expires     X-Accel-Expires
#	bypass      fastcgi_cache_bypass, fastcgi_no_cache
#	lock        20 clients at once: one request to the server
#	updating    background update: all have the old page while one script runs
#	down        use_stale error: the old page while the gateway is gone
#	revalidate  a 304 renews what is there
#	leave       the client leaves: the page is finished, and is in the cache
#	parallel    40 pages at once, each in its place
#	broken      a page that broke off is not kept
#	store       fastcgi_store keeps whole pages alone

. "$(atf_get_srcdir)/lib.sh"
. "$(atf_get_srcdir)/web.sh"
. "$(atf_get_srcdir)/mux.sh"
. "$(atf_get_srcdir)/mux_site.sh"

# cache_site: /c/cgi-bin/ is cached for 60 s, /s/cgi-bin/ for 1 s and then
# stale.
cache_site()
{
	MUX_HTTP="fastcgi_cache_path $PWD/nginx/cache keys_zone=c:1m;"
	mux_site <<CONF
fastcgi_cache_key \$request_method\$request_uri;
location ~ ^/c(/cgi-bin/.*)\$ {
	fastcgi_cache c;
	fastcgi_cache_valid 200 60s;
	fastcgi_cache_lock on;
	fastcgi_cache_lock_timeout 60s;
	fastcgi_cache_lock_age 60s;
	fastcgi_cache_bypass \$arg_bypass;
	fastcgi_no_cache \$arg_nocache;
	add_header X-Cache \$upstream_cache_status always;
	fastcgi_pass mux;
	include params;
	fastcgi_param SCRIPT_NAME \$1;
}
location ~ ^/s(/cgi-bin/.*)\$ {
	fastcgi_cache c;
	fastcgi_cache_valid 200 1s;
	fastcgi_cache_use_stale error timeout updating http_503;
	fastcgi_cache_background_update on;
	fastcgi_cache_revalidate on;
	add_header X-Cache \$upstream_cache_status always;
	fastcgi_pass mux;
	include params;
	fastcgi_param SCRIPT_NAME \$1;
}
location ~ ^/store(/cgi-bin/.*)\$ {
	fastcgi_store $PWD/stored/\$arg_as;
	fastcgi_store_access user:rw;
	fastcgi_pass mux;
	include params;
	fastcgi_param SCRIPT_NAME \$1;
}
CONF
}

# cached status body path [curl-argument...]: what it is answered with.
cached()
{
	cache_status=$1
	cache_body=$2
	cache_path=$3
	shift 3
	atf_check -s exit:0 -o inline:"$cache_body\n$cache_status" -e empty \
	    curl -sS -m 60 -w '%header{x-cache}' "$@" "$WEB$cache_path"
}

# until_cached status path: asked again and again until that is what it is.
until_cached()
{
	wait_for cache_is "$1" "$WEB$2"
}

cache_is()
{
	[ "$(curl -sS -m 20 -o cache.body -w '%header{x-cache}' "$2")" = "$1" ]
}

mux_case hit
hit_body()
{
	cache_site
	cached MISS 'call 1' /c/cgi-bin/count/hit
	for i in 1 2 3; do
		cached HIT 'call 1' /c/cgi-bin/count/hit
	done
	atf_check_equal 1 "$(mux_calls hit)"
	# One bigger than all buffers.
	for i in 1 2; do
		atf_check -s exit:0 -o inline:"$(blocks_sum 3000000)\n" \
		    -e empty sh -c "curl -sS '$WEB/c/cgi-bin/blocks?3000000' |
		    md5sum | cut -c1-32"
	done
	if mux_is_on; then mux_logged 2 '^[0-9]+\|'; fi
	mux_finish
}

mux_case head
head_body()
{
	cache_site
	for status in MISS HIT HIT; do
		atf_check -s exit:0 -o match:"^X-Cache: $status" -e empty \
		    curl -sSI "$WEB/c/cgi-bin/count/head"
	done
	cached MISS 'call 2' /c/cgi-bin/count/head
	atf_check -s exit:0 -o inline:'HEAD\nGET\n' -e empty \
	    cat cgi-bin/head.calls
	mux_finish
}

# It replaces fastcgi_cache_valid, both ways.
mux_case expires
expires_body()
{
	cache_site
	echo 'X-Accel-Expires: 0' >cgi-bin/never.fields
	cached MISS 'call 1' /c/cgi-bin/count/never
	cached MISS 'call 2' /c/cgi-bin/count/never
	echo 'X-Accel-Expires: 600' >cgi-bin/long.fields
	cached MISS 'call 1' /s/cgi-bin/count/long
	cached MISS 'call 1' /s/cgi-bin/count/short
	# When the one without the field is stale the other is fresh.
	until_cached STALE /s/cgi-bin/count/short
	cached HIT 'call 1' /s/cgi-bin/count/long
	mux_finish
}

mux_case bypass
bypass_body()
{
	cache_site
	cached MISS 'call 1' '/c/cgi-bin/count/no?nocache=1'
	cached MISS 'call 2' '/c/cgi-bin/count/no?nocache=1'
	cached BYPASS 'call 1' '/c/cgi-bin/count/by?bypass=1'
	cached BYPASS 'call 2' '/c/cgi-bin/count/by?bypass=1'
	mux_shared 4
	mux_finish
}

# Nineteen wait for the twentieth's page.
mux_case lock
lock_body()
{
	cache_site
	mk_cgi slow <<'CGI'
#!/bin/sh
echo run >>slow.calls
while [ ! -e slow.go ]; do sleep 0.05; done
printf 'Content-Type: text/plain\n\npage\n'
CGI
	jobs=
	for i in $(seq 20); do
		client lock$i "$WEB/c/cgi-bin/slow"
		jobs="$jobs $CLIENT"
	done
	wait_for test -s cgi-bin/slow.calls
	# Somebody else's page is not held up by them.
	cached MISS 'call 1' /c/cgi-bin/count/other
	: >cgi-bin/slow.go
	mux_wait $jobs
	for i in $(seq 20); do
		atf_check -s exit:0 -o inline:'page\n' -e empty cat lock$i.out
	done
	atf_check_equal 1 "$(mux_calls slow)"
	mux_finish
}

# Nobody waits for the script that makes the new page.
mux_case updating
updating_body()
{
	cache_site
	mk_cgi renew <<'CGI'
#!/bin/sh
echo run >>renew.calls
n=$(wc -l <renew.calls)
printf 'Content-Type: text/plain\n\n'
[ "$n" -eq 1 ] || while [ ! -e renew.go ]; do sleep 0.05; done
echo "call $n"
CGI
	cached MISS 'call 1' /s/cgi-bin/renew
	until_cached STALE /s/cgi-bin/renew
	for i in 1 2 3 4 5; do
		cached UPDATING 'call 1' /s/cgi-bin/renew
	done
	atf_check_equal 2 "$(mux_calls renew)"
	: >cgi-bin/renew.go
	wait_for updating_new
	mux_finish
}

updating_new()
{
	curl -sS "$WEB/s/cgi-bin/renew" | grep -qx 'call [2-9]'
}

# The old page is better than none, before and after the first that fails.
mux_case down
down_body()
{
	cache_site
	cached MISS 'call 1' /s/cgi-bin/count/down
	until_cached STALE /s/cgi-bin/count/down
	wait_for cache_is HIT "$WEB/s/cgi-bin/count/down"
	was=$(cat cache.body)
	stop_gateway
	until_cached STALE /s/cgi-bin/count/down
	for i in 1 2 3; do
		atf_check -s exit:0 -o inline:"$was\n" -e empty \
		    curl -sS -m 20 "$WEB/s/cgi-bin/count/down"
	done
	start_gateway "$PWD/cgi-bin"
	wait_for down_over
	mux_finish
}

down_over()
{
	curl -sS "$WEB/s/cgi-bin/count/down" >down.new
	[ "$(cat down.new)" != "$was" ]
}

# The script says that nothing changed, and the page is fresh again.
mux_case revalidate
revalidate_body()
{
	cache_site
	mk_cgi etag <<'CGI'
#!/bin/sh
echo "$HTTP_IF_NONE_MATCH" >>etag.calls
if [ "$HTTP_IF_NONE_MATCH" = '"v1"' ]; then
	printf 'Status: 304 Not Modified\nETag: "v1"\n\n'
else
	printf 'Content-Type: text/plain\nETag: "v1"\n\nfirst page\n'
fi
CGI
	cached MISS 'first page' /s/cgi-bin/etag
	until_cached STALE /s/cgi-bin/etag
	wait_for cache_is HIT "$WEB/s/cgi-bin/etag"
	atf_check -s exit:0 -o inline:'first page\n' -e empty cat cache.body
	atf_check -s exit:0 -o match:'^"v1"$' -e empty cat cgi-bin/etag.calls
	mux_shared 3
	mux_finish
}

# With a cache nginx does not care whether its client is there.
mux_case leave
leave_body()
{
	cache_site
	mk_cgi slow <<'CGI'
#!/bin/sh
printf 'Content-Type: text/plain\n\n'
: >slow.pid
while [ ! -e slow.go ]; do sleep 0.05; done
exec seq 100000
CGI
	client leaves "$WEB/c/cgi-bin/slow"
	wait_for test -e cgi-bin/slow.pid
	client_leave "$CLIENT"
	: >cgi-bin/slow.go
	wait_for cache_is HIT "$WEB/c/cgi-bin/slow"
	seq 100000 >want
	cmp want cache.body || atf_fail "another page is in the cache"
	mux_finish
}

# Pages that come at once over one connection are not mixed up.
mux_case parallel
parallel_body()
{
	cache_site
	for round in 1 2; do
		rm -rf out
		mkdir out
		atf_check -s exit:0 -o save:codes -e ignore curl -sS -Z \
		    --parallel-immediate --parallel-max 40 -o 'out/#1' \
		    -w '%{http_code} %header{x-cache}\n' \
		    "$WEB/c/cgi-bin/size?[60001-60040]"
		atf_check_equal 40 "$(grep -c '^200' codes)"
		for n in $(seq 60001 60040); do
			bytes $n | cmp - out/$n || atf_fail "page $n"
		done
	done
	atf_check_equal "40 200 HIT" "$(mux_codes codes)"
	mux_finish
}

# It would be served for a minute.
mux_case broken
broken_body()
{
	cache_site
	mk_cgi breaks <<'CGI'
#!/bin/sh
printf 'Content-Type: text/plain\n\n'
if [ -e breaks.whole ]; then echo whole; exit; fi
seq 20000
kill -KILL $$
CGI
	mux_is_on || atf_skip "without the module it may look whole"
	for i in 1 2 3; do
		atf_check -s not-exit:0 -o ignore -e match:curl \
		    curl -sS "$WEB/c/cgi-bin/breaks"
	done
	: >cgi-bin/breaks.whole
	cached MISS whole /c/cgi-bin/breaks
	cached HIT whole /c/cgi-bin/breaks
	mux_finish
}

mux_case store
store_body()
{
	mkdir stored
	cache_site
	atf_check -s exit:0 -o inline:'call 1\n' -e empty \
	    curl -sS "$WEB/store/cgi-bin/count/store?as=page"
	atf_check -s exit:0 -o inline:'call 1\n' -e empty cat stored/page
	sum=$(blocks_sum 5000000)
	cp cgi-bin/blocks cgi-bin/blocks5
	# shellcheck disable=SC2016 # perl's
	sed -i 's/^my \$n.*/my $n = 5000000;/' cgi-bin/blocks5
	curl -sS -o /dev/null "$WEB/store/cgi-bin/blocks5?as=big"
	wait_for test -e stored/big
	atf_check_equal "$sum" "$(md5sum <stored/big | cut -c1-32)"
	mux_is_on || atf_skip "without the module a broken page may look whole"
	atf_check -s not-exit:0 -o ignore -e match:curl \
	    curl -sS "$WEB/store/cgi-bin/cut?as=cut"
	atf_check -s not-exit:0 -o ignore -e ignore test -e stored/cut
	mux_finish
}
