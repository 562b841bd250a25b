// The server's clock: an event at every full second.  It is also what notices a
// connection that is dead without having been closed.  A browser has six
// connections to a server and no more, so a page that nobody sees leaves its
// clock alone.

import {open} from "./stream.js";

const SILENT = 5000; // ms without a tick until the connection counts as dead
const time = document.getElementById("time");
const date = document.getElementById("date");
const day = new Intl.DateTimeFormat("en-GB",
    {dateStyle: "medium", timeZone: "UTC"});
let stream = null;
let silence = 0;

function tick(event) {
	const now = new Date(event.data);
	if (Number.isNaN(now.getTime()))
		return;
	time.dateTime = event.data;
	time.textContent = event.data.slice(11, 19);
	date.textContent = `${day.format(now)}, UTC`;
	watch();
}

function watch() {
	clearTimeout(silence);
	silence = setTimeout(() => {
		document.dispatchEvent(new Event("silence"));
		stream.again();
	}, SILENT);
}

function show(state) {
	time.dataset.state = state;
	clearTimeout(silence);
	if (state === "live")
		watch();
}

function run() {
	clearTimeout(silence);
	stream?.close();
	stream = document.hidden ? null :
	    open("async/clock", {event: tick, state: show});
}

document.addEventListener("visibilitychange", run);
run();
