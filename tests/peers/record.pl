#!/usr/bin/perl
# A FastCGI server with flow control that records what it gets, for the tests
# of the nginx module:
#
#	record.pl SOCKET [plain]
#
# "plain" leaves flow control out.  Every request is noted on standard output
# (Wire.pm), with the time; so is, as
#
#	got CONN ID URI LENGTH SHA256
#
# the body of each.  By SCRIPT_NAME:
#
#	/sum, /upload  the body's SHA-256 and length
#	/echo        the body
#	/flood       30 MB
#	/silent      no answer at all
#	/late        its header when the body has come, "after" when FILE "go"
#	             exists; then the line "after CONN ID" on standard output
#	/accel       likewise, with X-Accel-Redirect: /static/file.txt
#	/slow/MS     the URI, after so many ms
#	else         the path
use strict;
use warnings;
use Digest::SHA qw(sha256_hex);
use FindBin;
use lib $FindBin::Bin;
use Wire;

my ($path, $plain) = @ARGV;
$Wire::window = 65536;
$Wire::window_name = $plain ? undef : $Wire::window;
my @late;

# Credit comes back late, so that whoever takes more than he has is seen.
sub input
{
	my ($req, $bytes) = @_;
	$req->{owed} += 8 + length $bytes;
	return if $req->{owes}++;
	Wire::after(0.003, sub {
		Wire::credit($req, $req->{owed}) if !$req->{done};
		$req->{owed} = $req->{owes} = 0;
	});
}

sub late
{
	@late = grep {
		my $req = $_;
		if (-e 'go' && !$req->{done}) {
			Wire::note('after', $req->{conn}{n}, $req->{id});
			Wire::answer($req, "after\n");
		}
		!$req->{done};
	} @late;
	Wire::after(0.02, \&late) if @late;
}

sub begun
{
	my ($req) = @_;
	Wire::note('params', $req->{conn}{n}, $req->{id},
	    $req->{params}{REQUEST_URI});
}

sub request
{
	my ($req) = @_;
	my $name = $req->{params}{SCRIPT_NAME} // '';
	my $uri = $req->{params}{REQUEST_URI};
	my $sum = sha256_hex($req->{body});
	my $length = length $req->{body};
	Wire::note('got', $req->{conn}{n}, $req->{id}, $uri, $length, $sum);
	my $body = $req->{body};
	$req->{body} = '';
	if ($name eq '/silent') {
		return;
	} elsif ($name eq '/sum' || $name eq '/upload') {
		Wire::answer($req, Wire::page("$sum $length\n"));
	} elsif ($name eq '/echo') {
		Wire::answer($req, Wire::page($body));
	} elsif ($name eq '/flood') {
		Wire::answer($req, Wire::page('flood' x 6000000));
	} elsif ($name =~ m{^/slow/(\d+)}) {
		Wire::after($1 / 1000,
		    sub { Wire::answer($req, Wire::page($uri, "\n")) });
	} elsif ($name eq '/late' || $name eq '/accel') {
		Wire::part($req, ($name eq '/accel' ?
		    "X-Accel-Redirect: /static/file.txt\r\n" : '') .
		    Wire::page("first\n"));
		push @late, $req;
		Wire::after(0.02, \&late) if @late == 1;
	} else {
		Wire::answer($req, Wire::page($uri, "\n"));
	}
}

Wire::serve($path, begun => \&begun, input => \&input,
    request => \&request);
