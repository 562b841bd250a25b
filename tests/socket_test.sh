# shellcheck shell=sh
# How it starts: the command line, and the sockets that it makes or gets:
#
#	usage		wrong command lines: status 1, a message, no socket
#	version		-V
#	bad_limits	-L with unknown names and values that make no sense
#	stale_socket	a socket nobody listens on is replaced
#	busy_socket	one that somebody listens on is not
#	not_a_socket	a file in its place is left alone
#	mode		-m, and 0660
#	owner		-o
#	unlink		the socket goes with the process, if it is its own
#	inherited	a socket on descriptor 0
#	listen_fds	systemd's LISTEN_FDS, of this process only
#	allowed		-a: who may connect to a unix socket
#	web_server_addrs	FCGI_WEB_SERVER_ADDRS, for TCP

. "$(atf_get_srcdir)/lib.sh"

# start_fails pattern argument...: status 1, and why, and no socket is made.
start_fails()
{
	daemon_pattern=$1
	shift
	atf_check -s exit:1 -o empty -e match:"$daemon_pattern" \
	    timeout 20 "$AFCGI" "$@" </dev/null
	atf_check -s exit:0 -o empty -e empty test ! -S gw.sock
}

# Nothing is half started: no socket is left of it.
gateway_case usage
usage_body()
{
	mkdir cgi-bin
	start_fails usage -Z
	start_fails usage -s unix:gw.sock
	start_fails '.' cgi-bin
	start_fails '.' -s gw.sock cgi-bin
	start_fails '.' -s unix: cgi-bin
	start_fails '.' -s tcp:localhost cgi-bin
	start_fails '.' -s tcp:127.0.0.1:99999 cgi-bin
	start_fails '.' -s "unix:/$(printf %0200d 0)" cgi-bin
	start_fails '.' -s unix:/nonexistent/gw.sock cgi-bin
	start_fails 'none' -s unix:gw.sock "$PWD/none"
	start_fails '.' -s unix:gw.sock -s unix:/nonexistent/gw.sock cgi-bin
	start_fails '.' -s unix:gw.sock -m 999 cgi-bin
	start_fails '.' -s unix:gw.sock -t 0 cgi-bin
	start_fails '.' -s unix:gw.sock -t many cgi-bin
	start_fails '.' -s unix:gw.sock -i php=/bin/sh cgi-bin
	start_fails '.' -s unix:gw.sock -i .php cgi-bin
	start_fails 'none' -s unix:gw.sock -i .php=/none/php-cgi cgi-bin
	start_fails '.' -s unix:gw.sock -e =value cgi-bin
	start_fails 'nobody-here' -s unix:gw.sock -u nobody-here cgi-bin
	start_fails 'nobody-here' -s unix:gw.sock -o nobody-here cgi-bin
	start_fails 'nobody-here' -s unix:gw.sock -a nobody-here cgi-bin
	start_fails '.' -s unix:gw.sock -l /nonexistent/log cgi-bin
}

# The name and a number.
gateway_case version
version_body()
{
	atf_check -s exit:0 -o match:'^afcgi [0-9]' -e empty "$AFCGI" -V
}

# What is not understood is refused by its name; good ones are taken.
gateway_case bad_limits
bad_limits_body()
{
	mkdir cgi-bin
	for limit in nothing=1 scripts scripts= scripts=-1 scripts=x \
	    header=1q header=-1 grace=-1 grace=x grace=1e3x drain= =5 \
	    header=99999999999999999999 scripts=5,nothing=1 ',' \
	    scripts=5k5; do
		name=${limit%%=*}
		start_fails "${name:-.}" -s unix:gw.sock -L "$limit" cgi-bin
	done
	use_cgi hello
	start_gateway -L scripts=5,header=8k,spool=1m,spool_all=2g \
	    -L grace=0.25,drain=10 -L total_time=0 "$TREE"
	finish
}

# As a crash leaves it.
gateway_case stale_socket
stale_socket_body()
{
	use_cgi hello
	perl -MSocket -e 'socket S, AF_UNIX, SOCK_STREAM, 0;
	    bind S, sockaddr_un "gw.sock" or die'
	atf_check -s exit:0 -o empty -e empty test -S gw.sock
	start_gateway "$TREE"
	finish
}

# Its owner goes on to serve.
gateway_case busy_socket
busy_socket_body()
{
	use_cgi hello
	start_gateway "$TREE"
	atf_check -s exit:1 -o empty -e match:gw.sock \
	    timeout 20 "$AFCGI" -s unix:gw.sock "$TREE"
	finish
}

# Nobody's file is removed.
gateway_case not_a_socket
not_a_socket_body()
{
	mkdir cgi-bin
	echo precious >gw.sock
	atf_check -s exit:1 -o empty -e match:gw.sock \
	    timeout 20 "$AFCGI" -s unix:gw.sock cgi-bin
	atf_check -s exit:0 -o inline:'precious\n' -e empty cat gw.sock
}

# Whatever the umask is.
gateway_case mode
mode_body()
{
	use_cgi hello
	for mode in '' 0666 600; do
		: >gateway.err
		run_under <<'WRAPPER'
umask 027
exec "$@"
WRAPPER
		# shellcheck disable=SC2086
		start_gateway ${mode:+-m $mode} "$TREE"
		atf_check -s exit:0 -e empty \
		    -o match:"^srw.*" ls -l gw.sock
		case $mode in
		'') daemon_want=srw-rw---- ;;
		0666) daemon_want=srw-rw-rw- ;;
		600) daemon_want=srw------- ;;
		esac
		atf_check_equal "$daemon_want" \
		    "$(find gw.sock -printf '%M\n')"
		finish
	done
}

# Both names of -o.
gateway_case owner
owner_requires()
{
	atf_set require.user root
}
owner_body()
{
	use_cgi hello
	start_gateway -o "nobody:daemon" "$TREE"
	atf_check -s exit:0 -o inline:'nobody daemon\n' -e empty \
	    find gw.sock -printf '%u %g\n'
	finish
}

# Only its own: somebody may have taken the name meanwhile.
gateway_case unlink
unlink_body()
{
	use_cgi hello
	start_gateway "$TREE"
	finish
	atf_check -s exit:0 -o empty -e empty test ! -e gw.sock
	# Somebody else's in its place stays.
	: >gateway.err
	start_gateway "$TREE"
	rm gw.sock
	perl -MSocket -e 'socket S, AF_UNIX, SOCK_STREAM, 0;
	    bind S, sockaddr_un "gw.sock" or die'
	stop_gateway
	atf_check -s exit:0 -o empty -e empty test -S gw.sock
}

# inherit variables command...: runs the command with a listening socket,
# gw.sock, on the descriptor FD, and LISTEN_PID as the process's own if asked.
make_inherit()
{
	cat >inherit <<'TOOL'
#!/usr/bin/perl
BEGIN { $^F = 255 } # no close-on-exec
use Socket;
use POSIX ();
my $fd = shift;
socket S, AF_UNIX, SOCK_STREAM, 0 or die;
unlink "gw.sock";
bind S, sockaddr_un "gw.sock" or die "bind: $!";
listen S, 64 or die;
POSIX::dup2(fileno S, $fd);
$ENV{LISTEN_PID} = $$ if ($ENV{LISTEN_PID} // "") eq "self";
exec @ARGV;
TOOL
	chmod 755 inherit
}

# As spawn-fcgi and inetd-like starters do it.
gateway_case inherited
inherited_body()
{
	use_cgi hello
	make_tools
	make_inherit
	launch ./inherit 0 "$AFCGI" -e "AFTEST=$MARK" "$TREE"
	launched
	finish
	# It made none, so it removes none.
	atf_check -s exit:0 -o empty -e empty test -S gw.sock
}

# The variables are for one process: they do not get to the scripts, and mean
# nothing with another LISTEN_PID.
gateway_case listen_fds
listen_fds_body()
{
	use_cgi hello env
	make_tools
	make_inherit
	launch env LISTEN_FDS=1 LISTEN_PID=self ./inherit 3 \
	    "$AFCGI" -e "AFTEST=$MARK" "$TREE"
	launched
	atf_check -s exit:0 -o not-match:LISTEN_ -e empty ./get env
	finish
	atf_check -s exit:0 -o empty -e empty test -S gw.sock
	# Not for us: then there is no socket at all.
	atf_check -s exit:1 -o empty -e not-empty \
	    env LISTEN_FDS=1 LISTEN_PID=1 ./inherit 3 \
	    timeout 20 "$AFCGI" "$TREE" </dev/null
	atf_check -s exit:1 -o empty -e not-empty \
	    env LISTEN_FDS=x LISTEN_PID=self ./inherit 3 \
	    "$AFCGI" "$TREE" </dev/null
}

# The others are turned away, with a line in the log.
gateway_case allowed
allowed_requires()
{
	atf_set require.user root
	atf_set require.progs setpriv
}
allowed_body()
{
	use_cgi hello
	chmod 755 .
	# Others may not get to where it was built, as in root's home.
	cp "$FCGI_CLIENT" client
	FCGI_CLIENT=$PWD/client
	start_gateway -m 0666 -a nobody,0 "$TREE"
	printf '#!/bin/sh\nexec ./get hello -b -p QUERY_STRING=x\n' >ask
	chmod 755 ask
	nobody=$(as_nobody)
	$nobody test -x "$PWD/ask" || atf_skip "nobody cannot get to $PWD"
	atf_check -s exit:0 -o inline:'hello x\n' -e empty ./ask
	# shellcheck disable=SC2086
	atf_check -s exit:0 -o inline:'hello x\n' -e empty $nobody ./ask
	atf_check -s not-exit:0 -o empty -e ignore \
	    setpriv --reuid 1 --regid 1 --clear-groups -- ./ask
	logged 'uid=1 .*'
	finish
}

# Section 3.2: a comma separated list; unix sockets have no addresses.
gateway_case web_server_addrs
web_server_addrs_body()
{
	use_cgi hello
	port=$(free_port)
	run_under <<'WRAPPER'
exec env FCGI_WEB_SERVER_ADDRS=127.0.0.5,127.0.0.9 "$@"
WRAPPER
	start_gateway -s "tcp:127.0.0.1:$port" "$TREE"
	atf_check -s exit:5 -o match:'^(closed|cut)$' -e empty \
	    env SOCKET="tcp:127.0.0.1:$port" ./get hello -be
	logged '127.0.0.1:'
	finish
	: >gateway.err
	run_under <<'WRAPPER'
exec env FCGI_WEB_SERVER_ADDRS=127.0.0.5,127.0.0.1 "$@"
WRAPPER
	start_gateway -s "tcp:127.0.0.1:$port" "$TREE"
	atf_check -s exit:0 -o inline:'hello x\n' -e empty \
	    env SOCKET="tcp:127.0.0.1:$port" ./get hello -b -p QUERY_STRING=x
	finish
}
