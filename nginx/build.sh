#!/bin/sh
# Builds the module as a shared object, for "make nginx":
#
#     nginx/build.sh BUILD
#
# The result is BUILD/ngx_http_upstream_fastcgi_multiplex_module.so, for
# Debian's own nginx (its headers are those of the package nginx-dev), or for
# another one:
#
#     NGINX_SRC=dir            its source tree, which stays as it is
#     NGINX_CONFIGURE=options  what it was configured with, as "nginx -V" says
#
# configure runs in a copy of that tree, once, and again when something it
# goes by is new; later runs compile what has changed.  Ends with status 3 when
# there is no source tree.

set -eu

top=$(cd "$(dirname "$0")/.." && pwd)
name=ngx_http_upstream_fastcgi_multiplex_module
mkdir -p "$1/nginx"
build=$(cd "$1" && pwd)
work=$build/nginx
source=${NGINX_SRC:-/usr/share/nginx/src}

if [ ! -f "$source/src/core/nginx.h" ]; then
	rmdir "$work" 2>/dev/null || :
	if [ -n "${NGINX_SRC:-}" ]; then
		echo "nginx: NGINX_SRC=$source holds no nginx" >&2
	else
		echo 'nginx: the module needs the package nginx-dev (sh' \
		    'contrib/deps.sh nginx), or make NGINX_SRC=DIR nginx' >&2
	fi
	exit 3
fi

# What the gateway is built with is not for nginx; with a sanitizer in it the
# module would not load.  (make hands on what its command line says.)
unset CFLAGS LDFLAGS MAKEFLAGS MAKEOVERRIDES MFLAGS

# Debian writes there what its nginx was configured with, debug log included.
options=${NGINX_CONFIGURE:-}
if [ -z "$options" ] && [ -f "$source/conf_flags" ]; then
	options=$(sed -n 's/^NGX_CONF_FLAGS=( *\(.*\) )$/\1/p' \
	    "$source/conf_flags")
fi
[ -n "$options" ] || options='--with-compat --with-debug --with-threads
    --with-http_ssl_module --with-http_v2_module'

stamp="$(cksum <"$source/src/core/nginx.h") $source ${CC:-cc} $options
$(cat "$top/nginx/config" "$top/nginx/build.sh" | cksum)"
if [ "$stamp" != "$(cat "$work/stamp" 2>/dev/null)" ]; then
	echo "nginx: configuring $source"
	rm -rf "$work"
	mkdir "$work"
	cp -R "$source" "$work/src"
	cd "$work/src"
	configure=./configure
	[ -f configure ] || configure=auto/configure
	# Warnings of compilers to come are no errors, as in the Makefile; but
	# a function that is not there would only be missed at load time.
	warn='-Wno-error -Werror=implicit-function-declaration'
	hard='-fstack-protector-strong -D_FORTIFY_SOURCE=2 -fPIC'
	# The options are quoted as for a shell.
	eval "set -- $(echo "$options" | tr '\n' ' ')"
	$configure --with-cc="${CC:-cc}" --with-cc-opt="-g -O2 $hard $warn" \
	    --with-ld-opt='-Wl,-z,relro -Wl,-z,now -fPIC' "$@" --with-compat \
	    --builddir="$work/obj" --add-dynamic-module="$top/nginx" \
	    >"$work/configure.log" 2>&1 || {
		cat "$work/configure.log" >&2
		exit 1
	}
	echo "$stamp" >"$work/stamp"
fi

cd "$work/src"
make -s -j "$(getconf _NPROCESSORS_ONLN)" -f "$work/obj/Makefile" modules

# Never written in place: an nginx may have the old one loaded.
cd "$build"
if ! cmp -s "nginx/obj/$name.so" "$name.so"; then
	cp "nginx/obj/$name.so" "$name.so.new"
	mv -f "$name.so.new" "$name.so"
fi
