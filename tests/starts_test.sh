# shellcheck shell=sh
# The limit `starts' of -L, how many scripts come up at a time:
#
#	sleepers	do not count: all run at once
#	spinners	count for a moment only: the next one gets its turn
#	wait		who waits for that alone is not refused
#	patience	nor when there are too many for the processors
#	places		but takes a place in the queue, when there are no slots

. "$(atf_get_srcdir)/lib.sh"

# drips n: begins requests 1 to n, each of a script that waits for a file.
drips()
{
	for id in $(seq "$1"); do
		request "$id" drip "d$id"
	done
}

# go id...: lets them end.
go()
{
	for id in "$@"; do
		echo "run touch cgi-bin/d$id.go"
		echo "expect-stdout $id two"
		echo "expect-end $id 0 0"
	done
}

# None ends before the last one has begun.
gateway_case sleepers
sleepers_body()
{
	use_cgi drip
	start_gateway -L starts=1,queue=20 "$TREE"
	{
		drips 20
		for id in $(seq 20); do
			echo "expect-stdout $id one"
		done
		# shellcheck disable=SC2046 # numbers
		go $(seq 20)
	} >plan
	atf_check -s exit:0 -o empty -e empty ./play <plan
	finish
}

# They spin still when the fifth one has been served.
gateway_case spinners
spinners_body()
{
	use_cgi hello
	mk_cgi spin <<'CGI'
#!/bin/sh
ulimit -t 30
while :; do :; done
CGI
	start_gateway -L starts=1,grace=0.3 "$TREE"
	{
		for id in 1 2 3 4; do
			request $id spin ""
		done
		request 5 hello quick
		echo "expect-stdout 5 hello quick"
		echo "expect-end 5 0 0"
		aborts 1 2 3 4
	} >plan
	atf_check -s exit:0 -o empty -e empty ./play <plan
	finish
}

# There are slots for all, and no queue.
gateway_case wait
wait_body()
{
	use_cgi hello
	start_gateway -L starts=1,scripts=50,queue=0 "$TREE"
	atf_check -s exit:0 -e empty -o match:'^requests=30 ok=30 ' \
	    ./get hello -k -n 30 -p QUERY_STRING=n%d -x 'hello n%d\n'
	atf_check -s exit:0 -e empty -o match:'^requests=30 ok=30 ' \
	    ./get hello -n 30 -C 30 -m 1 -p QUERY_STRING=n%d -x 'hello n%d\n'
	finish
}

# The last one's turn would come after more than 3 s.
gateway_case patience
patience_body()
{
	mk_cgi work <<'CGI'
#!/bin/sh
i=0
while [ $i -lt 30000 ]; do
	i=$((i + 1))
done
printf 'Content-Type: text/plain\n\nworked\n'
CGI
	start_gateway -L starts=1,queue_wait=0.8 "$TREE"
	atf_check -s exit:0 -e empty -o match:'^requests=150 ok=150 ' \
	    ./get work -n 150 -C 150 -m 1 -x 'worked\n'
	finish
}

# They come at once: when the fourth does, one or two wait for the pace.
gateway_case places
places_body()
{
	use_cgi drip
	start_gateway -L starts=1,scripts=2,queue=1 "$TREE"
	{
		drips 4
		echo "expect-stdout 4 Status: 503 "
		echo "expect-end 4 0 0"
		echo "expect-stdout 1 one"
		echo "expect-stdout 2 one"
		go 1 3 2
	} >plan
	atf_check -s exit:0 -o empty -e empty ./play <plan
	finish
}
