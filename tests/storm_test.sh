# shellcheck shell=sh
# Everything at once, in an order that chance has made (the seeds are fixed):
#
#	orderly		begins, bodies, aborts, closes and readers that stop
#	unruly		the same, with a protocol error now and then
#	brief		connections that close at any point of a request
#
# Nothing of it may end the gateway, mix answers up, or leave anything.

. "$(atf_get_srcdir)/lib.sh"

storm_scripts()
{
	use_cgi hello echo silent flood drip nap
	mk_cgi dies <<'CGI'
#!/bin/sh
printf 'Content-Type: text/plain\n\npart\n'
kill -KILL $$
CGI
	mk_cgi mute </dev/null
	mk_cgi fork <<'CGI'
#!/bin/sh
printf 'Content-Type: text/plain\n\npage\n'
(sleep 0.2) &
CGI
	mk_cgi noisy <<'CGI'
#!/bin/sh
head -c 300000 /dev/zero | tr '\0' x >&2
printf 'Content-Type: text/plain\n\npage\n'
CGI
	mk_cgi deaf <<'CGI'
#!/bin/sh
trap '' TERM
printf 'Content-Type: text/plain\n\npage\n'
sleep 1
CGI
}

# storm seed steps errors: a play of so many steps; one in so many of them (0:
# none) is a protocol error.
storm()
{
	TREE=$TREE perl -e '
	my ($seed, $steps, $errors) = @ARGV;
	srand $seed;
	my @scripts = qw(hello hello echo echo silent flood drip nap dies mute
	    fork noisy deaf nothing);
	my (@id, @open, @half);
	my $at = -1;
	sub go { my $c = shift; print "connection $c\n" if $c != $at;
	    $at = $c; }
	for my $step (1 .. $steps) {
		my $c = int rand 5;
		go($c);
		$id[$c] //= 0;
		my $what = rand 100;
		my $old = $id[$c] ? 1 + int rand $id[$c] : 0;
		if ($what < 35) {
			my $i = ++$id[$c];
			my $s = $scripts[rand @scripts];
			my $m = rand 10 < 1 ? "HEAD" : "GET";
			printf "begin %d %s\n", $i, rand 4 < 3 ? "keep" : "";
			my $server = rand 2 < 1 ? "nginx/1" : "other";
			print "params $i SCRIPT_NAME=/cgi-bin/$s ",
			    "QUERY_STRING=s$seed-$step REQUEST_METHOD=$m ",
			    "SERVER_SOFTWARE=$server\n";
			$half[$c]{$i} = 1, next if rand 10 < 1;
			print "params $i\n";
			printf "stdin-bytes %d %d\n", $i, 1 + rand 200000
			    if rand 2 < 1;
			print "stdin $i\n" if rand 4 < 3;
		} elsif ($what < 45 && $old && !$half[$c]{$old}) {
			printf "stdin-bytes %d %d\n", $old, 1 + rand 100000;
		} elsif ($what < 60 && $old) {
			print "abort $old\n";
		} elsif ($what < 65) {
			print "get-values FCGI_MPXS_CONNS\nrecord 99 0\n";
		} elsif ($what < 70) {
			print "close\n";
			$id[$c] = 0;
			$half[$c] = {};
			$at = -1;
		} elsif ($what < 75) {
			print "stop-reading\n";
		} elsif ($what < 85) {
			print "resume\n";
		} elsif ($what < 95) {
			printf "sleep %d\n", rand 20;
		} elsif ($errors && rand $errors < 1) {
			print "header ", int rand 3, " ", int rand 13, " ",
			    int rand 5, " ", int rand 99, " 0\n";
			print "close\n";
			$id[$c] = 0;
			$half[$c] = {};
			$at = -1;
		}
	}
	print "until ./get hello -b -p QUERY_STRING=end | ",
	    "grep -q \"hello end\"\n"' "$@" |
	    sed 's/^connection \(.*\)/&\nlenient/'
}

# Whatever the order, the protocol is kept to.
gateway_case orderly 300
orderly_body()
{
	storm_scripts
	start_gateway -L grace=0.3,linger=0.5 "$TREE"
	for seed in $(seq 12); do
		storm "$seed" 250 0 >plan
		atf_check -s exit:0 -o empty -e empty ./play <plan
	done
	finish
}

# With protocol errors, and with limits that are met all the time.
gateway_case unruly 300
unruly_body()
{
	storm_scripts
	start_gateway -L grace=0.3,scripts=20,queue=20,spool=300k,output=64k,linger=0.5 \
	    -L stdin=4k,queue_wait=0.5,requests=30,half_open=5 "$TREE"
	for seed in $(seq 101 112); do
		storm "$seed" 250 2 >plan
		atf_check -s exit:0 -o empty -e empty ./play <plan
	done
	finish
}

# The client goes after each number of bytes that a request has, a script or
# none having begun.
gateway_case brief 300
brief_body()
{
	storm_scripts
	start_gateway "$TREE"
	for script in silent echo hello; do
		SCRIPT=$script perl -e '
		sub rec { my ($t, $c) = @_;
			return pack("CCnnCC", 1, $t, 1, length $c, 0, 0) . $c; }
		my ($n, $v) = ("SCRIPT_NAME", "/cgi-bin/$ENV{SCRIPT}");
		my $good = rec(1, pack("nCx5", 1, 1)) .
		    rec(4, pack("CC", length $n, length $v) . $n . $v) .
		    rec(4, "") . rec(5, "body") . rec(5, "");
		for my $c (1 .. length $good) {
			printf "connection %d\nraw %s\nflush\nclose\n", $c,
			    unpack "H*", substr $good, 0, $c;
		}' >plan
		atf_check -s exit:0 -o empty -e empty ./play <plan
	done
	finish
}
