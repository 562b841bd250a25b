# shellcheck shell=sh
# FastCGI 1.0 on the wire, with a client that obeys it; each conversation is
# also led a byte at a time, with short records, and with padding:
#
#	conversation	what a plain request gets, record by record
#	kept		KEEP_CONN: the connection stays, and takes the next request
#	not_kept	without it, the gateway closes after END_REQUEST
#	app_status	the script's exit status is appStatus
#	every_offset	a request split in two at every offset means the same
#	byte_by_byte	and one that comes a byte at a time
#	padding		any padding, of any record
#	chunks		PARAMS and STDIN in records of any size
#	pair_lengths	both forms of a pair's lengths, also where one would do
#	interleaved	two requests whose records alternate
#	id_range	ids in any order, up to 65535
#	id_reuse	an id may be used again after its END_REQUEST
#	ended_ids	records for a request that has ended are ignored
#	get_values	the three variables, and only those asked for
#	unknown_management	UNKNOWN_TYPE, and the connection goes on
#	unknown_application	ignored
#	reserved	reserved bytes and flags mean nothing
#	roles		Responder and Authorizer run; others are UNKNOWN_ROLE
#	tcp		the same over TCP, IPv4 and IPv6

. "$(atf_get_srcdir)/lib.sh"

# stdout is one stream that is closed by an empty record, then comes
# END_REQUEST; nothing else.
gateway_case conversation
conversation_body()
{
	use_cgi hello
	start_gateway "$TREE"
	wire <<PLAY
begin 1 keep
$(params 1 hello you)
stdin 1
expect-stdout-end 1
expect-end 1 0 0
expect-stdout-is 1 Content-Type: text/plain\r\n\r\nhello you\n
PLAY
	finish
}

# After a request with KEEP_CONN nothing more comes, and the next one is
# answered on the same connection.
gateway_case kept
kept_body()
{
	use_cgi hello
	start_gateway "$TREE"
	wire <<PLAY
$(request 1 hello first)
expect-stdout 1 hello first\n
expect-end 1 0 0
expect-no-record 300
$(request 1 hello second)
expect-stdout 1 hello second\n
expect-end 1 0 0
begin 2
$(params 2 hello third)
stdin 2
expect-stdout 2 hello third\n
expect-end 2 0 0
expect-close
PLAY
	finish
}

# The last request on a connection decides: while another is live, one
# without KEEP_CONN does not close it.
gateway_case not_kept
not_kept_body()
{
	use_cgi hello drip
	start_gateway "$TREE"
	wire <<PLAY
begin 1
$(params 1 hello first)
stdin 1
expect-end 1 0 0
expect-close
connection 1
begin 1
$(params 1 drip a)
stdin 1
expect-stdout 1 one\n
begin 2
$(params 2 hello second)
stdin 2
expect-end 2 0 0
run touch cgi-bin/a.go
expect-stdout 1 two\n
expect-end 1 0 0
expect-close
PLAY
	finish
}

# Whatever a script's exit status is, it is appStatus, and its page stands.
gateway_case app_status
app_status_body()
{
	mk_cgi leave <<'CGI'
#!/bin/sh
printf 'Content-Type: text/plain\n\nbye\n'
exit "$QUERY_STRING"
CGI
	start_gateway "$TREE"
	for status in 0 1 7 126 127 255; do
		atf_check -s ignore -e empty \
		    -o inline:"bye\nend app=$status proto=0\n" \
		    ./get leave -be -p QUERY_STRING=$status
	done
	finish
}

# Wherever the stream of a request is cut in two, the answer is the same.
gateway_case every_offset 300
every_offset_body()
{
	use_cgi hello
	start_gateway "$TREE"
	echo body >body
	atf_check -s exit:0 -e empty -o match:'^hello split$' \
	    -o match:'^offsets=[1-9][0-9][0-9]' \
	    ./post hello body -b -W -P 3 -p QUERY_STRING=split
	finish
}

# A request whose every byte is a read of its own.
gateway_case byte_by_byte
byte_by_byte_body()
{
	use_cgi echo
	start_gateway "$TREE"
	bytes 1000 >body
	atf_check -s exit:0 -o file:body -e empty ./post echo body -b -w 1
	atf_check -s exit:0 -o file:body -e empty \
	    ./post echo body -b -w 1 -c 1 -P 1
	finish
}

# Padding is skipped, whatever its length and whatever record it follows.
gateway_case padding
padding_body()
{
	use_cgi echo
	start_gateway "$TREE"
	bytes 70000 >body
	for n in 1 7 8 255; do
		atf_check -s exit:0 -o file:body -e empty \
		    ./post echo body -b -P $n -c 777
	done
	finish
}

# A stream's records may end anywhere, also inside a pair's lengths.
gateway_case chunks
chunks_body()
{
	use_cgi echo env
	start_gateway "$TREE"
	bytes 3000 >body
	long=$(bytes 300)
	for n in 1 2 3 5 8 13 100 65535; do
		atf_check -s exit:0 -o file:body -e empty \
		    ./post echo body -b -c $n
		atf_check -s exit:0 -e empty -o match:"^LONG=0000000$" \
		    -o match:'^0000036$' -o match:'^LAST=yes$' \
		    ./get env -c $n -p "LONG=$long" -p LAST=yes
	done
	finish
}

# Lengths of 0, 127, 128 and 70,000 bytes, and four bytes for a short one.
gateway_case pair_lengths
pair_lengths_body()
{
	use_cgi env
	start_gateway "$TREE"
	n127=$(printf %0127d 1)
	n128=$(printf %0128d 2)
	big=$(printf %070000d 3)
	atf_check -s exit:0 -e empty -o match:"^A=$n127$" -o match:"^B=$n128$" \
	    -o match:"^N$n127=x$" -o match:"^N$n128=y$" -o match:'^EMPTY=$' \
	    -o match:"^BIG=0*3$" \
	    ./get env -p "A=$n127" -p "B=$n128" -p "N$n127=x" -p "N$n128=y" \
	    -p EMPTY= -p "BIG=$big"
	./get env -p "BIG=$big" | grep '^BIG=' | wc -c >length
	atf_check_equal 70005 "$(cat length)"
	# A name of 1 and a value of 2 bytes, both with the top bit set.
	wire <<PLAY
begin 1
record 4 1 80000001 80000002 585859
$(params 1 env x)
stdin 1
expect-stdout 1 \nX=XY\n
expect-end 1 0 0
PLAY
	finish
}

# Two requests whose records alternate in every stream do not mix.
gateway_case interleaved
interleaved_body()
{
	use_cgi echo
	start_gateway "$TREE"
	wire <<PLAY
begin 2 keep
begin 1 keep
params 1 CONTENT_TYPE=text/plain
params 2 SERVER_NAME=two
$(params 2 echo b)
params 1 SERVER_NAME=one
$(params 1 echo a)
stdin 1 one
stdin 2 two
expect-stdout 2 two
expect-stdout 1 one
stdin 2 2222
stdin 1 1111
stdin 2
expect-stdout 2 2222
expect-end 2 0 0
stdin 1 more
expect-stdout 1 1111more
stdin 1
expect-end 1 0 0
PLAY
	finish
}

# Ids need not be small, nor in order, nor without gaps.
gateway_case id_range
id_range_body()
{
	use_cgi hello drip
	start_gateway "$TREE"
	{
		for id in 65535 1 40000 2 255 256 32768 65534; do
			request $id hello n$id
		done
		for id in 1 2 255 256 32768 40000 65534 65535; do
			printf 'expect-stdout %d hello n%d\\n\n' $id $id
			echo "expect-end $id 0 0"
		done
	} >plan
	wire <plan
	finish
}

# The same id again and again, also when its last request was aborted.
gateway_case id_reuse
id_reuse_body()
{
	use_cgi hello drip
	start_gateway "$TREE"
	{
		for n in 1 2 3 4 5; do
			request 7 hello n$n
			echo "expect-stdout 7 hello n$n"
			echo "expect-end 7 0 0"
			request 7 drip d$n
			echo "expect-stdout 7 one"
			echo "abort 7"
			echo "expect-end 7"
		done
	} >plan
	wire <plan
	finish
}

# A web server may not know yet that a request has ended.
gateway_case ended_ids
ended_ids_body()
{
	use_cgi hello
	start_gateway "$TREE"
	wire <<PLAY
begin 1 keep
$(params 1 hello unread)
stdin 1 some
expect-end 1 0 0
stdin 1 more
stdin 1
abort 1
record 8 1 00
expect-no-record 200
$(request 2 hello after)
expect-stdout 2 hello after\n
expect-end 2 0 0
PLAY
	finish
}

# GET_VALUES on a fresh connection, and while a request is live on it.
gateway_case get_values
get_values_body()
{
	use_cgi hello drip
	start_gateway "$TREE"
	wire <<PLAY
get-values FCGI_MAX_CONNS FCGI_MAX_REQS FCGI_MPXS_CONNS
expect-values FCGI_MAX_CONNS=* FCGI_MAX_REQS=* FCGI_MPXS_CONNS=1
get-values FCGI_MPXS_CONNS
expect-values FCGI_MPXS_CONNS=1
get-values NOBODY_KNOWS
expect-values
get-values
expect-values
$(request 1 drip a)
expect-stdout 1 one\n
get-values NOBODY_KNOWS FCGI_MPXS_CONNS
expect-values FCGI_MPXS_CONNS=1
run touch cgi-bin/a.go
expect-stdout 1 two\n
expect-end 1 0 0
PLAY
	finish
}

# The answer holds the type; nothing else happens.
gateway_case unknown_management
unknown_management_body()
{
	use_cgi hello
	start_gateway "$TREE"
	wire <<PLAY
record 12 0
expect-unknown 12
record 255 0 0102030405
expect-unknown 255
begin 1 keep
record 100 0 00
expect-unknown 100
$(params 1 hello still)
stdin 1
expect-stdout 1 hello still\n
expect-end 1 0 0
PLAY
	finish
}

# Later versions of the protocol may have more record types.
gateway_case unknown_application
unknown_application_body()
{
	use_cgi hello
	start_gateway "$TREE"
	wire <<PLAY
begin 1 keep
record 77 1 00010203
params 1 FIRST=1
record 200 1
$(params 1 hello still)
record 12 1 ff
record 8 1 00
stdin 1
expect-stdout 1 hello still\n
expect-end 1 0 0
expect-no-record 200
PLAY
	finish
}

# Section 3.3: a receiver ignores them.
gateway_case reserved
reserved_body()
{
	use_cgi hello
	start_gateway "$TREE"
	wire <<PLAY
lenient
raw 010100010008005a 0001ff0102030405
$(params 1 hello all)
stdin 1
expect-stdout 1 hello all
expect-end 1 0 0
begin 2 keep
$(params 2 hello on)
raw 01050002000000ff
expect-stdout 2 hello on
expect-end 2 0 0
PLAY
	finish
}

# Filter and unknown roles end at once, with a protocolStatus; what else comes
# for them is ignored, and KEEP_CONN means what it always does.
gateway_case roles
roles_body()
{
	use_cgi hello env
	start_gateway "$TREE"
	wire <<PLAY
begin 1 filter keep
expect-end 1 * 3
$(params 1 hello filter)
stdin 1
begin 2 99 keep
expect-end 2 * 3
begin 3 0 keep
expect-end 3 * 3
expect-no-record 200
begin 4 authorizer keep
$(params 4 hello auth)
stdin 4
expect-stdout 4 hello auth\n
expect-end 4 0 0
begin 5 filter
expect-end 5 * 3
expect-close
PLAY
	finish
}

# -s tcp: and tcp6:, beside the unix socket.
gateway_case tcp
tcp_body()
{
	use_cgi hello echo
	port=$(free_port)
	start_gateway -s "tcp:127.0.0.1:$port" -s "tcp6:[::1]:$port" "$TREE"
	bytes 100000 >body
	for socket in "tcp:127.0.0.1:$port" "tcp6:[::1]:$port" unix:gw.sock; do
		atf_check -s exit:0 -o inline:'hello tcp\n' -e empty \
		    env SOCKET="$socket" ./get hello -b -p QUERY_STRING=tcp
		atf_check -s exit:0 -o file:body -e empty \
		    env SOCKET="$socket" ./post echo body -b
	done
	finish
}
