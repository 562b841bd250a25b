# shellcheck shell=sh
# Scripts that cannot be run, or die:
#
#	signal_before	death by a signal before the header: 502
#	signal_after	after it: a cut
#	signal_shared	a cut where others live on the connection
#	exec_format	500
#	interpreter	a #! line that names nothing: 404 or 500
#	vanished	a script that is replaced and removed all the time
#	empty		no output at all: 502
#	valgrind	no error and no leak in what all that does
#
# After each one the gateway serves others, and no process and no descriptor
# is left.

. "$(atf_get_srcdir)/lib.sh"

# The log has the signal; what there was of a header is not sent.
gateway_case signal_before
signal_before_body()
{
	mk_cgi dies <<'CGI'
#!/bin/sh
[ "$QUERY_STRING" = half ] && printf 'Content-Type: text/pl'
ulimit -c 0
kill -SEGV $$
CGI
	start_gateway "$TREE"
	for how in nothing half; do
		atf_check -s ignore -o match:'^Status: 502 ' -o match:'^502 ' \
		    -o not-match:text/pl$ -e empty \
		    ./get dies -p QUERY_STRING=$how
	done
	logged 'request 1.*dies.*signal 11'
	finish
}

# Nobody may take it for a whole page: there is no END_REQUEST.
gateway_case signal_after
signal_after_body()
{
	mk_cgi dies <<'CGI'
#!/bin/sh
printf 'Content-Type: text/plain\n\npart\n'
ulimit -c 0
kill -SEGV $$
CGI
	start_gateway "$TREE"
	for option in -be -bek; do
		atf_check -s exit:5 -o inline:'part\ncut\n' -e empty \
		    ./get dies $option
	done
	finish
}

# Others on the connection must not suffer: END_REQUEST, with an appStatus
# that is not 0.
gateway_case signal_shared
signal_shared_body()
{
	use_cgi drip hello
	mk_cgi dies <<'CGI'
#!/bin/sh
printf 'Content-Type: text/plain\n\npart\n'
kill -KILL $$
CGI
	start_gateway "$TREE"
	atf_check -s exit:0 -o save:end -e empty ./play <<PLAY
$(request 1 drip a)
expect-stdout 1 one\n
$(request 2 dies b)
expect-stdout 2 part\n
expect-end 2
run touch cgi-bin/a.go
expect-stdout 1 two\n
expect-end 1 0 0
PLAY
	atf_check -s not-exit:0 -o empty -e not-empty ./play <<PLAY
$(request 1 drip a2)
expect-stdout 1 one\n
$(request 2 dies b)
expect-end 2 0 0
PLAY
	finish
}

# The log says why.
gateway_case exec_format
exec_format_body()
{
	printf '\177ELF nothing like it' | mk_cgi notelf
	printf '\001\002\003' | mk_cgi binary
	mk_cgi zero </dev/null
	start_gateway "$TREE"
	for script in notelf binary zero; do
		atf_check -s ignore -o match:'^Status: 500 ' -e empty \
		    ./get $script
		logged "request 1.*$script.*[Ee]xec format"
	done
	finish
}

# exec says ENOENT, as it does for a script that was removed before it.
gateway_case interpreter
interpreter_body()
{
	require_no_valgrind # under which vfork is fork
	echo '#!/nonexistent/interpreter' | mk_cgi lost
	start_gateway "$TREE"
	atf_check -s ignore -o match:'^Status: (404|500) ' -e empty ./get lost
	logged 'request 1.*lost'
	finish
}

# Lookup and exec meet a file that comes and goes: its page or a 404, and
# never anything else.
gateway_case vanished
vanished_body()
{
	require_no_valgrind
	use_cgi hello
	cp cgi-bin/hello master
	cat >flicker <<'TOOL'
#!/bin/sh
while [ -e master ]; do
	cp -p master cgi-bin/new && mv cgi-bin/new cgi-bin/now
	rm -f cgi-bin/now
done
TOOL
	chmod 755 flicker
	start_gateway "$TREE"
	./flicker &
	seen=
	for i in $(seq 300); do
		./get now -p QUERY_STRING=x >answer 2>errors || :
		case $(cat answer) in
		*"hello x"*) seen="$seen page" ;;
		*"404 Not Found"*) seen="$seen 404" ;;
		# exec did not find it, and it was back when that was asked.
		*"500 Internal"*) logged 'now: No such file' ;;
		# exec found it, and the interpreter did not.
		*502*) grep -q 'cannot open\|No such' errors && continue ;;
		*) false ;;
		esac || {
			rm master
			cat answer errors gateway.err >&2
			atf_fail "at $i"
		}
	done
	rm master
	wait $!
	atf_check -s exit:0 -o match:404 -e empty echo "$seen"
	finish
}

# Whatever the exit status is.
gateway_case empty
empty_body()
{
	mk_cgi empty <<'CGI'
#!/bin/sh
exit "$QUERY_STRING"
CGI
	start_gateway "$TREE"
	for status in 0 1; do
		atf_check -s ignore -o match:'^Status: 502 ' -e empty \
		    ./get empty -p QUERY_STRING=$status
	done
	finish
}

# The same kinds of request under valgrind: nothing lost, nothing undefined.
gateway_case valgrind 300
valgrind_requires()
{
	atf_set require.progs valgrind
}
valgrind_body()
{
	require_plain_build
	use_cgi hello echo env silent drip
	mk_cgi dies <<'CGI'
#!/bin/sh
printf 'Content-Type: text/plain\n\npart\n'
kill -KILL $$
CGI
	use_valgrind
	start_gateway "$TREE"
	bytes 1000000 >body
	atf_check -s exit:0 -o file:body -e empty ./post echo body -b
	atf_check -s exit:5 -o ignore -e empty ./get dies
	atf_check -s exit:0 -o match:'^Status: 404' -e empty \
	    ./get nothing
	atf_check -s exit:0 -o ignore -e empty ./get env \
	    -p HTTP_A=1 -p HTTP_A=2
	atf_check -s exit:0 -o empty -e empty ./play <<PLAY
$(request 1 silent a)
$(request 2 hello b)
begin 3 keep
params 3 HALF=open
expect-end 2 0 0
until test -s cgi-bin/a.pid
abort 1
expect-end 1
$(request 4 drip d)
expect-stdout 4 one
# STDIN before the end of PARAMS: a protocol error.
stdin-bytes 3 1
expect-close
PLAY
	wait_for no_scripts
	stop_gateway
	atf_check -s exit:0 -o empty -e empty cat valgrind.log
}
