#!/bin/sh
# Checks the form of everything, from the top of the source tree.  Silent
# but for the names of the checks when all is well; ends at the first check
# that is not.

set -eu
warnings='-Wall -Wextra -Wshadow -Wpointer-arith -Wcast-qual
    -Wstrict-prototypes -Wmissing-prototypes -Wsign-compare -Wwrite-strings
    -Wundef -Wvla -Wformat=2 -Werror'
flags="-std=c11 -D_GNU_SOURCE $(pkg-config --cflags libbsd-overlay \
    libevent_core atf-c)"
sources=$(git ls-files '*.c' '*.h')
programs=$(git ls-files '*.c')
scripts=$(git ls-files '*.sh' .ci/run 'contrib/cgi-bin/*.cgi' \
    contrib/rc.d/afcgi)

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

	say cppcheck
	cppcheck --quiet --error-exitcode=1 --std=c11 --inline-suppr -D_GNU_SOURCE \
	    --enable=warning,performance,portability \
	    --include=/usr/include/bsd/sys/queue.h \
	    --include=/usr/include/bsd/sys/tree.h \
	    --suppressions-list=tests/cppcheck.txt $programs

	say clang-tidy
	clang-tidy --quiet --warnings-as-errors='*' \
	    --checks="$(sed -n 's/^checks: //p' tests/clang-tidy.txt)" \
	    $(git ls-files 'gateway/*.c') -- $flags 2>/dev/null

	say mandoc
	mandoc -Tlint -Wstyle gateway/afcgi.8

	say shellcheck
	shellcheck -e SC1091 $scripts

	say perl
	for script in $(git ls-files '*.pl'); do
		perl -c "$script" 2>/dev/null || perl -c "$script"
	done

	say 'GNU make and bmake'
	make -n all >/dev/null
	bmake -n all >/dev/null
}
say ok
