# shellcheck shell=sh
# shellcheck disable=SC2034,SC2046,SC2086,SC2119,SC2120 # words; for mux.sh
# The directive fastcgi_multiplex, as `nginx -t' takes it:
#
#	good       all parameters, at both ends of their ranges, anywhere in its
#	           block, beside every balancer
#	bad        what is out of range, misspelt, twice, or out of place, each
#	           with a message that names it
#	other      upstreams that have it serve other protocols, untouched

. "$(atf_get_srcdir)/lib.sh"
. "$(atf_get_srcdir)/web.sh"
. "$(atf_get_srcdir)/mux.sh"
. "$(atf_get_srcdir)/mux_site.sh"

# nginx_try file: what nginx says of a configuration whose http{} is in it.
nginx_try()
{
	mkdir -p nginx
	{
		mux_load
		echo "pid $PWD/nginx/nginx.pid;"
		echo "error_log $PWD/nginx/error.log;"
		echo 'events { }'
		echo 'http { access_log off;'
		for dir in client_body fastcgi proxy uwsgi scgi; do
			echo "${dir}_temp_path $PWD/nginx/$dir;"
		done
		cat
		echo '}'
	} >nginx/try.conf
	"${NGINX:-nginx}" -t -e "$PWD/nginx/error.log" -p "$PWD/nginx" \
	    -c "$PWD/nginx/try.conf" >try.out 2>&1
}

# A block with these lines in the upstream.
in_upstream()
{
	printf 'upstream u {\n%s\n}\nserver { listen 127.0.0.1:%s;\n' "$1" 8080
	printf 'location / { fastcgi_pass u; } }\n'
}

good()
{
	in_upstream "$1" | nginx_try || web_fail "refused: $1" try.out
	if grep -E '\[(warn|emerg|alert)\]' try.out; then
		atf_fail "a message for: $1"
	fi
}

bad()
{
	if in_upstream "$1" | nginx_try; then atf_fail "taken: $1"; fi
	grep -E "\[emerg\] .*$2.* in .*try.conf:[0-9]+" try.out ||
	    web_fail "another message for: $1" try.out
}

directive_requires()
{
	mux_is_on || atf_skip "the module's alone"
}

mux_case good
good_body()
{
	directive_requires
	server='server 127.0.0.1:9000;'
	for args in '' connections=1 connections=8 requests=1 requests=65000 \
	    window=4k window=4096 window=1m 'window=64m buffer=64m' \
	    buffer=1024m timeout=1s timeout=100ms timeout=1h retry=1s retry=1d \
	    'connections=2 requests=100 window=64k buffer=1m timeout=5s retry=2m'
	do
		good "$server fastcgi_multiplex $args;"
		good "fastcgi_multiplex $args; $server"
	done
	# shellcheck disable=SC2016 # nginx's
	for balancer in least_conn ip_hash 'hash $uri' 'hash $uri consistent' \
	    'random' 'random two least_conn' 'zone z 64k' 'keepalive 8'; do
		good "$balancer; $server fastcgi_multiplex;"
	done
	# Behind it, where keepalive must come after the balancer, too.
	for line in 'keepalive 8' 'zone z 64k'; do
		good "$server fastcgi_multiplex; $line;"
	done
	good "least_conn; $server keepalive 8; fastcgi_multiplex;"
	good "$server server unix:/nowhere weight=3 max_conns=5 backup;
	    fastcgi_multiplex;"
	# Two upstreams, and one that nobody uses.
	printf '%s\n' 'upstream a { server 127.0.0.1:9000; fastcgi_multiplex; }' \
	    'upstream b { server 127.0.0.1:9000; fastcgi_multiplex window=8k; }' \
	    'upstream c { server 127.0.0.1:9000; }' |
	    nginx_try || web_fail "two upstreams" try.out
}

mux_case bad
bad_body()
{
	directive_requires
	server='server 127.0.0.1:9000;'
	for arg in connections=0 connections=-1 connections=x connections= \
	    connections=99999999999999999999 requests=0 requests=65001 \
	    requests=1x requests= window=0 window=1k window=4095 window=x \
	    window= window=3g window=2147483648 buffer=0 buffer=x buffer= \
	    timeout=0 timeout=x timeout= timeout=-1s retry=x retry= retry=0 \
	    nonsense Window=64k window windows=64k on off 8; do
		bad "$server fastcgi_multiplex $arg;" \
		    "invalid parameter \"$arg\" in \"fastcgi_multiplex\""
	done
	bad "$server fastcgi_multiplex window=1m buffer=512k;" \
	    '"fastcgi_multiplex" directive .*buffer'
	bad "$server fastcgi_multiplex; fastcgi_multiplex;" \
	    '"fastcgi_multiplex" directive is duplicate'
	for place in 'fastcgi_multiplex;' 'server { fastcgi_multiplex; }' \
	    'server { location / { fastcgi_multiplex; } }'; do
		if echo "$place" | nginx_try; then atf_fail "taken: $place"; fi
		atf_check -s exit:0 -e empty -o match:'not allowed here' \
		    cat try.out
	done
	bad "fastcgi_multiplex;" 'no servers are inside upstream'
}

# HTTP, uwsgi and SCGI over an upstream that has it: connections of their own.
mux_case other
other_body()
{
	port=$(free_port)
	cat >old.pl <<'PEER'
use IO::Socket::INET;
my $listener = IO::Socket::INET->new(LocalAddr => "127.0.0.1:$ARGV[0]",
    Listen => 64, ReuseAddr => 1) or die;
$| = 1;
print "ready\n";
while (my $c = $listener->accept) {
	sysread $c, my $bytes, 65536;
	printf "got %02x %d\n", ord $bytes, length $bytes;
	print $c "HTTP/1.0 200 OK\r\nStatus: 200 OK\r\n" .
	    "Content-Type: text/plain\r\n\r\nold\n";
	close $c;
}
PEER
	MUX_HTTP="upstream old { server 127.0.0.1:$port; keepalive 2;
	    $(mux_directive) }"
	mux_peer old perl old.pl "$port"
	mux_scripts
	start_gateway "$PWD/cgi-bin"
	mux_start_nginx <<CONF
$(mux_locations)
location /http { proxy_pass http://old; }
location /uwsgi { uwsgi_pass old; uwsgi_param A b; }
location /scgi { scgi_pass old; scgi_param CONTENT_LENGTH 0; }
CONF
	mux_warm /cgi-bin/env
	mux_log_reset
	for i in 1 2 3; do
		for path in http uwsgi scgi; do
			atf_check -s exit:0 -o inline:'old\n' -e empty \
			    curl -sS -m 20 "$WEB/$path"
		done
		atf_check -s exit:0 -o match:^QUERY -e empty \
		    curl -sS "$WEB/cgi-bin/env"
	done
	atf_check_equal 0 "$(mux_lines '^[0-9].*/(http|uwsgi|scgi)')"
	# The first byte: G of GET, uwsgi's 0, a digit of SCGI's length.
	atf_check_equal 3 "$(grep -c '^got 47' old.out)"
	atf_check_equal 3 "$(grep -c '^got 00' old.out)"
	atf_check_equal 3 "$(grep -c '^got 3' old.out)"
	mux_finish
}
