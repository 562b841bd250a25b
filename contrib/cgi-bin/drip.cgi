#!/bin/sh
# A line a second, each one on its way as soon as it is written.  The number
# of lines is the query string.  Leave early, and the script is told by
# SIGTERM; what it says then is in the gateway's log.

case ${QUERY_STRING:-20} in
*[!0-9]* | ?????*)
	printf 'Status: 400 Bad Request\nContent-Type: text/plain\n\n'
	echo 'The query string is the number of lines, up to 9999.'
	exit 0
	;;
esac

i=0
trap 'echo "client left after $i lines" >&2; exit 0' TERM

printf 'Content-Type: text/plain; charset=utf-8\nCache-Control: no-store\n\n'
while [ "$i" -lt "${QUERY_STRING:-20}" ]; do
	i=$((i + 1))
	echo "$i  $(date '+%T')"
	sleep 1
done
echo 'That was the last one.'
