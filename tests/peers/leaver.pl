#!/usr/bin/perl
# A client that leaves in its upload, again and again, with another behind it:
#
#	leaver.pl PORT ROUNDS ABORTED KEPT
#
# Each round sends half of a POST to the path ABORTED and goes, and POSTs a
# body that no other has to the path KEPT at once, which must answer with its
# SHA-256 and its length.  Exit status 0 if it always
# did; what did not is said.
use strict;
use warnings;
use Digest::SHA qw(sha256_hex);
use IO::Socket::INET;
use Socket qw(SO_LINGER SOL_SOCKET);

my ($port, $rounds, $aborted, $kept) = @ARGV;
my $bad = 0;

sub start
{
	my ($path, $length) = @_;
	my $socket = IO::Socket::INET->new(PeerAddr => "127.0.0.1:$port")
	    or die "connect: $!\n";
	syswrite $socket, "POST $path HTTP/1.1\r\nHost: localhost\r\n" .
	    "Connection: close\r\nContent-Length: $length\r\n\r\n";
	return $socket;
}

for my $round (1 .. $rounds) {
	my $half = start($aborted, 200000);
	syswrite $half, "of another $round " x (1 + int rand 3000);
	# A close, a reset, or only later.
	setsockopt $half, SOL_SOCKET, SO_LINGER, pack 'ii', 1, 0
	    if $round % 3 == 0;
	close $half if $round % 3;

	my $body = "my own $round " x (1 + int rand 2000);
	my $own = start("$kept?$round", length $body);
	syswrite $own, $body;
	close $half if $round % 3 == 0;
	my $answer = '';
	1 while sysread $own, $answer, 65536, length $answer;
	my $want = sha256_hex($body) . ' ' . length $body;
	if (index($answer, "\r\n") < 0 || index($answer, $want) < 0) {
		$bad++;
		print "round $round: want $want\n$answer\n" if $bad < 5;
	}
}
print "$bad of $rounds were wrong\n" if $bad;
exit($bad ? 1 : 0);
