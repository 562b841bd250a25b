#!/bin/sh
# Installs the Debian packages that a set of make targets needs:
#
#     contrib/deps.sh SET ...
#
# where a set is build, nginx, demo, check, sanitize-nginx, lint, bench or
# profile.
#
# Silent, and done in a blink, when nothing is missing.  Otherwise it says
# what it installs and does so as root, or through sudo.  Of the packages that
# come with a service none is started or enabled: they are only here to be run
# by the demo and the tests, on sockets of their own.

set -eu
PATH=$PATH:/usr/sbin:/sbin

build='gcc libc6-dev make pkg-config libevent-dev libbsd-dev'
nginx="$build nginx-dev"
demo="$build nginx git gitweb libcgi-pm-perl perl curl"
# golang-go and those after it: FastCGI servers that others wrote, for the
# module.  nghttp2-client has h2load.  chromium-driver drives a browser, for
# the pages of the demo.
check="$demo $nginx apache2-bin atf-sh haproxy iproute2 kyua libatf-dev"
check="$check lighttpd golang-go libfcgi-dev libnet-async-fastcgi-perl php-fpm"
check="$check nghttp2-client valgrind chromium chromium-driver"
sanitize_nginx='dpkg-dev libpcre2-dev libssl-dev zlib1g-dev'
lint="$build bmake clang clang-format clang-tidy cppcheck libatf-dev mandoc"
lint="$lint shellcheck"
bench="$check fcgiwrap python3-minimal uwsgi-core wrk"
profile="$nginx curl linux-perf nginx perl strace valgrind wrk"

usage() {
	echo 'usage: contrib/deps.sh' \
	    'build|nginx|demo|check|sanitize-nginx|lint|bench|profile ...' >&2
	exit 1
}

# The packages of "$@" that are not installed.
missing() {
	have=" $(dpkg-query -W -f '${db:Status-Status} ${Package}\n' |
	    sed -n 's/^installed //p' | tr '\n' ' ')"
	for package; do
		case $have in
		*" $package "*) ;;
		*) printf '%s ' "$package" ;;
		esac
	done
}

# Every package that is installed, one a line, sorted.
installed() {
	dpkg-query -W -f '${db:Status-Status} ${Package}\n' |
	    sed -n 's/^installed //p' | sort
}

cleanup() {
	trap '' INT TERM HUP
	[ -z "$policy" ] || rm -f "$policy"
	[ -z "$tmp" ] || rm -rf "$tmp"
}

# apt-get, quiet unless it fails.
apt() {
	apt-get -qq -o DPkg::Lock::Timeout=300 "$@" >"$tmp/log" 2>&1 </dev/null
}

# Service $1 is not started at boot; $2 is its unit or init script.
disable() {
	case $2 in
	*/systemd/system/*@.*)
		;;
	*/systemd/system/*.service | */systemd/system/*.socket | \
	*/systemd/system/*.timer | */systemd/system/*.path)
		[ ! -d /run/systemd/system ] || systemctl stop "$1" || :
		if command -v systemctl; then
			systemctl disable "$1" || :
		else
			# It refuses who is no package's script.
			DPKG_MAINTSCRIPT_PACKAGE=deps \
			    deb-systemd-helper disable "$1" || :
		fi
		;;
	/etc/init.d/*)
		update-rc.d "$1" disable || :
		;;
	esac >/dev/null 2>&1 </dev/null
}

[ $# -gt 0 ] || usage
packages=
for set; do
	case $set in
	build) packages="$packages $build" ;;
	nginx) packages="$packages $nginx" ;;
	demo) packages="$packages $demo" ;;
	check) packages="$packages $check" ;;
	sanitize-nginx) packages="$packages $sanitize_nginx" ;;
	lint) packages="$packages $lint" ;;
	bench) packages="$packages $bench" ;;
	profile) packages="$packages $profile" ;;
	*) usage ;;
	esac
done

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
	echo 'deps: no Debian here; install what these packages hold:' >&2
	echo "deps:$packages" >&2
	exit 0
fi

# Names only, so words are meant to split.
# shellcheck disable=SC2046,SC2086
need=$(missing $(printf '%s\n' $packages | sort -u))
[ -n "$need" ] || exit 0

if [ "$(id -u)" -ne 0 ]; then
	if ! command -v sudo >/dev/null; then
		echo "deps: missing: $need" >&2
		echo 'deps: not root, and there is no sudo.  As root:' >&2
		echo "deps:     sh contrib/deps.sh $*" >&2
		exit 1
	fi
	echo "deps: installing (sudo apt-get install): $need"
	exec sudo DEPS_SAID=1 sh "$0" "$@"
fi

export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8
policy=
tmp=
trap cleanup EXIT
trap 'exit 1' INT TERM HUP
tmp=$(mktemp -d)

# Package scripts ask this program whether they may start a service (see
# invoke-rc.d(8)).  One that is there already is the administrator's word.
if [ ! -e /usr/sbin/policy-rc.d ]; then
	policy=/usr/sbin/policy-rc.d
	printf '#!/bin/sh\nexit 101\n' >"$policy"
	chmod 755 "$policy"
fi

[ -n "${DEPS_SAID:-}" ] || echo "deps: installing (apt-get install): $need"
installed >"$tmp/before"

# The lists of packages are fetched only if they do not do.
# shellcheck disable=SC2086
if ! apt install --no-install-recommends -y $need; then
	echo 'deps: once more, with fresh package lists (apt-get update)'
	apt update || cat "$tmp/log" >&2
	if ! apt install --no-install-recommends -y $need; then
		cat "$tmp/log" >&2
		echo 'deps: apt-get failed, see above' >&2
		exit 1
	fi
fi

installed >"$tmp/after"
comm -13 "$tmp/before" "$tmp/after" | while read -r package; do
	dpkg-query -L "$package"
done | while read -r file; do
	disable "${file##*/}" "$file"
done
