# shellcheck shell=sh
# shellcheck disable=SC2119,SC2120 # nginx_site's arguments are the gateway's
# The demonstration (contrib/demo.sh), on a free port:
#
#	demo     its pages answer: the front page, each sample script that needs
#	         no form, gitweb; its repository can be cloned, pushed to and
#	         cloned again; INT ends it with status 0, and nothing of it is
#	         left, no process, no port, no file.  Its nginx has the module,
#	         and sends requests over a shared connection with flow control
#	plain    MULTIPLEX=no: its pages answer without the module
#	term     likewise TERM
#	taken    a port in use: a message and status 1, nothing started

. "$(atf_get_srcdir)/lib.sh"
. "$(atf_get_srcdir)/web.sh"
web_needs nginx curl perl git

DEMO=$TOP/contrib/demo.sh
MODULE=$TESTS/../ngx_http_upstream_fastcgi_multiplex_module.so

# demo_start [MULTIPLEX]
demo_start()
{
	[ "${1:-}" = no ] || [ -f "$MODULE" ] || atf_skip "no nginx module"
	[ -x /usr/share/gitweb/gitweb.cgi ] || atf_skip "no gitweb"
	mkdir -m 755 tmp
	chmod 755 .
	WEB_PORT=$(free_port)
	WEB=http://127.0.0.1:$WEB_PORT
	# A shell's background job would be deaf to INT: perl starts it.
	perl -e '$SIG{INT} = "DEFAULT"; exec @ARGV' env PORT="$WEB_PORT" \
	    AFCGI="$AFCGI" MODULE="$MODULE" MULTIPLEX="${1:-yes}" \
	    TMPDIR="$PWD/tmp" AFTEST="$MARK" sh "$DEMO" >demo.out \
	    2>demo.err </dev/null &
	DEMO_PID=$!
	echo $DEMO_PID >web.pids
	wait_for demo_ready
}

demo_ready()
{
	ended "$DEMO_PID" && cat demo.out demo.err >&2 && atf_fail "it ended"
	grep -q '^demo: ready' demo.out
}

# demo_end signal: it obeys, and takes all with it.
demo_end()
{
	kill "-$1" "$DEMO_PID"
	demo_status=0
	wait "$DEMO_PID" || demo_status=$?
	atf_check_equal 0 $demo_status
	rm web.pids
	atf_check_equal "" "$(script_pids)"
	atf_check -s exit:0 -o empty -e empty ls tmp
	atf_check -s exit:7 -o empty -e ignore curl -sS "$WEB/"
}

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

web_case plain
plain_body()
{
	demo_start no
	atf_check -s exit:0 -o not-empty -e empty \
	    curl -sSf "$WEB/cgi-bin/hello.cgi"
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
	    env PORT="$WEB_PORT" AFCGI="$AFCGI" MULTIPLEX=no \
	    TMPDIR="$PWD/tmp" sh "$DEMO"
	atf_check -s exit:0 -o empty -e empty ls tmp
	web_finish
}
