# shellcheck shell=sh
# The chat's page (nginx/html/chat.html) in browsers, on the demonstration.
# Sourced after lib.sh, web.sh, browser.sh and demo_site.sh.
#
# Screenshots are left in $AFCGI_SHOTS, which is shots/ beside the tests if it
# is not set.

SHOTS=${AFCGI_SHOTS:-$TESTS/shots}

# chat_start browser...: all of them on the page, and live.
chat_start()
{
	demo_start yes
	browser_start
	for chat_name in "$@"; do
		browser_open "$chat_name"
		browser_go "$chat_name" "$WEB/chat.html"
	done
	for chat_name in "$@"; do
		wait_for is "$chat_name" live state
	done
}

# text name id: of an element of the page.
text()
{
	browser_js "$1" "return document.getElementById('$2').textContent"
}

value()
{
	browser_js "$1" "return document.getElementById('$2').value"
}

# is name expected id: the element's text begins like that.
is()
{
	case $(text "$1" "$3") in
	"$2"*) ;;
	*) false ;;
	esac
}

# named name text: that is who it is from now on.
named()
{
	browser_js "$1" "const name = document.getElementById('name');
	    name.value = $(browser_json "$2");
	    name.dispatchEvent(new Event('change'));" >null
}

say()
{
	browser_type "$1" '#text' "$2$ENTER"
}

# lines name: as they are shown, without the names.
lines()
{
	browser_js "$1" 'return Array.from(
	    document.querySelectorAll("#lines span"),
	    (line) => line.textContent).join("\n")'
}

# shows name line: the last one.
shows()
{
	[ "$(lines "$1" | tail -n 1)" = "$2" ]
}

# soon command...: within two seconds, which a slow build may take longer for.
soon()
{
	soon_end=$(($(date +%s%3N) + 2000 * SLOWER))
	until "$@"; do
		[ "$(date +%s%3N)" -lt $soon_end ] ||
		    atf_fail "not within two seconds: $*"
	done
}

shot()
{
	mkdir -p shots
	browser_shot "$1" "shots/$2.png"
	{ mkdir -p "$SHOTS" && cp "shots/$2.png" "$SHOTS/"; } 2>null ||
	    SHOTS=$PWD/shots
	echo "screenshot: $SHOTS/$2.png"
}

no_errors()
{
	for chat_name in "$@"; do
		atf_check_equal "" "$(browser_console "$chat_name")"
	done
}

chat_finish()
{
	browser_stop
	demo_end INT
}

# by_hand line...: posts them without a page.
by_hand()
{
	for chat_line in "$@"; do
		atf_check -s exit:0 -o inline:204 -e empty curl -sS \
		    -w '%{http_code}' -H 'Content-Type: text/plain' \
		    -d "$chat_line" "$WEB/async/chat"
	done
}

# not_at time: browser a's clock shows another one.
not_at()
{
	[ "$(text a time)" != "$1" ]
}
