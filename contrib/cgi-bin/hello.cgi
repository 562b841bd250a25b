#!/bin/sh
# The smallest CGI script: a header, an empty line, a body.

printf 'Content-Type: text/plain; charset=utf-8\n\n'
printf 'Hello, %s! This is process %s, at your service.\n' \
    "${REMOTE_ADDR:-nobody}" "$$"
