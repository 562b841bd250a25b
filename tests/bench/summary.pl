#!/usr/bin/perl
# What "make bench" found, as JSON on stdout: medians of the rounds, ratios, and
# whether the machine was quiet enough to tell.
#
#	summary.pl measures.txt machine settings figures
#
# machine and settings have a "name: value" a line.  figures has a line a turn:
#
#	round row peer name=value...
#
# with "figure=" only if all went well; the row and peer of a floor are its name
# and "floor".  The gateway's sites are ours; the best peer is one of the others.
use strict;
use warnings;
use JSON::PP;

use constant NOISE => 0.25;    # of the median, from least to most

die "usage: summary.pl measures.txt machine settings figures\n" if @ARGV != 4;
my ($measures_file, $machine_file, $settings_file, $figures_file) = @ARGV;

sub lines {
	open my $f, '<', $_[0] or die "$_[0]: $!\n";
	chomp(my @lines = <$f>);
	return @lines;
}

sub pairs {
	return [map { /^(.*?): (.*)/ ? { name => $1, value => $2 } : () }
	    lines($_[0])];
}

sub median {
	my @v = sort { $a <=> $b } @_;

	return @v % 2 ? $v[$#v / 2] : ($v[@v / 2 - 1] + $v[@v / 2]) / 2;
}

sub rounded {
	return $_[0] == 0 ? 0 : sprintf('%.4g', $_[0]) + 0;
}

# The turns by row and peer: lists, one of each name's values.
my (%turns, @peers, %seen);
for (lines($figures_file)) {
	my (undef, $row, $peer, @rest) = split;
	push @peers, $peer if $peer ne 'floor' && !$seen{$peer}++;
	for (@rest) {
		my ($name, $value) = /^(\w+)=(.+)/ or next;
		push @{ $turns{$row}{$peer}{$name} }, $value + 0;
	}
}

# The medians of a peer's turns, but for what is counted.
my %counted = map { $_ => 1 } qw(asked failed starved hung unavailable);
sub medians {
	my ($turns) = @_;
	my %m;

	for my $name (keys %$turns) {
		my @v = @{ $turns->{$name} };
		my $sum = 0;
		$sum += $_ for @v;
		$m{$name} = $counted{$name} ? $sum : rounded(median(@v));
	}
	$m{starved} = rounded(median(@{ $turns->{starved} }))
	    if $turns->{starved};
	if (defined $m{figure}) {
		my @v = sort { $a <=> $b } @{ $turns->{figure} };
		$m{figures} = $turns->{figure};
		$m{spread} = $m{figure} > 0
		    ? rounded(($v[-1] - $v[0]) / $m{figure}) : 0;
		$m{noisy} = bool($m{spread} > NOISE);
	}
	return \%m;
}

sub bool {
	return $_[0] ? JSON::PP::true : JSON::PP::false;
}

# Processor time: microseconds a request, or seconds a GB.
sub costs {
	my ($m, $turns, $unit) = @_;

	return if !$turns->{work} || grep { $_ == 0 } @{ $turns->{work} };
	for my $group ('web', 'gateway') {
		my @cost = map { $turns->{"${group}_cpu"}[$_] / $turns->{work}[$_] }
		    0 .. $#{ $turns->{work} };
		$m->{"${group}_cost"} =
		    rounded(median(@cost) * ($unit eq '/s' ? 1e6 : 1));
	}
}

my (%floors, $noisy);
for my $name (grep { $turns{$_}{floor} } keys %turns) {
	$floors{$name} = medians($turns{$name}{floor});
	$noisy ||= $floors{$name}{noisy};
}

# What is best of those that are not ours, or of all if there is nobody else.
sub best {
	my ($better, @all) = @_;

	@all = grep { defined $_->{figure} } @all;
	my @others = grep { !$_->{ours} } @all;
	@others = @all if !@others;
	@others = sort { $a->{figure} <=> $b->{figure} } @others;
	return $better eq 'more' ? $others[-1] : $others[0];
}

sub ratio {
	my ($part, $whole) = @_;

	return defined $part && $whole ? rounded($part / $whole) : undef;
}

sub summary {
	my ($name, $unit, $better, $floor_name, $title) = @_;
	my $floor = $floors{$floor_name};
	my @all;

	for my $peer (grep { $turns{$name}{$_} } @peers) {
		my $m = medians($turns{$name}{$peer});
		costs($m, $turns{$name}{$peer}, $unit);
		push @all, { %$m, peer => $peer,
			ours => bool($peer =~ /-gateway$/) };
	}
	my $best = best($better, @all);
	for my $m (@all) {
		$m->{of_floor} = ratio($m->{figure}, $floor->{figure}) if $floor;
		$m->{of_best} = ratio($m->{figure}, $best->{figure});
		$m->{p99_of_best} = ratio($m->{p99}, $best->{p99});
		delete @$m{ grep { !defined $m->{$_} } keys %$m };
	}
	return {
		row => $name, title => $title, unit => $unit, better => $better,
		floor => $floor ? $floor->{figure} : undef,
		noisy => bool($floor ? $floor->{noisy} : $noisy),
		best => $best ? $best->{peer} : undef, peers => \@all
	};
}

my @rows;
for (lines($measures_file)) {
	next if /^#/;
	my ($name, undef, $unit, $better, $floor, $title) = split ' ', $_, 6;
	push @rows, summary($name, $unit, $better, $floor, $title)
	    if $turns{$name};
}
print JSON::PP->new->pretty->canonical->encode({
	machine => pairs($machine_file), settings => pairs($settings_file),
	noisy => bool($noisy), floors => \%floors, rows => \@rows
});
