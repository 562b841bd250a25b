#!/bin/sh
# Runs the whole suite with Kyua, and says how it went:
#
#     tests/check.sh BUILD
#
# BUILD is the directory that `make B=BUILD tests' has filled.  With
# AFCGI_VALGRIND set the gateway of the shell tests runs under valgrind.  The
# last line is `N passed, N failed, N skipped'; the exit status is 0 if none
# failed.  What failed is shown whole.

set -u
# where web servers are; an ordinary user's PATH may lack them
PATH=$PATH:/usr/sbin:/sbin
export PATH
build=$1
AFCGI_TOP=$(pwd)
LSAN_OPTIONS=${LSAN_OPTIONS:-print_suppressions=0}
export AFCGI_TOP LSAN_OPTIONS
results=$build/results.db
rm -f "$results"
echo "check: some minutes; $build/kyua.log shows how far it is"
kyua -v parallelism=2 test -k "$build/tests/Kyuafile" -r "$results" \
    >"$build/kyua.log" 2>&1
status=$?
grep -v -- '->  passed' "$build/kyua.log"
kyua report -r "$results" --results-filter=broken,failed --verbose \
    >"$build/failures.log" 2>&1
if [ $status -ne 0 ]; then
	sed -n '/^===> [a-z]/,$p' "$build/failures.log" | cut -c1-400 | head -n 600
fi
count() {
	kyua report -r "$results" --results-filter="$1" 2>/dev/null |
	    grep -c -- "->  "
}
passed=$(count passed,xfail)
failed=$(count broken,failed)
skipped=$(count skipped)
[ "$passed" -gt 0 ] || failed=$((failed + 1))
echo "$passed passed, $failed failed, $skipped skipped"
[ $status -eq 0 ] && [ "$failed" -eq 0 ]
