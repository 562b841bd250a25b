# shellcheck shell=sh
# What is changed in a response on its way to the web server:
#
#	nph		HTTP/1.x status lines
#	chunked		a chunked body is decoded, for an nph script
#	hop_by_hop	fields of the connection are dropped
#	content_length	a body is not longer than that, and cut if shorter
#	location_local	X-Accel-Redirect for nginx, 302 for others
#	location_absolute	302 with the body

. "$(atf_get_srcdir)/lib.sh"

# The status line of a non-parsed-header script becomes Status.
gateway_case nph
nph_body()
{
	says nph-made <<'CGI'
HTTP/1.1 201 Made\r\nX-A: 1\r\nContent-Type: text/plain\r\n\r\nbody\n
CGI
	says plain <<'CGI'
HTTP/1.0 404 Not here\nContent-Type: text/plain\n\nbody\n
CGI
	says bare <<'CGI'
HTTP/1.1 204\r\n\r\n
CGI
	says nph-bad <<'CGI'
HTTP/1.1 abc Broken\r\nContent-Type: text/plain\r\n\r\nbody\n
CGI
	says nph-info <<'CGI'
HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\nbody\n
CGI
	start_gateway "$TREE"
	header nph-made >out
	atf_check -s exit:0 -o match:'^Status: 201 Made$' -o match:'^X-A: 1$' \
	    -o not-match:HTTP/ -e empty cat out
	atf_check -s exit:0 -o inline:'body\n' -e empty ./get nph-made -b
	header plain >out
	atf_check -s exit:0 -o match:'^Status: 404 Not here$' \
	    -o not-match:HTTP/ -e empty cat out
	header bare >out
	atf_check -s exit:0 -o match:'^Status: 204' -e empty cat out
	bad nph-bad
	bad nph-info
	finish
}

# Chunk extensions and trailers are no part of the body.
gateway_case chunked
chunked_body()
{
	says nph-chunks <<'CGI'
HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nA;ext=1\r\n 0123\r\n78\n\r\n0\r\nTrailer: x\r\n\r\n
CGI
	mk_cgi nph-bytewise <<'CGI'
#!/usr/bin/perl
for my $c (split //, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n" .
    "Transfer-Encoding: chunked\r\n\r\n4\r\nbyte\r\n005\r\nwise\n\r\n0\r\n\r\n") {
	syswrite STDOUT, $c;
}
CGI
	says nph-broken <<'CGI'
HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nnonsense\r\n
CGI
	says nph-short <<'CGI'
HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\nff\r\nhello
CGI
	start_gateway "$TREE"
	atf_check -s exit:0 -o inline:'hello 0123\r\n78\n' -e empty \
	    ./get nph-chunks -b
	header nph-chunks >out
	atf_check -s exit:0 -o not-match:[Cc]hunked -o match:'^Status: 200' \
	    -e empty cat out
	atf_check -s exit:0 -o inline:'bytewise\n' -e empty \
	    ./get nph-bytewise -b
	# Nobody may take half of one for a whole.
	for script in nph-broken nph-short; do
		atf_check -s exit:5 -o match:'^cut$' -e empty ./get $script -be
	done
	finish
}

# RFC 3875 section 6.3.4 and RFC 9110 section 7.6.1.
gateway_case hop_by_hop
hop_by_hop_body()
{
	says nph-hops <<'CGI'
HTTP/1.1 200 OK\r\nConnection: close, X-Mine\r\nKeep-Alive: timeout=5\r\nProxy-Connection: close\r\nUpgrade: h2c\r\nTE: x\r\nTrailer: y\r\nX-Kept: yes\r\nContent-Type: text/plain\r\n\r\nbody\n
CGI
	says hops <<'CGI'
Content-Type: text/plain\nConnection: close\nKeep-Alive: 1\nX-Kept: yes\n\nbody\n
CGI
	start_gateway "$TREE"
	for script in nph-hops hops; do
		header $script >out
		atf_check -s exit:0 -o match:'^X-Kept: yes$' -e empty \
		    -o not-match:'^(Connection|Keep-Alive|Proxy-Connection):' \
		    -o not-match:'^(Upgrade|TE|Trailer):' cat out
		atf_check -s exit:0 -o inline:'body\n' -e empty \
		    ./get $script -b
	done
	finish
}

# Where it announces a body that is not there for a good reason, all is well.
gateway_case content_length
content_length_body()
{
	says exact <<'CGI'
Content-Type: text/plain\nContent-Length: 5\n\nbody\n
CGI
	says longer <<'CGI'
Content-Type: text/plain\nContent-Length: 5\n\nbody\nand more\n
CGI
	says shorter <<'CGI'
Content-Type: text/plain\nContent-Length: 50\n\nbody\n
CGI
	says bad1 <<'CGI'
Content-Type: text/plain\nContent-Length: 5x\n\nbody\n
CGI
	says bad2 <<'CGI'
Content-Type: text/plain\nContent-Length: 5\nContent-Length: 6\n\nbody\n
CGI
	says bad3 <<'CGI'
Content-Type: text/plain\nContent-Length: -1\n\nbody\n
CGI
	says unchanged <<'CGI'
Status: 304 Not Modified\nContent-Length: 5000\n\n
CGI
	says accel <<'CGI'
Content-Type: text/plain\nContent-Length: 5000\nX-Accel-Redirect: /x\n\n
CGI
	says sendfile <<'CGI'
Content-Type: text/plain\nContent-Length: 5000\nX-Sendfile: /x\n\n
CGI
	start_gateway "$TREE"
	for script in exact longer; do
		atf_check -s exit:0 -o inline:'body\nend app=0 proto=0\n' \
		    -e empty ./get $script -be
	done
	atf_check -s exit:5 -o inline:'body\ncut\n' -e empty \
	    ./get shorter -be
	for script in bad1 bad2 bad3; do
		bad $script Content-Length
	done
	atf_check -s exit:0 -o match:'^end app=0 proto=0$' -e empty \
	    ./get unchanged -e
	atf_check -s exit:0 -o match:'^end app=0 proto=0$' -e empty \
	    ./get shorter -e -p REQUEST_METHOD=HEAD
	atf_check -s exit:0 -o match:'^end app=0 proto=0$' -e empty \
	    ./get accel -e -p SERVER_SOFTWARE=nginx/1.22.1
	atf_check -s exit:0 -o match:'^end app=0 proto=0$' -e empty \
	    ./get sendfile -e -p SERVER_SOFTWARE=lighttpd/1.4.69
	finish
}

# RFC 3875 section 6.2.2.
gateway_case location_local
location_local_body()
{
	says local <<'CGI'
Location: /other/page?a=b\n\n
CGI
	says both <<'CGI'
Status: 303 See Other\nLocation: /other\nContent-Type: text/plain\n\nbody\n
CGI
	start_gateway "$TREE"
	header local -p SERVER_SOFTWARE=nginx/1.22.1 >out
	atf_check -s exit:0 -o match:'^X-Accel-Redirect: /other/page\?a=b$' \
	    -o not-match:'^Location' -o not-match:'^Status: 30' -e empty \
	    cat out
	header local -p SERVER_SOFTWARE=Apache/2.4 >out
	atf_check -s exit:0 -e empty \
	    -o inline:'Status: 302 Found\nLocation: /other/page?a=b\n' cat out
	# With a Status it is the client's, whoever the server is.
	header both -p SERVER_SOFTWARE=nginx/1.22.1 >out
	atf_check -s exit:0 -o match:'^Status: 303 See Other$' \
	    -o match:'^Location: /other$' -o not-match:X-Accel -e empty cat out
	finish
}

# RFC 3875 section 6.2.3.
gateway_case location_absolute
location_absolute_body()
{
	says away <<'CGI'
Location: http://example.org/page\nContent-Type: text/plain\n\nbody\n
CGI
	says moved <<'CGI'
Status: 301 Moved\nLocation: https://example.org/\nContent-Type: text/plain\n\nbody\n
CGI
	start_gateway "$TREE"
	for server in nginx/1.22.1 Apache/2.4; do
		header away -p SERVER_SOFTWARE=$server >out
		atf_check -s exit:0 -o match:'^Status: 302 ' \
		    -o match:'^Location: http://example.org/page$' -e empty \
		    cat out
		atf_check -s exit:0 -o inline:'body\n' -e empty \
		    ./get away -b -p SERVER_SOFTWARE=$server
		header moved -p SERVER_SOFTWARE=$server >out
		atf_check -s exit:0 -o match:'^Status: 301 Moved$' \
		    -o not-match:302 -e empty cat out
	done
	finish
}
