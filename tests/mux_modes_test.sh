# shellcheck shell=sh
# shellcheck disable=SC2034,SC2046,SC2086,SC2119,SC2120 # words; for mux.sh
# Bodies, both ways, over one shared connection, in the modes of buffering,
# request buffering and keep_conn, to HTTP/1.1 and HTTP/2 clients:
#
#	requests   GET, POST, uploads without a length, an empty one, HEAD, 404, in
#	           all eight modes: one connection serves them all
#	parallel   64 at once in all modes, each gets what is its own
#	sizes      responses of the sizes of buffers, windows and records, and
#	           a byte less or more; empty ones
#	uploads    likewise bodies
#	echo       5 MB both ways at once
#	unread     a 5 MB body that the script never reads, or only after it has
#	           written 300 KB
#	big        two big bodies each way, checksummed, small requests between
#	           them; the worker's memory stays what it is (MUX_BIG: MB; 8)
#	sendfile   big bodies with sendfile, tcp_nopush and aio threads, which are of
#	           nginx's sockets and files, not of a shared connection
#	options    small buffers, and options of a socket that is not there
#	ranges     fastcgi_force_ranges, and gzip
#	drips      a line arrives when it is written, buffered or not

. "$(atf_get_srcdir)/lib.sh"
. "$(atf_get_srcdir)/web.sh"
. "$(atf_get_srcdir)/mux.sh"
. "$(atf_get_srcdir)/mux_site.sh"

# Whatever the mode, a request means the same to the script and to the client.
mux_case requests
requests_body()
{
	mux_site </dev/null
	bytes 100000 >body
	: >none
	for mode in $NGINX_MODES; do
		for http in 1 2; do
			mux_http $http
			base=$MUX_WEB/$mode/cgi-bin
			requests_try
		done
	done
	mux_one_connection $((8 * 2 * 8))
	mux_finish
}

requests_try()
{
	atf_check -s exit:0 -e empty -o match:'^SCRIPT_NAME=/cgi-bin/env$' \
	    -o match:'^PATH_INFO=/more/path$' -o match:'^QUERY_STRING=a=b$' \
	    $MUX_CURL "$base/env/more/path?a=b"
	atf_check -s exit:0 -o inline:'x=y' -e empty \
	    $MUX_CURL -d x=y "$base/echo"
	atf_check -s exit:0 -o file:body -e empty \
	    $MUX_CURL --data-binary @body "$base/echo"
	# Without a length it comes in chunks, or as HTTP/2 frames.
	atf_check -s exit:0 -o file:body -e empty \
	    $MUX_CURL -T - "$base/echo" <body
	atf_check -s exit:0 -o empty -e empty \
	    $MUX_CURL --data-binary @none "$base/echo"
	atf_check -s exit:0 -e empty -o match:'^HTTP/[12.]+ 200' \
	    -o match:'^[Xx]-[Tt]est: yes' -o not-match:REQUEST_METHOD \
	    $MUX_CURL -I "$base/env"
	atf_check -s exit:0 -o inline:'404 Not Found\n404' -e empty \
	    $MUX_CURL -w '%{http_code}' "$base/none"
	atf_check -s exit:0 -o inline:'not read\n' -e empty \
	    $MUX_CURL "$base/deaf"
}

# Streams end, begin and cross at all places: nobody gets another's bytes.
mux_case parallel
parallel_body()
{
	mux_site </dev/null
	for http in 1 2; do
		mux_http $http
		for mode in $NGINX_MODES; do
			mkdir -p out
			atf_check -s exit:0 -o save:codes -e ignore \
			    $MUX_CURL -Z --parallel-immediate --parallel-max 64 \
			    -w '%{http_code}\n' -o 'out/#1' \
			    "$MUX_WEB/$mode/cgi-bin/env?n=[1-64]"
			atf_check_equal "64 200" "$(mux_codes codes)"
			for n in $(seq 64); do
				grep -qx "QUERY_STRING=n=$n" out/$n ||
				    atf_fail "another's answer: $n"
			done
			rm -r out
		done
	done
	mux_one_connection 1024
	mux_finish
}

# What fills a buffer, a record or a window exactly is as whole as the rest.
mux_case sizes
sizes_body()
{
	mux_site </dev/null
	sizes='0 1 4095 4096 4097 8192 32760 32767 32768 32769 65528 65535 65536
	    131072 262135 262136 262137 262144 262145'
	for n in $sizes; do bytes "$n" >want.$n; done
	list=$(echo $sizes | tr ' ' ,)
	for mode in $NGINX_MODES; do
		for http in 1 2; do
			mux_http $http
			atf_check -s exit:0 -o empty -e ignore $MUX_CURL -Z --parallel-immediate \
			    -o 'got.#1' "$MUX_WEB/$mode/cgi-bin/size?{$list}"
			for n in $sizes; do
				cmp got.$n want.$n || atf_fail "$mode: $n"
			done
		done
	done
	mux_one_connection 304
	mux_finish
}

mux_case uploads
uploads_body()
{
	mux_site </dev/null
	for n in 1 8191 8192 16384 16385 32760 32768 65527 65528 65529 262136 \
	    262144 262145 600000; do
		bytes $n >body.$n
		sum=$(md5sum <body.$n)
		for mode in $MUX_MODES; do
			for http in 1 2; do
				mux_http $http
				base=$MUX_WEB/$mode/cgi-bin
				atf_check -s exit:0 -o inline:"$sum\n" \
				    -e empty $MUX_CURL -H Expect: \
				    --data-binary @body.$n "$base/sum"
			done
			atf_check -s exit:0 -o inline:"$sum\n" -e empty \
			    $MUX_CURL -T - "$base/sum" <body.$n
		done
	done
	mux_one_connection 168
	mux_finish
}

# Full duplex: neither side waits for the other for good.
mux_case echo
echo_body()
{
	mux_site </dev/null
	bytes 5000000 >body
	for mode in $NGINX_MODES; do
		for http in 1 2; do
			mux_http $http
			atf_check -s exit:0 -o file:body -e empty \
			    $MUX_CURL -H Expect: -T body \
			    "$MUX_WEB/$mode/cgi-bin/echo"
		done
	done
	mux_one_connection 16
	mux_finish
}

# A page is not lost because its script did not want the body, or wanted it
# late; what it left is nothing to those that come after.
mux_case unread
unread_body()
{
	mux_site </dev/null
	mk_cgi late <<'CGI'
#!/bin/sh
printf 'Content-Type: text/plain\n\n'
seq -f %07.0f 40000
wc -c
CGI
	{ seq -f %07.0f 40000; echo 5000000; } >late
	bytes 5000000 >body
	for mode in $NGINX_MODES; do
		atf_check -s exit:0 -o inline:'not read\n' -e empty \
		    curl -sS -m 60 -H 'Expect:' --data-binary @body \
		    "$WEB/$mode/cgi-bin/deaf"
		atf_check -s exit:0 -o match:'^QUERY_STRING=next' -e empty \
		    curl -sS -m 60 "$WEB/$mode/cgi-bin/env?next"
		atf_check -s exit:0 -o file:late -e empty \
		    curl -sS -m 60 -H 'Expect:' --data-binary @body \
		    "$WEB/$mode/cgi-bin/late"
	done
	mux_one_connection 24
	mux_finish
}

# Big ones share the connection and nobody waits for them; they pass through
# the worker, which keeps windows and buffers of them and no more.
mux_case big 600
big_body()
{
	mux_site </dev/null
	size=$((${MUX_BIG:-8} * 1000000))
	QUERY_STRING=$size "$TREE/blocks" | tail -n +3 >big
	want=$(md5sum <big)
	for mode in b0r0k1 b0r1k1 b1r0k1 b1r1k1; do
		base=$WEB/$mode/cgi-bin
		curl -sS -o /dev/null "$base/env"
		before=$(rss $(mux_workers))
		jobs=
		for i in 1 2; do
			curl -sS "$base/blocks?$size" | md5sum >down.$i &
			jobs="$jobs $!"
			curl -sS -H Expect: -T big "$base/sum" >up.$i &
			jobs="$jobs $!"
			curl -sS -H Expect: -T big "$base/echo" |
			    md5sum >echo.$i &
			jobs="$jobs $!"
		done
		i=0
		while [ $i -lt 20 ]; do
			i=$((i + 1))
			atf_check -s exit:0 -o match:"^QUERY_STRING=$mode$i\$" \
			    -e empty curl -sS -m 20 "$base/env?$mode$i"
		done
		mux_wait $jobs
		for file in down up echo; do
			for i in 1 2; do
				atf_check -s exit:0 -o inline:"$want\n" \
				    -e empty cat $file.$i
			done
		done
		grown "the worker ($mode)" "$before" \
		    "$(rss $(mux_workers))" 12000
	done
	mux_one_connection 108
	mux_finish
}

# Bodies that nginx has in files, and would send from there.
mux_case sendfile
sendfile_body()
{
	MUX_HTTP='sendfile on; tcp_nopush on; aio threads;
	    client_body_buffer_size 8k; keepalive_timeout 65;'
	mux_site <<'CONF'
location ~ ^/file(/cgi-bin/.*)$ {
	fastcgi_pass mux;
	client_body_in_file_only clean;
	include params;
	fastcgi_param SCRIPT_NAME $1;
}
location ~ ^/single(/cgi-bin/.*)$ {
	fastcgi_pass mux;
	client_body_in_single_buffer on;
	client_body_buffer_size 8m;
	include params;
	fastcgi_param SCRIPT_NAME $1;
}
CONF
	bytes 3000000 >body
	sum=$(blocks_sum 3000000)
	for way in b0r1k0 b1r1k1 file single; do
		for http in 1 2; do
			mux_http $http
			jobs=
			for i in 1 2 3; do
				$MUX_CURL -H Expect: -T body -o got.$i \
				    "$MUX_WEB/$way/cgi-bin/echo" &
				jobs="$jobs $!"
			done
			atf_check -s exit:0 -o inline:"$sum\n" -e empty \
			    sh -c "$MUX_CURL --limit-rate 20m \
			    '$MUX_WEB/$way/cgi-bin/blocks?3000000' |
			    md5sum | cut -c1-32"
			mux_wait $jobs
			for i in 1 2 3; do
				cmp body got.$i || atf_fail "$way"
			done
		done
	done
	mux_one_connection 32
	mux_finish
}

mux_case options
options_body()
{
	mux_site <<'CONF'
location ~ ^/o([01])(/cgi-bin/.*)$ {
	fastcgi_pass mux;
	fastcgi_buffer_size 1k;
	fastcgi_buffers 2 1k;
	fastcgi_busy_buffers_size 1k;
	fastcgi_temp_file_write_size 2k;
	fastcgi_max_temp_file_size 4k;
	fastcgi_send_lowat 4096;
	fastcgi_socket_keepalive on;
	fastcgi_pass_request_headers off;
	fastcgi_hide_header X-Test;
	client_body_buffer_size 1k;
	include params;
	fastcgi_param SCRIPT_NAME $2;
}
location ~ ^/nobody(/cgi-bin/.*)$ {
	fastcgi_pass mux;
	fastcgi_pass_request_body off;
	include params;
	fastcgi_param CONTENT_LENGTH "";
	fastcgi_param SCRIPT_NAME $1;
}
CONF
	# A connection with other socket options is another connection.
	curl -sS -o /dev/null "$WEB/o0/cgi-bin/env"
	curl -sS -o /dev/null "$WEB/o0/cgi-bin/env"
	mux_log_reset
	bytes 300000 >body
	for http in 1 2; do
		mux_http $http
		for way in o0 o1; do
			atf_check -s exit:0 -o file:body -e empty $MUX_CURL \
			    -H Expect: -T body "$MUX_WEB/$way/cgi-bin/echo"
			atf_check -s exit:0 -o not-match:'[Xx]-[Tt]est' \
			    -o not-match:HTTP_USER_AGENT -e empty \
			    $MUX_CURL -i "$MUX_WEB/$way/cgi-bin/env"
		done
		atf_check -s exit:0 -o empty -e empty $MUX_CURL \
		    -H Expect: -T body "$MUX_WEB/nobody/cgi-bin/echo"
	done
	mux_shared 10
	mux_finish
}

# A part of a response is what the client asked for: the rest is dropped.
mux_case ranges
ranges_body()
{
	mux_site <<'CONF'
location ~ ^/r(/cgi-bin/.*)$ {
	fastcgi_pass mux;
	fastcgi_force_ranges on;
	include params;
	fastcgi_param SCRIPT_NAME $1;
}
location ~ ^/z(/cgi-bin/.*)$ {
	gzip on;
	gzip_types *;
	fastcgi_pass mux;
	fastcgi_buffering off;
	include params;
	fastcgi_param SCRIPT_NAME $1;
}
CONF
	mk_cgi sized <<'CGI'
#!/bin/sh
printf 'Content-Type: text/plain\nContent-Length: 2000000\n\n'
exec 2>/dev/null
seq -f %07.0f 0 249999
CGI
	bytes 2000000 >want
	head -c 100200 want | tail -c 200 >part
	for http in 1 2; do
		mux_http $http
		atf_check -s exit:0 -o file:part -e empty $MUX_CURL \
		    -r 100000-100199 "$MUX_WEB/r/cgi-bin/sized"
		atf_check -s exit:0 -o file:want -e empty $MUX_CURL \
		    --compressed "$MUX_WEB/z/cgi-bin/sized"
	done
	mux_one_connection 4
	mux_finish
}

# The script goes on only after the client has its first line.
mux_case drips
drips_body()
{
	mux_site </dev/null
	for mode in $NGINX_MODES; do
		for http in 1 2; do
			mux_http $http
			tag=$mode.$http
			client $tag ${MUX_CURL#curl -sS} \
			    "$MUX_WEB/$mode/cgi-bin/drip?$tag"
			wait_for grep -q '^one$' "$tag.out"
			atf_check -s exit:1 -o empty -e empty \
			    grep two "$tag.out"
			: >"cgi-bin/$tag.go"
			mux_wait "$CLIENT"
			atf_check -s exit:0 -o inline:'one\ntwo\n' -e empty \
			    cat "$tag.out"
		done
	done
	mux_one_connection 16
	mux_finish
}
