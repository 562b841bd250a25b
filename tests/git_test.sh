# shellcheck shell=sh
# shellcheck disable=SC2119,SC2120 # the arguments of git_site are the gateway's
# Real programs that live as CGI scripts: git http-backend and gitweb, behind
# nginx with request buffering on and off:
#
#	clone    git clone gives the commit that was made; of no repository: an
#	         error that git understands
#	push     git push arrives, and a second clone has it
#	big      a push of 20 MB, which git sends chunked
#	gzip     a negotiation so long that git compresses it
#	prefix   without SCRIPT_FILENAME, by the prefix of one program
#	gitweb   its list of projects, a commit, a 404 page

. "$(atf_get_srcdir)/lib.sh"
. "$(atf_get_srcdir)/web.sh"
web_needs nginx curl perl git

GITWEB=/usr/share/gitweb/gitweb.cgi

git_setup()
{
	export HOME="$PWD" GIT_CONFIG_NOSYSTEM=1 GIT_TERMINAL_PROMPT=0
	unset GIT_DIR GIT_WORK_TREE
	git config --global user.name Tester
	git config --global user.email tester@example.com
	git config --global init.defaultBranch trunk
	git init -q --bare repos/demo.git
	git -C repos/demo.git config http.receivepack true
	git init -q work
	echo "first" >work/file
	git -C work add file
	git -C work commit -q -m "The first of all"
	git -C work push -q "$PWD/repos/demo.git" trunk
}

# git_site gateway-argument...: buffered /r1/, streamed /r0/, and /git/, which
# leaves it to the gateway to find the program.
git_site()
{
	GIT_BACKEND=$(git --exec-path)/git-http-backend
	git_setup
	mkdir nginx
	cat >nginx/git_params <<CONF
include params;
fastcgi_param GIT_HTTP_EXPORT_ALL "";
fastcgi_param GIT_PROJECT_ROOT $PWD/repos;
CONF
	start_gateway "$@" "$PWD/cgi-bin" "/git/=$GIT_BACKEND"
	start_nginx <<CONF
location ~ ^/r1(/.*)\$ {
	fastcgi_pass unix:$WEB_SOCKET;
	include git_params;
	fastcgi_param SCRIPT_FILENAME $GIT_BACKEND;
	fastcgi_param PATH_INFO \$1;
}
location ~ ^/r0(/.*)\$ {
	fastcgi_pass keep;
	fastcgi_keep_conn on;
	fastcgi_request_buffering off;
	fastcgi_buffering off;
	include git_params;
	fastcgi_param SCRIPT_FILENAME $GIT_BACKEND;
	fastcgi_param PATH_INFO \$1;
}
location /git/ {
	fastcgi_pass unix:$WEB_SOCKET;
	include git_params;
	fastcgi_param SCRIPT_NAME \$uri;
}
$(cat)
CONF
}

same_commit()
{
	atf_check_equal "$(git -C "$1" rev-parse trunk)" \
	    "$(git -C "$2" rev-parse trunk)"
}

web_case clone
clone_body()
{
	git_site </dev/null
	for way in r0 r1; do
		atf_check -s exit:0 -o empty -e empty \
		    git clone -q "$WEB/$way/demo.git" $way
		same_commit work $way
		atf_check -s exit:0 -o inline:'first\n' -e empty cat $way/file
		atf_check -s exit:128 -o empty -e match:'not found' \
		    git clone -q "$WEB/$way/none.git" none
	done
	nginx_log_clean
	web_finish
}

web_case push
push_body()
{
	git_site </dev/null
	for way in r0 r1; do
		echo $way >>work/file
		git -C work commit -q -a -m "For $way"
		atf_check -s exit:0 -o ignore -e empty \
		    git -C work push -q "$WEB/$way/demo.git" trunk
		same_commit work repos/demo.git
		atf_check -s exit:0 -o empty -e empty \
		    git clone -q "$WEB/$way/demo.git" $way
		same_commit work $way
	done
	nginx_log_clean
	web_finish
}

# git sends what is longer than http.postBuffer without a length.
web_case big
big_body()
{
	git_site </dev/null
	for way in r0 r1; do
		head -c 20000000 /dev/urandom >work/$way
		git -C work add $way
		git -C work commit -q -m "Big for $way"
		atf_check -s exit:0 -o ignore -e save:trace \
		    env GIT_TRACE_CURL=1 GIT_TRACE_CURL_NO_DATA=1 \
		    git -C work push -q "$WEB/$way/demo.git" trunk
		atf_check -s exit:0 -o ignore -e empty \
		    grep -i 'transfer-encoding: chunked' trace
		same_commit work repos/demo.git
		atf_check -s exit:0 -o empty -e empty \
		    git clone -q "$WEB/$way/demo.git" $way
		atf_check -s exit:0 -o empty -e empty cmp work/$way $way/$way
	done
	nginx_log_clean
	web_finish
}

# With protocol 0 each branch costs a line of the request.
web_case gzip
gzip_body()
{
	git_site </dev/null
	for i in $(seq 100); do
		git -C work commit -q --allow-empty -m "Number $i"
		git -C work branch "b$i"
	done
	git -C work push -q "$PWD/repos/demo.git" --all
	for way in r0 r1; do
		atf_check -s exit:0 -o empty -e save:trace \
		    env GIT_TRACE_CURL=1 GIT_TRACE_CURL_NO_DATA=1 \
		    git -c protocol.version=0 \
		    clone -q "$WEB/$way/demo.git" $way
		atf_check -s exit:0 -o ignore -e empty \
		    grep -i 'send header: content-encoding: gzip' trace
		same_commit work $way
	done
	nginx_log_clean
	web_finish
}

web_case prefix
prefix_body()
{
	git_site </dev/null
	atf_check -s exit:0 -o empty -e empty \
	    git clone -q "$WEB/git/demo.git" copy
	same_commit work copy
	nginx_log_clean
	web_finish
}

web_case gitweb
gitweb_body()
{
	[ -x $GITWEB ] || atf_skip "no $GITWEB"
	cat >gitweb.conf <<CONF
our \$projectroot = "$PWD/repos";
our \$site_name = "Tests";
CONF
	git_site -e "GITWEB_CONFIG=$PWD/gitweb.conf" $GITWEB <<CONF
location = /gitweb {
	fastcgi_pass unix:$WEB_SOCKET;
	include params;
	fastcgi_param SCRIPT_NAME /gitweb;
	fastcgi_param SCRIPT_FILENAME $GITWEB;
}
CONF
	atf_check -s exit:0 -e empty -o match:'demo\.git' \
	    -o match:'<title>Tests' curl -sS "$WEB/gitweb"
	atf_check -s exit:0 -e empty -o match:'The first of all' \
	    curl -sS "$WEB/gitweb?p=demo.git;a=shortlog"
	atf_check -s exit:0 -e empty -o match:'^404$' \
	    curl -sS -w '\n%{http_code}\n' "$WEB/gitweb?p=none.git"
	nginx_log_clean
	web_finish
}
