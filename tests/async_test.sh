# shellcheck shell=sh
# The asynchronous server of contrib/async-server, on the wire: what all its
# routes have in common.
#
#	routes		the last component counts; 404, 405, 400; HEAD
#	split		any pieces of the requests mean the same
#	aborts		clients leave in every state
#	drain		SIGTERM ends streams at once, and lets others end
#	limits		-L; how many may listen is the limit `requests'
#	options		the command line

. "$(atf_get_srcdir)/lib.sh"
. "$(atf_get_srcdir)/async.sh"

# page status fields body: what is answered, as printf's format.
page()
{
	printf 'Status: %s\r\n%bContent-Type: text/plain; charset=utf-8\r\n' \
	    "$1" "${2:-}"
	printf 'Content-Length: %s\r\n\r\n%s\n' $((${#3} + 1)) "$3"
}

gateway_case routes
routes_body()
{
	start_async
	page '404 Not Found' '' '404 Not Found' >notfound
	for route in '' clocks cloc clock/ clock/x %63lock; do
		atf_check -s exit:0 -o file:notfound -e empty ./ask "$route"
	done
	# without a name, and without anything
	atf_check -s exit:0 -o file:notfound -e empty ./ask x -p SCRIPT_NAME=
	atf_check -s exit:0 -o file:notfound -e empty ./ask x -p SCRIPT_NAME=bytes
	atf_check -s exit:0 -o file:notfound -e empty "$FCGI_CLIENT" gw.sock
	for script in /delay /a/b/delay //delay /bytes/delay; do
		atf_check -s exit:0 -o match:'^0 ms$' -e empty \
		    ./ask x -p SCRIPT_NAME=$script
	done
	while read -r route method allow; do
		page '405 Method Not Allowed' "Allow: $allow\r\n" \
		    '405 Method Not Allowed' >expected
		METHOD=$method atf_check -s exit:0 -o file:expected -e empty \
		    env METHOD="$method" ./ask "$route"
	done <<'END'
clock POST GET, HEAD
clock get GET, HEAD
chat PUT GET, HEAD, POST
chat HEADER GET, HEAD, POST
upload GET POST
echo PUT POST
delay POST GET, HEAD
bytes DELETE GET, HEAD
END
	# a HEAD of an error has none of its body
	page '405 Method Not Allowed' 'Allow: POST\r\n' '405 Method Not Allowed' |
	    sed '$d' >expected
	atf_check -s exit:0 -o file:expected -e empty env METHOD=HEAD ./ask echo
	page '400 Bad Request' '' '400 Bad Request' >bad
	for query in ms= ms=x ms=-1 ms=60001 ms=1.5 ms=1x 'ms=%31' \
	    ms=99999999999999999999 'a=1&ms=x&ms=1'; do
		atf_check -s exit:0 -o file:bad -e empty \
		    ./ask delay -p QUERY_STRING="$query"
	done
	for query in '' n= n=x n=-1 n=1099511627777 n=99999999999999999999 N=1 \
	    xn=1; do
		atf_check -s exit:0 -o file:bad -e empty \
		    ./ask bytes -p QUERY_STRING="$query"
	done
	for query in ms=3 'ms=3&' '&ms=3' 'x&ms=3&ms=4' 'xms=1&ms=3' ms=0003; do
		atf_check -s exit:0 -o inline:'3 ms\n' -e empty \
		    ./ask delay -b -p QUERY_STRING="$query"
	done
	METHOD=HEAD
	export METHOD
	for route in clock chat; do
		atf_check -s exit:0 -e empty -o save:head ./ask $route
		printf 'Status: 200 OK\r\n%b' "$EVENTS" >expected
		cmp head expected || atf_fail "not the header of a stream"
	done
	atf_check -s exit:0 -e empty -o inline:'Status: 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 6\r\n\r\n' \
	    ./ask delay -p QUERY_STRING=ms=10
	atf_check -s exit:0 -e empty -o inline:'Status: 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: 1099511627776\r\n\r\n' \
	    ./ask bytes -p QUERY_STRING=n=1099511627776
	unset METHOD
	# an authorizer it is not: nobody is let in by it
	atf_check -s exit:0 -o file:notfound -e empty ./ask delay -r 2
	async_finish
}

gateway_case split
split_body()
{
	start_async
	bytes 5000 >body
	atf_check -s exit:0 -o match:'offsets=' -e empty \
	    ./ask bytes -W -p QUERY_STRING=n=100
	atf_check -s exit:0 -o match:'offsets=' -e empty ./ask nothing -W
	wire <<PLAY
$(listen 1)
expect-stdout 1 $CHAT
begin 2 keep
$(async_params 2 POST echo '')
stdin 2 one
expect-stdout 2 \r\n\r\none
begin 3 keep
$(async_params 3 POST upload '')
stdin 3 twenty bytes exactly
stdin 3
expect-stdout 3 20 bytes, done\n
expect-end 3 0 0
stdin 2 two
expect-stdout 2 two
stdin 2
expect-end 2 0 0
$(post 4 a line of text)
expect-stdout 1 data: a line of text\n\n
PLAY
	atf_check -s exit:0 -o file:body -e empty \
	    env METHOD=POST ./ask echo -b -c 7 -w 13 -d body
	async_finish
}

# Whatever a client was about to do when it left, nothing is left of it; the
# memory is for a build with a sanitizer to check.
gateway_case aborts
aborts_body()
{
	start_async
	{
		id=0
		while read -r method route query credit input; do
			for end in abort close; do
				[ $end = close ] && echo "connection $((id + 1))"
				id=$((id + 1))
				echo 'get-values AFCGI_WINDOW'
				echo 'expect-values AFCGI_WINDOW=*'
				echo "begin $id keep"
				[ "$credit" = - ] || echo "credit $id $credit"
				async_params "$id" "$method" "$route" "$query"
				[ "$input" = - ] || echo "stdin-bytes $id $input"
				echo 'flush'
				echo 'sleep 50'
				if [ $end = abort ]; then
					echo "abort $id"
					echo "expect-end $id"
				else
					echo 'close'
					echo 'connection 0'
				fi
			done
		done <<'END'
GET clock - - -
GET clock - 30 -
GET clock - 140 -
GET chat - - -
GET chat - 30 100
GET chat - 140 -
POST chat - - -
POST chat - 100 10
POST chat - 10 600
POST upload - - -
POST upload - - 1000
POST upload - 30 1000
POST upload - 120 1000
POST echo - - -
POST echo - - 100000
POST echo - 30 1000
POST echo - 200 60000
GET delay ms=60000 - -
GET delay ms=0 10 -
GET bytes n=0 10 -
GET bytes n=1000000000 - -
GET bytes n=1000000000 30 -
GET bytes n=1000000000 200 -
GET nothing - 10 -
END
	} >plan
	atf_check -s exit:0 -o empty -e empty ./play <plan
	async_finish
}

gateway_case drain
drain_body()
{
	start_async
	atf_check -s exit:0 -o save:out -e empty ./play <<PLAY
connection 1
begin 1 keep
$(async_params 1 GET delay ms=1500)
stdin 1
begin 2 keep
$(async_params 2 POST echo '')
stdin 2 before
expect-stdout 2 before
$(listen 3)
expect-stdout 3 retry
connection 0
$(listen 1)
$(listen 2)
begin 3 keep
$(async_params 3 GET clock '')
stdin 3
expect-stdout 1 retry
expect-stdout 2 retry
expect-stdout 3 Z\n\n
connection 2
get-values AFCGI_WINDOW
expect-values AFCGI_WINDOW=*
begin 1 keep
credit 1 2000
$(async_params 1 GET chat '')
stdin 1
expect-stdout 1 retry
begin 2 keep
credit 2 30
$(async_params 2 GET chat '')
stdin 2
expect-stdout-bytes 2 22
run kill -TERM $GATEWAY_PID
expect-drain
expect-end 1 0 0
expect-end 2 1 200
begin 3 keep
credit 3 2000
$(async_params 3 GET chat '')
stdin 3
expect-end 3 0 0
expect-stdout-is 3 $CHAT
close
connection 0
expect-end 1 0 0
expect-end 2 0 0
expect-end 3 0 0
expect-close
connection 1
expect-end 3 0 0
stdin 2 after
stdin 2
expect-stdout 2 after
expect-end 2 0 0
expect-stdout 1 1500 ms
expect-end 1 0 0
expect-close
PLAY
	wait_for ended "$GATEWAY_PID"
	stop_gateway
	# listeners alone do not keep it
	start_async
	listen 1 >plan
	cat >>plan <<PLAY
expect-stdout 1 retry
run kill -TERM $GATEWAY_PID
expect-end 1 0 0
expect-close
PLAY
	start=$(date +%s)
	atf_check -s exit:0 -o empty -e empty ./play <plan
	wait_for ended "$GATEWAY_PID"
	[ $(($(date +%s) - start)) -le $((2 * SLOWER)) ] ||
	    atf_fail "it took its time to end"
	stop_gateway
	# and what would go on for ever is not waited for
	start_async -L drain=0.5
	atf_check -s exit:0 -o empty -e empty ./play <<PLAY
begin 1 keep
$(async_params 1 POST echo '')
stdin 1 x
expect-stdout 1 x
run kill -TERM $GATEWAY_PID
expect-close
PLAY
	wait_for ended "$GATEWAY_PID"
	stop_gateway
}

gateway_case limits
limits_body()
{
	start_async -L requests=20 -L half_open=5,params=2k
	{
		for id in $(seq 20); do
			listen "$id"
			echo "expect-stdout $id retry"
		done
		cat <<PLAY
begin 21 keep
expect-stdout 21 Status: 503
expect-end 21 0 0
abort 3
expect-end 3
$(post 21 room for this)
expect-stdout 1 data: room for this\n\n
expect-stdout 20 data: room for this\n\n
connection 1
$(listen 1)
expect-stdout 1 data: room for this\n\n
PLAY
	} >plan
	atf_check -s exit:0 -o empty -e empty ./play <plan
	async_finish
}

gateway_case options
options_body()
{
	for wrong in -x extra '-L none=1' '-L output=1' -L -s; do
		# shellcheck disable=SC2086 # words
		atf_check -s exit:1 -o empty -e match:'fcgi-async: |usage: fcgi-async' \
		    "$ASYNC" $wrong
	done
	atf_check -s exit:1 -o empty -e match:'fcgi-async: unix:/nonexistent/x: ' \
	    "$ASYNC" -s unix:/nonexistent/x
	start_async -d -s unix:two.sock
	logged 'listening on unix:two.sock'
	atf_check -s exit:0 -o inline:'0 ms\n' -e empty "$FCGI_CLIENT" -b \
	    -p REQUEST_METHOD=GET -p SCRIPT_NAME=/delay two.sock
	logged 'debug .*accepted'
	async_finish
	atf_check -s exit:1 -o empty -e empty test -e two.sock
}
