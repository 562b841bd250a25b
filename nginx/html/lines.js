// The lines of the room, as they are shown.  A line is "name: text"; whoever
// posts by hand may leave the name out.  The newest is kept in view unless the
// reader has scrolled up.  Nothing of a line is ever taken for markup.

const LIMIT = 500;  // lines on the page; older ones leave it
const NEAR = 40;    // px from the end that count as the end
const COLOURS = 6;  // of names, in chat.css

const list = document.getElementById("lines");
const empty = document.getElementById("empty");
const newest = document.getElementById("newest");
const title = document.title;
const shown = new Map(); // id: text, in the order of arrival
let last = "";           // the id of the newest
let previous = null;     // the name that said it
let atEnd = true;
let size = "";           // of the list, as far as it is known
let below = 0;           // lines that came while the reader was further up
let unseen = 0;          // lines that came while nobody saw the page

export const lastId = () => last;

// Adds a line unless it is there already.  "mine" is the reader's own name.
export function add(id, data, mine) {
	// Another server, in place of one that ended, may count from 1 again.
	if (shown.get(id) === data)
		return;
	shown.delete(id);
	shown.set(id, data);
	last = id;

	const colon = data.indexOf(": ");
	const name = colon > 0 ? data.slice(0, colon) : "";
	list.append(line(name, colon > 0 ? data.slice(colon + 2) : data, mine));
	empty.hidden = true;
	if (shown.size > LIMIT)
		shown.delete(shown.keys().next().value);
	if (list.childElementCount > LIMIT)
		list.firstElementChild.remove();
	if (atEnd)
		toEnd();
	else
		below++;
	if (document.hidden)
		unseen++;
	counts();
}

function line(name, text, mine) {
	const item = document.createElement("p");
	item.dataset.colour = colour(name);
	item.classList.toggle("mine", name !== "" && name === mine);
	if (name !== previous || name === "") {
		const label = document.createElement("b");
		label.textContent = name || "somebody";
		item.append(label);
		item.classList.add("first");
	}
	previous = name;
	const said = document.createElement("span");
	said.textContent = text;
	item.append(said);
	return item;
}

// The same name has the same colour on every page.
function colour(name) {
	let sum = 0;
	for (const character of name)
		sum = (sum * 31 + character.codePointAt(0)) % 65521;
	return sum % COLOURS;
}

function sizeNow() {
	return `${list.clientWidth} ${list.clientHeight}`;
}

function toEnd() {
	list.scrollTop = list.scrollHeight;
}

function counts() {
	newest.hidden = below === 0;
	newest.textContent = `${below} new below`;
	document.title = unseen === 0 ? title : `(${unseen}) ${title}`;
}

list.addEventListener("scroll", () => {
	// A list of another size scrolls without its reader: see below.
	if (size !== sizeNow())
		return;
	atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < NEAR;
	if (atEnd)
		below = 0;
	counts();
});
newest.addEventListener("click", () => {
	toEnd();
	list.focus();
});
document.addEventListener("visibilitychange", () => {
	unseen = 0;
	counts();
});
// A keyboard on the screen makes the list smaller.
new ResizeObserver(() => {
	size = sizeNow();
	if (atEnd)
		toEnd();
}).observe(list);
