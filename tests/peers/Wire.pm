# A FastCGI server in a process of its own, for servers that misbehave and for
# one that records what it gets.  It knows the protocol with the extension for
# flow control (fcgi_flow(7)), watches that its peer keeps to it, and leaves
# everything else to callbacks, that may do as they like with the wire.
#
#	Wire::serve(PATH, name => sub, ...)
#
# listens on the unix socket, prints "ready", and calls
#
#	accepted(conn)          a connection
#	values(conn, names)     FCGI_GET_VALUES; result() answers it if undefined
#	begun(request)          PARAMS are complete
#	input(request, bytes)   some STDIN; credit is given back if undefined
#	request(request)        STDIN is complete
#	aborted(request)        FCGI_ABORT_REQUEST; ended if undefined
#
# A conn has n (its number), asked and windows (it was told of flow control).
# A request has conn, id, params, windowed, credit (of STDOUT), body (STDIN so
# far), over (its STDIN is complete), done (END_REQUEST is out).
#
# On standard output are its doings, a line each, and lines that begin with
# BAD where the peer broke the protocol: ids that are used twice or do not
# grow, streams that go on after their end, more STDIN than there was credit
# for, private records that it was not asked for.
package Wire;

use strict;
use warnings;
use IO::Select;
use IO::Socket::UNIX;
use Time::HiRes qw(time);

our $window = 262144; # of STDIN, and how it is named to the peer:
our $window_name = $window;
our $way = $ENV{BAD_WIRE} // ''; # "padding": all records; "bytes": one by one
our ($reading, $writing, %on, %conns, @timers);
my $piece = $way eq 'bytes' ? 1 : 65536;
my ($count, $listener) = (0);

our %type = (BEGIN => 1, ABORT => 2, END => 3, PARAMS => 4, STDIN => 5,
    STDOUT => 6, STDERR => 7, GET_VALUES => 9, RESULT => 10, UNKNOWN => 11,
    CREDIT => 200, DRAIN => 201);
our %status = (COMPLETE => 0, CANT_MPX => 1, OVERLOADED => 2, ROLE => 3,
    CUT => 200);

sub note
{
	printf "%s %.3f\n", join(' ', @_), time;
}

sub bad
{
	my ($conn, $text) = @_;
	note("BAD conn $conn->{n}: $text");
}

sub record
{
	my ($type, $id, $content, $padding) = @_;
	$content //= '';
	$padding //= 0;
	return pack('CCnnCC', 1, $type{$type} // $type, $id, length $content,
	    $padding, 0) . $content . "\0" x $padding;
}

sub pair
{
	my ($name, $value) = @_;
	return join('', map { length $_ < 128 ? chr length :
	    pack 'N', 0x80000000 | length } $name, $value) . $name . $value;
}

sub pairs
{
	my ($content) = @_;
	my %found;
	while (length $content) {
		my @n;
		for (1, 2) {
			my $n = ord $content;
			my $take = $n & 128 ? 4 : 1;
			$n = unpack('N', $content) & 0x7fffffff if $take == 4;
			substr $content, 0, $take, '';
			push @n, $n;
		}
		my $name = substr $content, 0, $n[0], '';
		$found{$name} = substr $content, 0, $n[1], '';
	}
	return \%found;
}

# The records with the most padding that there can be.
sub padded
{
	my ($bytes) = @_;
	my $padded = '';
	while (length $bytes) {
		my ($type, $id, $n) = unpack 'xCnn', $bytes;
		$padded .= record($type, $id, substr($bytes, 8, $n), 255);
		substr $bytes, 0, 8 + $n, '';
	}
	return $padded;
}

sub put
{
	my ($conn, $bytes) = @_;
	return if !$conn->{fh};
	$bytes = padded($bytes) if $way eq 'padding';
	$conn->{out} .= $bytes;
	flushed($conn);
}

sub flushed
{
	my ($conn) = @_;
	while (length $conn->{out}) {
		my $n = syswrite $conn->{fh}, $conn->{out}, $piece;
		if (!defined $n) {
			return $writing->add($conn->{fh}) if $!{EAGAIN};
			return hangup($conn);
		}
		substr $conn->{out}, 0, $n, '';
	}
	$writing->remove($conn->{fh});
	hangup($conn) if $conn->{closing};
}

# Closes the connection; finish() does so once everything is written.
sub hangup
{
	my ($conn) = @_;
	my $fh = $conn->{fh} or return;
	note("close $conn->{n}");
	$reading->remove($fh);
	$writing->remove($fh);
	delete $conns{fileno $fh};
	close $fh;
	$conn->{fh} = undef;
}

sub finish
{
	my ($conn) = @_;
	$conn->{closing} = 1;
	flushed($conn) if $conn->{fh};
}

sub after
{
	my ($seconds, $code) = @_;
	@timers = sort { $a->[0] <=> $b->[0] } @timers,
	    [time + $seconds, $code];
}

sub result
{
	my ($conn, $names) = @_;
	my %known = (FCGI_MPXS_CONNS => 1, FCGI_MAX_CONNS => 1000,
	    FCGI_MAX_REQS => 1000, AFCGI_WINDOW => $window_name);
	$conn->{windows} = exists $names->{AFCGI_WINDOW} &&
	    defined $window_name;
	return record('RESULT', 0, join '', map { pair($_, $known{$_}) }
	    grep { exists $names->{$_} && defined $known{$_} } sort keys %known);
}

# part(request, text): STDOUT, as the credit allows; what it does not waits.
sub part
{
	my ($req, $text) = @_;
	$req->{text} .= $text;
	while (length $req->{text}) {
		my $n = 16384;
		$n = $req->{credit} - 8
		    if $req->{windowed} && $req->{credit} - 8 < $n;
		last if $n <= 0;
		my $piece = substr $req->{text}, 0, $n, '';
		$req->{credit} -= 8 + length $piece;
		put($req->{conn}, record('STDOUT', $req->{id}, $piece));
	}
	end($req) if $req->{last};
}

# answer(request, text): the rest of STDOUT, and the end of the request.
sub answer
{
	my ($req, $text) = @_;
	$req->{last} = 1;
	part($req, $text);
}

sub end
{
	my ($req, $status) = @_;
	return if $req->{done} || length $req->{text};
	$req->{done} = 1;
	note("end $req->{conn}{n} $req->{id}");
	my $bytes = record('END', $req->{id},
	    pack 'NCCn', 0, $status{$status // 'COMPLETE'}, 0, 0);
	$bytes = record('STDOUT', $req->{id}) . $bytes if !$status;
	put($req->{conn}, $bytes);
	finish($req->{conn}) if !$req->{keep};
}

sub page
{
	return "Content-Type: text/plain\r\n\r\n" . join '', @_;
}

sub credit
{
	my ($req, $n) = @_;
	return if !$req->{windowed};
	$req->{window} += $n;
	put($req->{conn}, record('CREDIT', $req->{id}, pack 'N', $n));
}

sub begin
{
	my ($conn, $id, $content) = @_;
	my ($role, $flags) = unpack 'nC', $content;
	bad($conn, "id $id after $conn->{highest}") if $id <= $conn->{highest};
	bad($conn, "role $role, length " . length $content)
	    if $role != 1 || length $content != 8;
	$conn->{highest} = $id;
	note("begin $conn->{n} $id");
	$conn->{requests}{$id} = { conn => $conn, id => $id, keep => $flags & 1,
		params => '', body => '', credit => 0, text => '',
		window => $window, windowed => 0 };
}

sub params
{
	my ($conn, $req, $content) = @_;
	return bad($conn, "PARAMS of $req->{id} after their end")
	    if ref $req->{params};
	if (length $content) {
		$req->{params} .= $content;
		return;
	}
	$req->{params} = pairs($req->{params});
	$on{begun}->($req) if $on{begun};
}

sub input
{
	my ($conn, $req, $content) = @_;
	my $n = length $content;
	return bad($conn, "STDIN of $req->{id} after its end") if $req->{over};
	bad($conn, "STDIN of $req->{id} in its PARAMS") if !ref $req->{params};
	if ($n == 0) {
		$req->{over} = 1;
		$on{request}->($req) if $on{request} && !$req->{done};
		return;
	}
	$req->{window} -= 8 + $n;
	bad($conn, "STDIN of $req->{id} has no credit")
	    if $req->{windowed} && $req->{window} < 0;
	$req->{body} .= $content;
	return $on{input}->($req, $content) if $on{input};
	credit($req, 8 + $n) if !$req->{done};
}

sub credited
{
	my ($conn, $req, $content) = @_;
	bad($conn, "CREDIT without flow control") if !$conn->{windows};
	bad($conn, "CREDIT of length " . length $content)
	    if length $content != 4;
	if (!ref $req->{params}) {
		$req->{windowed} = 1;
	} elsif (!$req->{windowed}) {
		bad($conn, "CREDIT for $req->{id}, which has no window");
	}
	$req->{credit} += unpack 'N', $content;
	bad($conn, "window of $req->{id} too large")
	    if $req->{credit} > 0x7fffffff;
	part($req, '') if ref $req->{params} && !$req->{done};
}

sub taken
{
	my ($conn, $type, $id, $content) = @_;
	if ($type == $type{GET_VALUES}) {
		bad($conn, "GET_VALUES with id $id") if $id;
		bad($conn, 'asked twice') if $conn->{asked}++;
		my $names = pairs($content);
		note("asked $conn->{n}", sort keys %$names);
		return $on{values} ? $on{values}->($conn, $names) :
		    put($conn, result($conn, $names));
	}
	return begin($conn, $id, $content) if $type == $type{BEGIN};
	my $req = $conn->{requests}{$id};
	return bad($conn, "type $type for $id, which was not begun") if !$req;
	return params($conn, $req, $content) if $type == $type{PARAMS};
	return input($conn, $req, $content) if $type == $type{STDIN};
	return credited($conn, $req, $content) if $type == $type{CREDIT};
	return bad($conn, "type $type") if $type != $type{ABORT};
	note("abort $conn->{n} $id" . ($req->{done} ? ' late' : ''));
	return $on{aborted}->($req) if $on{aborted};
	$req->{text} = '';
	end($req, 'COMPLETE');
}

sub readable
{
	my ($conn) = @_;
	my $n = sysread $conn->{fh}, $conn->{in}, 65536, length $conn->{in};
	return if !defined $n && $!{EAGAIN};
	return hangup($conn) if !$n;
	while ($conn->{fh} && length $conn->{in} >= 8) {
		my ($version, $type, $id, $content, $padding, $zero) =
		    unpack 'CCnnCC', $conn->{in};
		if ($version != 1 || $zero != 0) {
			bad($conn, 'no header: ' . unpack 'H16', $conn->{in});
			return hangup($conn);
		}
		last if length $conn->{in} < 8 + $content + $padding;
		my $bytes = substr $conn->{in}, 8, $content;
		substr $conn->{in}, 0, 8 + $content + $padding, '';
		taken($conn, $type, $id, $bytes);
	}
}

sub accepted
{
	my $fh = $listener->accept or return;
	$fh->blocking(0);
	my $conn = { n => ++$count, fh => $fh, in => '', out => '',
		highest => 0, requests => {} };
	note("accept $conn->{n}");
	$conns{fileno $fh} = $conn;
	$reading->add($fh);
	$on{accepted}->($conn) if $on{accepted};
}

sub serve
{
	(my $path, %on) = @_;
	$| = 1;
	$SIG{PIPE} = 'IGNORE';
	unlink $path;
	$listener = IO::Socket::UNIX->new(Local => $path, Listen => 1024)
	    or die "$path: $!\n";
	$reading = IO::Select->new($listener);
	$writing = IO::Select->new;
	print "ready\n";
	while (1) {
		my $wait = @timers ? $timers[0][0] - time : undef;
		$wait = 0 if defined $wait && $wait < 0;
		my ($in, $out) = IO::Select->select($reading, $writing, undef,
		    $wait);
		for my $fh (@{$in || []}) {
			if ($fh == $listener) {
				accepted();
			} elsif (my $conn = $conns{fileno($fh) // -1}) {
				readable($conn);
			}
		}
		for my $fh (@{$out || []}) {
			my $conn = $conns{fileno($fh) // -1};
			flushed($conn) if $conn;
		}
		while (@timers && $timers[0][0] <= time) {
			(shift @timers)->[1]->();
		}
	}
}

1;
