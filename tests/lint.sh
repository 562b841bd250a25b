#!/bin/sh
# Checks the form of everything, from the top of the source tree.  Silent
# but for the names of the checks when all is well; ends at the first check
# that is not:
#
#     tests/lint.sh BUILD
#
# The module is compiled against the nginx that is configured in BUILD.

set -eu
build=$1
warnings='-Wall -Wextra -Wshadow -Wpointer-arith -Wcast-qual
    -Wstrict-prototypes -Wmissing-prototypes -Wsign-compare -Wwrite-strings
    -Wundef -Wvla -Wformat=2 -Werror'
flags="-std=c11 -D_GNU_SOURCE -Igateway $(pkg-config --cflags \
    libbsd-overlay libevent_core atf-c)"
sources=$(git ls-files '*.c' '*.h' ':!nginx' ':!tests/filter')
programs=$(git ls-files '*.c' ':!nginx' ':!tests/filter')
module=$(git ls-files 'nginx/*.c' 'tests/filter/*.c')
scripts=$(git ls-files '*.sh' .ci/run 'contrib/cgi-bin/*.cgi' \
    contrib/rc.d/afcgi)
checks=$(sed -n 's/^checks: //p' tests/clang-tidy.txt)

# nginx's headers are its own matter, as is what its way of writing does not
# go with: const for the strings that it takes, size_t that becomes ssize_t.
nginx_flags='-D_GNU_SOURCE'
for directory in core event event/modules os/unix http http/modules http/v2; do
	nginx_flags="$nginx_flags -isystem $build/nginx/src/src/$directory"
done
nginx_flags="$nginx_flags -isystem $build/nginx/obj"
nginx_warnings='-Wall -Wextra -Wno-unused-parameter -Wshadow -Wpointer-arith
    -Wcast-qual -Wstrict-prototypes -Wmissing-prototypes -Wsign-compare -Wvla
    -Wformat=2 -Werror'

say() {
	echo "lint: $*"
}

# shellcheck disable=SC2046,SC2086 # lists of names
{
	say clang-format
	clang-format --dry-run -Werror $sources

	for compiler in gcc clang; do
		say "$compiler -Werror"
		for source in $programs; do
			$compiler $flags $warnings -O2 -fsyntax-only "$source"
		done
	done

	say 'module: gcc -Werror, clang -Werror, cppcheck, clang-tidy'
	sh nginx/build.sh "$build"
	for compiler in gcc clang; do
		for source in $module; do
			$compiler $nginx_flags $nginx_warnings -O2 \
			    -fsyntax-only "$source"
		done
	done
	# It takes the arrays of callers of fcgi.h for too short.
	cppcheck --quiet --error-exitcode=1 --std=c11 --inline-suppr \
	    --enable=warning,performance,portability \
	    --suppress=ctuArrayIndex \
	    --suppressions-list=tests/cppcheck.txt $module
	clang-tidy --quiet --warnings-as-errors='*' \
	    --checks="$checks,-bugprone-narrowing-conversions" \
	    $module -- $nginx_flags 2>/dev/null

	say cppcheck
	cppcheck --quiet --error-exitcode=1 --std=c11 --inline-suppr -D_GNU_SOURCE \
	    --enable=warning,performance,portability \
	    --include=/usr/include/bsd/sys/queue.h \
	    --include=/usr/include/bsd/sys/tree.h \
	    --suppressions-list=tests/cppcheck.txt $programs

	say clang-tidy
	clang-tidy --quiet --warnings-as-errors='*' \
	    --checks="$checks" \
	    $(git ls-files 'gateway/*.c' 'contrib/*.c') -- $flags 2>/dev/null

	say mandoc
	mandoc -Tlint -Wstyle gateway/afcgi.8 gateway/fcgi_flow.7 \
	    nginx/fastcgi_multiplex.5

	say shellcheck
	shellcheck -e SC1091 $scripts

	say perl
	for script in $(git ls-files '*.pl' 'tests/peers/*.cgi'); do
		perl -c "$script" 2>/dev/null || perl -c "$script"
	done

	say gofmt
	[ -z "$(gofmt -l tests/peers)" ] || {
		gofmt -d tests/peers
		exit 1
	}

	say 'GNU make and bmake'
	make -n all >/dev/null
	bmake -n all >/dev/null
}
say ok
