# shellcheck shell=sh
# What the machine refuses costs one request, and for as long as it lasts:
#
#	spool_full	no room for a spooled body: 507
#	spool_fsize	RLIMIT_FSIZE, likewise (and SIGXFSZ does not kill)
#	spool_gone	a spool directory that has been removed: 507
#	files		EMFILE: accepting pauses, nothing is lost
#	files_promised	also where the limits say otherwise: 503 at worst
#	files_few	so few that not one script can be started: 503
#	files_queue	scripts wait for descriptors, and each runs, once
#	files_race	connections take them meanwhile: each request is answered,
#			and no script runs twice
#	memory		ENOMEM from a limit of the address space
#	processes	EAGAIN from fork: 503, and later pages again

. "$(atf_get_srcdir)/lib.sh"

# A body on a shared connection that no script reads must go to the disk.
spool_play()
{
	cat <<PLAY
timeout 30
$(request 1 silent a)
until test -s cgi-bin/a.pid
begin 2 keep
$(params 2 silent b)
stdin-bytes 2 5000000
stdin 2
expect-stdout 2 Status: 507 
expect-end 2 0 0
$(request 3 hello on)
expect-stdout 3 hello on
expect-end 3 0 0
run ./get hello >/dev/null
PLAY
}

# few_files n: the gateway may have so many descriptors.
few_files()
{
	run_under <<WRAPPER
ulimit -n $1 && exec "\$@"
WRAPPER
}

# A file system of 1 MB, mounted for the gateway alone.
gateway_case spool_full
spool_full_requires()
{
	atf_set require.user root
	atf_set require.progs unshare
}
spool_full_body()
{
	use_cgi silent hello
	mkdir spool
	unshare -m true 2>/dev/null || atf_skip "no mount namespaces"
	run_under <<'WRAPPER'
exec unshare -m sh -c 'mount -t tmpfs -o size=1m tmpfs spool && exec "$@"' - "$@"
WRAPPER
	start_gateway -T "$PWD/spool" "$TREE"
	spool_play >plan
	atf_check -s exit:0 -o empty -e empty ./play <plan
	wait_for ended "$(cat cgi-bin/b.pid)"
	logged 'request 2.*No space'
	finish
}

# 1,000 blocks of 512 bytes: write gives EFBIG, or SIGXFSZ to who forgot it.
gateway_case spool_fsize
spool_fsize_body()
{
	use_cgi silent hello
	mkdir spool
	run_under <<'WRAPPER'
ulimit -f 1000 && exec "$@"
WRAPPER
	start_gateway -T "$PWD/spool" "$TREE"
	spool_play >plan
	atf_check -s exit:0 -o empty -e empty ./play <plan
	wait_for ended "$(cat cgi-bin/b.pid)"
	finish
}

# It costs the request that needs it.
gateway_case spool_gone
spool_gone_body()
{
	use_cgi silent hello
	mkdir spool
	start_gateway -T "$PWD/spool" "$TREE"
	rmdir spool
	spool_play >plan
	sed -i 's/Status: 507/Status: 500/' plan
	atf_check -s exit:0 -o empty -e empty ./play <plan
	stop_gateway
	: >gateway.err
	# One that was never there is worth a warning.
	start_gateway -T "$PWD/none" "$TREE"
	logged "warning .*$PWD/none"
	finish
}

# Fewer descriptors than clients: they wait, and each is served.
gateway_case files
files_body()
{
	require_no_valgrind
	use_cgi hello
	few_files 48
	start_gateway "$TREE"
	atf_check -s exit:0 -o match:'requests=100 ok=100' -e empty \
	    ./get hello -n 100 -C 100 -m 1 -t 100 -p QUERY_STRING=n%d \
	    -x 'hello n%d\n'
	finish
}

# Even where somebody set limits that promise more than there is, each gets an
# answer, and the next ones a page.
gateway_case files_promised
files_promised_body()
{
	require_no_valgrind
	use_cgi hello
	few_files 48
	start_gateway -L scripts=200,connections=200,queue_wait=1 "$TREE"
	atf_check -s exit:0 -o match:'requests=100 ok=100' -e empty \
	    ./get hello -n 100 -C 100 -m 1 -t 100
	for n in 1 2 3 4 5; do
		atf_check -s exit:0 -o inline:"hello $n\n" -e empty \
		    ./get hello -b -p QUERY_STRING=$n
	done
	finish
}

# A connection that holds all descriptors cannot take the last from others.
gateway_case files_few
files_few_body()
{
	require_no_valgrind
	use_cgi silent hello
	few_files 40
	start_gateway -L scripts=100,connections=100,queue_wait=1 "$TREE"
	{
		for id in $(seq 30); do
			request "$id" silent "n$id"
		done
		echo "expect-any Status: 503 "
		echo "expect-any Retry-After: "
		# shellcheck disable=SC2046 # numbers
		aborts $(seq 30)
		request 31 hello room
		echo "expect-stdout 31 hello room"
		echo "expect-end 31 0 0"
	} >plan
	atf_check -s exit:0 -o empty -e empty ./play <plan
	finish
}

# once: notes that it runs, and what it is called; others run meanwhile.
mk_once()
{
	mk_cgi once <<'CGI'
#!/bin/sh
echo "$QUERY_STRING" >>runs
printf 'Content-Type: text/plain\n\n'
sleep 0.1
echo "once $QUERY_STRING"
CGI
}

# The limits allow ten times as many as there are descriptors for.
gateway_case files_queue
files_queue_body()
{
	require_no_valgrind
	use_cgi hello
	mk_once
	few_files 48
	start_gateway -L scripts=150,requests=200,queue_wait=100 "$TREE"
	atf_check -s exit:0 -o match:'requests=150 ok=150' -e empty \
	    ./get once -k -n 150 -t 100 -p QUERY_STRING=n%d -x 'once n%d\n'
	logged 'cannot start a script: Too many open files'
	for n in $(seq 0 149); do echo "n$n"; done | sort >want
	atf_check -s exit:0 -o file:want -e empty sort cgi-bin/runs
	finish
}

# Connections and scripts have one table.
gateway_case files_race
files_race_body()
{
	require_no_valgrind
	use_cgi hello
	mk_once
	few_files 48
	start_gateway -L scripts=200,connections=200,queue_wait=3 "$TREE"
	for n in 1 2 3 4 5; do
		: >cgi-bin/runs
		atf_check -s exit:0 -o match:'requests=60 ok=60' -e empty \
		    ./get once -n 60 -C 60 -m 1 -t 100 -p QUERY_STRING=n%d
		[ -s cgi-bin/runs ] || atf_fail "not one has run"
		atf_check -s exit:0 -o empty -e empty \
		    sh -c 'sort cgi-bin/runs | uniq -d'
		check_clean
	done
	finish
}

# Far more input at once than there is memory: requests fail, or their
# connection does, and nothing else.
gateway_case memory
memory_body()
{
	require_plain_build
	use_cgi silent hello
	run_under <<'WRAPPER'
ulimit -v 100000 && exec "$@"
WRAPPER
	start_gateway -L scripts=10,half_open=10000 \
	    -L params=10m -t 1 "$TREE"
	perl -e 'for my $id (1 .. 200) {
		print "begin $id keep\n";
		for my $n (1 .. 16) {
			print "params $id N$n=", "x" x 65000, "\n";
		}
	    }
	    print "until grep memory gateway.err >/dev/null\n";' >plan
	atf_check -s exit:0 -o empty -e empty ./play <plan
	logged 'request [0-9]+: .*(Cannot allocate|[Oo]ut of) memory'
	atf_check -s exit:0 -o inline:'hello after\n' -e empty \
	    ./get hello -b -p QUERY_STRING=after
	finish
}

# A user may have so many processes, threads included: some scripts run, some
# requests are answered with 503, and all is well when the scripts have gone.
gateway_case processes
processes_requires()
{
	atf_set require.user root
	atf_set require.progs "setpriv prlimit"
}
processes_body()
{
	require_no_valgrind
	use_cgi hello
	mk_cgi asleep <<'CGI'
#!/bin/sh
exec sleep 600
CGI
	# A user that runs nothing else.
	user=64999
	chown $user . cgi-bin
	setpriv --reuid $user --regid $user --clear-groups -- \
	    test -x "$TREE/hello" || atf_skip "another user cannot get to $PWD"
	# Nor may it get to where the gateway was built, as in root's home.
	cp "$AFCGI" afcgi
	AFCGI=$PWD/afcgi
	run_under <<'WRAPPER'
exec setpriv --reuid 64999 --regid 64999 --clear-groups -- \
    prlimit --nproc=20 "$@"
WRAPPER
	start_gateway -L scripts=100,queue_wait=1 "$TREE"
	{
		for id in $(seq 30); do
			request "$id" asleep "n$id"
		done
		echo "expect-any Status: 503 "
		echo "expect-any Retry-After: "
		# shellcheck disable=SC2046 # numbers
		aborts $(seq 30)
		request 31 hello room
		echo "expect-stdout 31 hello room"
		echo "expect-end 31 0 0"
	} >plan
	atf_check -s exit:0 -o empty -e empty ./play <plan
	finish
}
