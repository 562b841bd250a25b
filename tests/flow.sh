# shellcheck shell=sh
# What the tests of flow control share: lines of plays, see client_play.c.
# Sourced by flow*_test.sh after lib.sh.

# windowed id credit script query [pair...]: lines of a play: a request but for
# its STDIN, with so much credit that is not renewed.
windowed()
{
	flow_id=$1
	echo "begin $flow_id keep"
	echo "credit $flow_id $2"
	shift 2
	params "$flow_id" "$@"
}

# open_window id size script query [pair...]: likewise, with a window that is
# kept open.
open_window()
{
	windowed "$@" | sed "s/^credit/window/"
}

# The first lines of a play.
# shellcheck disable=SC2034 # used elsewhere
NEGOTIATE='get-values AFCGI_WINDOW
expect-values AFCGI_WINDOW=*'

# The resident memory of the gateway, in KB.
memory()
{
	sed -n 's/^VmRSS:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$GATEWAY_PID/status"
}
