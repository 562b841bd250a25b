#!/bin/sh
# A local redirect (RFC 3875, section 6.2.2): the web server answers with
# another of its pages, and the client never knows.

printf 'Location: /cgi-bin/env.pl?from=redirect.cgi\n\n'
