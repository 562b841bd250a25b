# shellcheck shell=sh
# shellcheck disable=SC2119,SC2120 # nginx_site's arguments are the gateway's
# The demonstration (contrib/demo.sh), on a free port:
#
#	demo     its pages answer: the front page, each sample script that needs
#	         no form, gitweb; its repository can be cloned, pushed to and
#	         cloned again; INT ends it with status 0, and nothing of it is
#	         left, no process, no port, no file.  Its nginx has the module,
#	         and sends requests over a shared connection with flow control
#	async    the chat's page and what it is made of, with a policy that lets
#	         the browser take it from nowhere else; all streams of a worker
#	         of nginx share one connection to the asynchronous server, which
#	         is not root; TERM ends them all
#	death    the asynchronous server ends by itself: so does the demo, with
#	         status 1 and a message, and takes all with it
#	plain    MULTIPLEX=no: its pages answer without the module
#	term     likewise TERM
#	taken    a port in use: a message and status 1, nothing started

. "$(atf_get_srcdir)/lib.sh"
. "$(atf_get_srcdir)/web.sh"
. "$(atf_get_srcdir)/mux.sh"
. "$(atf_get_srcdir)/demo_site.sh"
web_needs nginx curl perl git

web_case demo
demo_body()
{
	demo_start
	atf_check -s exit:0 -o match:'<html' -e empty curl -sSf "$WEB/"
	for script in hello.cgi env.pl form.pl "drip.cgi?1"; do
		atf_check -s exit:0 -o not-empty -e empty \
		    curl -sSf "$WEB/cgi-bin/$script"
	done
	atf_check -s exit:0 -o match:'^418$' -e empty \
	    curl -sS -w '\n%{http_code}\n' "$WEB/cgi-bin/nph-teapot.cgi"
	# Its style sheet is where the page says, relative to the page.
	atf_check -s exit:0 -o save:page -e empty curl -sSf "$WEB/gitweb/"
	atf_check -s exit:0 -o match:'demo\.git' -o not-match:'<base ' \
	    -e empty cat page
	style=$(sed -n 's/.*rel="stylesheet".* href="\([^"]*\)".*/\1/p' page)
	atf_check -s exit:0 -o inline:'200 text/css' -e empty \
	    curl -sS -o style -w '%{http_code} %{content_type}' \
	    "$WEB/gitweb/$style"
	export HOME="$PWD" GIT_CONFIG_NOSYSTEM=1 GIT_TERMINAL_PROMPT=0
	git config --global user.name Tester
	git config --global user.email tester@example.com
	atf_check -s exit:0 -o empty -e empty \
	    git clone -q "$WEB/git/demo.git" one
	echo "more" >>one/README
	git -C one commit -q -a -m "A change"
	atf_check -s exit:0 -o ignore -e ignore git -C one push -q
	atf_check -s exit:0 -o empty -e empty \
	    git clone -q "$WEB/git/demo.git" two
	atf_check_equal "$(git -C one rev-parse HEAD)" \
	    "$(git -C two rev-parse HEAD)"
	atf_check -s exit:0 -o ignore -e empty \
	    grep 'connection=[0-9]* streams=[0-9]* window=1$' demo.out
	demo_end INT
}

# listen n: so many clocks at once, in the background.
listen()
{
	listen_n=0
	while [ $listen_n -lt "$1" ]; do
		listen_n=$((listen_n + 1))
		: >clock.$listen_n # or it is not there to be looked at
		curl -sSN -o clock.$listen_n "$WEB/async/clock" 2>clock.err &
		echo $! >>client.pids
	done
}

ticks()
{
	[ "$(grep -l '^data: ....-..-..T..:..:..Z$' clock.[0-9]* |
	    wc -l)" -eq "$1" ]
}

# share pid workers: many clocks have no more than a connection for each worker.
# A worker that does not know the server yet asks once, and has others wait for
# nothing: they get connections of their own.
share()
{
	stop_clients
	listen $(($2 * 4))
	wait_for ticks $(($2 * 4))
	[ "$(mux_connections "$1")" -le "$2" ]
}

web_case async
async_body()
{
	demo_start
	atf_check -s exit:0 -o match:'href="/chat.html"' -e empty \
	    curl -sSf "$WEB/"
	atf_check -s exit:0 -o save:page -e empty -o not-match:':8888' \
	    curl -sSf -D header "$WEB/chat.html"
	atf_check -s exit:0 -o ignore -e empty grep -i \
	    "^Content-Security-Policy: default-src 'self'" header
	atf_check -s exit:0 -o ignore -e empty \
	    grep -i '^X-Content-Type-Options: nosniff' header
	cp "$TOP"/nginx/html/*.js .
	for part in $(sed -n 's/.*\(href\|src\)="\([^":]*\.[a-z]*\)".*/\2/p' \
	    page) $(sed -n 's/^import .* from "\.\/\(.*\)";/\1/p' ./*.js); do
		case $part in
		*.js) type=application/javascript ;;
		*.css) type=text/css ;;
		*.svg) type=image/svg+xml ;;
		esac
		atf_check -s exit:0 -o inline:"200 $type" -e empty \
		    curl -sS -o part -w '%{http_code} %{content_type}' \
		    "$WEB/$part"
	done

	room=$(demo_child fcgi-async)
	[ "$(id -u)" -ne 0 ] || atf_check -s exit:0 -e empty \
	    -o inline:"$(id -u www-data)\n" stat -c %u "/proc/$room"
	workers=$(child_pids "$(demo_child nginx)" | wc -l)
	wait_for share "$room" "$workers"
	demo_end TERM
	stop_clients
}

web_case death
death_body()
{
	demo_start no
	kill -KILL "$(demo_child fcgi-async)"
	demo_status=0
	wait "$DEMO_PID" || demo_status=$?
	atf_check_equal 1 $demo_status
	atf_check -s exit:0 -o ignore -e empty \
	    grep '^demo: the asynchronous server ended' demo.err
	demo_gone
}

web_case plain
plain_body()
{
	demo_start no
	atf_check -s exit:0 -o not-empty -e empty \
	    curl -sSf "$WEB/cgi-bin/hello.cgi"
	atf_check -s exit:0 -o inline:'5 ms\n' -e empty \
	    curl -sSf "$WEB/async/delay?ms=5"
	atf_check -s exit:0 -o ignore -e empty grep MULTIPLEX=no demo.out
	atf_check -s exit:1 -o empty -e empty \
	    grep -r '^ *fastcgi_multiplex\|^load_module\|[$]fastcgi_mult' \
	    tmp/afcgi-demo.*/nginx/conf
	demo_end INT
}

web_case term
term_body()
{
	demo_start
	demo_end TERM
}

web_case taken
taken_body()
{
	nginx_site </dev/null
	mkdir tmp
	atf_check -s exit:1 -o ignore -e match:"port $WEB_PORT" \
	    env PORT="$WEB_PORT" AFCGI="$AFCGI" ASYNC="$ASYNC" MULTIPLEX=no \
	    TMPDIR="$PWD/tmp" sh "$DEMO"
	atf_check -s exit:0 -o empty -e empty ls tmp
	web_finish
}
