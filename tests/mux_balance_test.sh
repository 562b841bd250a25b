# shellcheck shell=sh
# shellcheck disable=SC2034,SC2046,SC2086,SC2119,SC2120 # words; for mux.sh
# Balancers choose the server, the module the connection to it:
#
#	weight      round robin: three to one
#	least_conn  streams count as what they are to the balancer, requests
#	ip_hash     a client has its server
#	hash        a key has its server; when that dies another
#	random      random two
#	zone        with two workers
#	max_conns   a limit of requests, whatever their connections
#	keepalive   before or after it; keeps plain connections, and only them
#	bind        fastcgi_bind: a connection for each address
#	variable    fastcgi_pass with the upstream's name in a variable
#	sockets     a unix socket, IPv4 and IPv6 in one upstream
#	upstreams   two of them to one socket, one without the module
#	connections connections=N: spread, and no more than N
#	servers     requests to many servers at once, each answered by its own

. "$(atf_get_srcdir)/lib.sh"
. "$(atf_get_srcdir)/web.sh"
. "$(atf_get_srcdir)/mux.sh"
. "$(atf_get_srcdir)/mux_site.sh"

# balance_site name...: these peers are there, and nginx.
balance_site()
{
	for balance_name; do mux_rude $balance_name; done
	mux_start_nginx <<'CONF'
location / { fastcgi_pass mux; include params; }
CONF
}

# served name: how many pages the peer has served.
served()
{
	rude_seen "$1" '^page'
}

# balance_warm [path]: each has had a request, so that all know what it is.
balance_warm()
{
	for balance_i in $(seq 12); do
		curl -sS -o /dev/null "$WEB${1:-/warm}" || atf_fail "no answer"
	done
	mux_log_reset
}

# ask n path [curl-argument...]: n requests, each answered.
ask()
{
	ask_n=$1
	ask_path=$2
	shift 2
	for ask_i in $(seq "$ask_n"); do
		curl -sS -m 20 "$@" "$WEB$ask_path" >ask.out ||
		    atf_fail "no answer"
		grep -q ^page ask.out || web_fail "no page" ask.out
	done
}

mux_case weight
weight_body()
{
	MUX_SERVERS="server unix:a.sock weight=3; server unix:b.sock;"
	balance_site a b
	ask 40 /page
	atf_check_equal "30 10" "$(served a) $(served b)"
	mux_finish
}

# Four of them hang on a and b; the next go where there are fewest.
mux_case least_conn
least_conn_body()
{
	MUX_SERVERS="least_conn; server unix:a.sock; server unix:b.sock;"
	balance_site a b
	balance_warm
	for i in 1 2 3 4; do
		client hang$i "$WEB/hang?$i"
		wait_for least_conn_all $i
	done
	atf_check_equal "2 2" "$(rude_seen a ^hang) $(rude_seen b ^hang)"
	# Two leave, the same server's: the next two go there.
	gone=$(sed -n 's/^hang GET //p' a.out)
	for i in $gone; do client_leave "$(sed -n ${i}p client.pids)"; done
	if mux_is_on; then
		wait_for least_conn_gone
	fi
	for i in 5 6; do
		client hang$i "$WEB/hang?$i"
		wait_for least_conn_all $i
	done
	atf_check_equal "4 2" "$(rude_seen a ^hang) $(rude_seen b ^hang)"
	mux_finish
}

least_conn_all()
{
	[ $(($(rude_seen a ^hang) + $(rude_seen b ^hang))) -eq "$1" ]
}

least_conn_gone()
{
	[ "$(rude_seen a ^abort)" -eq 2 ]
}

mux_case ip_hash
ip_hash_body()
{
	MUX_SERVERS="ip_hash; server unix:a.sock; server unix:b.sock;"
	balance_site a b
	ask 20 /page
	case "$(served a) $(served b)" in
	'20 0' | '0 20') ;;
	*) atf_fail "a client at two servers" ;;
	esac
	mux_finish
}

mux_case hash
hash_body()
{
	MUX_SERVERS="hash \$arg_key consistent; server unix:a.sock;
	    server unix:b.sock; server unix:c.sock;"
	balance_site a b c
	for key in $(seq 30); do
		curl -sS "$WEB/page?key=$key" >first.$key
		for i in 1 2; do
			atf_check -s exit:0 -o file:first.$key -e empty \
			    curl -sS "$WEB/page?key=$key"
		done
	done
	atf_check_equal 3 "$(cat first.* | sort -u | wc -l)"
	mux_peer_kill "$(sed -n 1p web.pids)"
	for key in $(seq 30); do
		if grep -q 'page a' first.$key; then
			atf_check -s exit:0 -o match:'^page [bc]$' -e empty \
			    curl -sS "$WEB/page?key=$key"
		else
			atf_check -s exit:0 -o file:first.$key -e empty \
			    curl -sS "$WEB/page?key=$key"
		fi
	done
	mux_finish
}

mux_case random
random_body()
{
	MUX_SERVERS="random two least_conn; server unix:a.sock;
	    server unix:b.sock; server unix:c.sock; zone z 128k;"
	balance_site a b c
	ask 60 /page
	for name in a b c; do
		[ "$(served $name)" -gt 2 ] || atf_fail "$name had hardly any"
	done
	mux_finish
}

# The workers share what they know of a server, not their connections to it.
mux_case zone
zone_body()
{
	MUX_WORKERS=2
	MUX_SERVERS="zone z 128k; server unix:a.sock max_fails=1 fail_timeout=60s;
	    server unix:b.sock;"
	balance_site a b
	ask 40 /page
	atf_check_equal 20 "$(served a)"
	mux_peer_kill "$(sed -n 1p web.pids)"
	ask 40 /page
	atf_check_equal 60 "$(served b)"
	mux_finish
}

# It is of requests, though they share a connection.
mux_case max_conns
max_conns_body()
{
	MUX_SERVERS="zone z 128k; server unix:a.sock max_conns=3;"
	balance_site a
	balance_warm
	for i in 1 2 3; do client hang$i "$WEB/hang?$i"; done
	wait_for max_conns_full
	atf_check -s exit:0 -o inline:502 -e empty curl -sS -o /dev/null \
	    -w '%{http_code}' "$WEB/page"
	client_leave "$(head -n 1 client.pids)"
	wait_for max_conns_free
	mux_finish
}

max_conns_full()
{
	[ "$(rude_seen a ^hang)" -eq 3 ]
}

max_conns_free()
{
	[ "$(curl -sS "$WEB/page")" = 'page a' ]
}

# In whatever order, keepalive must not get hold of the module's connections.
mux_case keepalive
keepalive_body()
{
	MUX_HTTP="upstream before { server unix:a.sock; keepalive 4;
	    $(mux_directive) }
	    upstream after { server unix:a.sock; $(mux_directive) keepalive 4; }
	    upstream plain { server unix:p.sock; keepalive 4;
	    $(mux_directive) }"
	MUX_SERVERS="server unix:a.sock;"
	mux_rude a
	mux_rude p plain
	mux_start_nginx <<'CONF'
location / { fastcgi_pass mux; include params; }
location /before/ { fastcgi_pass before; fastcgi_keep_conn on; include params; }
location /after/ { fastcgi_pass after; fastcgi_keep_conn on; include params; }
location /plain/ { fastcgi_pass plain; fastcgi_keep_conn on; include params; }
CONF
	for path in /before/page /after/page /plain/page; do
		ask 3 $path
		mux_log_reset
		: >p.out
		ask 10 $path
		wait_for mux_has_lines 10 page
		mux_is_on || continue
		if [ $path = /plain/page ]; then
			# A plain connection of nginx's own, kept by it.
			atf_check_equal 10 "$(mux_lines '^-')"
			[ "$(rude_seen p ^accept)" -le 1 ] ||
			    atf_fail "connections were not kept"
		else
			mux_shared 10
		fi
	done
	# At once: some on connections that were kept.
	for path in /before /after /plain; do
		atf_check -s exit:0 -o save:codes -e ignore curl -sS -Z \
		    --parallel-immediate --parallel-max 30 -o /dev/null \
		    -w '%{http_code}\n' "$WEB$path/page?[1-30]"
		atf_check_equal "30 200" "$(mux_codes codes)"
	done
	mux_finish
}

# tcp_from address: it has so many connections open to the port of the peer.
tcp_from()
{
	perl -e '
		my $from = join "", reverse map { sprintf "%02X", $_ }
		    split /\./, $ARGV[0];
		my $to = sprintf "0100007F:%04X", $ARGV[1];
		open my $f, "<", "/proc/net/tcp" or die;
		print scalar(grep { my @c = split; $c[1] =~ /^$from:/ &&
		    $c[2] eq $to && $c[3] eq "01" } <$f>), "\n";' "$1" "$port"
}

mux_case bind
bind_body()
{
	port=$(free_port)
	MUX_SERVERS="server 127.0.0.1:$port;"
	mux_peer a perl "$TOP/tests/peers/rude.pl" "$port" a
	mux_start_nginx <<'CONF'
location / { fastcgi_pass mux; include params; }
location /2/ { fastcgi_pass mux; include params; fastcgi_bind 127.0.0.2; }
location /3/ { fastcgi_pass mux; include params; fastcgi_bind 127.0.0.3; }
CONF
	for i in 1 2 3 4; do
		ask 1 /page
		ask 1 /2/page
		ask 1 /3/page
	done
	mux_is_on || atf_skip "the rest is the module's"
	for i in 1 2 3 4; do
		client 2hang$i "$WEB/2/hang"
		client 3hang$i "$WEB/3/hang"
	done
	wait_for bind_hang
	atf_check_equal 1 "$(tcp_from 127.0.0.2)"
	atf_check_equal 1 "$(tcp_from 127.0.0.3)"
	mux_finish
}

bind_hang()
{
	[ "$(rude_seen a ^hang)" -eq 8 ]
}

mux_case variable
variable_body()
{
	MUX_SERVERS="server unix:a.sock;"
	mux_rude a
	mux_start_nginx <<'CONF'
location ~ ^/(mux)/ { fastcgi_pass $1; include params; }
location / { fastcgi_pass mux; include params; }
CONF
	ask 3 /page
	mux_log_reset
	ask 10 /mux/page
	mux_shared 10
	mux_finish
}

# They are servers of their own, though it may be one process.
mux_case sockets
sockets_body()
{
	port=$(free_port)
	port6=$(free_port)
	MUX_SERVERS="server unix:gw.sock; server 127.0.0.1:$port;"
	gateway_args="-s tcp:127.0.0.1:$port"
	if grep -q '^0\{31\}1 ' /proc/net/if_inet6 2>/dev/null; then
		MUX_SERVERS="$MUX_SERVERS server [::1]:$port6;"
		gateway_args="$gateway_args -s tcp6:[::1]:$port6"
	fi
	mux_scripts
	start_gateway $gateway_args "$PWD/cgi-bin"
	mux_start_nginx <<CONF
$(mux_locations)
CONF
	balance_warm /cgi-bin/env
	bytes 300000 >body
	for i in $(seq 12); do
		atf_check -s exit:0 -o file:body -e empty curl -sS -H Expect: \
		    --data-binary @body "$WEB/b0r0k0/cgi-bin/echo"
	done
	mux_shared 12
	if mux_is_on; then
		n=$(echo "$MUX_SERVERS" | grep -o server | wc -l)
		atf_check_equal "$n" \
		    "$(cut -d'|' -f1 "$MUXLOG" | sort -u | wc -l)"
		atf_check_equal "$n" \
		    "$(cut -d'|' -f6 "$MUXLOG" | sort -u | wc -l)"
	fi
	mux_finish
}

# The one without the directive is what it always was.
mux_case upstreams
upstreams_body()
{
	MUX_HTTP="upstream second { server unix:a.sock; $(mux_directive) }
	    upstream plain { server unix:a.sock; }"
	MUX_SERVERS="server unix:a.sock;"
	mux_rude a
	mux_start_nginx <<'CONF'
location / { fastcgi_pass mux; include params; }
location /second/ { fastcgi_pass second; include params; }
location /plain/ { fastcgi_pass plain; include params; }
location /direct/ { fastcgi_pass unix:a.sock; include params; }
CONF
	balance_warm
	ask 3 /second/page
	mux_log_reset
	ask 5 /page
	ask 5 /second/page
	mux_shared 10
	mux_log_reset
	ask 5 /plain/page
	ask 5 /direct/page
	mux_logged 10 '^-\|-\|-\|200'
	mux_finish
}

# They are opened as they are needed, and all are used.
mux_case connections
connections_body()
{
	MUX_ARGS=connections=3
	MUX_SERVERS="server unix:a.sock;"
	balance_site a
	balance_warm
	: >a.out
	for i in $(seq 30); do client hang$i "$WEB/hang?$i"; done
	wait_for connections_hang
	mux_is_on || atf_skip "the rest is the module's"
	n=$(mux_connections "$PEER_PID")
	[ "$n" = 2 ] || [ "$n" = 3 ] || atf_fail "$n connections"
	ask 10 /page
	stop_clients
	wait_for mux_has_lines 30 hang
	# No connection has had all of them.
	most=$(grep hang "$MUXLOG" | cut -d'|' -f1 | sort | uniq -c |
	    sort -rn | awk 'NR == 1 { print $1 }')
	[ "$most" -le 20 ] || web_fail "not spread" "$MUXLOG"
	mux_finish
}

connections_hang()
{
	[ "$(rude_seen a ^hang)" -eq 30 ]
}

mux_case servers
servers_body()
{
	names='a b c d e f'
	MUX_SERVERS="hash \$arg_key;"
	for name in $names; do
		MUX_SERVERS="$MUX_SERVERS server unix:$name.sock;"
	done
	balance_site $names
	for round in 1 2 3; do
		rm -rf out
		mkdir out
		atf_check -s exit:0 -o save:codes -e ignore curl -sS -Z \
		    --parallel-immediate --parallel-max 60 -o 'out/#1' \
		    -w '%{http_code}\n' "$WEB/page?key=[1-60]"
		atf_check_equal "60 200" "$(mux_codes codes)"
		cat out/* >round.$round
		cmp round.1 round.$round || atf_fail "another's answer"
	done
	atf_check_equal 6 "$(sort -u round.1 | wc -l)"
	mux_finish
}
