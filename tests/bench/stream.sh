#!/bin/sh
# Streams: a download of 1 GB, an upload of 1 GB to a program that reads it,
# and 200 MB through one that sends back what it reads, behind an nginx that
# buffers neither way, by afcgi and fcgiwrap, and by lighttpd's mod_cgi.  The
# floor is the same program between two pipes.  Figures are MB/s.
. "$(dirname "$0")/bench.sh"
SIZE=${SIZE:-1024}
LIMIT=${LIMIT:-60}

truncate -s "${SIZE}M" upload
truncate -s 200M both
cat upload both >/dev/null

# timed megabytes command...: MB/s, 0 when it failed or took too long.
timed()
{
	timed_mb=$1
	shift
	perl -MTime::HiRes=time -e '
		my ($mb, @cmd) = @ARGV;
		my $start = time;
		my $status = system @cmd;
		printf "%.1f\n", $status ? 0 : $mb / (time - $start);
	' "$timed_mb" "$@"
}

floors()
{
	timed "$SIZE" sh -c "QUERY_STRING=$SIZE cgi-bin/gush | cat >/dev/null" \
	    >>floor.download
	timed "$SIZE" sh -c 'cat upload | cgi-bin/sink | cat >/dev/null' \
	    >>floor.upload
	timed 200 sh -c 'cat both | cgi-bin/echo | cat >/dev/null' >>floor.echo
}

# measure peer url
measure()
{
	measured=$1
	base=$2/cgi-bin
	set -- curl -sSf -m "$LIMIT" -o /dev/null -H Expect:
	timed "$SIZE" "$@" "$base/gush?$SIZE" >>"$measured.download"
	timed "$SIZE" "$@" -T upload "$base/sink" >>"$measured.upload"
	timed 200 "$@" -T both "$base/echo" >>"$measured.echo"
}

start_gateway "$PWD/cgi-bin"
peers=afcgi
if have fcgiwrap; then
	peer_fcgiwrap
	peers="$peers fcgiwrap"
fi
peer_nginx
nginx=$WEB
if have lighttpd; then
	peer_lighttpd
	lighttpd=$WEB
	peers="$peers lighttpd"
fi
for _ in $(seq "$ROUNDS"); do
	floors
	for peer in $peers; do
		case $peer in
		lighttpd) measure "$peer" "$lighttpd" ;;
		*) measure "$peer" "$nginx/$peer" ;;
		esac
	done
done
for what in download upload echo; do
	floor=$(median <floor.$what)
	say "$what: floor $floor MB/s"
	for peer in $peers; do
		rate=$(median <"$peer.$what")
		say "$what: $peer $rate MB/s," \
		    "$(calc "$rate / $floor") of the floor" \
		    "(each round: $(tr '\n' ' ' <"$peer.$what"))"
	done
done
