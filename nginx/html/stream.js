// A stream of events (EventSource) that comes back whatever has happened: who
// retries by itself after a lost connection gives up for good when the answer
// is 502, as it is while the server behind nginx is being replaced.
//
//	open(path, {id, state, event})
//
// "state" is called with "connecting", "live" or "lost", "event" with each
// event.  A new EventSource does not know the id of the last event any more
// that the old one had; "id" returns it, and it goes along as ?after=ID.  What
// it returns has close() and again(), which is for who knows better.

const SHORTEST = 1000; // ms between two attempts
const LONGEST = 5000;

export function open(path, {id = () => "", state, event}) {
	let source = null;
	let timer = 0;
	let wait = SHORTEST;

	function connect() {
		clearTimeout(timer);
		source?.close();
		const after = id();
		source = new EventSource(after === "" ? path :
		    `${path}?after=${encodeURIComponent(after)}`);
		source.onopen = () => {
			wait = SHORTEST;
			state("live");
		};
		source.onmessage = event;
		source.onerror = lost;
	}

	function lost() {
		state("lost");
		if (source.readyState !== EventSource.CLOSED)
			return;
		// All pages of a server that comes back need not do so at once.
		timer = setTimeout(connect, wait * (0.75 + Math.random() / 2));
		wait = Math.min(wait * 2, LONGEST);
	}

	state("connecting");
	connect();
	return {
		again() {
			state("lost");
			connect();
		},
		close() {
			clearTimeout(timer);
			source.close();
		},
	};
}
