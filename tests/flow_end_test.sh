# shellcheck shell=sh
# AFCGI_DRAIN, fcgi_flow(7): how connections end in peace:
#
#	drain	TERM: told, served, refused, and ended when the client closes
#	drain_ignored	ended soon though the client does not close
#	idle	told when it has been idle for long

. "$(atf_get_srcdir)/lib.sh"
. "$(atf_get_srcdir)/flow.sh"

gateway_case drain
drain_body()
{
	use_cgi hello drip
	start_gateway "$TREE"
	atf_check -s exit:0 -o empty -e empty ./play <<PLAY
$NEGOTIATE
$(windowed 1 1000 drip a)
stdin 1
expect-stdout 1 one
connection 1
$NEGOTIATE
$(open_window 1 1000 hello)
stdin 1
expect-end 1 0 0
connection 0
run kill -TERM $GATEWAY_PID
expect-drain
$(windowed 2 1000 hello two)
stdin 2
expect-end 2 0 0
$(request 3 hello three)
expect-end 3 0 0
connection 1
expect-drain
close
connection 0
sleep 1100
$(windowed 4 1000 hello four)
stdin 4 input that nobody wants
stdin 4
expect-end 4 0 2
expect-stdout-is 4
begin 5
expect-end 5 0 2
run touch cgi-bin/a.go
expect-stdout 1 two
expect-end 1 0 0
expect-no-record 300
run kill -0 $GATEWAY_PID
close
PLAY
	wait_for ended "$GATEWAY_PID"
	stop_gateway
}

gateway_case drain_ignored
drain_ignored_body()
{
	use_cgi hello
	start_gateway -L drain=60 "$TREE"
	atf_check -s exit:0 -o empty -e empty ./play <<PLAY
$NEGOTIATE
run kill -TERM $GATEWAY_PID
expect-drain
expect-close
PLAY
	wait_for ended "$GATEWAY_PID"
	stop_gateway
}

gateway_case idle
idle_body()
{
	use_cgi hello
	start_gateway -L conn_idle=0.5 "$TREE"
	atf_check -s exit:0 -o empty -e empty ./play <<PLAY
$NEGOTIATE
$(windowed 1 1000 hello one)
stdin 1
expect-end 1 0 0
expect-drain
$(windowed 2 1000 hello two)
stdin 2
expect-end 2 0 0
expect-no-record 500
expect-close
connection 1
get-values FCGI_MPXS_CONNS
expect-values FCGI_MPXS_CONNS=1
expect-close
PLAY
	finish
}
