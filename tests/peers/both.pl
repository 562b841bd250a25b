#!/usr/bin/perl
# A FastCGI server with flow control that answers while it reads, for the tests
# of the nginx module:
#
#	both.pl SOCKET NAME
#
# Every request is noted on standard output (Wire.pm), and when its header has
# been sent, "header CONN ID", and when its window is full, "full CONN ID".  By
# SCRIPT_NAME:
#
#	/echo    a header at once, and the body as it comes
#	/held    a header and the line "one" at once; it takes nothing of the
#	         body until the file NAME.do says how that ends:
#	         die   the connection is closed
#	         exit  this process ends
#	         cut   END_REQUEST with AFCGI_CUT
#	         end   the line "two", and END_REQUEST
#	         read  the line "two" and the length of the body, when it has come
#	/page    a whole response, at once
#	else     when the body has come, its length
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Wire;

my ($path, $name) = @ARGV;
my @held;

my %deeds = (
	die => sub { Wire::hangup($_[0]{conn}) },
	exit => sub { exit 0 },
	cut => sub { Wire::end($_[0], 'CUT') },
	end => sub { Wire::answer($_[0], "two\n") },
	read => sub { my ($req) = @_;
		$req->{reads} = 1;
		Wire::credit($req, $req->{owed});
		counted($req) if $req->{over} },
);

sub counted
{
	my ($req) = @_;
	Wire::answer($req, "two\n" . length($req->{body}) . "\n");
}

sub held
{
	if (open my $do, '<', "$name.do") {
		chomp(my $deed = <$do> // '');
		close $do;
		my @all = @held;
		@held = () if $deeds{$deed};
		for my $req (@all) {
			$deeds{$deed}->($req)
			    if $deeds{$deed} && !$req->{done};
		}
	}
	Wire::after(0.02, \&held);
}

sub begun
{
	my ($req) = @_;
	my $does = $req->{does} = $req->{params}{SCRIPT_NAME} // '';
	$req->{owed} = 0;
	return if $does !~ m{^/(echo|held|page)$};
	Wire::part($req, Wire::page($does eq '/held' ? "one\n" : ''));
	Wire::note('header', $req->{conn}{n}, $req->{id});
	push @held, $req if $does eq '/held';
	Wire::answer($req, "page\n") if $does eq '/page';
}

sub input
{
	my ($req, $bytes) = @_;
	my $n = 8 + length $bytes;
	return if $req->{done};
	if ($req->{does} eq '/held' && !$req->{reads}) {
		$req->{owed} += $n;
		Wire::note('full', $req->{conn}{n}, $req->{id})
		    if $req->{windowed} && $req->{window} <= 8;
		return;
	}
	Wire::part($req, $bytes) if $req->{does} eq '/echo';
	Wire::credit($req, $n);
}

sub request
{
	my ($req) = @_;
	if ($req->{does} eq '/echo') {
		Wire::answer($req, '');
	} elsif ($req->{does} eq '/held') {
		counted($req) if $req->{reads};
	} else {
		Wire::answer($req, Wire::page(length $req->{body}, "\n"));
	}
}

Wire::after(0.02, \&held);
Wire::serve($path, begun => \&begun, input => \&input, request => \&request);
