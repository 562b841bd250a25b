#!/bin/sh
# "make demo": the gateway, the sample asynchronous server and an nginx of its
# own, in a scratch directory, until Ctrl-C.  Serves the sample scripts, gitweb,
# git http-backend over a repository that it makes, and a chat room.  Nothing is
# left, running or on disk.
#
#     PORT=8888       where nginx listens, on 127.0.0.1
#     CGI_BIN=dir     scripts to serve under /cgi-bin/ instead of the samples
#     AFCGI=program   the gateway, instead of build/afcgi
#     ASYNC=program   the asynchronous server, instead of build/fcgi-async
#     MULTIPLEX=no    nginx as it is distributed: without the module each
#                     request has a connection of its own to either
#     MODULE=file     the module, instead of the one that "make nginx" builds
#
# Once pages are really served, the last line it prints begins "demo: ready".
# As root, the scripts, the asynchronous server and nginx's workers run as
# www-data.

# shellcheck disable=SC2317	# does not see that the trap calls functions
set -eu
umask 022
PATH=$PATH:/usr/sbin:/sbin

top=$(cd "$(dirname "$0")/.." && pwd)
port=${PORT:-8888}
url=http://127.0.0.1:$port
gateway=
room=
server=
scratch=

die() {
	echo "demo: $*" >&2
	exit 1
}

# Stops process $1 and waits for it; after ten seconds it has no choice.
stop() {
	[ -n "$1" ] || return 0
	kill -TERM "$1" 2>/dev/null || :
	tries=200
	while kill -0 "$1" 2>/dev/null && [ "$tries" -gt 0 ]; do
		tries=$((tries - 1))
		sleep 0.05
	done
	kill -KILL "$1" 2>/dev/null && echo "demo: had to kill $1" >&2
	wait "$1" 2>/dev/null || :
}

cleanup() {
	status=$?
	trap '' INT TERM HUP
	stop "$server"
	stop "$room"
	stop "$gateway"
	[ -z "$scratch" ] || rm -rf "$scratch"
	exit "$status"
}

# Waits until the command "$@" succeeds; no longer than ten seconds, and no
# longer than process $1 lives.
await() {
	pid=$1
	shift
	tries=200
	until "$@"; do
		kill -0 "$pid" 2>/dev/null || return 1
		tries=$((tries - 1))
		[ "$tries" -gt 0 ] || return 1
		sleep 0.05
	done
}

# The log has a request of ours for page $1 that came over a shared connection.
shared() {
	grep -q " $1 .*connection=[0-9][0-9]* .*window=1 \"demo-check\"\$" "$log"
}

get() {
	curl -sS --noproxy '*' -m 10 "$@"
}

# A commit to the sample repository, $1 days ago.
commit() {
	date="@$(($(date +%s) - $1 * 86400)) +0000"
	git add -A
	GIT_AUTHOR_DATE=$date GIT_COMMITTER_DATE=$date git commit -q -m "$2"
}

# The sample repository, untouched by the user's own git configuration.
make_repository() (
	unset GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE
	export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1
	export GIT_AUTHOR_NAME='Sample Webmaster'
	export GIT_AUTHOR_EMAIL=webmaster@example.org
	export GIT_COMMITTER_NAME="$GIT_AUTHOR_NAME"
	export GIT_COMMITTER_EMAIL="$GIT_AUTHOR_EMAIL"
	samples=$top/contrib/cgi-bin

	git init -q -b main --template= "$scratch/work"
	cd "$scratch/work"
	printf '%s\n' 'CGI scripts' '===========' '' \
	    'Old ones, that still do their work.' >README
	commit 9 'Start with a README'
	cp "$samples/hello.cgi" .
	commit 7 'hello.cgi: the smallest script'
	git tag v1
	cp "$samples/drip.cgi" .
	commit 3 'drip.cgi: a line a second'
	cp "$samples/env.pl" .
	echo 'Each runs as a process of its own, for one request.' >>README
	commit 1 'env.pl: show what a script is told'

	repo=$scratch/git/demo.git
	git clone -q --bare --template= . "$repo"
	echo 'A sample to clone, change and push' >"$repo/description"
	# Whoever reaches this port may push; see git-http-backend(1).
	git -C "$repo" config http.receivepack true
	# git gc would go on in the background after a push.
	git -C "$repo" config gc.auto 0
	git -C "$repo" config --remove-section remote.origin
	cd / && rm -rf "$scratch/work"
)

case $port in
*[!0-9]* | ??????*) die "PORT=$port is not a port" ;;
esac
[ "$port" -le 65535 ] || die "PORT=$port is not a port"
afcgi=${AFCGI:-$top/build/afcgi}
async=${ASYNC:-$top/build/fcgi-async}
for program in "$afcgi" "$async"; do
	[ -x "$program" ] || die "no $program, run make first"
done
for program in nginx git curl; do
	command -v "$program" >/dev/null ||
	    die "no $program, run contrib/deps.sh demo"
done
gitweb=/usr/share/gitweb
[ -x "$gitweb/index.cgi" ] || die "no $gitweb/index.cgi, run contrib/deps.sh demo"
backend=$(git --exec-path)/git-http-backend
multiplex=${MULTIPLEX:-yes}
module=${MODULE:-$top/build/ngx_http_upstream_fastcgi_multiplex_module.so}
[ "$multiplex" = no ] || [ -f "$module" ] ||
    die "no $module, run make nginx, or make demo MULTIPLEX=no"

status=0
get -o /dev/null "$url/" 2>/dev/null || status=$?
[ "$status" -eq 7 ] ||
    die "port $port is taken, choose another one: make demo PORT=8889"

trap cleanup EXIT
trap 'exit 0' INT TERM HUP
scratch=$(mktemp -d "${TMPDIR:-/tmp}/afcgi-demo.XXXXXX")
chmod 711 "$scratch"
mkdir "$scratch/git" "$scratch/spool" "$scratch/bin" "$scratch/afcgi" \
    "$scratch/fcgi-async"
make_repository

if [ -n "${CGI_BIN:-}" ]; then
	scripts=$(cd "$CGI_BIN" && pwd)
else
	scripts=$scratch/cgi-bin
	cp -R "$top/contrib/cgi-bin" "$scripts"
fi

cat >"$scratch/gitweb.conf" <<EOT
our \$projectroot = '$scratch/git';
our \$site_name = 'afcgi demo';
our @git_base_url_list = ('$url/git');
\$feature{'blame'}{'default'} = [1];
\$feature{'pathinfo'}{'default'} = [1];
1;
EOT

# nginx's prefix, with these sockets and this port.
without=
[ "$multiplex" != no ] || without='/# multiplex$/d'
mkdir -p "$scratch/nginx/logs"
log=$scratch/nginx/logs/access.log
cp -R "$top/nginx/conf" "$top/nginx/html" "$scratch/nginx"
for file in conf/nginx.conf conf/afcgi.conf conf/async.conf html/index.html \
    html/chat.html; do
	sed -e "s,127\.0\.0\.1:8888,127.0.0.1:$port,g" \
	    -e "s,unix:/run/\([a-z-]*\)\.sock,\"unix:$scratch/\1/sock\"," \
	    -e "s,\.\./build/ngx_[a-z_]*\.so,\"$module\"," -e "$without" \
	    "$top/nginx/$file" >"$scratch/nginx/$file"
done

# As root: the scripts run as www-data, so the repository is theirs (git
# trusts no other owner's), and nginx's workers may open the sockets.  The
# asynchronous server is copied to where www-data can read it, and has a
# directory for its socket: that of the gateway, which root makes, is root's.
directives='daemon off;'
cp "$async" "$scratch/bin/fcgi-async"
set --
if [ "$(id -u)" -eq 0 ]; then
	chown -R www-data:www-data "$scratch/git" "$scratch/spool" \
	    "$scratch/fcgi-async"
	directives="$directives user www-data;"
	set -- setpriv --reuid www-data --regid www-data --init-groups --
fi
TMPDIR=$scratch/spool "$@" "$scratch/bin/fcgi-async" \
    -s "unix:$scratch/fcgi-async/sock" &
room=$!
[ $# -eq 0 ] || set -- -u www-data -o www-data
"$afcgi" "$@" -s "unix:$scratch/afcgi/sock" -T "$scratch/spool" -L drain=2 \
    -e "GIT_PROJECT_ROOT=$scratch/git" -e GIT_HTTP_EXPORT_ALL=1 \
    -e "GITWEB_CONFIG=$scratch/gitweb.conf" \
    "/cgi-bin/=$scripts" "/git/=$backend" "/gitweb/=$gitweb" &
gateway=$!
await "$gateway" test -S "$scratch/afcgi/sock" ||
    die 'the gateway did not start, its message is above'
await "$room" test -S "$scratch/fcgi-async/sock" ||
    die 'the asynchronous server did not start, its message is above'

nginx -p "$scratch/nginx/" -c conf/nginx.conf -g "$directives" &
server=$!
await "$server" test -s "$scratch/nginx/logs/nginx.pid" ||
    die 'nginx did not start, its message is above'

pages='/git/demo.git/HEAD /gitweb/ /async/delay'
[ -n "${CGI_BIN:-}" ] || pages="/cgi-bin/hello.cgi $pages"
for page in $pages; do
	get -f -o /dev/null "$url$page" || {
		cat "$scratch/nginx/logs/error.log" >&2
		die "no answer from $url$page"
	}
done

# One client connection is one worker.  Its first request to a server asks
# what that knows, so the second is the one to look at; its line in the log
# comes a moment after its response.
if [ "$multiplex" != no ]; then
	for page in /git/demo.git/HEAD /async/delay; do
		get -f -A demo-check -o /dev/null "$url$page" \
		    -o /dev/null "$url$page"
		await "$server" shared "$page" || {
			cat "$log" "$scratch/nginx/logs/error.log" >&2
			die "no shared connection for $page"
		}
	done
	seen=$(sed -n 's/.*\(connection=[0-9].*\) "demo-check"$/\1/p' "$log" |
	    tail -n 1)
	how="All requests of an nginx worker share one connection to the gateway, and
  one to the chat's server, each with flow control of its own.  One just now:
      $seen
  and the others are in $log.
  make demo MULTIPLEX=no does without."
else
	how='Each request has a connection of its own (MULTIPLEX=no).'
fi

cat <<EOT

  $url/           everything, with links
  $url/gitweb/    the sample repository
  $url/chat.html  a clock and a chat room

  git clone $url/git/demo.git
  cd demo && echo more >>README && git commit -am 'A change' && git push

  The scripts are in $scripts;
  make demo CGI_BIN=/usr/lib/cgi-bin serves others.

  $how

demo: ready at $url/, Ctrl-C stops it
EOT

while kill -0 "$gateway" 2>/dev/null && kill -0 "$room" 2>/dev/null &&
    kill -0 "$server" 2>/dev/null; do
	sleep 1
done
kill -0 "$gateway" 2>/dev/null || die 'the gateway ended by itself'
kill -0 "$room" 2>/dev/null || die 'the asynchronous server ended by itself'
cat "$scratch/nginx/logs/error.log" >&2
die 'nginx ended by itself'
