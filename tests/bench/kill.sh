#!/bin/sh
# How long a silent script, which neither reads nor writes, goes on after its
# client has left: behind nginx, HAProxy (multiplexing, and a connection for
# each request), Apache and lighttpd with afcgi, and with what else runs CGI
# scripts there.  Given up after 14 s.
. "$(dirname "$0")/bench.sh"

# measure peer url
measure()
{
	rm -f pids/silent
	client silent "$2/cgi-bin/silent?$PWD/pids/silent"
	wait_for test -s pids/silent
	perl -MTime::HiRes=time,sleep -e '
		my ($client, $script) = @ARGV;
		kill "KILL", $client;
		my $start = time;
		while (time - $start < 14) {
			open my $f, "<", "/proc/$script/stat" or last;
			last if <$f> =~ /\) Z/;
			sleep 0.001;
		}
		my $took = time - $start;
		printf "%s\n", $took < 14 ? sprintf "%.3f", $took : 14;
		kill "KILL", $script;
	' "$CLIENT" "$(cat pids/silent)" >>"$1.life"
	wait "$CLIENT" 2>/dev/null || :
}

# peers name...: measures each in turn with $WEB, then ends the server.
rounds()
{
	for _ in $(seq "$ROUNDS"); do
		for peer in "$@"; do
			case $peer in
			nginx-*) measure "$peer" "$WEB/${peer#nginx-}" ;;
			*) measure "$peer" "$WEB" ;;
			esac
		done
	done
	for peer in "$@"; do
		say "$peer: $(median <"$peer.life") s" \
		    "(each round: $(tr '\n' ' ' <"$peer.life"))"
	done
	stop_web
}

peer_haproxy()
{
	start_haproxy <<CONF
fcgi-app cgi
	docroot $PWD
	path-info ^(/cgi-bin/[^/]+)(/.*)?\$

	$1
CONF
}

start_gateway -m 0666 "$PWD/cgi-bin"
mkdir pids
chmod 777 pids # for what runs as nobody behind Apache
if have nginx; then
	names="nginx-afcgi nginx-keep"
	if have fcgiwrap; then
		peer_fcgiwrap
		names="$names nginx-fcgiwrap"
	fi
	peer_nginx
	# shellcheck disable=SC2086 # a list
	rounds $names
fi
if have haproxy; then
	peer_haproxy "option mpxs-conns
	option max-reqs 1000"
	rounds haproxy-mux
	peer_haproxy "no option keep-conn"
	rounds haproxy-alone
fi
if have apache2; then
	start_apache <<CONF
ProxyPass "/cgi-bin/" "unix:$PWD/$WEB_SOCKET|fcgi://localhost$PWD/cgi-bin/"
CONF
	rounds apache-afcgi
	peer_apache
	rounds apache-cgid
fi
if have lighttpd; then
	start_lighttpd <<CONF
fastcgi.server = ( "/cgi-bin/" => ((
	"socket" => "$PWD/$WEB_SOCKET",
	"check-local" => "disable"
)) )
CONF
	rounds lighttpd-afcgi
	peer_lighttpd
	rounds lighttpd-cgi
fi
