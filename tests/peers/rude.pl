#!/usr/bin/perl
# A FastCGI server that does as it is told, for the tests of the nginx module:
#
#	rude.pl SOCKET NAME [option...]
#
#	SOCKET		a path, or a port of 127.0.0.1
#	NAME		what it calls itself
#	plain		it does not multiplex
#	window=N	its AFCGI_WINDOW; 0 is none; 262144
#
# It prints "ready", "accept" for each connection, and for each request, once
# its parameters are complete, "DEED METHOD QUERY".  The deed is the last
# component of SCRIPT_NAME, or what is in the file NAME.do:
#
#	die	closes the connection
#	exit	ends by SIGKILL
#	hang	says nothing
#	part	a header and a part of the body, then closes the connection
#	begun	likewise, but it stays open and silent
#	cut	likewise, then END_REQUEST with AFCGI_CUT
#	invalid	no header
#	empty	END_REQUEST alone
#	busy	END_REQUEST with FCGI_OVERLOADED
#	odd	the header that QUERY names
#	NNN	that status; anything else is 200, "page NAME"

use strict;
use warnings;
use Fcntl;
use IO::Select;
use IO::Socket::INET;
use IO::Socket::UNIX;

my ($path, $name, @options) = @ARGV;
my $plain = grep { $_ eq 'plain' } @options;
my ($window) = map { /^window=(\d+)/ ? $1 : () } @options, 'window=262144';
my %odd = (
	early => "Status: 103 Early Hints\r\nLink: </a>\r\n\r\n",
	switch => "Status: 101 Switching Protocols\r\n\r\n",
	none => "X-A: b\r\n\r\n",
	lf => "Status: 201 Made\nContent-Type: text/plain\n\n",
	high => "Status: 799\r\nContent-Type: text/plain\r\n\r\n",
	word => "Status: abc\r\nContent-Type: text/plain\r\n\r\n",
	nph => "HTTP/1.1 202 Taken\r\nContent-Type: text/plain\r\n\r\n",
	nocontent => "Status: 204 No Content\r\n\r\n",
	long => "Content-Type: text/plain\r\nContent-Length: 3\r\n\r\n",
	zero => "Content-Type: text/plain\r\nContent-Length: 0\r\n\r\n",
	empty => "\r\n",
	colon => "Content-Type text/plain\r\n\r\n",
	dup => "Content-Length: 5\r\nContent-Length: 5\r\n\r\n",
	bytes => "X-\x01: a\r\nContent-Type: text/plain\r\n\r\n",
);

$| = 1;
fcntl STDOUT, F_SETFL, O_APPEND; # a test may empty the file
$SIG{PIPE} = 'IGNORE';
unlink $path;
my $listener = $path =~ /^\d+$/ ?
    IO::Socket::INET->new(LocalAddr => "127.0.0.1:$path", Listen => 1024,
	ReuseAddr => 1) :
    IO::Socket::UNIX->new(Local => $path, Listen => 1024);
die "$path: $!\n" unless $listener;
my $select = IO::Select->new($listener);
my (%in, %keep, %requests);
print "ready\n";

while (my @ready = $select->can_read) {
	for my $fh (@ready) {
		if ($fh == $listener) {
			my $conn = $listener->accept or next;
			print "accept\n";
			$select->add($conn);
			$in{$conn} = '';
			$requests{$conn} = {};
		} elsif (exists $in{$fh}) {
			if (sysread $fh, $in{$fh}, 65536, length $in{$fh}) {
				records($fh);
			} else {
				hang_up($fh);
			}
		}
	}
}

sub hang_up
{
	my ($fh) = @_;
	$select->remove($fh);
	delete $in{$fh};
	delete $requests{$fh};
	close $fh;
}

sub records
{
	my ($fh) = @_;
	while (exists $in{$fh} && length $in{$fh} >= 8) {
		my (undef, $type, $id, $n, $pad) = unpack 'CCnnC', $in{$fh};
		last if length $in{$fh} < 8 + $n + $pad;
		my $content = substr $in{$fh}, 8, $n;
		substr $in{$fh}, 0, 8 + $n + $pad, '';
		if ($type == 9) {
			values_result($fh, $content);
		} elsif ($type == 1) {
			$requests{$fh}{$id} = '';
			$keep{$fh} = (unpack 'nC', $content)[1] & 1;
		} elsif ($type == 2) {
			print "abort\n";
			send_record($fh, 3, $id, "\0" x 8)
			    if delete $requests{$fh}{$id};
		} elsif ($type == 4 && $n > 0) {
			$requests{$fh}{$id} .= $content;
		} elsif ($type == 4) {
			answer($fh, $id, pairs($requests{$fh}{$id}));
		}
	}
}

sub send_record
{
	my ($fh, $type, $id, $content) = @_;
	my $record = pack('CCnnCC', 1, $type, $id, length $content, 0, 0) .
	    $content;
	while (length $record) {
		my $n = syswrite $fh, $record or return;
		substr $record, 0, $n, '';
	}
}

sub pairs
{
	my ($bytes) = @_;
	my %pairs;
	while (length $bytes) {
		my @n;
		for (1, 2) {
			my $n = unpack 'C', $bytes;
			$n = unpack('N', $bytes) & 0x7fffffff if $n > 127;
			substr $bytes, 0, (unpack('C', $bytes) > 127 ? 4 : 1), '';
			push @n, $n;
		}
		my $key = substr $bytes, 0, $n[0], '';
		$pairs{$key} = substr $bytes, 0, $n[1], '';
	}
	return \%pairs;
}

sub values_result
{
	my ($fh, $content) = @_;
	my $asked = pairs($content);
	my %known = (FCGI_MPXS_CONNS => $plain ? 0 : 1);
	$known{AFCGI_WINDOW} = $window if $window && !$plain;
	send_record($fh, 10, 0, join '',
	    map { pack('CC', length $_, length $known{$_}) . $_ . $known{$_} }
	    grep { exists $asked->{$_} } sort keys %known);
}

sub answer
{
	my ($fh, $id, $params) = @_;
	my ($deed) = ($params->{SCRIPT_NAME} // '') =~ m{([^/]*)$};
	if (open my $do, '<', "$name.do") {
		chomp($deed = <$do> // $deed);
	}
	my $query = $params->{QUERY_STRING} // '';
	print "$deed $params->{REQUEST_METHOD} $query\n";
	my $type = "Content-Type: text/plain\r\n";
	my $status = 0;
	if ($deed eq 'hang') {
		return;
	} elsif ($deed eq 'die') {
		return hang_up($fh);
	} elsif ($deed eq 'exit') {
		kill KILL => $$;
	} elsif ($deed =~ /^(part|begun|cut)$/) {
		send_record($fh, 6, $id, "${type}Content-Length: 1000\r\n\r\npart\n");
		return hang_up($fh) if $deed eq 'part';
		return if $deed eq 'begun';
		$status = 200;
	} elsif ($deed eq 'invalid') {
		send_record($fh, 6, $id, "no header \0 at all\r\n\r\n");
	} elsif ($deed eq 'busy') {
		$status = 2;
	} elsif ($deed eq 'odd') {
		send_record($fh, 6, $id, ($odd{$query} // '') . "page\n");
	} elsif ($deed =~ /^\d+$/) {
		send_record($fh, 6, $id, "Status: $deed Told\r\n$type\r\n$deed $name\n");
	} elsif ($deed ne 'empty') {
		send_record($fh, 6, $id, "$type\r\npage $name\n");
	}
	send_record($fh, 6, $id, '') unless $status == 200;
	send_record($fh, 3, $id, pack('NCx3', 0, $status));
	delete $requests{$fh}{$id};
	hang_up($fh) unless $keep{$fh};
}
