#!/usr/bin/perl
# FastCGI servers that misbehave, for the tests of the nginx module:
#
#	bad.pl SOCKET [HOW [VALUE]]
#
# HOW is what it does when it is asked whether it multiplexes:
#
#	yes      says so, with flow control
#	no       says no
#	plain    says yes, without flow control
#	window   names VALUE as its window
#	die      closes the connection
#	exit     ends
#	garbage  answers with something else
#	mute     says nothing, but serves
#	deaf     neither answers nor serves
#	slow     answers a byte at a time
#	twice    answers twice
#	unasked  answers before it is asked, and never again
#
# And by SCRIPT_NAME, what it does with a request that has come whole; a second
# component of the path tells requests apart:
#
#	/hold/TAG       the first line at once, the second when TAG.go exists
#	/drain          sends DRAIN, then serves on
#	/drain-close    sends DRAIN, and closes as soon as nothing is at work
#	/cut            CUT after a part of the page
#	/overloaded     OVERLOADED
#	/overloaded-once/TAG  the first time OVERLOADED, unless VALUE is "calm"
#	/cant-mpx       CANT_MPX_CONN
#	/stingy         no credit for its body, never
#	/die            closes the connection
#	/NAME           a broken record: see %broken
#	/echo           its body
#	else            a page with its method, its path and its body's length
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Wire;

my ($path, $how, $value) = @ARGV;
$how //= 'yes';
my $calm = ($value // '') eq 'calm';
my %once;
my @held;

# Records that no server sends; each before a page that is all right.
my %broken = (
	'/stray' => sub { Wire::record('STDOUT', 60000, 'stray') },
	'/stray-end' => sub { Wire::record('END', 60000, "\0" x 8) },
	'/stray-credit' => sub { Wire::record('CREDIT', 60000, "\0\0\1\0") },
	'/id-0' => sub { Wire::record('STDOUT', 0, 'stray') },
	'/version' => sub { "\2" . substr Wire::record('STDOUT', $_[0]{id}, 'x'), 1 },
	'/unknown-type' => sub { Wire::record(77, $_[0]{id}, 'x' x 1000) },
	'/unknown-mgmt' => sub { Wire::record(77, 0, 'x' x 1000) },
	'/unasked' => sub { Wire::record('RESULT', 0,
	    Wire::pair('FCGI_MPXS_CONNS', 0)) },
	'/credit-overflow' => sub { Wire::record('CREDIT', $_[0]{id},
	    "\x7f\xff\xff\xff") x 2 },
	'/credit-short' => sub { Wire::record('CREDIT', $_[0]{id}, 'x') },
	'/credit-0' => sub { Wire::record('CREDIT', $_[0]{id}, "\0" x 4) },
	'/drain-long' => sub { Wire::record('DRAIN', 0, 'x' x 300) },
	'/overrun' => sub { Wire::record('STDOUT', $_[0]{id},
	    Wire::page('x' x 60000)) . Wire::record('STDOUT', $_[0]{id},
	    'x' x 65535) x 40 },
	'/end-short' => sub { Wire::record('END', $_[0]{id}, 'x') },
	'/end-long' => sub { Wire::record('END', $_[0]{id}, 'x' x 60000) },
	'/begin' => sub { Wire::record('BEGIN', $_[0]{id}, "\0" x 8) },
	'/noise' => sub { join '', map { chr int rand 256 } 1 .. 3000 },
);

# What a request gets that has had its answer.
my %late = (
	'/end-twice' => sub { Wire::record('END', $_[0]{id}, "\0" x 8) },
	'/after-end' => sub { Wire::record('STDOUT', $_[0]{id}, 'x' x 1000) },
	'/credit-after' => sub { Wire::record('CREDIT', $_[0]{id}, "\0\0\1\0") },
);

my %answer = (
	yes => sub { Wire::put($_[0], Wire::result(@_)) },
	no => sub { Wire::put($_[0], Wire::record('RESULT', 0,
	    Wire::pair('FCGI_MPXS_CONNS', 0))) },
	die => sub { Wire::hangup($_[0]) },
	exit => sub { exit 0 },
	garbage => sub { Wire::put($_[0], "HTTP/1.1 400 Bad Request\r\n\r\n" x 9) },
	mute => sub { },
	deaf => sub { },
	slow => sub { slowly($_[0], Wire::result(@_)) },
	twice => sub { Wire::put($_[0], Wire::result(@_) x 2) },
	unasked => sub { $_[0]{windows} = 1 },
);
$answer{plain} = $answer{window} = $answer{yes};
$Wire::window_name = undef if $how eq 'plain';
$Wire::window_name = $value if $how eq 'window';
# Whoever understood the number may send so much; whoever did not, nothing.
$Wire::window = $value if $how eq 'window' && $value =~ /^\d{1,10}$/;

sub slowly
{
	my ($conn, $bytes) = @_;
	Wire::put($conn, substr $bytes, 0, 1, '');
	$conn->{slow} = length $bytes;
	Wire::after(0.005, sub { slowly($conn, $bytes) }) if length $bytes;
}

sub hello
{
	my ($req) = @_;
	my $params = $req->{params};
	return Wire::page("$params->{REQUEST_METHOD} $params->{REQUEST_URI} " .
	    length($req->{body}) . "\n");
}

# A server that named no window, or a small one, gives credit of its own.
sub begun
{
	my ($req) = @_;
	$req->{name} = $req->{params}{SCRIPT_NAME} // '';
	Wire::credit($req, 262144) if $Wire::window < 262144;
}

sub input
{
	my ($req, $bytes) = @_;
	return if $req->{name} =~ m{^/stingy} || $req->{done};
	Wire::credit($req, 8 + length $bytes);
}

sub held
{
	@held = grep { my ($req, $tag) = @$_;
		my $go = -e "$tag.go" && !$req->{done};
		Wire::answer($req, "two\n") if $go;
		!$go && !$req->{done} } @held;
	Wire::after(0.02, \&held) if @held;
}

sub idle_close
{
	my ($conn) = @_;
	if (grep { !$_->{done} } values %{$conn->{requests}}) {
		Wire::after(0.02, sub { idle_close($conn) });
	} else {
		Wire::finish($conn);
	}
}

my %special = (
	'/hold' => sub { my ($req, $tag) = @_;
		Wire::part($req, Wire::page("one\n"));
		push @held, [$req, $tag];
		Wire::after(0.02, \&held) if @held == 1 },
	'/drain' => sub { Wire::put($_[0]{conn}, Wire::record('DRAIN', 0));
		Wire::answer($_[0], hello($_[0])) },
	'/drain-close' => sub { Wire::put($_[0]{conn}, Wire::record('DRAIN', 0));
		Wire::answer($_[0], hello($_[0])); idle_close($_[0]{conn}) },
	'/cut' => sub { my ($req) = @_;
		Wire::part($req, Wire::page("part\n"));
		Wire::after(0.2, sub { Wire::end($req, 'CUT') }) },
	'/overloaded' => sub { Wire::end($_[0], 'OVERLOADED') },
	'/overloaded-once' => sub { my ($req, $tag) = @_;
		return Wire::end($req, 'OVERLOADED') if !$once{$tag}++ && !$calm;
		Wire::answer($req, hello($req)) },
	'/cant-mpx' => sub { Wire::end($_[0], 'CANT_MPX') },
	'/die' => sub { Wire::hangup($_[0]{conn}) },
	'/echo' => sub { Wire::answer($_[0], Wire::page($_[0]{body})) },
);

sub request
{
	my ($req) = @_;
	return if $how eq 'deaf';
	return Wire::after(0.01, sub { request($req) }) if $req->{conn}{slow};
	my ($name, $tag) = $req->{name} =~ m{^(/[^/]*)/?(.*)};
	my $special = $special{$name};
	return $special->($req, $tag) if $special;
	Wire::put($req->{conn}, $broken{$name}->($req)) if $broken{$name};
	Wire::answer($req, hello($req));
	Wire::put($req->{conn}, $late{$name}->($req)) if $late{$name};
}

my %on = (values => $answer{$how}, begun => \&begun, input => \&input,
    request => \&request);
$on{accepted} = sub { Wire::put($_[0], Wire::record('RESULT', 0,
    Wire::pair('FCGI_MPXS_CONNS', 1) . Wire::pair('AFCGI_WINDOW', 65536))) }
    if $how eq 'unasked';
Wire::serve($path, %on);
