# shellcheck shell=sh
# shellcheck disable=SC2034,SC2119 # variables and functions of mux.sh
# Servers that break the protocol once they are trusted.  A record that is
# wrong costs at most what is on its connection: nginx's worker lives, nobody
# hangs, no client gets a page that is not its own, and the next request is
# served.
#
#	harmless   what must be ignored or is merely unusual
#	broken     every other wrong record, with others' requests on the
#	           connection and without
#	padding    every record padded with 255 bytes
#	bytewise   every byte by itself
#	overrun    more than there was credit for
#	leaves     the server closes the connection under its requests

. "$(atf_get_srcdir)/lib.sh"
. "$(atf_get_srcdir)/web.sh"
. "$(atf_get_srcdir)/mux.sh"

# bad.pl, behind nginx, multiplexed.
hostile_site()
{
	mux_peer bad perl "$TESTS/peers/bad.pl" gw.sock
	mux_start_nginx <<'CONF'
include params;
fastcgi_read_timeout 2s;
fastcgi_send_timeout 2s;
location / {
	fastcgi_pass mux;
}
location /raw/ {
	rewrite ^/raw(/.*) $1 break;
	fastcgi_pass mux;
	fastcgi_buffering off;
}
CONF
	mux_warm
}

# served path: that is answered, as it should be.
served()
{
	atf_check -s exit:0 -o inline:"GET $1 0\\n200" -e empty \
	    curl -sS -m 5 -w '%{http_code}' "$WEB$1"
}

# ends path: the client gets some answer to that, or none, within the time
# that nginx's timeouts allow.
ends()
{
	ends_status=0
	curl -sS -m 8 -o page "$WEB$1" 2>error || ends_status=$?
	[ $ends_status -ne 28 ] || atf_fail "$1 hangs"
	if grep -q stray page 2>/dev/null; then
		web_fail "$1 got what was not its own" page
	fi
}

# own_pages: a crowd of requests, each with its own page or, if the connection
# broke under them, none.
own_pages()
{
	rm -f own.*
	curl -sS -Z -m 8 --parallel-immediate --parallel-max 30 \
	    -w '%{http_code} %{exitcode}\n' -o 'own.#1' "$WEB/?[1-30]" \
	    >codes 2>/dev/null || :
	atf_check -s exit:1 -o empty -e empty \
	    grep -Ev '^(200 0|502 0|200 18|000 52)$' codes
	for i in 1 9 16 23 30; do
		[ -f own.$i ] || continue
		grep -Eq "^GET /\\?$i 0\$|502 Bad" own.$i ||
		    web_fail "request $i got another's page" own.$i
	done
}

# With these the request and all others go on as if nothing had been.
mux_case harmless
harmless_body()
{
	hostile_site
	for name in credit-0 credit-after unasked; do
		mux_is_on || continue # stock nginx rejects such records
		echo "$name"
		served /$name
		served "/?$name"
	done
	atf_check -s exit:1 -o empty -e empty grep BAD bad.out
	mux_finish
}

mux_case broken
broken_body()
{
	hostile_site
	for name in stray stray-end stray-credit id-0 version unknown-type unknown-mgmt \
	    credit-overflow credit-short drain-long end-short end-long begin \
	    noise end-twice after-end; do
		for way in '' /raw; do
			echo "$way/$name"
			mux_warm
			ends "$way/$name"
			served "/?$name"
			mux_warm
			own_pages &
			own=$!
			ends "$way/$name"
			wait $own || atf_fail "others, with $way/$name"
			served "/?$name"
			mux_log_clean
		done
	done
	mux_finish
}

# Padding means nothing and costs nothing.
mux_case padding
padding_body()
{
	BAD_WIRE=padding
	export BAD_WIRE
	hostile_site
	crowd_served
	mux_finish
}

mux_case bytewise
bytewise_body()
{
	BAD_WIRE=bytes
	export BAD_WIRE
	hostile_site
	crowd_served
	mux_finish
}

crowd_served()
{
	bytes 300000 >body
	for i in 1 2 3; do
		served "/?$i"
		atf_check -s exit:0 -o file:body -e empty \
		    curl -sS -m 30 --data-binary @body "$WEB/echo"
	done
	own_pages
	atf_check -s exit:0 -o match:'^ *30 200 0$' -e empty \
	    sh -c 'sort codes | uniq -c'
	atf_check -s exit:1 -o empty -e empty grep BAD bad.out
}

# Whoever takes more than it was given loses the connection; the client does
# not take the page for whole.
mux_case overrun
overrun_body()
{
	hostile_site
	mux_is_on || atf_skip "no credit without the module"
	atf_check -s not-exit:0 -o ignore -e not-empty \
	    curl -sS -m 8 -o page --fail "$WEB/raw/overrun"
	served '/?1'
	mux_warm
	atf_check -s not-exit:0 -o ignore -e not-empty \
	    curl -sS -m 8 -o page --fail --limit-rate 20k "$WEB/raw/overrun"
	served '/?2'
	own_pages
	mux_finish
}

# The requests on it had no header yet: 502 for each, at once.
mux_case leaves
leaves_body()
{
	hostile_site
	for i in 1 2 3 4 5; do
		mux_warm
		own_pages &
		own=$!
		ends "/die?$i"
		wait $own || atf_fail "others, at /die"
		served "/?$i"
	done
	mux_finish
}
