// An upload, and what the server says of it.  The bar shows what has left the
// browser, which is never far ahead of the server: nginx passes the body on as
// it comes (fastcgi_request_buffering off).  The server counts meanwhile, and
// says so; but over HTTP/1.1 browsers do not read an answer before they have
// sent the whole request.  curl does.

const form = document.getElementById("upload");
const file = document.getElementById("file");
const go = document.getElementById("go");
const progress = document.getElementById("progress");
const sent = document.getElementById("sent");
const number = new Intl.NumberFormat("en");
let request = null;

function start() {
	const chosen = file.files[0];
	if (!chosen)
		return;
	request = new XMLHttpRequest();
	request.open("POST", "async/upload");
	request.setRequestHeader("Content-Type", "application/octet-stream");
	request.upload.onprogress = (event) => {
		progress.value = event.total > 0 ? event.loaded / event.total : 1;
		sent.textContent = `${number.format(event.loaded)} of ` +
		    `${number.format(event.total)} bytes sent`;
	};
	request.onprogress = () => {
		sent.textContent = answer();
	};
	request.onload = () => end(request.status === 200 ? answer() :
	    `Failed: status ${request.status}`);
	request.onerror = () => end("Failed: the connection was lost");
	request.onabort = () => end("Stopped");
	progress.value = 0;
	progress.hidden = false;
	sent.textContent = "";
	go.textContent = "Stop";
	request.send(chosen);
}

// The last line of it that is whole.
function answer() {
	return `The server says: ${request.responseText.split("\n").at(-2) ?? ""}`;
}

function end(message) {
	request = null;
	go.textContent = "Upload";
	progress.hidden = true;
	sent.textContent = message;
}

form.addEventListener("submit", (event) => {
	event.preventDefault();
	if (request)
		request.abort();
	else
		start();
});
