#!/bin/sh
# A script that speaks HTTP itself ("non-parsed header"): it writes the status
# line too.  Through FastCGI the web server still frames the response; the
# status, the fields and the flow of the body are the script's.

printf 'HTTP/1.1 418 Short and Stout\r\n'
printf 'Content-Type: text/plain; charset=utf-8\r\n\r\n'
for line in 'Here is my handle,' 'here is my spout.'; do
	echo "$line"
	sleep 1
done
echo 'This pot brews no coffee.'
