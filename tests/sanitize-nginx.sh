#!/bin/sh
# Runs the module's tests (mux*_test) in an nginx that has it built in and was
# compiled with AddressSanitizer and, for the module, UBSan:
#
#     tests/sanitize-nginx.sh BUILD
#
# after `make B=BUILD tests'.  nginx is Debian's source package; it is fetched
# and built once, in BUILD/sanitize-nginx, with an apt configuration of that
# directory, so that the system's apt learns nothing of it.  NGINX_SRC=dir is
# used instead when it is set.  Ends like tests/check.sh; any report of a
# sanitizer fails it, and so does (in tests/mux.sh) an alert in an error log.

set -eu
export LC_ALL=C.UTF-8
PATH=$PATH:/usr/sbin:/sbin
mkdir -p "$1/sanitize-nginx"
build=$(cd "$1" && pwd)
work=$build/sanitize-nginx
AFCGI_TOP=$(cd "$(dirname "$0")/.." && pwd)

say() {
	echo "sanitize-nginx: $*"
}

# Where this system gets Debian from, as sources; its mirrors, if it has some.
sources() {
	key=/usr/share/keyrings/debian-archive-keyring.gpg
	# shellcheck disable=SC2016 # apt-get's variables
	apt-get indextargets \
	    --format '$(ORIGIN)|$(COMPONENT)|$(REPO_URI) $(RELEASE) main' \
	    'Created-By: Packages' | sort -u |
	    sed -n "s,^Debian|main|,deb-src [signed-by=$key] ,p" >"$apt/sources"
	if [ ! -s "$apt/sources" ]; then
		codename=$(. /etc/os-release && echo "$VERSION_CODENAME")
		echo "deb-src [signed-by=$key] http://deb.debian.org/debian" \
		    "$codename main" >"$apt/sources"
	fi
}

# The hooks that the system's configuration may have are for the system's apt.
configuration() {
	mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial"
	cat <<CONF
Dir::Etc::sourcelist "$apt/sources";
Dir::Etc::sourceparts "-";
Dir::State::lists "$apt/lists";
Dir::Cache "$apt/cache";
APT::Sandbox::User "root";
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
CONF
}

# A security update's source may be gone from the archive while its binaries
# are still there; an older version does as well.
fetch() {
	apt=$work/apt
	mkdir -p "$apt"
	sources
	configuration >"$apt/conf"
	cd "$work"
	apt-get -c "$apt/conf" -qq update
	for version in $(apt-cache -c "$apt/conf" showsrc --only-source nginx |
	    sed -n 's/^Version: //p' | sort -ru); do
		say "nginx $version"
		rm -rf src nginx-*/
		if apt-get -c "$apt/conf" -qq source "nginx=$version" \
		    >"$work/fetch.log" 2>&1; then
			mv nginx-*/ src
			rm -rf "$apt"
			return 0
		fi
	done
	cat "$work/fetch.log" >&2
	say 'no source of nginx could be fetched' >&2
	exit 1
}

# What Debian has on, without what needs more libraries.
configure_nginx() {
	say 'configure'
	asan='-fsanitize=address -fno-omit-frame-pointer -Wno-error'
	cd "$work/src"
	configure=./configure
	[ -f configure ] || configure=auto/configure
	# With NGX_DEBUG_PALLOC each allocation from a pool is one of malloc,
	# so that its bounds are known.
	$configure --builddir="$work/obj" --prefix="$work/prefix" \
	    --error-log-path=stderr --http-log-path=/dev/null \
	    --with-debug --with-compat --with-threads --with-pcre-jit \
	    --with-http_ssl_module --with-http_v2_module \
	    --with-http_realip_module --with-http_auth_request_module \
	    --with-http_stub_status_module --with-http_addition_module \
	    --with-http_slice_module --with-http_sub_module \
	    --with-http_dav_module --with-http_gunzip_module \
	    --with-cc-opt="-O1 -g $asan -DNGX_DEBUG_PALLOC=1" \
	    --with-ld-opt="$asan -fsanitize=undefined" \
	    --with-poll_module --add-module="$AFCGI_TOP/tests/filter" \
	    --add-module="$AFCGI_TOP/nginx" >"$work/configure.log" || {
		cat "$work/configure.log" >&2
		exit 1
	}
	# UBSan is for the module; how nginx does it is not on trial.
	for source in "$AFCGI_TOP"/nginx/*.c; do
		object=${source##*/}
		echo "$work/obj/addon/nginx/${object%.c}.o:" \
		    'CFLAGS += -fsanitize=undefined' \
		    '-fno-sanitize-recover=undefined'
	done >>"$work/obj/Makefile"
	stamp >"$work/stamp"
}

# What a configured tree depends on.
stamp() {
	cat "$AFCGI_TOP/nginx/config" "$AFCGI_TOP/tests/sanitize-nginx.sh" \
	    "$AFCGI_TOP"/tests/filter/* | cksum
}

if [ -n "${NGINX_SRC:-}" ]; then
	[ -d "$work/src" ] || cp -R "$NGINX_SRC" "$work/src"
elif [ ! -d "$work/src" ]; then
	(fetch)
fi
# make hands on what its command line says; that is not for nginx.
unset CFLAGS LDFLAGS MAKEFLAGS MAKEOVERRIDES MFLAGS
if [ "$(stamp)" != "$(cat "$work/stamp" 2>/dev/null)" ]; then
	rm -rf "$work/obj"
	(configure_nginx)
fi
say 'make'
(cd "$work/src" &&
    make -s -j "$(getconf _NPROCESSORS_ONLN)" -f "$work/obj/Makefile" binary)

# Reports go to files that the workers, another user's, may write.
rm -rf "$work/reports"
mkdir "$work/reports"
chmod 1777 "$work/reports"
# What nginx itself leaves to the kernel when it exits.
printf 'leak:^%s$\n' ngx_event_process_init ngx_regex_malloc \
    ngx_http_upstream_update_random >"$work/leaks"
LSAN_OPTIONS=suppressions=$work/leaks:print_suppressions=0
ASAN_OPTIONS=log_path=$work/reports/asan:${ASAN_OPTIONS:-}
UBSAN_OPTIONS=log_path=$work/reports/ubsan:print_stacktrace=1
# For nginx itself that variable holds sockets that it inherits; and "nginx -t"
# frees nothing.
NGINX=$work/nginx
NGINX_MULTIPLEX=static
cat >"$NGINX" <<WRAPPER
#!/bin/sh
unset NGINX
case " \$* " in
*' -t '*) export ASAN_OPTIONS="\$ASAN_OPTIONS:detect_leaks=0" ;;
esac
exec "$work/obj/nginx" "\$@"
WRAPPER
chmod +x "$NGINX"
export AFCGI_TOP ASAN_OPTIONS LSAN_OPTIONS UBSAN_OPTIONS
export NGINX NGINX_MULTIPLEX

results=$work/results.db
rm -f "$results"
say "some minutes; $work/kyua.log shows how far it is"
programs=$(sed -n "s/.*name='\(mux[a-z0-9_]*\)'.*/\1/p" \
    "$build/tests/Kyuafile")
status=0
# shellcheck disable=SC2086 # names
kyua -v parallelism=2 test -k "$build/tests/Kyuafile" -r "$results" \
    $programs >"$work/kyua.log" 2>&1 || status=$?
grep -v -- '->  passed' "$work/kyua.log" || :
[ "$status" -eq 0 ] ||
    kyua report -r "$results" --results-filter=broken,failed --verbose |
	sed -n '/^===> [a-z]/,$p' | cut -c1-400 | head -n 600

reports=0
for report in "$work"/reports/*; do
	[ -f "$report" ] || continue
	reports=$((reports + 1))
	echo "==> $report"
	head -n 100 "$report"
done
count() {
	kyua report -r "$results" --results-filter="$1" 2>/dev/null |
	    grep -c -- '->  ' || :
}
passed=$(count passed,xfail)
failed=$(($(count broken,failed) + reports))
[ "$passed" -gt 0 ] || failed=$((failed + 1))
echo "$passed passed, $failed failed, $(count skipped) skipped"
[ "$status" -eq 0 ] && [ "$failed" -eq 0 ]
