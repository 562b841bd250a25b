# shellcheck shell=sh
# shellcheck disable=SC2034,SC2046,SC2086,SC2119,SC2120,SC2153 # words; for mux.sh
# nginx or the gateway is replaced, and nobody notices:
#
#	reload     reload after reload during traffic: no request fails
#	streams    a request that is live at a reload goes on in its old worker,
#	           which is gone after it
#	quit       likewise at the end of all
#	timeout    worker_shutdown_timeout: the old worker ends in time
#	term       nginx ends at once: the scripts end, too
#	upgrade    USR2, another binary: no request fails
#	drain      the gateway ends: what it began goes on, what comes is for
#	           the next, which is there at once
#	replace    gateways on one socket replaced, nginx reloaded, during traffic
#	           (MUX_SOAK: how many requests; with 20000 ten times each)
#	hup        the gateway's log is opened again
#	idle       a connection that nobody needs is closed by either side; the
#	           next request, though it is a POST, has a new one
#	workers    two workers, each with a connection of its own

. "$(atf_get_srcdir)/lib.sh"
. "$(atf_get_srcdir)/web.sh"
. "$(atf_get_srcdir)/mux.sh"
. "$(atf_get_srcdir)/mux_site.sh"

# traffic n: so many requests, 64 at a time, some with a body; nothing of it
# may fail.  traffic_end waits for it, traffic_goes_on says that it lasts.
traffic()
{
	: >codes.get
	: >codes.post
	bytes 3000 >traffic.body
	TRAFFIC=$1
	curl -sS -Z --parallel-max 48 -m 60 -H 'Connection: close' \
	    -w '%{http_code}\n' -o /dev/null \
	    "$WEB/b0r0k0/cgi-bin/env?[1-$(($1 * 3 / 4))]" \
	    >codes.get 2>traffic.err &
	traffic_get=$!
	curl -sS -Z --parallel-max 16 -m 60 -H 'Connection: close' \
	    -H Expect: -w '%{http_code} %{size_download}\n' -o /dev/null \
	    --data-binary @traffic.body \
	    "$WEB/b1r1k1/cgi-bin/echo?[1-$(($1 / 4))]" \
	    >codes.post 2>>traffic.err &
	traffic_post=$!
	echo $traffic_get >>client.pids
	echo $traffic_post >>client.pids
}

# traffic_at n: n of them have been answered.
traffic_at()
{
	wait_for traffic_has "$1"
}

traffic_has()
{
	[ "$(cat codes.get codes.post | wc -l)" -ge "$1" ]
}

# The shell may have lost the status (127) of one that ended long ago, when its
# number was another's since; the codes are complete, or not, in any case.
traffic_end()
{
	for traffic_pid in $traffic_get $traffic_post; do
		wait "$traffic_pid" || [ $? = 127 ] ||
		    web_fail "the traffic failed" traffic.err
	done
	atf_check_equal "$((TRAFFIC * 3 / 4)) 200" "$(mux_codes codes.get)"
	atf_check_equal "$((TRAFFIC / 4)) 200 3000" "$(mux_codes codes.post)"
}

# As many workers as there should be: the old ones are gone.
only_new()
{
	set -- $(mux_workers)
	[ $# -eq "$MUX_WORKERS" ]
}

# reload_drips_end: the drips of all modes go on, and are whole.
reload_drips_end()
{
	for mode in $MUX_MODES; do : >cgi-bin/$mode.go; done
	while read -r pid; do mux_wait "$pid"; done <client.pids
	for mode in $MUX_MODES; do
		atf_check -s exit:0 -o inline:'one\ntwo\n' -e empty \
		    cat $mode.out
	done
}

mux_case reload
reload_body()
{
	DEADLINE=60
	mux_site </dev/null
	traffic 2000
	for n in 200 600 1000 1400; do
		traffic_at $n
		mux_reload
	done
	traffic_end
	wait_for only_new
	mux_finish
}

mux_case streams
streams_body()
{
	mux_site </dev/null
	for mode in $MUX_MODES; do
		client $mode "$WEB/$mode/cgi-bin/drip?$mode"
		wait_for grep -q one $mode.out
	done
	old=$(mux_workers)
	mux_reload
	for i in 1 2 3; do
		atf_check -s exit:0 -o match:^QUERY -e empty \
		    curl -sS "$WEB/b0r0k0/cgi-bin/env"
	done
	if ended "$old"; then atf_fail "the old worker is gone"; fi
	reload_drips_end
	wait_for ended "$old"
	mux_finish
}

mux_case quit
quit_body()
{
	mux_site </dev/null
	client last "$WEB/b0r0k0/cgi-bin/drip?last"
	wait_for grep -q one last.out
	bytes 3000000 >body
	curl -sS --limit-rate 3m --data-binary @body -H Expect: \
	    "$WEB/b1r0k1/cgi-bin/echo" >echoed &
	echo=$!
	wait_for test -s echoed
	kill -QUIT "$MUX_PID"
	mux_wait $echo
	cmp body echoed || atf_fail "the echo is not whole"
	if ended "$MUX_PID"; then atf_fail "it did not wait"; fi
	: >cgi-bin/last.go
	mux_wait "$CLIENT"
	atf_check -s exit:0 -o inline:'one\ntwo\n' -e empty cat last.out
	mux_finish
}

# What is left then is cut off, and the log has nothing to say of it.
mux_case timeout
timeout_body()
{
	MUX_MAIN='worker_shutdown_timeout 1s;'
	mux_site </dev/null
	for mode in $MUX_MODES; do
		client $mode "$WEB/$mode/cgi-bin/drip?$mode"
		wait_for grep -q one $mode.out
		client s$mode "$WEB/$mode/cgi-bin/silent?s$mode"
		script_pid s$mode >>pids
		client f$mode --limit-rate 100k -o /dev/null \
		    "$WEB/$mode/cgi-bin/flood?f$mode"
		script_pid f$mode >>pids
	done
	old=$(mux_workers)
	mux_reload
	wait_for ended "$old"
	while read -r pid; do wait_for ended "$pid"; done <pids
	atf_check -s exit:0 -o match:^QUERY -e empty \
	    curl -sS "$WEB/b0r0k0/cgi-bin/env"
	client last "$WEB/b0r0k0/cgi-bin/silent?last"
	pid=$(script_pid last)
	mux_finish
	ended "$pid" || atf_fail "a script is left"
}

mux_case term
term_body()
{
	mux_site </dev/null
	for mode in $MUX_MODES; do
		client s$mode "$WEB/$mode/cgi-bin/silent?s$mode"
		script_pid s$mode >>pids
		client f$mode -o /dev/null --limit-rate 100k \
		    "$WEB/$mode/cgi-bin/flood?f$mode"
		script_pid f$mode >>pids
	done
	kill -TERM "$MUX_PID"
	while read -r pid; do wait_for ended "$pid"; done <pids
	mux_finish
}

# Only a master whose parent has changed takes USR2: one in the background.
mux_case upgrade
upgrade_body()
{
	DEADLINE=60
	mux_site </dev/null
	mux_stop
	sed -i 's/^daemon off;//' nginx/nginx.conf
	# It is started by its path, to find itself again.
	"$(command -v "${NGINX:-nginx}")" -e "$PWD/nginx/error.log" \
	    -p "$PWD/nginx" -c "$PWD/nginx/nginx.conf" ||
	    atf_fail "nginx did not start"
	wait_for test -s nginx/nginx.pid
	old=$(cat nginx/nginx.pid)
	echo "$old" >>web.pids
	mux_log_reset
	atf_check -s exit:0 -o match:^QUERY -e empty \
	    curl -sS "$WEB/b0r0k0/cgi-bin/env"
	client stays "$WEB/b0r0k0/cgi-bin/drip?stays"
	stays=$CLIENT
	wait_for grep -q one stays.out
	traffic 1200
	traffic_at 200
	kill -USR2 "$old"
	wait_for test -s nginx/nginx.pid.oldbin
	wait_for test -s nginx/nginx.pid
	new=$(cat nginx/nginx.pid)
	echo "$new" >>web.pids
	[ "$new" != "$old" ] || atf_fail "no new master"
	traffic_at 500
	kill -QUIT "$old"
	traffic_end
	: >cgi-bin/stays.go
	mux_wait "$stays"
	atf_check -s exit:0 -o inline:'one\ntwo\n' -e empty cat stays.out
	wait_for ended "$old"
	traffic 100
	traffic_end
	kill -QUIT "$new"
	wait_for ended "$new"
	mux_log_clean
	stop_web
	finish
}

mux_case drain
drain_body()
{
	mux_site </dev/null
	for mode in $MUX_MODES; do
		client $mode "$WEB/$mode/cgi-bin/drip?$mode"
		wait_for grep -q one $mode.out
	done
	old=$GATEWAY_PID
	kill -TERM "$old"
	# Its socket goes with the first word of it.
	wait_for test ! -e gw.sock
	mv gateway.err first.err
	start_gateway "$PWD/cgi-bin"
	for i in 1 2 3 4 5; do
		atf_check -s exit:0 -o match:^QUERY -e empty \
		    curl -sS -m 10 "$WEB/b0r0k0/cgi-bin/env"
		atf_check -s exit:0 -o inline:body -e empty \
		    curl -sS -m 10 -d body "$WEB/b1r1k1/cgi-bin/echo"
	done
	if ended "$old"; then atf_fail "it did not wait"; fi
	reload_drips_end
	wait_for ended "$old"
	wait "$old" || atf_fail "the old gateway ended with $?"
	mux_finish
}

# keeper: holds a listening socket, starts a gateway with it, and at USR1
# another one, ending the one before when the new one is there.
keeper()
{
	cat >keeper.pl <<'KEEPER'
use IO::Socket::UNIX;
use POSIX;
$| = 1;
unlink "gw.sock";
my $listener = IO::Socket::UNIX->new(Local => "gw.sock", Listen => 1024)
    or die "gw.sock: $!";
my ($pid, $n, $end) = (0, 0, 0);
my $block = POSIX::SigSet->new(SIGUSR1, SIGTERM);
my $none = POSIX::SigSet->new;
sub start
{
	my $old = $pid;
	$n++;
	$pid = fork;
	if ($pid == 0) {
		sigprocmask(SIG_SETMASK, $none);
		dup2(fileno $listener, 0);
		open STDERR, ">", "gateway.$n.err";
		exec @ARGV;
	}
	select undef, undef, undef, 0.02
	    until `grep " listening on " gateway.$n.err 2>/dev/null`;
	kill TERM => $old if $old;
	print "ready $n\n";
}
my $again = 0;
sigprocmask(SIG_BLOCK, $block);
$SIG{CHLD} = 'IGNORE';
$SIG{USR1} = sub { $again = 1 };
$SIG{TERM} = sub { $end = 1 };
start();
until ($end) {
	sigsuspend($none);
	start() if $again;
	$again = 0;
}
kill TERM => $pid;
1 while wait > 0;
KEEPER
	mux_peer keeper perl keeper.pl "$AFCGI" "$@"
	KEEPER=$PEER_PID
}

# replace_gateway n: it is the nth one that serves now.
replace_gateway()
{
	kill -USR1 "$KEEPER"
	wait_for grep -q "^ready $1\$" keeper.out
}

mux_case replace 900
replace_body()
{
	DEADLINE=100
	n=${MUX_SOAK:-3000}
	rounds=3
	[ "$n" -lt 20000 ] || rounds=10
	mux_scripts
	make_tools
	keeper -e "AFTEST=$MARK" "$PWD/cgi-bin"
	mux_start_nginx <<CONF
$(mux_locations)
CONF
	mux_warm /cgi-bin/env
	traffic "$n"
	round=0
	while [ $round -lt $rounds ]; do
		round=$((round + 1))
		traffic_at $((n * (2 * round - 1) / (2 * rounds + 1)))
		replace_gateway $((round + 1))
		traffic_at $((n * 2 * round / (2 * rounds + 1)))
		mux_reload
	done
	traffic_end
	mux_log_clean
	# All old ones have come to their end, by themselves.
	wait_for replace_alone
	mux_stop
	stop_web
}

replace_alone()
{
	[ "$(child_pids "$KEEPER" | wc -l)" -eq 1 ]
}

mux_case hup
hup_body()
{
	DEADLINE=60
	LOG=$PWD/gateway.log
	mux_site -l "$LOG" </dev/null
	traffic 600
	for n in 100 200 300 400 500; do
		traffic_at $n
		kill -HUP "$GATEWAY_PID"
	done
	traffic_end
	mux_finish
}

mux_case workers
workers_body()
{
	MUX_WORKERS=2
	DEADLINE=60
	mux_site </dev/null
	if mux_is_on; then atf_check_equal 2 "$(mux_connections)"; fi
	traffic 1000
	traffic_at 300
	mux_reload
	traffic_end
	wait_for only_new
	mux_warm /cgi-bin/env
	if mux_is_on; then
		wait_for workers_connected
	fi
	mux_finish
}

workers_connected()
{
	[ "$(mux_connections)" -eq 2 ]
}

mux_case idle
idle_body()
{
	MUX_ARGS="timeout=1s"
	mux_site </dev/null
	idle_try
	mux_finish
	rm gateway.err
	MUX_ARGS=
	mux_site -L conn_idle=1 </dev/null
	idle_try
	mux_finish
}

idle_try()
{
	for i in 1 2 3; do
		mux_log_reset
		wait_for idle_closed
		atf_check -s exit:0 -o inline:body -e empty \
		    curl -sS -d body "$WEB/b0r0k0/cgi-bin/echo"
		atf_check -s exit:0 -o match:^QUERY -e empty \
		    curl -sS "$WEB/b0r0k0/cgi-bin/env"
		mux_one_connection 2
	done
}

idle_closed()
{
	[ "$(mux_connections)" -eq 0 ]
}
