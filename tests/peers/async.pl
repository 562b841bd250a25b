#!/usr/bin/perl
# A FastCGI server with Net::Async::FastCGI, for the tests of the nginx module:
#
#	async.pl SOCKET
#
# Single-threaded, any number of requests on a connection; a request begins
# when its body is complete.  It listens on the unix socket and prints
# "ready".  By SCRIPT_NAME: /delay, /bytes, /echo, /upload, else the
# environment, as peer.go has them.

use strict;
use warnings;
use Digest::SHA qw(sha256_hex);
use IO::Async::Loop;
use IO::Socket::UNIX;
use Net::Async::FastCGI;

my $path = shift or die "usage: async.pl socket\n";
unlink $path;
my $socket = IO::Socket::UNIX->new(Local => $path, Listen => 1024)
    or die "$path: $!\n";

my $loop = IO::Async::Loop->new;
my $fastcgi = Net::Async::FastCGI->new(
	handle => $socket,
	default_encoding => undef,
	on_request => sub { answer($_[1]) },
);
$loop->add($fastcgi);
$| = 1;
print "ready\n";
$loop->run;

sub number
{
	my ($request, $name) = @_;
	return $request->query_string =~ /\b$name=(\d+)/ ? $1 : 0;
}

# The same lines as lib.sh's bytes(), a piece at a time.
sub bytes
{
	my ($request) = @_;
	my $n = number($request, 'n');
	my $line = 0;
	my $more = sub {
		return undef if $n <= 0;
		my $piece = join '', map { sprintf "%07d\n", $line++ } 1 .. 4096;
		$piece = substr $piece, 0, $n if $n < length $piece;
		$n -= length $piece;
		return $piece;
	};
	$request->stream_stdout_then_finish($more, 0);
}

sub answer
{
	my ($request) = @_;
	my $name = $request->param('SCRIPT_NAME') // '';
	my $body = $request->read_stdin // '';
	$request->print_stdout("Content-Type: text/plain\r\nX-Test: yes\r\n\r\n");
	return bytes($request) if $name eq '/bytes';
	if ($name eq '/delay') {
		$loop->watch_time(
			after => number($request, 'ms') / 1000,
			code => sub {
				$request->print_stdout("done\n");
				$request->finish;
			},
		);
		return;
	}
	if ($name eq '/echo') {
		$request->print_stdout($body);
	} elsif ($name eq '/upload') {
		$request->print_stdout(sha256_hex($body) . ' ' .
		    length($body) . "\n");
	} else {
		my $params = $request->params;
		$request->print_stdout("$_=$params->{$_}\n")
		    for sort keys %$params;
	}
	$request->finish;
}
