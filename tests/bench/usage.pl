#!/usr/bin/perl
# Runs a command and writes down what two groups of processes, the web server
# and the gateway, took meanwhile: a line of name=value.
#
#	usage.pl [-l seconds] [-o file] [-s directory] web gateway command...
#
# A group is "pid,pid+,...", or "-" for none; "pid+" stands for all processes
# that run the same program as that one and are its children too, new ones
# included.  Scripts are in no group.  The command is killed after so many
# seconds (60).
#
#	wall, status, hung	seconds, the command's exit status, 1 if killed
#	X_cpu			processor seconds of the group X
#	X_peak, X_fds		its PSS in KiB, and its descriptors, at most
#	spool			bytes in regular files that either has open, or
#				that are below the directory, at most, without
#				logs (-s): what they do not keep in memory
use strict;
use warnings;
use File::Find;
use Getopt::Std;
use POSIX qw(WNOHANG _SC_CLK_TCK sysconf);
use Time::HiRes qw(clock_gettime sleep time);

use constant SAMPLE => 0.2;    # seconds from one look to the next

my %opt = (l => 60, o => '/dev/stdout');
getopts('l:o:s:', \%opt) && @ARGV > 2
    or die "usage: usage.pl [-l seconds] [-o file] [-s directory] "
    . "web gateway command...\n";
my %roots = (web => shift, gateway => shift);
my $tick = sysconf(_SC_CLK_TCK);
my (%members, %figure);

sub slurp {
	open my $f, '<', $_[0] or return '';
	local $/;
	return <$f> // '';
}

# The fields of /proc/PID/stat from the state on.
sub fields {
	my ($pid) = @_;

	return slurp("/proc/$pid/stat") =~ /\) (.*)/ ? split ' ', $1 : ();
}

sub program {
	return readlink("/proc/$_[0]/exe") // '';
}

# The children of these processes.
sub children {
	my %of = map { $_ => 1 } @_;
	my @children;

	for my $dir (glob '/proc/[0-9]*') {
		my ($pid) = $dir =~ /(\d+)/;
		my $parent = (fields($pid))[1] or next;
		push @children, $pid if $of{$parent};
	}
	return @children;
}

# Who is in each group now.  Nobody is in both: the gateway's come first.
sub find_members {
	my %taken;

	for my $group ('gateway', 'web') {
		my @list = split /,/, $roots{$group} eq '-' ? '' : $roots{$group};
		my @masters = map { /^(\d+)\+/ ? $1 : () } @list;
		my @pids = map { /(\d+)/ } @list;
		for my $child (@masters ? children(@masters) : ()) {
			push @pids, $child
			    if grep { program($_) eq program($child) } @masters;
		}
		$members{$group} = [grep { !$taken{$_}++ } @pids];
	}
}

# The processor clock of another process, see clock_getcpuclockid(3); /proc has
# hundredths of a second only, which is a lot for many processes.
sub clock {
	my $t = clock_gettime((-$_[0] - 1) * 8 + 2);

	return $t > 0 ? $t : 0;
}

# Seconds so far.  What has left counts as its master's.
sub cpu {
	my ($group) = @_;
	my $seconds = 0;

	for my $pid (@{ $members{$group} }) {
		$seconds += clock($pid);
		next if $roots{$group} !~ /\b$pid\+/;
		my @f = fields($pid) or next;
		$seconds += ($f[13] + $f[14]) / $tick;
	}
	return $seconds;
}

# What is on disk, each file once.
sub spooled {
	my (%size, @files);
	my $bytes = 0;

	find({ no_chdir => 1, wanted => sub { push @files, $_ } }, $opt{s});
	push @files, map { glob "/proc/$_/fd/*" } map { @$_ } values %members;
	for my $file (@files) {
		my @s = stat $file or next;
		next if !-f _ || (readlink($file) // $file) =~
		    /\.(log|err|out)$/;
		$size{"$s[0] $s[1]"} = $s[12] * 512;
	}
	$bytes += $_ for values %size;
	return $bytes;
}

sub most {
	my ($name, $value) = @_;

	$figure{$name} = $value
	    if !defined $figure{$name} || $value > $figure{$name};
}

sub sample {
	for my $group (keys %members) {
		my ($pss, $fds) = (0, 0);
		for my $pid (@{ $members{$group} }) {
			$pss += $1 if slurp("/proc/$pid/smaps_rollup") =~
			    /^Pss:\s+(\d+)/m;
			if (opendir my $dir, "/proc/$pid/fd") {
				$fds += grep { /^\d/ } readdir $dir;
			}
		}
		most("${group}_peak", $pss);
		most("${group}_fds", $fds);
	}
	most('spool', spooled()) if $opt{s};
}

# The command's end: its status, or nothing when it took too long.
sub watch {
	my ($pid, $start) = @_;
	my $next = $start + SAMPLE;

	for (my $n = 1;; sleep 0.002) {
		if (waitpid($pid, WNOHANG) == $pid) {
			return $? & 127 ? 128 + ($? & 127) : $? >> 8;
		}
		next if time < $next;
		find_members() if $n++ % 5 == 0;
		sample();
		$next = time + SAMPLE;
		last if time - $start > $opt{l};
	}
	kill 'KILL', -$pid;
	waitpid $pid, 0;
	return;
}

find_members();
sample();
my %before = map { $_ => cpu($_) } keys %members;
my $start = time;
my $pid = fork // die "fork: $!\n";
if ($pid == 0) {
	setpgrp;
	exec { $ARGV[0] } @ARGV or die "$ARGV[0]: $!\n";
}
$SIG{$_} = sub { kill 'KILL', -$pid; exit 1; } for qw(HUP INT TERM);
my $status = watch($pid, $start);
$figure{wall} = sprintf '%.3f', time - $start;
$figure{status} = $status // 137;
$figure{hung} = defined $status ? 0 : 1;
find_members();
sample();
$figure{"${_}_cpu"} = sprintf '%.4f', cpu($_) - $before{$_} for keys %members;
open my $out, '>>', $opt{o} or die "$opt{o}: $!\n";
print $out join(' ', map { "$_=$figure{$_}" } sort keys %figure), "\n";
