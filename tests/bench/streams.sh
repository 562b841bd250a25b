# shellcheck shell=sh
# shellcheck disable=SC2154 # variables of others
# Measurements of streams, for run.sh: SIZE MB for each client, in MB/s, through
# web servers that keep nothing back, where they can be told so.

# curls limit clients argument...: so many clients at once; what they print is
# in curls.out.
curls()
{
	curls_limit=$1
	curls_number=$2
	shift 2
	seq "$curls_number" | used "$curls_limit" \
	    xargs -P "$curls_number" -I NUMBER curl -sSf -H Expect: "$@" \
	    >curls.out 2>curls.err || :
}

# stream clients: the figure, if each of them has printed the size.
stream()
{
	stream_good=$(grep -cx $((SIZE * 1048576)) curls.out || :)
	stream_figure=
	if [ "$stream_good" = "$1" ]; then
		stream_figure="figure=$(calc "$1 * $SIZE / $(used_field wall)")
		    work=$(calc "$1 * $SIZE / 1024")"
	fi
	figure "$stream_figure" asked="$1" failed=$(($1 - stream_good))
	recover
}

measure_download()
{
	curls "$STREAM_LIMIT" "$1" -o /dev/null -w '%{size_download}\n' \
	    "$SITE_URL/gush?$SIZE"
	stream "$1"
}

measure_upload()
{
	curls "$STREAM_LIMIT" "$1" -T upload "$SITE_URL/sink"
	stream "$1"
}

measure_echo()
{
	curls "$ECHO_LIMIT" "$1" -o /dev/null -w '%{size_download}\n' \
	    -T upload "$SITE_URL/echo"
	stream "$1"
}
