# shellcheck shell=sh
# The process that a script is:
#
#	stdio		three pipes, and no other descriptor
#	closed_stdio	a gateway that is started without descriptors 0 to 2
#	dev_stdin	which can be opened by name
#	signals		default dispositions, nothing blocked
#	session		a session of its own, no terminal
#	umask_cwd	umask 022, the script's directory, its full path as $0
#	rlimits		inherited, and nice; set-user-id programs work
#	inherit		descriptors the gateway was started with stay out

. "$(atf_get_srcdir)/lib.sh"

# php-cgi and libfcgi programs take a socket on descriptor 0 for FastCGI.
gateway_case stdio
stdio_body()
{
	use_cgi hello drip
	mk_cgi fds <<'CGI'
#!/usr/bin/perl
print "Content-Type: text/plain\n\n";
for my $fd (0 .. 255) {
	my $to = readlink "/proc/$$/fd/$fd" // next;
	$to =~ s/\d+//;
	print "$fd $to\n" unless $to =~ m{/fds$};
}
CGI
	start_gateway -s "tcp:127.0.0.1:$(free_port)" "$TREE"
	atf_check -s exit:0 -o inline:'0 pipe:[]\n1 pipe:[]\n2 pipe:[]\n' \
	    -e empty ./get fds -b
	# Also while others run.
	atf_check -s exit:0 -o empty -e empty ./play <<PLAY
$(request 1 drip a)
expect-stdout 1 one
$(request 2 fds b)
expect-stdout-is 2 Content-Type: text/plain\r\n\r\n0 pipe:[]\n1 pipe:[]\n2 pipe:[]\n
run touch cgi-bin/a.go
expect-end 1
PLAY
	finish
}

# A socket or a pipe of its own that got the number 0, 1 or 2 would end up as
# some script's.
gateway_case closed_stdio
closed_stdio_body()
{
	use_cgi hello echo
	mk_cgi warns <<'CGI'
#!/bin/sh
printf 'Content-Type: text/plain\n\npage\n'
echo warning >&2
CGI
	LOG=$PWD/log
	run_under <<'WRAPPER'
exec "$@" <&- >&- 2>&-
WRAPPER
	start_gateway -l "$LOG" "$TREE"
	bytes 100000 >body
	atf_check -s exit:0 -o file:body -e empty ./post echo body -b
	atf_check -s exit:0 -o inline:'page\n' -e inline:'warning\n' \
	    ./get warns -b
	finish
}

# By name, as awk and php scripts do.
gateway_case dev_stdin
dev_stdin_body()
{
	use_cgi hello
	mk_cgi names <<'CGI'
#!/bin/sh
printf 'Content-Type: text/plain\n\n' >/dev/stdout
cat /dev/stdin
echo complaint >/dev/stderr
CGI
	start_gateway "$TREE"
	echo by name >body
	atf_check -s exit:0 -o inline:'by name\n' -e inline:'complaint\n' \
	    ./post names body -b
	finish
}

# The gateway ignores SIGPIPE and catches others; its starter may block some.
gateway_case signals
signals_body()
{
	use_cgi hello
	mk_cgi signals <<'CGI'
#!/usr/bin/perl
print "Content-Type: text/plain\n\n";
open my $f, "<", "/proc/self/status";
print grep { /^Sig(Blk|Ign|Cgt)/ } <$f>;
CGI
	run_under <<'WRAPPER'
trap '' USR1 PIPE QUIT TSTP CHLD
exec perl -MPOSIX -e 'sigprocmask(SIG_BLOCK, POSIX::SigSet->new(SIGTERM,
    SIGCHLD, SIGHUP, SIGUSR2)) or die; exec @ARGV' "$@"
WRAPPER
	start_gateway "$TREE"
	atf_check -s exit:0 -o save:answer -e empty ./get signals -b
	# Perl ignores SIGFPE.  32 and 33 are glibc's own; its posix_spawn, by
	# which GNU make runs us, ignores them, and nobody can undo that.
	atf_check -s exit:0 -o match:'^SigBlk:.0000000000000000$' \
	    -o match:'^SigIgn:.0000000[01][08]00000[08]0$' -e empty cat answer
	mk_cgi seven <<'CGI'
#!/bin/sh
printf 'Content-Type: text/plain\n\n'
exit 7
CGI
	# Ignored or blocked, SIGCHLD would cost the exit status.
	atf_check -s exit:3 -o match:'^end app=7 proto=0$' -e empty \
	    ./get seven -e
	finish
}

# A leader of both, so that one kill reaches all; a child of the gateway.
gateway_case session
session_body()
{
	use_cgi hello
	mk_cgi session <<'CGI'
#!/usr/bin/perl
use POSIX ();
print "Content-Type: text/plain\n\n";
open my $f, "<", "/proc/self/stat";
my ($ppid, $pgrp, $sid, $tty) = (split ' ', (split /\) /, <$f>)[1])[1 .. 4];
print $pgrp == $$ ? "leader" : "member", " ", $sid == $$ ? "own" : "shared",
    " tty $tty parent $ppid\n";
CGI
	start_gateway "$TREE"
	atf_check -s exit:0 -e empty \
	    -o inline:"leader own tty 0 parent $GATEWAY_PID\n" \
	    ./get session -b
	finish
}

# Whatever the gateway's own are.
gateway_case umask_cwd
umask_cwd_body()
{
	use_cgi hello
	mk_cgi sub/where <<'CGI'
#!/bin/sh
printf 'Content-Type: text/plain\n\n%s %s %s\n' "$(umask)" "$PWD" "$0"
CGI
	run_under <<'WRAPPER'
umask 077
exec "$@"
WRAPPER
	start_gateway "$TREE"
	atf_check -s exit:0 -o inline:"0022 $TREE/sub $TREE/sub/where\n" \
	    -e empty ./get sub/where -b
	finish
}

# The service manager's limits hold for scripts, too.
gateway_case rlimits
rlimits_body()
{
	use_cgi hello
	mk_cgi limits <<'CGI'
#!/bin/sh
printf 'Content-Type: text/plain\n\n%s %s %s %s\n' "$(ulimit -c)" \
    "$(ulimit -n)" "$(nice)" "$(grep NoNewPrivs: /proc/self/status | tr -d '\t')"
CGI
	run_under <<'WRAPPER'
ulimit -c 0; ulimit -n 200
exec nice -n 5 "$@"
WRAPPER
	start_gateway "$TREE"
	atf_check -s exit:0 -o inline:"0 200 $(($(nice) + 5)) NoNewPrivs:0\n" -e empty ./get limits -b
	finish
}

# Descriptors that it was started with do not get to the scripts.
gateway_case inherit
inherit_body()
{
	use_cgi hello
	mk_cgi fds <<'CGI'
#!/usr/bin/perl
print "Content-Type: text/plain\n\n";
for my $fd (3 .. 255) {
	my $to = readlink "/proc/$$/fd/$fd" // next;
	print "$fd $to\n" unless $to =~ m{/fds$};
}
CGI
	run_under <<'WRAPPER'
exec 7<. 9</dev/null
exec "$@"
WRAPPER
	start_gateway "$TREE"
	atf_check -s exit:0 -o empty -e empty ./get fds -b
	finish
}
