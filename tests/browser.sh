# shellcheck shell=sh
# shellcheck disable=SC2034 # some variables are for others
# Headless Chromium for the tests of pages, driven through chromedriver by the
# WebDriver protocol, with curl.  Sourced after lib.sh and web.sh.  A browser is
# a session with a name and a profile of its own; all that browsers write is
# below browser/ of the current directory.
#
#	browser_start			chromedriver itself
#	browser_open name [width height] a browser
#	browser_go name url
#	browser_js name script		what the script returns: a string as it is,
#					anything else as JSON
#	browser_type name css text	keys, into the element; $ENTER and $TAB are
#					two of them
#	browser_click name css
#	browser_media name light|dark	which the page is to be
#	browser_phone name		the width of one
#	browser_shot name file		a PNG
#	browser_console name		its errors since the last time, a line each
#	browser_close name
#	browser_stop			all of them, and chromedriver

BROWSER=$PWD/browser
ENTER=$(printf '\356\200\207')
TAB=$(printf '\356\200\204')

# browser_case name [timeout]: a case that leaves no browser; the rest is as
# web_case has it.
browser_case()
{
	web_case "$1"
	eval "${1}_head() { browser_requires ${2:-180}; }"
	eval "${1}_cleanup() { browser_stop; stop_web; browser_kill; }"
}

browser_requires()
{
	atf_set timeout "$1"
	atf_set require.progs "$WEB_PROGS chromium chromedriver curl perl"
}

# A browser wants a home that it can write to.
browser_start()
{
	mkdir -p "$BROWSER/home" "$BROWSER/tmp"
	browser_port=$(free_port)
	env -u DBUS_SESSION_BUS_ADDRESS -u DISPLAY AFTEST="$MARK" \
	    HOME="$BROWSER/home" TMPDIR="$BROWSER/tmp" \
	    XDG_CONFIG_HOME="$BROWSER/home" XDG_CACHE_HOME="$BROWSER/home" \
	    chromedriver --port="$browser_port" --log-path="$BROWSER/log" \
	    >"$BROWSER/out" 2>&1 </dev/null &
	browser_pid=$!
	echo $browser_pid >"$BROWSER/pid"
	echo "http://127.0.0.1:$browser_port" >"$BROWSER/url"
	wait_for browser_listens
}

browser_listens()
{
	! ended "$browser_pid" || web_fail "no chromedriver" "$BROWSER/out"
	curl -s --noproxy '*' -o "$BROWSER/ready" \
	    "$(cat "$BROWSER/url")/status"
}

# browser_json text: a JSON string of it.
browser_json()
{
	perl -CA -MJSON::PP -e \
	    'print JSON::PP->new->allow_nonref->utf8->encode($ARGV[0])' -- "$1"
}

# browser_call method path [body]: prints the answer's value.
browser_call()
{
	if [ $# -eq 3 ]; then
		set -- "$1" "$2" -H 'Content-Type: application/json' \
		    --data-binary "$3"
	fi
	browser_method=$1
	browser_path=$2
	shift 2
	curl -sS --noproxy '*' -m 60 -X "$browser_method" "$@" \
	    -o "$BROWSER/answer" "$(cat "$BROWSER/url")$browser_path" ||
	    web_fail "no answer from chromedriver" "$BROWSER/out"
	perl -MJSON::PP -0777 -ne '
		my $json = JSON::PP->new->allow_nonref->utf8->canonical;
		my $value = $json->decode($_)->{value};
		if (ref $value eq "HASH" && $value->{error}) {
			print STDERR "$value->{error}: $value->{message}\n";
			exit 1;
		}
		utf8::encode($value) if defined $value && !ref $value;
		print ref $value ? $json->encode($value) : $value // "null", "\n";
	    ' "$BROWSER/answer" || atf_fail "$browser_method $browser_path failed"
}

# browser_do name method path [body]: likewise for a session.
browser_do()
{
	browser_id=$(cat "$BROWSER/$1.session")
	browser_verb=$2
	browser_rest=$3
	shift 3
	browser_call "$browser_verb" "/session/$browser_id$browser_rest" "$@"
}

# Chromium has no sandbox as root, nor in many a container, where /dev/shm may
# be tiny, too; the pages are our own.
browser_open()
{
	browser_args="\"--headless=new\", \"--user-data-dir=$BROWSER/$1\",
	    \"--window-size=${2:-1000},${3:-900}\", \"--no-proxy-server\",
	    \"--no-first-run\", \"--disable-background-networking\",
	    \"--disable-component-update\", \"--disable-dev-shm-usage\",
	    \"--disable-gpu\", \"--no-sandbox\""
	browser_call POST /session '{"capabilities": {"alwaysMatch": {
	    "browserName": "chrome",
	    "goog:loggingPrefs": {"browser": "ALL"},
	    "goog:chromeOptions": {"binary": "'"$(command -v chromium)"'",
	    "args": ['"$browser_args"']}}}}' >"$BROWSER/$1.opened"
	sed -n 's/.*"sessionId":"\([^"]*\)".*/\1/p' "$BROWSER/$1.opened" \
	    >"$BROWSER/$1.session"
}

browser_go()
{
	browser_do "$1" POST /url "{\"url\": $(browser_json "$2")}" \
	    >"$BROWSER/null"
}

browser_js()
{
	browser_do "$1" POST /execute/sync \
	    "{\"script\": $(browser_json "$2"), \"args\": []}"
}

# browser_element name css: the path of the element.
browser_element()
{
	browser_do "$1" POST /element "{\"using\": \"css selector\",
	    \"value\": $(browser_json "$2")}" |
	    sed 's,.*:"\([^"]*\)".*,/element/\1,'
}

browser_type()
{
	browser_found=$(browser_element "$1" "$2")
	browser_do "$1" POST "$browser_found/value" \
	    "{\"text\": $(browser_json "$3")}" >"$BROWSER/null"
}

browser_click()
{
	browser_found=$(browser_element "$1" "$2")
	browser_do "$1" POST "$browser_found/click" '{}' >"$BROWSER/null"
}

# browser_devtools name command parameters
browser_devtools()
{
	browser_do "$1" POST /goog/cdp/execute \
	    "{\"cmd\": \"$2\", \"params\": $3}" >"$BROWSER/null"
}

browser_media()
{
	browser_devtools "$1" Emulation.setEmulatedMedia '{"features":
	    [{"name": "prefers-color-scheme", "value": "'"$2"'"}]}'
}

browser_phone()
{
	browser_devtools "$1" Emulation.setDeviceMetricsOverride \
	    '{"width": 390, "height": 844, "deviceScaleFactor": 2,
	    "mobile": true}'
}

browser_shot()
{
	browser_do "$1" GET /screenshot >"$BROWSER/shot"
	perl -MMIME::Base64 -0777 -ne 'print decode_base64($_)' \
	    "$BROWSER/shot" >"$2"
}

browser_console()
{
	browser_do "$1" POST /se/log '{"type": "browser"}' >"$BROWSER/console"
	perl -MJSON::PP -0777 -ne 'for (@{decode_json($_)}) {
		print "$_->{level} $_->{message}\n" if $_->{level} eq "SEVERE";
	    }' "$BROWSER/console"
}

browser_close()
{
	browser_do "$1" DELETE "" >"$BROWSER/null"
	rm "$BROWSER/$1.session"
}

# browser_stop: works in a cleanup, too, whatever the state.
browser_stop()
{
	[ -f "$BROWSER/pid" ] || return 0
	for browser_file in "$BROWSER"/*.session; do
		[ -s "$browser_file" ] || continue
		curl -s --noproxy '*' -m 10 -o "$BROWSER/null" -X DELETE \
		    "$(cat "$BROWSER/url")/session/$(cat "$browser_file")" || :
		rm -f "$browser_file"
	done
	browser_pid=$(cat "$BROWSER/pid")
	rm "$BROWSER/pid"
	kill -TERM "$browser_pid" 2>/dev/null || :
	wait_for ended "$browser_pid"
}

# browser_kill: what a browser or a demo that had to be killed has left.
browser_kill()
{
	for browser_left in $(script_pids); do
		kill -KILL "$browser_left" 2>/dev/null || :
	done
}
