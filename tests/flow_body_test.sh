# shellcheck shell=sh
# Flow control for each request, fcgi_flow(7): the body of the request:
#
#	input_exact	nobody reads: its window, and not a byte more
#	input_credit	one that does: as much as one likes, both ways at once
#	input_dropped	one that closes its input has the rest dropped
#	held		nginx: a header that it may act upon waits, and the input goes on
#	not_held	nginx: with windows the header does not wait for the input
#	many_uploads	a hundred that do not read: their windows and no more

. "$(atf_get_srcdir)/lib.sh"
. "$(atf_get_srcdir)/flow.sh"

# A gigabyte is announced, for a script that has to wait for another; 65,536
# bytes may come, 8 of them for each header.
gateway_case input_exact
input_exact_body()
{
	use_cgi silent
	start_gateway -L scripts=1 "$TREE"
	for size in 65535 1000 10; do
		sent=$((65536 / (size + 8)))
		sent=$((sent * size))
		left=$((65536 % (size + 8)))
		[ $left -lt 9 ] || sent=$((sent + left - 8))
		atf_check -s exit:0 -o empty -e empty ./play <<PLAY
$NEGOTIATE
$(windowed 9 1000 silent a)
until test -e cgi-bin/a.pid
$(windowed 1 1000 silent b REQUEST_METHOD=POST CONTENT_LENGTH=1073741824)
chunk $size
stdin-bytes 1 $sent
flush
expect-no-record 300
$NEGOTIATE
stdin 1 x
expect-close
PLAY
		logged 'protocol error: more STDIN than its window'
		rm -f cgi-bin/a.pid
		: >gateway.err
	done
	finish
}

gateway_case input_credit
input_credit_body()
{
	use_cgi echo
	start_gateway -L window=64k "$TREE"
	{
		echo "$NEGOTIATE"
		open_window 1 32768 echo
		open_window 2 131072 echo
		# each costs half a window: what was sent comes back as credit
		for i in $(seq 1 100); do
			echo 'stdin-bytes 1 32760'
			echo "expect-credit 1 $((i * 32768))"
			echo "stdin-bytes 2 32504"
			[ "$i" -gt 1 ] &&
			    echo "expect-credit 2 $(((i - 1) * 32500))"
		done
		echo 'stdin 1'
		echo 'stdin 2'
		echo 'expect-end 1 0 0'
		echo 'expect-end 2 0 0'
		echo 'count 1'
		echo 'count 2'
	} >plan
	atf_check -s exit:0 -e empty \
	    -o match:"id=1 stdout=$((3276000 + 42)) stderr=0" \
	    -o match:"id=2 stdout=$((3250400 + 42)) stderr=0" \
	    ./play <plan
	finish
}

gateway_case input_dropped
input_dropped_body()
{
	mk_cgi closes <<'CGI'
#!/bin/sh
exec </dev/null
printf 'Content-Type: text/plain\n\nclosed\n'
until [ -e go ]; do
	sleep 0.03
done
CGI
	start_gateway -L window=64k "$TREE"
	{
		echo "$NEGOTIATE"
		windowed 1 1000 closes
		echo 'expect-stdout 1 closed'
		for i in $(seq 1 20); do
			echo 'stdin-bytes 1 32760'
			echo "expect-credit 1 $((i * 32768))"
		done
		echo 'run touch cgi-bin/go'
		echo 'expect-end 1 0 0'
	} >plan
	atf_check -s exit:0 -o empty -e empty ./play <plan
	finish
}

# The script writes more than its pipe holds, then reads, then writes.
gateway_case held
held_body()
{
	mk_cgi first <<'CGI'
#!/bin/sh
printf 'Status: 404 No\nContent-Type: text/plain\n\n'
head -c 300000 /dev/zero
echo $$ >first.pid
wc -c
CGI
	start_gateway -L window=64k "$TREE"
	{
		echo "$NEGOTIATE"
		open_window 1 32768 first '' REQUEST_METHOD=POST \
		    CONTENT_LENGTH=655200 SERVER_SOFTWARE=nginx/1.22.1
		for i in $(seq 1 20); do
			echo 'stdin-bytes 1 32760'
			[ "$i" -gt 1 ] &&
			    echo "expect-credit 1 $(((i - 1) * 32768))"
		done
		echo 'run ! test -e cgi-bin/first.pid'
		echo 'expect-credit 1 655360'
		echo 'expect-no-record 100'
		echo 'stdin 1'
		echo 'expect-stdout 1 655200'
		echo 'expect-end 1 0 0'
		echo 'count 1'
	} >plan
	atf_check -s exit:0 -o match:'stdout=3000' -e empty ./play <plan
	finish
}

gateway_case not_held
not_held_body()
{
	mk_cgi first <<'CGI'
#!/bin/sh
printf 'Content-Type: text/plain\n\nfirst\n'
cat
CGI
	start_gateway "$TREE"
	atf_check -s exit:0 -o ignore -e empty ./play <<PLAY
$NEGOTIATE
$(open_window 1 32768 first '' REQUEST_METHOD=POST CONTENT_LENGTH=12 \
    SERVER_SOFTWARE=nginx/1.22.1)
expect-stdout 1 first\n
stdin 1 second
expect-stdout 1 second
stdin 1 second
expect-stdout 1 second
stdin 1
expect-end 1 0 0
PLAY
	finish
}

gateway_case many_uploads
many_uploads_body()
{
	use_cgi silent hello
	start_gateway -L window=64k,scripts=200 "$TREE"
	before=$(memory)
	{
		echo "$NEGOTIATE"
		for id in $(seq 1 100); do
			windowed "$id" 1000 silent "$id" REQUEST_METHOD=POST
			echo "stdin-bytes $id 65528"
		done
		for id in $(seq 1 100); do
			echo "until test -e cgi-bin/$id.pid"
		done
		echo 'flush'
		windowed 200 1000 hello
		echo 'stdin 200'
		echo 'expect-end 200 0 0'
		echo "run sed -n 's/^VmRSS:[^0-9]*//p' /proc/$GATEWAY_PID/status >rss"
		# shellcheck disable=SC2046 # numbers
		aborts $(seq 1 100)
	} >plan
	atf_check -s exit:0 -o empty -e empty ./play <plan
	finish
	require_plain_build
	after=$(sed 's/[^0-9].*//' rss)
	[ $((after - before)) -lt 12000 ] ||
	    atf_fail "$before KB have become $after KB"
}
