# shellcheck shell=sh
# The chat's page (nginx/html/chat.html) in real browsers, on the demonstration
# with its real nginx, module and asynchronous server:
#
#	room     two browsers, each with a name of its own: what one says the
#	         other shows within two seconds, and itself; markup is shown as
#	         text; the clock goes on; name and lines are there after a
#	         reload; the page is light or dark as the reader likes it, and
#	         as narrow as a phone; no error on the consoles
#	say      512 bytes of UTF-8 with the name are a line, 513 are not, and
#	         are kept with a message; so is what the server did not get
#	lines    the newest line is in view, unless the reader has scrolled up;
#	         then a button counts, and leads there; no more than so many
#	         lines are kept
#	upload   the server's count of a file's bytes
#	forms    each field has its label, the states are announced; keys do

. "$(atf_get_srcdir)/lib.sh"
. "$(atf_get_srcdir)/web.sh"
. "$(atf_get_srcdir)/browser.sh"
. "$(atf_get_srcdir)/demo_site.sh"
. "$(atf_get_srcdir)/chat.sh"
web_needs nginx git

back()
{
	browser_js "$1" 'return getComputedStyle(document.body).backgroundColor'
}

browser_case room
room_body()
{
	chat_start a b
	atf_check_equal "Nobody has said anything yet." "$(text a empty)"
	named a Ada
	named b Bob
	say a 'Hello, is anybody there?'
	soon shows b 'Hello, is anybody there?'
	soon shows a 'Hello, is anybody there?'
	say b 'Yes: me. <b>x</b> &amp; <script>alert(1)</script>'
	soon shows a 'Yes: me. <b>x</b> &amp; <script>alert(1)</script>'
	say b 'Grüße, Привет, Ελλάδα'
	soon shows a 'Grüße, Привет, Ελλάδα'
	by_hand 'curl: said by hand' 'without a name'
	soon shows a 'without a name'
	soon shows b 'without a name'
	atf_check_equal "$(lines a)" "$(lines b)"
	atf_check_equal 'Ada Bob curl somebody' "$(browser_js a 'const names =
	    document.querySelectorAll("#lines b");
	    return Array.from(names, (name) => name.textContent).join(" ")')"
	atf_check_equal 'Hello, is anybody there?' "$(browser_js a \
	    'return document.querySelector("#lines .mine span").textContent')"

	before=$(text a time)
	wait_for not_at "$before"
	wait_for not_at "$(text a time)"

	lines a >lines.before
	browser_go a "$WEB/chat.html"
	wait_for shows a 'without a name'
	atf_check -s exit:0 -o file:lines.before -e empty echo "$(lines a)"
	atf_check_equal Ada "$(value a name)"

	browser_media a light
	light=$(back a)
	shot a light
	browser_media a dark
	[ "$light" != "$(back a)" ] || atf_fail "dark is as light"
	shot a dark
	browser_phone b
	browser_media b light
	shot b phone-light
	browser_media b dark
	shot b phone-dark
	atf_check_equal 390 "$(browser_js b \
	    'return document.documentElement.scrollWidth')"
	browser_go a "$WEB/"
	browser_media a light
	browser_js a 'scrollTo(0, document.body.scrollHeight)' >null
	shot a front
	no_errors a b
	chat_finish
}

browser_case say
say_body()
{
	chat_start a
	named a Ada
	# 5 bytes of "Ada: ", two for each letter
	browser_type a '#text' "x$(printf 'ü%.0s' $(seq 1 253))"
	atf_check_equal "0 bytes left" "$(text a room-left)"
	browser_type a '#text' x
	wait_for is a '1 byte too long' room-left
	browser_type a '#text' "$ENTER"
	wait_for is a 'Not sent: too long' notice
	shot a too-long
	atf_check_equal 255 "$(value a text | tr -d '\n' |
	    perl -CI -ne 'print length')"
	atf_check_equal "" "$(lines a)"
	browser_js a 'const text = document.getElementById("text");
	    text.value = text.value.slice(0, -1);' >null
	browser_type a '#text' "$ENTER"
	soon shows a "x$(printf 'ü%.0s' $(seq 1 253))"
	wait_for cleared a
	atf_check_equal "" "$(text a notice)"

	# What is no text in a line; a colon would end the name.
	named a 'A:d	a '
	atf_check_equal 'A d a' "$(value a name)"
	browser_js a 'document.getElementById("text").value =
	    " tab\tand\u0001bell\u0085 ";' >null
	browser_type a '#text' "$ENTER"
	soon shows a 'tab and bell'
	named a ''
	say a 'who am I?'
	wait_for is a 'Who are you? Type a name.' notice
	atf_check_equal 'who am I?' "$(value a text)"
	no_errors a

	# Anything but success: the server is not to know better than the page.
	browser_js a 'window.fetch = () => Promise.resolve(
	    new Response("", {status: 503}));' >null
	named a Ada
	browser_type a '#text' "$ENTER"
	wait_for is a 'Not sent: the server has too much to do' notice
	atf_check_equal 'who am I?' "$(value a text)"
	chat_finish
}

cleared()
{
	[ -z "$(value "$1" text)" ]
}

# at_end name: the newest line is in view.
at_end()
{
	[ "$(browser_js "$1" 'const list = document.getElementById("lines");
	    return list.scrollHeight - list.scrollTop - list.clientHeight < 2'
	    )" = true ]
}

# below name n: the button counts so many lines, or is not there.
below()
{
	[ "$(browser_js "$1" 'const button = document.getElementById("newest");
	    return button.hidden ? 0 : button.textContent')" = "$2" ]
}

browser_case lines
lines_body()
{
	chat_start a
	# shellcheck disable=SC2046 # words
	by_hand $(seq -f 'line%g' 1 30)
	soon shows a line30
	wait_for at_end a
	below a 0 || atf_fail "a button"
	browser_phone a # all lines are of another height
	wait_for at_end a
	browser_js a 'document.getElementById("lines").scrollTop = 0' >null
	wait_for eval '! at_end a'
	by_hand one two
	soon below a '2 new below'
	atf_check_equal 0 "$(browser_js a \
	    'return document.getElementById("lines").scrollTop')"
	shot a scrolled-up
	browser_click a '#newest'
	wait_for at_end a
	wait_for below a 0
	by_hand three
	soon shows a three
	wait_for at_end a

	# More lines than the page keeps: the limit, and never an old one.
	perl -e 'print "next\nurl = $ARGV[0]\ndata = l$_\nsilent\n" .
	    "header = Content-Type: text/plain\n" for 1 .. 510' \
	    "$WEB/async/chat" | sed 1d >many
	atf_check -s exit:0 -o empty -e empty curl -K many
	soon shows a l510
	lines a >shown
	seq -f 'l%g' 11 510 >expected
	atf_check -s exit:0 -o empty -e empty diff expected shown
	no_errors a
	chat_finish
}

browser_case upload
upload_body()
{
	chat_start a
	bytes 3000000 >file
	browser_type a '#file' "$PWD/file"
	browser_click a '#go'
	wait_for is a 'The server says: 3000000 bytes, done' sent
	atf_check_equal Upload "$(text a go)"
	browser_js a 'scrollTo(0, document.body.scrollHeight)' >null
	shot a upload
	no_errors a
	# One that is stopped: the connection is too slow for it.
	browser_devtools a Network.enable '{}'
	browser_devtools a Network.emulateNetworkConditions '{"offline": false,
	    "latency": 0, "downloadThroughput": 100000,
	    "uploadThroughput": 100000}'
	browser_click a '#go'
	wait_for is a Stop go
	browser_click a '#go'
	wait_for is a Stopped sent
	atf_check_equal Upload "$(text a go)"
	no_errors a
	chat_finish
}

# label name css: what a screen reader says it is.
label()
{
	label_path=$(browser_element "$1" "$2")
	for label_part in computedrole computedlabel; do
		browser_do "$1" GET "$label_path/$label_part"
	done | paste -s -d ' '
}

browser_case forms
forms_body()
{
	chat_start a
	atf_check_equal 'textbox Your name' "$(label a '#name')"
	atf_check_equal 'textbox Say' "$(label a '#text')"
	atf_check_equal 'button Send' "$(label a '#send')"
	atf_check_equal 'log Lines' "$(label a '#lines')"
	atf_check_equal 'timer The server'\''s clock' "$(label a .clock)"
	atf_check_equal status "$(label a '#state' | sed 's/ .*//')"
	# By keys alone, from the name to the line that is sent.
	browser_js a 'document.getElementById("name").select()' >null
	browser_type a '#name' "Kay${TAB}keys do${TAB}$ENTER"
	soon shows a 'keys do'
	atf_check_equal Kay "$(browser_js a 'return localStorage.name')"
	no_errors a
	chat_finish
}
