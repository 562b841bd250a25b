# shellcheck shell=sh
# shellcheck disable=SC2034 # "id" is used in plays
# The chat of contrib/async-server, on the wire.
#
#	history		who comes gets the last 20 lines, then what is said
#	resume		who was there before gets what it has missed
#	lines		what a line may be; its limits
#	alive		a sign of life every 15 seconds

. "$(atf_get_srcdir)/lib.sh"
. "$(atf_get_srcdir)/async.sh"

# hears n from to: lines of a play: listener n gets these lines, as posted by
# says, one behind the other.
hears()
{
	for chat_n in $(seq "$2" "$3"); do
		cat <<PLAY
expect-stdout $1 id: $chat_n\ndata: line $chat_n\n\n
PLAY
	done
}

gateway_case history
history_body()
{
	start_async
	atf_check -s exit:0 -o empty -e empty ./play <<PLAY
$(listen 1)
expect-stdout 1 $CHAT
$(posts 1 20)
$(hears 1 1 20)
$(listen 2)
expect-stdout 2 ${CHAT}$(log_of 1 20)
$(posts 21 21)
expect-stdout 1 $(log_of 21 21)
expect-stdout 2 $(log_of 21 21)
$(listen 3)
expect-stdout 3 ${CHAT}$(log_of 2 21)
$(posts 22 50)
$(listen 4)
expect-stdout 4 ${CHAT}$(log_of 31 50)
run kill -TERM $GATEWAY_PID
expect-end 1 0 0
expect-stdout-is 1 ${CHAT}$(log_of 1 50)
expect-stdout-is 2 ${CHAT}$(log_of 1 50)
expect-stdout-is 3 ${CHAT}$(log_of 2 50)
expect-stdout-is 4 ${CHAT}$(log_of 31 50)
PLAY
	wait_for ended "$GATEWAY_PID"
	stop_gateway
}

gateway_case resume
resume_body()
{
	start_async
	atf_check -s exit:0 -o empty -e empty ./play <<PLAY
$(posts 1 60)
$(listen 1 HTTP_LAST_EVENT_ID=0)
expect-stdout 1 ${CHAT}$(log_of 1 60)
$(listen 2 HTTP_LAST_EVENT_ID=7)
expect-stdout 2 ${CHAT}$(log_of 8 60)
$(listen 3 HTTP_LAST_EVENT_ID=59)
expect-stdout 3 ${CHAT}$(log_of 60 60)
$(listen 4 HTTP_LAST_EVENT_ID=60)
expect-stdout 4 ${CHAT}
begin 5 keep
$(async_params 5 GET chat after=58)
expect-stdout 5 ${CHAT}$(log_of 59 60)
begin 6 keep
$(async_params 6 GET chat after=5 HTTP_LAST_EVENT_ID=59)
expect-stdout 6 ${CHAT}$(log_of 60 60)
$(listen 10 HTTP_LAST_EVENT_ID=61)
$(listen 11 HTTP_LAST_EVENT_ID=9223372036854775808)
$(listen 12 HTTP_LAST_EVENT_ID=-1)
$(listen 13 HTTP_LAST_EVENT_ID=x)
$(listen 14 HTTP_LAST_EVENT_ID=)
begin 15 keep
$(async_params 15 GET chat after=)
begin 16 keep
$(async_params 16 GET chat after=61)
$(for id in $(seq 10 16); do
	cat <<LINES
expect-stdout $id ${CHAT}$(log_of 41 60)
LINES
done)
$(posts 61 61)
$(for id in $(seq 1 6) $(seq 10 16); do
	cat <<LINES
expect-stdout $id $(log_of 61 61)
LINES
done)
PLAY
	async_finish
}

# answer expected file [option...]: POST chat is answered so.
answer()
{
	chat_status=$1
	shift
	METHOD=POST ./ask chat -d "$@" >out || atf_fail "no answer"
	head -n 1 out | grep -q "^Status: $chat_status" ||
	    atf_fail "$(od -c "$1" | head) is answered $(cat out)"
}

gateway_case lines
lines_body()
{
	start_async
	: >expected
	n=0
	# what is taken
	bytes 512 | tr '\n' x >full
	while read -r text; do
		n=$((n + 1))
		# shellcheck disable=SC2059 # escapes
		printf "$text" >line
		[ "$text" = full ] && cp full line
		answer 204 line
		{ printf 'id: %s\ndata: ' $n; cat line; printf '\n\n'; } >>expected
	done <<'END'
x
\040
a line with spaces, and: colons
<b>&amp;\\
caf\303\251
\302\240
\342\202\254 \360\237\230\200
\337\277 \340\240\200 \355\237\277 \356\200\200 \357\277\277
\360\220\200\200 \364\217\277\277
full
END
	./ask chat -b -t 1 >heard
	sed 1,2d heard >got
	cmp got expected || atf_fail "other lines came back"
	# what is not
	while read -r text; do
		# shellcheck disable=SC2059
		printf "$text" >line
		answer 400 line
	done <<'END'

\n
a\n
a\r
a\nb
\ta
a\000b
\001
\033[1m
\037
\177
\302\200
\302\205
\302\237
\200
a\277
\300\200
\301\277
\303
\303x
\340\200\200
\340\237\277
\342\202
\342\202x
\355\240\200
\355\277\277
\360\237\230
\360\200\200\200
\360\217\277\277
\364\220\200\200
\370\210\200\200\200
\377
END
	{ cat full; printf x; } >longer
	answer 413 longer
	answer 413 longer -p CONTENT_LENGTH=513
	answer 413 longer -p CONTENT_LENGTH=99999999999999999999
	answer 204 full -p CONTENT_LENGTH=512
	answer 204 full -p CONTENT_LENGTH=
	bytes 3000000 >longer
	answer 413 longer
	# the end of a body, not the first of its records, makes a line
	wire <<PLAY
$(listen 1)
begin 2 keep
$(async_params 2 POST chat '')
stdin 2 one,
begin 3 keep
$(async_params 3 POST chat '')
stdin 3 other\\n
stdin 3
expect-stdout 3 Status: 400
expect-end 3 0 0
stdin 2 two
stdin 2
expect-end 2 0 0
expect-stdout 1 \ndata: one,two\n\n
begin 2 keep
$(async_params 2 POST chat '' CONTENT_LENGTH=600)
expect-stdout 2 Status: 413
expect-end 2 0 0
begin 4 keep
$(async_params 4 POST chat '')
stdin-bytes 4 512
stdin-bytes 4 1
expect-stdout 4 Status: 413
expect-end 4 0 0
PLAY
	async_finish
}

gateway_case alive
alive_body()
{
	start_async
	atf_check -s exit:0 -o empty -e empty ./play <<PLAY
get-values AFCGI_WINDOW
expect-values AFCGI_WINDOW=*
begin 2 keep
window 2 9
$(async_params 2 GET chat '')
expect-stdout 2 $CHAT
$(listen 1)
expect-stdout 1 $CHAT
expect-no-record 3000
timeout 20
expect-stdout 1 :\n\n
expect-stdout 2 :\n\n
$(posts 1 1)
expect-stdout 1 $(log_of 1 1)
expect-stdout 2 $(log_of 1 1)
run kill -TERM $GATEWAY_PID
expect-stdout-is 1 ${CHAT}:\n\n$(log_of 1 1)
PLAY
	wait_for ended "$GATEWAY_PID"
	stop_gateway
}
