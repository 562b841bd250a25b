# shellcheck shell=sh
# The chat's page when what it listens to is lost:
#
#	restart  the server is stopped: "lost", and what is said meanwhile is
#	         kept; it is back: the page goes on, no line lost or doubled
#	silent   the server is stopped by a signal: the clock notices, a line that
#	         is not answered is kept; it goes on: so does the page
#	resume   a worker of nginx dies, then with the server out of reach, too:
#	         the page goes on after the last line that it has, however many
#	         there are that it has not

. "$(atf_get_srcdir)/lib.sh"
. "$(atf_get_srcdir)/web.sh"
. "$(atf_get_srcdir)/browser.sh"
. "$(atf_get_srcdir)/demo_site.sh"
. "$(atf_get_srcdir)/chat.sh"
web_needs nginx git

# The demo's server, under somebody who starts it again when room/again is
# there.
use_holder()
{
	mkdir -m 777 room
	cp "$ASYNC" room/fcgi-async
	ASYNC=$PWD/holder
	cat >holder <<HOLDER
#!/bin/sh
trap 'kill "\$pid" 2>/dev/null; wait "\$pid"; exit 0' TERM
cd '$PWD/room'
while :; do
	./fcgi-async "\$@" &
	pid=\$!
	echo \$pid >new && mv new pid
	status=0
	wait "\$pid" || status=\$?
	echo \$status >new && mv new status
	until [ -e again ]; do sleep 0.02; done
	rm again status
done
HOLDER
	chmod 755 holder
}

browser_case restart
restart_body()
{
	use_holder
	chat_start a b
	named a Ada
	say a first
	soon shows b first
	soon shows a first

	kill -TERM "$(cat room/pid)"
	wait_for test -f room/status
	atf_check_equal 0 "$(cat room/status)"
	wait_for is a 'lost, retrying' state
	wait_for is b 'lost, retrying' state
	say a meanwhile
	wait_for is a 'Not sent: the server is not there' notice
	atf_check_equal meanwhile "$(value a text)"
	shot a lost
	browser_media a dark
	shot a lost-dark

	touch room/again
	wait_for test ! -f room/status
	wait_for curl -sSf -o null "$WEB/async/delay"
	by_hand 'b: second' 'b: third'
	wait_for is a live state
	wait_for is b live state
	browser_type a '#text' "$ENTER"
	wait_for shows a meanwhile
	wait_for shows b meanwhile
	printf '%s\n' first second third meanwhile >expected
	for name in a b; do
		lines $name >shown
		atf_check -s exit:0 -o empty -e empty diff expected shown
	done
	atf_check_equal "" "$(text a notice)"
	before=$(text a time)
	wait_for not_at "$before"
	chat_finish
}

browser_case silent
silent_body()
{
	chat_start a
	say a first
	soon shows a first
	stopped=$(demo_child fcgi-async)
	kill -STOP "$stopped"
	say a second
	wait_for is a 'lost, retrying' state
	wait_for is a 'Perhaps not sent: no answer' notice
	atf_check_equal second "$(value a text)"
	kill -CONT "$stopped"
	wait_for is a live state
	by_hand third
	soon shows a third
	# The second was under way, and may have got there.
	lines a | grep -v '^second$' >shown
	printf '%s\n' first third >expected
	atf_check -s exit:0 -o empty -e empty diff expected shown
	[ "$(lines a | grep -c '^second$')" -le 1 ] || atf_fail "it came twice"
	chat_finish
}

# direct line...: posts them to the server itself, wherever its socket is.
direct()
{
	for chat_line in "$@"; do
		printf %s "$chat_line" >line
		atf_check -s exit:0 -o match:'^Status: 204' -e empty \
		    "$FCGI_CLIENT" -p REQUEST_METHOD=POST \
		    -p SCRIPT_NAME=/async/chat -p CONTENT_TYPE=text/plain \
		    -p "CONTENT_LENGTH=${#chat_line}" -d line "$socket"
	done
}

kill_workers()
{
	for worker in $(child_pids "$(demo_child nginx)"); do
		kill -KILL "$worker"
	done
}

browser_case resume
resume_body()
{
	chat_start a
	socket=$(echo "$PWD"/tmp/afcgi-demo.*/fcgi-async/sock)
	by_hand first
	soon shows a first

	# The browser comes back by itself.
	kill_workers
	# shellcheck disable=SC2046 # words
	direct $(seq -f 'a%g' 1 40)
	wait_for shows a a40

	# nginx answers 502: a browser gives up then.
	mv "$socket" "$socket.away"
	kill_workers
	wait_for is a 'lost, retrying' state
	wait_for grep -q '"GET /async/chat?after=.* 502 ' \
	    tmp/afcgi-demo.*/nginx/logs/access.log
	socket=$socket.away
	# shellcheck disable=SC2046 # words
	direct $(seq -f 'b%g' 1 40)
	mv "$socket" "${socket%.away}"
	wait_for shows a b40
	wait_for is a live state

	{ echo first; seq -f 'a%g' 1 40; seq -f 'b%g' 1 40; } >expected
	lines a >shown
	atf_check -s exit:0 -o empty -e empty diff expected shown
	chat_finish
}
