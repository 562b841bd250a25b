# shellcheck shell=sh
# php-fpm on gw.sock, in the working directory.  Sourced after web.sh.

# php_fpm: its program, or nothing.
php_fpm()
{
	command -v php-fpm && return
	for web_fpm in /usr/sbin/php-fpm*; do
		[ ! -x "$web_fpm" ] || { echo "$web_fpm"; return; }
	done
}

# fpm_conf n: fpm.conf, for so many children on gw.sock; more may follow.
fpm_conf()
{
	cat >fpm.conf <<CONF
[global]
error_log = $PWD/fpm.log
pid = $PWD/fpm.pid
daemonize = no
[www]
$(web_user "user = root")
$(web_user "group = root")
listen = $PWD/gw.sock
listen.backlog = 1024
pm = static
pm.max_children = $1
CONF
}
