# shellcheck shell=sh
# shellcheck disable=SC2154 # variables of others
# Measurements of small pages, for run.sh: how many a second.

# measure_hello program clients: with wrk, which knows of answers only, and not
# of clients that never get one: that is for measure_keepalive.
measure_hello()
{
	used $((SECONDS_EACH + 30)) wrk -t 1 -c "$2" -d "${SECONDS_EACH}s" \
	    --timeout 30s --latency "$SITE_URL/$1" >wrk.out 2>&1 || :
	figure "$(wrk_figures <wrk.out | sed 's/rate=0.0//; s/rate/figure/
	    s/asked=\(.*\) /&work=\1 /')"
}

# measure_keepalive clients: requests that get no answer count as failed.
measure_keepalive()
{
	used $((SECONDS_EACH + 30)) ./clients -c "$1" -s "$SECONDS_EACH" \
	    "$SITE_PORT" "$SITE_SMALL" >clients.out 2>clients.err || :
	figure "$(tr ' ' '\n' <clients.out | awk -F= '
	{ v[$1] = $2 }
	END {
		if (v["good"] > 0)
			print "figure=" v["good"] / v["wall"]
		asked = v["good"] + v["bad"] + v["unanswered"]
		print "p50=" v["p50"], "p99=" v["p99"], "asked=" asked
		print "failed=" v["bad"] + v["unanswered"]
		print "starved=" v["starved"]
		print "work=" asked
	}')"
}
