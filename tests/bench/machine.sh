#!/bin/sh
# Names the machine and what is measured on it, a "name: value" a line:
#
#	machine.sh gateway
PATH=$PATH:/usr/sbin:/sbin
top=$(cd "$(dirname "$0")/../.." && pwd)

# first file expression: what sed's expression makes of the first line it fits.
first()
{
	sed -n "$2" "$1" | head -n 1
}

# version name command: the first number in what it prints, if it is there.
version()
{
	command -v "$2" >/dev/null || return 0
	printf '%s: ' "$1"
	shift
	"$@" 2>&1 | sed -n 's/^[^0-9]*\([0-9][0-9a-z.]*\).*/\1/p' | head -n 1
}

echo "date: $(date -u '+%Y-%m-%d %H:%M UTC')"
echo "system: $(first /etc/os-release 's/^PRETTY_NAME="\(.*\)"/\1/p')"
echo "kernel: $(uname -r) $(uname -m)"
echo "processor: $(first /proc/cpuinfo 's/^model name[^:]*: //p')$(
    grep -q '^flags.* hypervisor' /proc/cpuinfo && echo ', virtual')"
echo "cores: $(nproc)"
echo "memory: $(awk '/^MemTotal/ { printf "%.1f GiB", $2 / 1048576 }' \
    /proc/meminfo)"
echo "load before: $(cut -d ' ' -f 1 /proc/loadavg)"
version afcgi "$1" -V
echo "commit: $(git -C "$top" describe --always --dirty 2>/dev/null)"
version nginx nginx -v
version HAProxy haproxy -v
version lighttpd lighttpd -v
version Apache apache2 -v
version uWSGI uwsgi --version
echo "fcgiwrap: $(dpkg-query -W -f '${Version}' fcgiwrap 2>/dev/null)"
version wrk wrk -v
version curl curl --version
version perl perl -e 'print $^V, $/'
version python /usr/bin/python3 --version
