#!/usr/bin/perl
# The table of "make bench", from its JSON:
#
#	table.pl bench.json
use strict;
use warnings;
use JSON::PP;

die "usage: table.pl bench.json\n" if @ARGV != 1;
open my $f, '<', $ARGV[0] or die "$ARGV[0]: $!\n";
my $bench = do { local $/; decode_json(<$f>) };

my %fronts = (
	module => 'nginx with the module', nginx => 'nginx as it is',
	keep => 'nginx, fastcgi_keep_conn', haproxy => 'HAProxy, multiplexing',
);
my %servers = (
	gateway => 'afcgi', uwsgi => "uWSGI's cgi plugin",
	cgi => "lighttpd's mod_cgi, default", stream => "lighttpd's mod_cgi, "
	    . 'streaming, more descriptors', cgid => "Apache's mod_cgid, "
	    . "Debian's numbers of threads", tuned => "Apache's mod_cgid, "
	    . '2,560 threads',
);

# Three digits that count.
sub number {
	my ($n) = @_;

	return '-' if !defined $n;
	my $s = $n >= 100 ? sprintf '%.0f', $n
	    : $n >= 10 ? sprintf '%.1f', $n
	    : $n >= 0.1 || $n == 0 ? sprintf '%.2f', $n
	    : sprintf '%.4f', $n;
	1 while $s =~ s/^(\d+)(\d{3})/$1,$2/;
	return $s;
}

# Two digits that count are enough for a ratio.
sub ratio {
	my ($r) = @_;

	return !defined $r ? '-' : $r >= 10 ? sprintf '%.1f', $r
	    : $r >= 0.1 ? sprintf '%.2f', $r : sprintf '%.3f', $r;
}

sub megabytes {
	return number(defined $_[0] ? $_[0] / 1024 : undef);
}

sub legend {
	my ($peer) = @_;
	my ($front, $server) = $peer =~ /^(.*?)-(.*)/;

	my $what = $server =~ /^fcgiwrap(\d+)/ ? "fcgiwrap -c $1"
	    : $servers{$server};
	return $fronts{$front} ? "$fronts{$front}; $what" : $what;
}

# What has no column of its own.
sub note {
	my ($m) = @_;
	my @note;

	push @note, 'not available' if $m->{unavailable};
	push @note, 'given up' if $m->{hung};
	push @note, sprintf '%.0f %% failed', 100 * $m->{failed} / $m->{asked}
	    if $m->{asked} && $m->{failed} / $m->{asked} >= 0.005;
	push @note, sprintf '%.0f starved', $m->{starved} if $m->{starved};
	push @note, 'idle ' . number($m->{idle}) . ' ms' if $m->{idle};
	push @note, sprintf '%.0f MB on disk', $m->{spool} / 1048576
	    if $m->{spool} && $m->{spool} >= 1048576;
	for my $group (grep { defined $m->{"each_$_"} } 'web', 'gateway') {
		push @note, sprintf '%s %s KiB, %s fds each', $group,
		    number($m->{"each_$group"}), number($m->{"fds_$group"})
		    if $m->{"fds_$group"} >= 0.5;
	}
	return join '; ', @note;
}

sub line {
	my $line = sprintf '  %-17s %9s%1s %7s %6s %9s %9s %6s %7s %7s %7s %8s %8s'
	    . '  %s', @_;

	print $line =~ s/ +$//r, "\n";
}

# A row's heading: what a CPU second is for depends on its unit.
sub heading {
	my ($row) = @_;

	my $cpu = $row->{unit} eq '/s' ? 'CPU us a request'
	    : $row->{unit} eq 'MB/s' ? 'CPU s a GB' : '';
	my $text = $row->{title};
	$text .= sprintf ', floor %s', number($row->{floor}) if $row->{floor};
	$text .= ', NOISY' if $row->{noisy};
	my $line = sprintf '%-85s %s', "$text ($row->{unit})", $cpu;
	print "\n", $line =~ s/ +$//r, "\n";
}

line 'peer', 'figure', '', 'x floor', 'x best', 'p50 ms', 'p99 ms',
    'x its', 'failed', 'web', 'gateway', 'web MB', 'gate. MB', '';
my %seen;
for my $row (@{ $bench->{rows} }) {
	heading($row);
	for my $m (@{ $row->{peers} }) {
		$seen{ $m->{peer} } = 1;
		my $own_gateway = ($m->{gateway_peak} // 0) > 0;
		line $m->{peer}, number($m->{figure}),
		    $m->{noisy} ? '~' : '', ratio($m->{of_floor}),
		    ratio($m->{of_best}), number($m->{p50}),
		    number($m->{p99}), ratio($m->{p99_of_best}),
		    $m->{failed} // '-', number($m->{web_cost}),
		    number($own_gateway ? $m->{gateway_cost} : undef),
		    megabytes($m->{web_peak}),
		    megabytes($own_gateway ? $m->{gateway_peak} : undef),
		    note($m);
	}
}

print "\nFloors:\n";
for my $name (sort keys %{ $bench->{floors} }) {
	my $floor = $bench->{floors}{$name};
	printf "  %-9s %s%s\n", $name, defined $floor->{copy}
	    ? sprintf('copy %s MB/s, %s s a GB; splice %s MB/s, %s s a GB',
		map { number($_) } @$floor{qw(copy copy_cpu splice splice_cpu)})
	    : sprintf('vfork and exec, 1, 2, 4 in flight: %s, %s, %s /s; '
		. 'two such loops %s /s', map { number($_) }
		@$floor{qw(inflight1 inflight2 inflight4 loops)}),
	    sprintf ', spread %.0f %%%s', 100 * $floor->{spread},
	    $floor->{noisy} ? ', NOISY' : '';
}
print "\nPeers:\n";
printf "  %-17s %s\n", $_, legend($_) for sort keys %seen;
print <<'TEXT';

Medians of the rounds.  "x best" is the ratio to the best peer that is not
afcgi's, and "x its" that to its p99.  CPU and memory (PSS, at most) are the web
server's and the gateway's; scripts are in neither, nor what a process does for
one between fork and exec.  ~: more than 25 % from the least round to the most;
NOISY: the floor was like that, and the machine cannot tell.  (With one round
this does not show.)

"failed" counts, in all rounds, answers that say so, connections closed without
one (Apache does that to kept connections when it is short of threads, and
browsers ask again), and bytes or lines that are missing.  Who is "given up" had
no end in time, and no more rounds.  wrk does not count clients that never get
an answer; "starved" does: clients with less than a tenth of their share.

TEXT
print join('; ', map { "$_->{name} $_->{value}" } @{ $bench->{machine} }), "\n";
print join('; ', map { "$_->{name}=$_->{value}" } @{ $bench->{settings} }), "\n";
