// The page works without this. It brings news: a page whose runs changed is
// fetched again and its <main> exchanged; a log grows line by line.
"use strict";

const main = document.querySelector("main");

function swap(text) {
  const next = new DOMParser().parseFromString(text, "text/html");
  const fresh = next.querySelector("main");
  if (!fresh) return;
  const open = new Set([...main.querySelectorAll("details[open][id]")].map((d) => d.id));
  const focused = document.activeElement && document.activeElement.id;
  main.replaceChildren(...fresh.childNodes);
  for (const id of open) document.getElementById(id)?.setAttribute("open", "");
  if (focused) document.getElementById(focused)?.focus();
  document.title = next.title;
}

let busy = false;
let again = false;
async function refresh() {
  if (busy) { again = true; return; }
  busy = true;
  try {
    const answer = await fetch(location.href, { credentials: "same-origin" });
    if (answer.ok) swap(await answer.text());
  } catch { /* the host is away; the next event finds it again */ }
  busy = false;
  if (again) { again = false; refresh(); }
}

if (document.body.dataset.live) {
  let first = true; // the first event only says that we are heard
  new EventSource("/changes").onmessage = () => { if (!first) refresh(); first = false; };
}

const log = document.getElementById("log");
if (log && log.dataset.follow) {
  const at = `&from=${log.dataset.offset}&line=${log.dataset.lines}`;
  const source = new EventSource(log.dataset.follow + at);
  source.onmessage = (event) => {
    const line = JSON.parse(event.data);
    const below = window.innerHeight + window.scrollY >= document.body.scrollHeight - 40;
    const row = document.createElement("div");
    row.className = "l s-" + line.stream;
    row.id = "L" + line.n;
    row.title = line.at;
    const number = document.createElement("a");
    number.href = "#L" + line.n;
    number.textContent = line.n;
    const text = document.createElement("span");
    text.innerHTML = line.html; // made by the host: escaped text in spans with a class
    row.append(number, text);
    log.append(row);
    if (below) row.scrollIntoView({ block: "end" });
  };
  source.addEventListener("end", () => { source.close(); location.reload(); });
}
