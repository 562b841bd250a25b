# shellcheck shell=sh
# Which program a request runs, and what it is told about itself:
#
#	filename	SCRIPT_FILENAME in a tree
#	path_info	what follows the first regular file
#	server_path_info	PATH_INFO that the web server gave
#	document_root	DOCUMENT_ROOT and SCRIPT_NAME
#	prefix		SCRIPT_NAME under the tree's URI prefix
#	trees		several trees, the longest prefix
#	tree_names	a tree's relative path, slashes, links on the way
#	program		one program, by file name and by prefix
#	apache		proxy:fcgi:// names
#	lighttpd	SCRIPT_NAME without, PATH_INFO with the script
#	missing		404
#	refused		403: not executable, not regular, world-writable
#	outside		403 for what is not in a tree
#	dots		.. leads nowhere
#	directory	its index, or 403
#	interpreter	-i
#	links		as SymLinksIfOwnerMatch
#	links_owner	and those of somebody else are refused
#	odd_names	spaces, quotes, percent signs and newlines

. "$(atf_get_srcdir)/lib.sh"

# What each script here prints.
mk_who()
{
	mk_cgi "$1" <<'CGI'
#!/bin/sh
printf 'Content-Type: text/plain\n\n'
echo "$0 $SCRIPT_NAME ${PATH_INFO-none} ${PATH_TRANSLATED-none}"
CGI
}

# ask name=value...: a request with these parameters and no others.
ask()
{
	for lookup_pair in "$@"; do
		shift
		set -- "$@" -p "$lookup_pair"
	done
	"$FCGI_CLIENT" -p REQUEST_METHOD=GET -p SERVER_PROTOCOL=HTTP/1.1 "$@" \
	    gw.sock >answer 2>errors || :
}

# runs text pair...: the request runs a script that says the text.
runs()
{
	lookup_text=$1
	shift
	ask "$@"
	lookup_got=$(tr -d '\r' <answer | sed '1,/^$/d')
	[ "$lookup_got" = "$lookup_text" ] || {
		cat answer errors gateway.err >&2
		atf_fail "$* gives '$lookup_got', not '$lookup_text'"
	}
}

# refused status pair...: it runs nothing, and gets that page and a log line.
refused()
{
	lookup_status=$1
	shift
	: >gateway.err
	ask "$@"
	grep -q "^Status: $lookup_status " answer || {
		cat answer errors gateway.err >&2
		atf_fail "$* is not answered with $lookup_status"
	}
	logged ' conn [0-9]+ .*request 1'
}

# The name of the file decides; SCRIPT_NAME stays as the server says.
gateway_case filename
filename_body()
{
	mk_who who
	mk_who sub/who
	start_gateway "$TREE"
	runs "$TREE/who /cgi-bin/who none none" \
	    "SCRIPT_FILENAME=$TREE/who" SCRIPT_NAME=/cgi-bin/who
	runs "$TREE/sub/who /cgi-bin/sub/who none none" \
	    "SCRIPT_FILENAME=$TREE/sub/who" SCRIPT_NAME=/cgi-bin/sub/who
	# SCRIPT_FILENAME decides, and SCRIPT_NAME is the web server's.
	runs "$TREE/who /elsewhere none none" \
	    "SCRIPT_FILENAME=$TREE/who" SCRIPT_NAME=/elsewhere
	runs "$TREE/who /cgi-bin/who none none" "SCRIPT_FILENAME=$TREE//who" \
	    SCRIPT_NAME=/cgi-bin/who
	finish
}

# nginx without fastcgi_split_path_info, and servers that never split.
gateway_case path_info
path_info_body()
{
	mk_who who
	mk_who sub/who
	start_gateway "$TREE"
	runs "$TREE/who /cgi-bin/who /a/b none" \
	    "SCRIPT_FILENAME=$TREE/who/a/b" SCRIPT_NAME=/cgi-bin/who/a/b
	runs "$TREE/sub/who /cgi-bin/sub/who / /srv/" \
	    "SCRIPT_FILENAME=$TREE/sub/who/" SCRIPT_NAME=/cgi-bin/sub/who/ \
	    DOCUMENT_ROOT=/srv
	runs "$TREE/who /cgi-bin/who /a//b /srv/a//b" \
	    SCRIPT_NAME=/cgi-bin/who/a//b DOCUMENT_ROOT=/srv
	runs "$TREE/who /cgi-bin/who /x.cgi/y none" \
	    SCRIPT_NAME=/cgi-bin/who/x.cgi/y
	finish
}

# With fastcgi_split_path_info; PATH_TRANSLATED is derived, not believed.
gateway_case server_path_info
server_path_info_body()
{
	mk_who who
	start_gateway "$TREE"
	runs "$TREE/who /cgi-bin/who /from/server /srv/from/server" \
	    "SCRIPT_FILENAME=$TREE/who" SCRIPT_NAME=/cgi-bin/who \
	    PATH_INFO=/from/server DOCUMENT_ROOT=/srv
	finish
}

# Together they name a file of a tree; PATH_TRANSLATED is below the root.
gateway_case document_root
document_root_body()
{
	mk_who who
	start_gateway "/scripts/=$TREE"
	runs "$TREE/who /cgi-bin/who none none" \
	    "DOCUMENT_ROOT=$PWD" SCRIPT_NAME=/cgi-bin/who
	runs "$TREE/who /cgi-bin/who /info $PWD/info" \
	    "DOCUMENT_ROOT=$PWD" SCRIPT_NAME=/cgi-bin/who/info
	# Where that is no tree, the prefix counts.
	runs "$TREE/who /scripts/who none none" \
	    DOCUMENT_ROOT=/nowhere SCRIPT_NAME=/scripts/who
	finish
}

# Only whole components of a prefix count.
gateway_case prefix
prefix_body()
{
	mk_who who
	start_gateway "/my/scripts/=$TREE"
	runs "$TREE/who /my/scripts/who none none" SCRIPT_NAME=/my/scripts/who
	refused 40. SCRIPT_NAME=/cgi-bin/who
	refused 40. SCRIPT_NAME=/my/scriptswho
	refused 40. SCRIPT_NAME=my/scripts/who
	refused 40. SCRIPT_NAME=
	refused 40. QUERY_STRING=nothing
	finish
}

# Each has its own prefix, and a deeper one wins.
gateway_case trees
trees_body()
{
	mk_who who
	mkdir -p other deep
	cp cgi-bin/who other/who
	cp cgi-bin/who deep/who
	start_gateway "$TREE" "/other/=$PWD/other" "/other/deep/=$PWD/deep"
	runs "$TREE/who /cgi-bin/who none none" SCRIPT_NAME=/cgi-bin/who
	runs "$PWD/other/who /other/who none none" SCRIPT_NAME=/other/who
	runs "$PWD/deep/who /other/deep/who none none" \
	    SCRIPT_NAME=/other/deep/who
	runs "$PWD/deep/who /x none none" "SCRIPT_FILENAME=$PWD/deep/who" \
	    SCRIPT_NAME=/x
	finish
}

# However its path is written, scripts get an absolute one.
gateway_case tree_names
tree_names_body()
{
	mk_who who
	mkdir real
	cp cgi-bin/who real/who
	ln -s real link
	start_gateway cgi-bin/ "/linked=$PWD/link" "/slash//=$PWD//real/"
	runs "$TREE/who /cgi-bin/who none none" SCRIPT_NAME=/cgi-bin/who
	runs "$TREE/who /cgi-bin/who none none" \
	    "SCRIPT_FILENAME=$TREE/who" SCRIPT_NAME=/cgi-bin/who
	# By the name that it was given, and by the one that it has.
	for dir in link real; do
		ask "SCRIPT_FILENAME=$PWD/$dir/who" SCRIPT_NAME=/linked/who
		atf_check -s exit:0 -o match:'/who /linked/who none none$' \
		    -e empty cat answer
	done
	ask SCRIPT_NAME=/linked/who/info
	atf_check -s exit:0 -o match:'/who /linked/who /info none$' -e empty \
	    cat answer
	finish
}

# As ScriptAlias /git/ /usr/lib/git-core/git-http-backend.
gateway_case program
program_body()
{
	mk_who who
	mk_who private
	use_cgi hello
	mkdir -p alone
	mv cgi-bin/who cgi-bin/private alone/
	start_gateway "$TREE" "/git/=$PWD/alone/who"
	runs "$PWD/alone/who /git /repo/info /srv/repo/info" \
	    SCRIPT_NAME=/git/repo/info DOCUMENT_ROOT=/srv
	runs "$PWD/alone/who /g /repo none" \
	    "SCRIPT_FILENAME=$PWD/alone/who" SCRIPT_NAME=/g PATH_INFO=/repo
	refused 403 "SCRIPT_FILENAME=$PWD/alone/private"
	refused 403 "SCRIPT_FILENAME=$PWD/alone/whoever"
	finish
}

# With host, port and query, which are not part of the path.
gateway_case apache
apache_body()
{
	mk_who who
	start_gateway "$TREE"
	runs "$TREE/who /cgi-bin/who none none" SCRIPT_NAME=/cgi-bin/who \
	    "SCRIPT_FILENAME=proxy:fcgi://localhost$TREE/who"
	runs "$TREE/who /cgi-bin/who none none" SCRIPT_NAME=/cgi-bin/who \
	    "SCRIPT_FILENAME=proxy:fcgi://127.0.0.1:9000$TREE/who?a=b"
	runs "$TREE/who /cgi-bin/who /info none" \
	    SCRIPT_NAME=/cgi-bin/who/info \
	    "SCRIPT_FILENAME=proxy:fcgi://localhost:9000$TREE/who/info"
	refused 403 SCRIPT_NAME=/x \
	    "SCRIPT_FILENAME=proxy:fcgi://localhost:9000/etc/passwd"
	refused 40. SCRIPT_NAME=/x SCRIPT_FILENAME=proxy:fcgi://localhost
	finish
}

# mod_fastcgi with check-local off splits at its own prefix.
gateway_case lighttpd
lighttpd_body()
{
	mk_who who
	start_gateway "$TREE"
	runs "$TREE/who /cgi-bin/who none none" SCRIPT_NAME=/cgi-bin \
	    PATH_INFO=/who
	runs "$TREE/who /cgi-bin/who /more none" SCRIPT_NAME=/cgi-bin \
	    PATH_INFO=/who/more
	finish
}

# Also where a part of the name exists, and where it is absurd.
gateway_case missing
missing_body()
{
	mk_who who
	start_gateway "$TREE"
	refused 404 "SCRIPT_FILENAME=$TREE/nothing" SCRIPT_NAME=/cgi-bin/nothing
	refused 404 SCRIPT_NAME=/cgi-bin/nothing
	refused 404 SCRIPT_NAME=/cgi-bin/nothing/at/all
	refused 404 SCRIPT_NAME=/cgi-bin/wh
	refused 404 SCRIPT_NAME=/cgi-bin/whoo
	# Names that no file can have.
	refused 40. "SCRIPT_NAME=/cgi-bin/$(printf %0300d 0)"
	refused 40. "SCRIPT_NAME=/cgi-bin$(printf /%09d $(seq 1000))"
	finish
}

# By either name, and whatever follows as PATH_INFO.
gateway_case refused
refused_body()
{
	mk_who plain
	chmod 644 cgi-bin/plain
	mk_who writable
	chmod 757 cgi-bin/writable
	mkfifo cgi-bin/fifo
	chmod 755 cgi-bin/fifo
	start_gateway "$TREE"
	for name in plain writable fifo; do
		refused 403 "SCRIPT_FILENAME=$TREE/$name" \
		    SCRIPT_NAME=/cgi-bin/$name
	done
	refused 403 SCRIPT_NAME=/cgi-bin/plain/info
	finish
}

# A path like any that fcgiwrap would run.
gateway_case outside
outside_body()
{
	mk_who who
	mkdir -p cgi-bin2
	cp cgi-bin/who cgi-bin2/who
	start_gateway "$TREE"
	for path in /bin/sh /usr/bin/env "$PWD/cgi-bin2/who" relative/path \
	    cgi-bin/who /; do
		refused 403 "SCRIPT_FILENAME=$path" SCRIPT_NAME=/cgi-bin/who
	done
	finish
}

# Neither in a file's name nor in a URI, on no way to look it up.
gateway_case dots
dots_body()
{
	mk_who who
	mkdir -p private cgi-bin/sub
	cp cgi-bin/who private/who
	start_gateway "$TREE"
	for path in "$TREE/../private/who" "$TREE/sub/../../private/who" \
	    "$TREE/./../private/who" "$TREE/.." "$TREE/sub/.."; do
		refused 40. "SCRIPT_FILENAME=$path" SCRIPT_NAME=/cgi-bin/who
	done
	for name in /cgi-bin/../private/who /cgi-bin/sub/../../private/who \
	    /cgi-bin/sub/../who/../../private/who; do
		refused 40. SCRIPT_NAME=$name
		refused 40. SCRIPT_NAME=$name "DOCUMENT_ROOT=$PWD"
	done
	# Behind the script dots are data.
	runs "$TREE/who /cgi-bin/who /../x none" SCRIPT_NAME=/cgi-bin/who/../x
	finish
}

# -I names it; a directory without it shows nothing.
gateway_case directory
directory_body()
{
	mk_who index.cgi
	mk_who sub/start
	mkdir -p cgi-bin/bare
	start_gateway "$TREE"
	runs "$TREE/index.cgi /cgi-bin/index.cgi none none" \
	    SCRIPT_NAME=/cgi-bin/
	refused 403 SCRIPT_NAME=/cgi-bin/bare/
	refused 403 SCRIPT_NAME=/cgi-bin/bare
	refused 403 SCRIPT_NAME=/cgi-bin/sub/
	stop_gateway
	: >gateway.err
	start_gateway -I start "$TREE"
	runs "$TREE/sub/start /cgi-bin/sub/start none none" \
	    SCRIPT_NAME=/cgi-bin/sub/
	refused 403 SCRIPT_NAME=/cgi-bin/
	finish
}

# The executable bit is not asked for, all else is.
gateway_case interpreter
interpreter_body()
{
	mk_who page.test
	chmod 644 cgi-bin/page.test
	mk_who writable.test
	chmod 666 cgi-bin/writable.test
	mk_who page.other
	chmod 644 cgi-bin/page.other
	start_gateway -i .test=/bin/sh "$TREE"
	runs "$TREE/page.test /cgi-bin/page.test /info none" \
	    SCRIPT_NAME=/cgi-bin/page.test/info
	refused 403 SCRIPT_NAME=/cgi-bin/page.other
	refused 403 SCRIPT_NAME=/cgi-bin/writable.test
	refused 404 SCRIPT_NAME=/cgi-bin/none.test
	finish
}

# Debian's own cgi-bin has links to /usr/share.
gateway_case links
links_body()
{
	mk_who who
	mkdir -p elsewhere/dir
	cp cgi-bin/who elsewhere/who
	cp cgi-bin/who elsewhere/dir/who
	ln -s who cgi-bin/near
	ln -s "$PWD/elsewhere/who" cgi-bin/far
	ln -s "$PWD/elsewhere/dir" cgi-bin/dir
	ln -s nothing cgi-bin/dangling
	ln -s loop cgi-bin/loop
	start_gateway "$TREE"
	for name in near far dir/who; do
		runs "$TREE/$name /cgi-bin/$name none none" \
		    SCRIPT_NAME=/cgi-bin/$name
	done
	refused 40. SCRIPT_NAME=/cgi-bin/dangling
	refused 40. SCRIPT_NAME=/cgi-bin/loop
	chmod 757 elsewhere/who
	refused 403 SCRIPT_NAME=/cgi-bin/far
	finish
}

# Who may write a link into the tree cannot run what is another's.
gateway_case links_owner
links_owner_requires()
{
	atf_set require.user root
}
links_owner_body()
{
	mk_who who
	mkdir -p elsewhere/dir
	cp cgi-bin/who elsewhere/mine
	cp cgi-bin/who elsewhere/theirs
	cp cgi-bin/who elsewhere/dir/who
	chown nobody elsewhere/theirs elsewhere/dir
	ln -s "$PWD/elsewhere/mine" cgi-bin/mine
	ln -s "$PWD/elsewhere/mine" cgi-bin/given
	ln -s "$PWD/elsewhere/theirs" cgi-bin/taken
	ln -s "$PWD/elsewhere/dir" cgi-bin/dir
	ln -s "$PWD/elsewhere/theirs" cgi-bin/nobodys
	chown -h nobody cgi-bin/given cgi-bin/nobodys
	start_gateway "$TREE"
	runs "$TREE/mine /cgi-bin/mine none none" SCRIPT_NAME=/cgi-bin/mine
	runs "$TREE/nobodys /cgi-bin/nobodys none none" \
	    SCRIPT_NAME=/cgi-bin/nobodys
	refused 403 SCRIPT_NAME=/cgi-bin/given
	refused 403 SCRIPT_NAME=/cgi-bin/taken
	refused 403 SCRIPT_NAME=/cgi-bin/dir/who
	finish
}

# A name is bytes: no shell, no unescaping, and a safe log.
gateway_case odd_names
odd_names_body()
{
	mk_who "a b'c\"d;e%41"
	# shellcheck disable=SC2016
	mk_who '$(touch owned)'
	start_gateway "$TREE"
	runs "$TREE/a b'c\"d;e%41 /x none none" SCRIPT_NAME=/x \
	    "SCRIPT_FILENAME=$TREE/a b'c\"d;e%41"
	# shellcheck disable=SC2016
	runs "$TREE/"'$(touch owned) /cgi-bin/$(touch owned) none none' \
	    'SCRIPT_NAME=/cgi-bin/$(touch owned)'
	atf_check -s exit:0 -o empty -e empty test ! -e cgi-bin/owned
	refused 40. SCRIPT_NAME="/cgi-bin/new
error: line"
	atf_check -s exit:1 -o empty -e empty grep '^error: line' gateway.err
	refused 40. SCRIPT_NAME="/cgi-bin/$(printf '\033[2J')"
	atf_check -s exit:1 -o empty -e empty grep "$(printf '\033')" \
	    gateway.err
	finish
}
