# shellcheck shell=sh
# The asynchronous server of contrib/async-server, on the wire: bodies.
#
#	echo		every byte comes back, in any pieces
#	echo_stalled	who reads nothing costs a disk, not memory
#	upload		counts, while it arrives and at the end, not too often
#	upload_room	a client that does not read does not stop its upload
#	nginx		the answer waits for the body where it must

. "$(atf_get_srcdir)/lib.sh"
. "$(atf_get_srcdir)/async.sh"

gateway_case echo
echo_body()
{
	start_async
	head -c 20000000 /dev/urandom >body
	atf_check -s exit:0 -o file:body -e empty \
	    env METHOD=POST ./ask echo -b -d body
	atf_check -s exit:0 -o save:all -e empty env METHOD=POST ./ask echo -d body
	head -c 200 all | head -n 4 | tr -d '\r' >header
	atf_check -s exit:0 -e empty \
	    -o inline:'Content-Type: application/octet-stream\nCache-Control: no-store\nX-Accel-Buffering: no\n\n' \
	    cat header
	atf_check -s exit:0 -o empty -e empty env METHOD=POST ./ask echo -b
	# many at a time, each its own
	head -c 30000 body >small
	atf_check -s exit:0 -e empty -o match:'^requests=200 ok=200' \
	    env METHOD=POST ./ask echo -n 200 -m 50 -k -X -d small
	# with windows, both ways
	atf_check -s exit:0 -o match:'^id=1 stdout=10000090 ' -e empty ./play <<PLAY
get-values AFCGI_WINDOW
expect-values AFCGI_WINDOW=*
begin 1 keep
window 1 30000
$(async_params 1 POST echo '')
stdin-bytes 1 60000
expect-stdout-bytes 1 60000
$(for i in $(seq 199); do
		echo "stdin-bytes 1 50000"
		echo "expect-stdout-bytes 1 $((i * 50000 + 60000))"
	done | head -n 396)
stdin-bytes 1 40000
stdin 1
expect-end 1 0 0
count 1
PLAY
	async_finish
}

# Input that nobody takes is on disk, and with windows it does not come at all;
# the server's memory does not grow.
gateway_case echo_stalled
echo_stalled_body()
{
	start_async
	{
		for id in $(seq 1 20); do
			echo "begin $id keep"
			async_params "$id" POST echo ''
			echo "stdin-bytes $id 2000000"
			echo "stdin $id"
		done
		cat <<PLAY
stop-reading
connection 1
begin 1 keep
$(async_params 1 GET delay ms=2000)
stdin 1
expect-end 1 0 0
connection 0
resume
PLAY
		for id in $(seq 1 20); do
			echo "expect-end $id 0 0"
			echo "count $id"
		done
	} >plan
	before=$(memory)
	(sleep 1.5; memory >during) &
	atf_check -s exit:0 -o save:counts -e empty ./play <plan
	wait $!
	[ "$(grep -c ' stdout=2000090 ' counts)" = 20 ] || atf_fail "$(cat counts)"
	if no_sanitizer; then
		[ "$(cat during)" -lt $((before + 8192)) ] ||
		    atf_fail "$before KB became $(cat during) KB"
	fi
	async_finish
}

gateway_case upload
upload_body()
{
	start_async
	bytes 5000000 >body
	atf_check -s exit:0 -o save:lines -e empty \
	    env METHOD=POST ./ask upload -b -d body
	atf_check -s exit:0 -o inline:'5000000 bytes, done\n' -e empty \
	    tail -n 1 lines
	atf_check -s exit:0 -o inline:'0 bytes, done\n' -e empty \
	    env METHOD=POST ./ask upload -b
	# a line as soon as bytes arrive; then at most ten a second
	{
		cat <<PLAY
begin 1 keep
$(async_params 1 POST upload '')
expect-stdout 1 Content-Type: text/plain\r\n
expect-stdout 1 \r\n\r\n
stdin-bytes 1 10
expect-stdout 1 10 bytes\n
PLAY
		for i in $(seq 50); do
			echo 'stdin-bytes 1 100'
			echo 'sleep 20'
		done
		cat <<PLAY
expect-stdout 1 5010 bytes\n
expect-no-record 300
stdin-bytes 1 1
expect-stdout 1 5011 bytes\n
stdin 1
expect-stdout 1 5011 bytes, done\n
expect-end 1 0 0
print 1
PLAY
	} >plan
	start=$(date +%s)
	atf_check -s exit:0 -o save:lines -e empty ./play <plan
	took=$(($(date +%s) - start + 1))
	lines=$(grep -c 'bytes$' lines)
	if [ "$lines" -lt 6 ] || [ "$lines" -gt $((took * 10 + 2)) ]; then
		atf_fail "$lines lines in $took s"
	fi
	grep 'bytes$' lines | cut -d' ' -f1 | sort -cnu ||
	    atf_fail "numbers do not grow"
	async_finish
}

gateway_case upload_room
upload_room_body()
{
	start_async
	atf_check -s exit:0 -o save:out -e empty ./play <<PLAY
get-values AFCGI_WINDOW
expect-values AFCGI_WINDOW=*
begin 1 keep
credit 1 20
$(async_params 1 POST upload '')
stdin-bytes 1 60000
expect-credit 1 60000
sleep 300
stdin-bytes 1 60000
expect-credit 1 120000
sleep 300
stdin 1
credit 1 1000
expect-end 1 0 0
print 1
PLAY
	tr -d '\r' <out | sed '1,/^$/d' >body
	atf_check -s exit:0 -o inline:'120000 bytes, done\n' -e empty cat body
	async_finish
}

# nginx by itself stops sending a body when the answer begins.
gateway_case nginx
nginx_body()
{
	start_async
	bytes 300000 >body
	for route in upload echo; do
		wire <<PLAY
begin 1 keep
$(async_params 1 POST $route '' SERVER_SOFTWARE=nginx/1.22.1)
stdin-bytes 1 100
expect-no-record 200
stdin-bytes 1 50
expect-no-record 100
stdin 1
expect-end 1 0 0
PLAY
	done
	atf_check -s exit:0 -o file:body -e empty \
	    env METHOD=POST ./ask echo -b -d body -p SERVER_SOFTWARE=nginx/1.22.1
	# with windows it goes on
	atf_check -s exit:0 -o empty -e empty ./play <<PLAY
get-values AFCGI_WINDOW
expect-values AFCGI_WINDOW=*
begin 1 keep
window 1 30000
$(async_params 1 POST echo '' SERVER_SOFTWARE=nginx/1.22.1)
stdin 1 one
expect-stdout 1 \r\n\r\none
stdin 1
expect-end 1 0 0
PLAY
	# what cannot be kept is 413, or what has begun is cut
	stop_gateway
	start_async -L spool=100k,stdin=4k
	{
		echo 'begin 9 keep'
		async_params 9 GET delay ms=20000
		echo 'stdin 9'
		echo 'begin 1 keep'
		async_params 1 POST echo '' SERVER_SOFTWARE=nginx/1.22.1
		echo 'stdin-bytes 1 300000'
		echo 'expect-stdout 1 Status: 413'
		echo 'expect-end 1 0 0'
	} >plan
	atf_check -s exit:0 -o empty -e empty ./play <plan
	logged 'input cannot be kept: .*File too large'
	async_finish
}
