#!/usr/bin/perl
# What the gateway runs in the tests of the nginx module, under the names
# delay, bytes, echo, upload and env, as peer.go has them.

use strict;
use warnings;
use Digest::SHA;

my ($name) = $0 =~ m{([^/]*)$};
my $query = $ENV{QUERY_STRING} // '';

sub number
{
	return $query =~ /\b$_[0]=(\d+)/ ? $1 : 0;
}

$| = 1;
binmode STDIN;
select undef, undef, undef, number('ms') / 1000 if $name eq 'delay';
print "Content-Type: text/plain\nX-Test: yes\n\n";
if ($name eq 'delay') {
	print "done\n";
} elsif ($name eq 'bytes') {
	my ($n, $line) = (number('n'), 0);
	while ($n > 0) {
		my $piece = join '', map { sprintf "%07d\n", $line++ } 1 .. 4096;
		$piece = substr $piece, 0, $n if $n < length $piece;
		$n -= length $piece;
		print $piece;
	}
} elsif ($name eq 'echo') {
	print $_ while sysread STDIN, $_, 16384;
} elsif ($name eq 'upload') {
	my ($sum, $n) = (Digest::SHA->new(256), 0);
	while (sysread STDIN, my $piece, 16384) {
		$sum->add($piece);
		$n += length $piece;
	}
	print $sum->hexdigest, " $n\n";
} else {
	print "$_=$ENV{$_}\n" for sort keys %ENV;
}
