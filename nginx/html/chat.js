// The room: what is said arrives as events (GET async/chat), and what the
// reader says leaves by POST, a line of text each.  It appears when it comes
// back, like everybody's.

import {open} from "./stream.js";
import {add, lastId} from "./lines.js";

const LIMIT = 512;   // bytes of a line, name included; the server's limit
const NEARLY = 400;  // from here on the page tells how many are left
const PATIENCE = 10000; // ms until a POST counts as failed

const KINDS = ["Brave", "Calm", "Clever", "Gentle", "Jolly", "Kind", "Lucky",
    "Merry", "Quick", "Quiet", "Sunny", "Witty"];
const ANIMALS = ["Badger", "Crane", "Dolphin", "Finch", "Hare", "Hedgehog",
    "Lynx", "Otter", "Owl", "Panda", "Robin", "Seal"];

const form = document.getElementById("say");
const name = document.getElementById("name");
const text = document.getElementById("text");
const send = document.getElementById("send");
const left = document.getElementById("room-left");
const notice = document.getElementById("notice");
const state = document.getElementById("state");
let sending = false;

const any = (list) => list[Math.floor(Math.random() * list.length)];
const count = (n) => n === 1 ? "1 byte" : `${n} bytes`;
const bytes = (string) => new TextEncoder().encode(string).length;
// Control characters have no place in a line; a colon ends a name.
const clean = (string) =>
    string.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]+/g, " ").trim();
const cleanName = () => clean(name.value.replace(/:/g, " "));
const line = () => `${cleanName()}: ${clean(text.value)}`;

// A browser may refuse to store anything.
function remember(value) {
	try {
		localStorage.setItem("name", value);
	} catch { }
}

function remembered() {
	try {
		return localStorage.getItem("name");
	} catch {
		return null;
	}
}

function tell(message) {
	notice.textContent = message;
	notice.hidden = message === "";
}

// How many bytes are left, once it matters.  Returns false if too many.
function measure() {
	const over = bytes(line()) - LIMIT;
	const tooLong = over > 0;
	left.textContent = tooLong ? `${count(over)} too long: a line has at ` +
	    `most ${LIMIT}, with the name` :
	    over > NEARLY - LIMIT ? `${count(-over)} left` : "";
	left.classList.toggle("over", tooLong);
	text.setAttribute("aria-invalid", tooLong);
	return !tooLong;
}

const WHY = {
	400: "the server does not take that text",
	413: `a line has at most ${LIMIT} bytes`,
	502: "the server is not there",
	503: "the server has too much to do",
	504: "the server did not answer",
};

async function post(body) {
	let answer;
	try {
		answer = await fetch("async/chat", {
			method: "POST",
			headers: {"Content-Type": "text/plain; charset=utf-8"},
			body,
			signal: AbortSignal.timeout(PATIENCE),
		});
	} catch (error) {
		throw new Error(error.name === "TimeoutError" ?
		    "Perhaps not sent: no answer" : "Not sent: no connection");
	}
	if (!answer.ok)
		throw new Error("Not sent: " +
		    (WHY[answer.status] ?? `status ${answer.status}`));
}

async function say(event) {
	event.preventDefault();
	if (sending)
		return;
	if (cleanName() === "") {
		tell("Who are you? Type a name.");
		name.focus();
		return;
	}
	if (clean(text.value) === "") {
		text.focus();
		return;
	}
	if (!measure()) {
		tell("Not sent: too long.");
		text.focus();
		return;
	}
	const typed = text.value;
	sending = true;
	send.disabled = true;
	try {
		await post(line());
		if (text.value === typed)
			text.value = "";
		tell("");
	} catch (error) {
		tell(`${error.message}. Your text is still here.`);
	}
	sending = false;
	send.disabled = false;
	measure();
	text.focus();
}

name.value = remembered() || `${any(KINDS)} ${any(ANIMALS)}`;
remember(name.value);
name.addEventListener("change", () => {
	name.value = cleanName();
	if (name.value !== "")
		remember(name.value);
});
name.addEventListener("input", measure);
text.addEventListener("input", () => {
	tell("");
	measure();
});
form.addEventListener("submit", say);

const stream = open("async/chat", {
	id: lastId,
	event: (event) => add(event.lastEventId, event.data, cleanName()),
	state(now) {
		if (state.dataset.state === now)
			return; // or it would be read out again
		state.dataset.state = now;
		state.textContent = now === "lost" ? "lost, retrying" : now;
	},
});
document.addEventListener("silence", () => stream.again());
