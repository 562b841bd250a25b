# shellcheck shell=sh
# shellcheck disable=SC2034,SC2154 # variables for, and of, others
# What listeners.sh and rate.sh share: servers that answer requests themselves,
# and an nginx in front of each.  Sourced after bench.sh.  A pair of them is
# named FRONT-SERVER, and lives in a directory of that name:
#
#	module-	the module		-async	fcgi-async
#	keep-	keepalive 64		-go	Go's net/http/fcgi
#	nginx-	neither			-php	php-fpm
#
# php-fpm does not multiplex, so module-php has keepalive too.
# Two workers; nothing is logged; / buffers responses, /live/ does not.
#
#	ASYNC	the asynchronous server (beside the gateway)

. "$AFCGI_TOP/tests/mux.sh"
. "$AFCGI_TOP/tests/fpm.sh"
async_build=$(dirname "$AFCGI")
MUX_MODULE=$async_build/ngx_http_upstream_fastcgi_multiplex_module.so
ASYNC=${ASYNC:-$async_build/fcgi-async}
PEER_GO=$async_build/tests/peer-go
WORKERS=2
PHP_CHILDREN=128 # for keepalive, which keeps that many busy

# pair_can pair: whether what it needs is there.
pair_can()
{
	have nginx || return 1
	pair_file=$AFCGI
	case $1 in
	*-async) pair_file=$ASYNC ;;
	*-go) pair_file=$PEER_GO ;;
	*-php) pair_file=$(php_fpm) ;;
	esac
	case $1 in
	module-*) [ -f "$MUX_MODULE" ] || pair_file= ;;
	esac
	[ -x "$pair_file" ] || { say "$1: missing, left out"; return 1; }
}

# The pid of the server, that listens on gw.sock.
pair_server()
{
	case $1 in
	async)
		"$ASYNC" -s unix:gw.sock -L requests=65535,connections=65535 \
		    >server.out 2>&1 </dev/null &
		;;
	go) "$PEER_GO" gw.sock >server.out 2>&1 </dev/null & ;;
	php)
		fpm_conf "$PHP_CHILDREN"
		"$(php_fpm)" -n -R -F -y fpm.conf -c /dev/null \
		    >server.out 2>&1 </dev/null &
		;;
	esac
	PAIR_SERVER=$!
	echo $PAIR_SERVER >>web.pids
	wait_for test -S gw.sock
}

pair_upstream()
{
	echo "server unix:$PWD/gw.sock;"
	! pair_keeps "$1" || echo 'keepalive 64;'
	case $1 in
	module-*) echo 'fastcgi_multiplex;' ;;
	esac
}

# Does it keep connections that are not shared?
pair_keeps()
{
	case $1 in
	keep-* | module-php) ;;
	*) return 1 ;;
	esac
}

pair_nginx()
{
	pair_files=$(files_most)
	WEB_PORT=$(free_port)
	mkdir nginx
	cp "$AFCGI_TOP/nginx/conf/afcgi_params" nginx/params
	cat >nginx/nginx.conf <<CONF
$([ "${1%%-*}" != module ] || echo "load_module $MUX_MODULE;")
$(web_user "user root;")
daemon off;
worker_processes $WORKERS;
worker_rlimit_nofile $pair_files;
error_log $PWD/nginx/error.log warn;
pid $PWD/nginx/nginx.pid;
events { worker_connections $pair_files; }
http {
	access_log off;
	client_body_temp_path $PWD/nginx/body;
	fastcgi_temp_path $PWD/nginx/fastcgi;
	proxy_temp_path $PWD/nginx/proxy;
	uwsgi_temp_path $PWD/nginx/uwsgi;
	scgi_temp_path $PWD/nginx/scgi;
	keepalive_requests 100000000;
	map \$server_port \$afcgi_host { default \$host:\$server_port; }
	upstream server {
		$(pair_upstream "$1")
	}
	server {
		listen 127.0.0.1:$WEB_PORT reuseport backlog=4096;
		include params;
		fastcgi_param SCRIPT_FILENAME $AFCGI_TOP/tests/peers/peer.php;
		$(! pair_keeps "$1" || echo 'fastcgi_keep_conn on;')
		location / {
			fastcgi_pass server;
		}
		location /live/ {
			fastcgi_pass server;
			fastcgi_buffering off;
			fastcgi_request_buffering off;
			fastcgi_read_timeout 1h;
		}
	}
}
CONF
	web_run nginx nginx -e "$PWD/nginx/error.log" -p "$PWD/nginx" \
	    -c "$PWD/nginx/nginx.conf"
	PAIR_NGINX=$(tail -n 1 web.pids)
}

# How many descriptors a process may have.
files_most()
{
	awk '/^Max open files/ { print $5 }' /proc/self/limits
}

# pair_start pair
# shellcheck disable=SC2103,SC2164 # set -e
pair_start()
{
	mkdir "$1"
	ln -s ../web.pids "$1/web.pids"
	cd "$1"
	pair_server "${1#*-}"
	pair_nginx "$1"
	cat >vars <<VARS
PAIR_SERVER=$PAIR_SERVER
PAIR_NGINX=$PAIR_NGINX
PAIR_PORT=$WEB_PORT
VARS
	cd ..
}

# pair_use pair: sets PAIR_SERVER and PAIR_NGINX, the pids of what has been
# started, and PAIR_PORT.
pair_use()
{
	# shellcheck disable=SC1090
	. "./$1/vars"
}

pairs_stop()
{
	stop_web
	for pair in "$@"; do
		rm -rf "./$pair"
	done
}

# family pid...: these and their children.
family()
{
	for family_pid; do
		echo "$family_pid"
		child_pids "$family_pid"
	done
}

# ticks pid...: the processor time of their families.
ticks()
{
	family "$@" | sed 's,.*,/proc/&/stat,' | xargs cat | sed 's/.*) //' |
	    awk '{ n += $12 + $13 } END { print n + 0 }'
}

# shared: how many connections to the server a worker has, the most of any.
shared()
{
	shared_server=$(family "$PAIR_SERVER" | paste -s -d '|' -)
	ss -xpH state established >shared.ss
	for shared_worker in $(child_pids "$PAIR_NGINX"); do
		awk -v server="pid=($shared_server)," \
		    -v worker="pid=$shared_worker," '
			$0 ~ server { of_server[$5] }
			$0 ~ worker { peer[$7] }
			END {
				for (i in peer) n += i in of_server
				print n + 0
			}' shared.ss
	done | sort -n | tail -n 1
}
