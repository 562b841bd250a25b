#!/bin/sh
# 2,000 scripts that each write a line a second for 20 s, over ONE connection:
# how late a line comes at worst, and what a request costs the gateway in
# memory (growth of its PSS) and descriptors.  Allowed: 1 s, 4 KiB, 3.
. "$(dirname "$0")/bench.sh"
number=${NUMBER:-2000}

pss()
{
	sed -n 's/^Pss: *\([0-9]*\) kB/\1/p' "/proc/$GATEWAY_PID/smaps_rollup"
}

start_gateway "$PWD/cgi-bin"
./load gw.sock "$PWD/cgi-bin/hello" >/dev/null
pss_before=$(pss)
fds_before=$(count_fds "$GATEWAY_PID")
./load -d -n "$number" gw.sock "$PWD/cgi-bin/drip" \
    >load.out 2>load.err &
load=$!
while kill -0 $load 2>/dev/null; do
	pss >>pss.all
	count_fds "$GATEWAY_PID" >>fds.all
	sleep 1
done
wait $load || say "wrong answers: $(tail -n 3 load.err)"
pss_max=$(sort -n pss.all | tail -n 1)
fds_max=$(sort -n fds.all | tail -n 1)
say "$number scripts: $(cat load.out)"
say "worst delay: $(field delay_max <load.out) s (1 allowed)"
say "PSS: $pss_before KiB before, $pss_max at most," \
    "$(calc "($pss_max - $pss_before) / $number") KiB a request (4 allowed)"
say "descriptors: $fds_before before, $fds_max at most," \
    "$(calc "($fds_max - $fds_before) / $number") a request (3 allowed)"
say "PSS afterwards: $(pss) KiB"
