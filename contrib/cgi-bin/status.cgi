#!/bin/sh
# Any status from 200 to 599 that the query string asks for.

case ${QUERY_STRING:-404} in
[2345][0-9][0-9])
	status="${QUERY_STRING:-404} As You Wish"
	;;
*)
	status='400 Bad Request'
	;;
esac

printf 'Status: %s\nContent-Type: text/plain; charset=utf-8\n\n' "$status"
printf '%s\n' "$status"
