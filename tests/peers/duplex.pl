#!/usr/bin/perl
# An HTTP/1.1 client that sends a part of its body when the one before has come
# back, for the tests of the nginx module:
#
#	duplex.pl PORT PATH PARTS [SECONDS [STOP]]
#
# Each part is a chunk of a POST, and a line of its own.  SECONDS (10) is how
# long it waits for one.  After STOP parts it prints "waits" and sleeps, until
# somebody ends it.  Exit status 0 if each part came back in time, in order,
# with nothing else, and after the last chunk the end of the response.
use strict;
use warnings;
use IO::Select;
use IO::Socket::INET;

my ($port, $path, $parts, $seconds, $stop) = @ARGV;
$seconds ||= 10;
$| = 1;
$SIG{PIPE} = 'IGNORE';
my $socket = IO::Socket::INET->new(PeerAddr => "127.0.0.1:$port")
    or die "connect: $!\n";
my $select = IO::Select->new($socket);
my ($in, $body, $header, $over) = ('', '');

sub put
{
	my ($bytes) = @_;
	die "write: $!\n" if (syswrite($socket, $bytes) // -1) != length $bytes;
}

# Takes the chunks that are whole out of what has come.
sub decode
{
	if (!defined $header && $in =~ s/^(.*?\r\n\r\n)//s) {
		$header = $1;
		die "$header$in\n" if $header !~ m{^HTTP/1\.1 200 };
		die "not chunked: $header\n"
		    if $header !~ /^Transfer-Encoding: chunked\r$/mi;
	}
	while (defined $header && $in =~ /^([0-9a-f]+)\r\n/i) {
		my ($n, $at) = (hex $1, $+[0]);
		last if length $in < $at + $n + 2;
		$body .= substr $in, $at, $n;
		substr $in, 0, $at + $n + 2, '';
		$over = 1 if $n == 0;
	}
}

# Reads until so much of the body has come, or, without a number, its end.
sub wait_for
{
	my ($n) = @_;
	my $end = time + $seconds;
	until ($over || (defined $n && length $body >= $n)) {
		die "waited $seconds s, has " . length($body) . " bytes\n"
		    if time > $end;
		next if !$select->can_read(1);
		my $got = sysread $socket, $in, 65536, length $in;
		die 'cut after ' . length($body) . " bytes\n" if !$got;
		decode();
	}
}

put("POST $path HTTP/1.1\r\nHost: localhost\r\n" .
    "Transfer-Encoding: chunked\r\n\r\n");
my $want = '';
for my $part (1 .. $parts) {
	# small ones, and some that fill records and windows
	my $text = "part $part\n" x ($part % 5 == 0 ? 3000 : 1);
	$want .= $text;
	put(sprintf("%x\r\n", length $text) . "$text\r\n");
	wait_for(length $want);
	die "part $part is another: " . substr($body, -80) . "\n"
	    if $body ne $want;
	die "the end came after part $part\n" if $over;
	if ($stop && $part == $stop) {
		print "waits\n";
		sleep 600;
	}
}
put("0\r\n\r\n");
wait_for();
die "something came after the last part\n" if $body ne $want;
