// The chat page, put together.
import { Announcer } from "./announcer.js";
import { Composer } from "./composer.js";
import { Connection } from "./connection.js";
import { ConversationMenu } from "./conversation-menu.js";
import { decorate } from "./decorate.js";
import { Earlier } from "./earlier.js";
import { leave } from "./kept.js";
import { listenToKeys } from "./keys.js";
import { Lazy } from "./lazily.js";
import { Preview } from "./preview.js";
import { Ready } from "./ready.js";
import { Scroll } from "./scroll.js";
import { Sidebar } from "./sidebar.js";
import { Stream } from "./stream.js";
import { Switching } from "./switching.js";
import { Thread } from "./thread.js";
import { listenToWrapping } from "./wrap.js";

const QUIET_MS = 1500; // a shorter interruption is not worth a word

const reconnecting = document.getElementById("connection");
let isFirst = true;
let notice = 0;

const thread = new Thread();
const listener = {
  opened() {
    clearTimeout(notice);
    reconnecting.hidden = true;
    composer.resend();
    edits.now?.resend();
    if (isFirst) stream.attachAll();
    else stream.resume();
    isFirst = false;
  },
  closed() {
    clearTimeout(notice);
    notice = setTimeout(() => (reconnecting.hidden = false), QUIET_MS);
    if (!connection.isBlocked) return;
    composer.sendAsForm();
    stream.refresh();
  },
  signedOut() {
    location.assign(`/sign-in/?next=${encodeURIComponent(location.pathname)}`);
  },
  received: (frame) => stream.receive(frame),
};
const connection = new Connection(listener, thread.root.dataset.news);

const scroll = new Scroll();
listenToWrapping((change) => scroll.still(change));
const sidebar = new Sidebar();
const menu = new ConversationMenu({ thread, receive: (frame) => stream.receive(frame), end: () => stream.end() });
const announcer = new Announcer();
const composer = new Composer({ connection, thread, wantsStop: stopNewest });
const edits = new Lazy(async () => new (await import("./edits.js")).Edits({ connection, thread })).onClick("[data-action=edit]");
const ratings = new Lazy(async () => new (await import("./ratings.js")).Ratings({ connection, thread }));
ratings.onClick("[data-action=rate], [data-action=reason]");
new Lazy(async () => (await import("./alternatives.js")).listenToAlternatives({ connection, scroll }) ?? {}).onClick(
  "[data-action=again], [data-action=continue], [data-action=correct], [data-action=compare], [data-action=choose]",
);
new Lazy(() => import("./copy.js")).onClick("[data-action=copy-code], [data-action=copy-answer]");
new Lazy(() => import("./tables.js")).onClick(".table-bar button");
const search = new Lazy(async () => new (await import("./search.js")).Search());
const ready = new Ready({ thread, say: (text) => composer.note(text) });
const preview = new Preview({ connection, thread, composer });
const earlier = new Earlier({ thread, scroll, decorate });
const stream = new Stream({
  ...{ connection, thread, composer, edits, ratings, sidebar, menu, scroll, announcer, preview, earlier, ready, decorate },
});

// Who types will get an answer.
document.getElementById("text").addEventListener("input", () => stream.prepare(), { once: true });

function stopNewest() {
  if (stream.newest) connection.send({ type: "stop", reply: stream.newest });
}

// At once, so that whoever types on is heard.
function openSearch() {
  const dialog = document.getElementById("search");
  if (!dialog.open) dialog.showModal();
  document.getElementById("search-query").select();
  search.ready.catch(() => location.assign(document.querySelector("[data-action=search]").href));
}

document.addEventListener("click", (event) => {
  if (event.target.closest("[data-action=search]")) {
    event.preventDefault();
    openSearch();
  }

  const starter = event.target.closest("[data-action=try]");
  if (starter) {
    event.preventDefault();
    composer.fill(starter.dataset.text);
  }
});

// What is unfolded under the newest answer would open behind the composer.
document.addEventListener("toggle", (event) => event.target.matches(".message:last-child .reroute") && scroll.keep(), true);

document.querySelector("[data-action=sign-out]").addEventListener("submit", () => {
  connection.close(); // else the news of it, which comes first, would lead this tab elsewhere
  leave(thread.user);
});
// A page that the browser has put aside, as one that is left by signing out, shows what was.
addEventListener("pageshow", (event) => event.persisted && location.reload());
listenToKeys({ composer, openSearch, stopNewest });
new Switching({ thread, composer, preview, edits, stream, scroll, sidebar, announcer, earlier, decorate });
decorate(document);
connection.open();
performance.mark("usable"); // bench/first_load.py looks for it
