// Another conversation without another page: what a link leads to is fetched, and takes the place of what is shown.
// Whatever goes wrong, the browser follows the link.
import { isPlain } from "./forms.js";

const CONVERSATION = /^\/(?:c\/([0-9a-f-]{36})\/)?$/;
const FRESH_MS = 5000; // a page that was fetched when the button went down may be that old

// Where one was in each conversation is remembered for as long as the tab is there: {message, top, from}, the first
// message that was in sight, how far its top was below that of the window, and the oldest one on the page.
function keyOf({ user, conversation }) {
  return `place:${user}:${conversation}`;
}

function remember(thread, place) {
  try {
    if (place) sessionStorage.setItem(keyOf(thread), JSON.stringify(place));
    else sessionStorage.removeItem(keyOf(thread));
  } catch {
    // The page opens at its end.
  }
}

function recall(thread) {
  try {
    return JSON.parse(sessionStorage.getItem(keyOf(thread)));
  } catch {
    return null;
  }
}

// The conversation that an address leads to ("": a new one), or null if it leads elsewhere.
function conversationOf({ origin, pathname, search }) {
  const found = origin === location.origin && CONVERSATION.exec(pathname);
  if (!found || (search && !/^\?from=[0-9a-f-]{36}$/.test(search))) return null;
  return found[1] ?? "";
}

function scriptOf(page) {
  return page.querySelector("script[type=module]").getAttribute("src");
}

export class Switching {
  #page;
  #ahead = null; // a page that is being fetched before its link is followed
  #latest = null; // the address that was asked for last

  // `page` has thread, composer, preview, edits, stream, scroll, sidebar, announcer, earlier and decorate(element).
  constructor(page) {
    this.#page = page;
    document.addEventListener("pointerdown", (event) => this.#expect(event));
    document.addEventListener("click", (event) => this.#clicked(event));
    addEventListener("popstate", () => this.#popped());
    addEventListener("pagehide", () => this.#leave());
    this.#resume();
  }

  #linkOf(event) {
    const link = event.button === 0 && isPlain(event) ? event.target.closest("a[href]:not([target], [download])") : null;
    return link && conversationOf(link) !== null ? link : null;
  }

  // A button goes down a tenth of a second before the click.
  #expect(event) {
    const link = this.#linkOf(event);
    if (link) this.#ahead = { href: this.#addressOf(link), at: performance.now(), page: this.#fetch(this.#addressOf(link)) };
    this.#ahead?.page.catch(() => {}); // whoever clicks is told
  }

  #clicked(event) {
    if (event.defaultPrevented) return;
    const link = this.#linkOf(event);
    const isHere = link && conversationOf(link) === (this.#page.thread.conversation ?? "");
    if (!link || (isHere && link.hash)) return; // the browser goes to a place on this page by itself
    event.preventDefault();
    link.closest("dialog")?.close();
    this.#go(link, () => {
      this.#leave();
      history.pushState(null, "", link.pathname);
    });
  }

  // Back and forward, unless it was to a place on this page.
  #popped() {
    const conversation = conversationOf(location);
    if (conversation === null) location.reload();
    else if (conversation !== (this.#page.thread.conversation ?? "")) this.#go(location, () => this.#leave());
    else {
      this.#latest = null; // back here before the other one was
      this.#page.sidebar.markCurrent(conversation);
    }
  }

  // A page that was loaded as a whole is at its end, and has only the newest messages.
  #resume() {
    const place = location.hash ? null : recall(this.#page.thread);
    if (!place) return;
    if (document.getElementById(place.message)) this.#page.scroll.enter(place);
    else this.#go(location, () => {});
  }

  // As much of a conversation as one had seen of it.
  #addressOf({ href, search, pathname }) {
    const conversation = conversationOf(new URL(href));
    const from = !search && conversation && recall({ user: this.#page.thread.user, conversation })?.from;
    return from ? `${pathname}?from=${from}` : href;
  }

  async #go(link, show) {
    const { href, hash } = link;
    const address = this.#addressOf(link);
    this.#latest = address;
    this.#page.sidebar.markCurrent(conversationOf(link)); // at once: the click was heard
    try {
      this.#checkBusy();
      const now = performance.now();
      const isThere = this.#ahead?.href === address && now - this.#ahead.at < FRESH_MS;
      const { at, page: coming } = isThere ? this.#ahead : { at: now, page: this.#fetch(address) };
      const page = await coming;
      if (this.#latest !== address) return; // somebody is in a hurry
      this.#checkBusy(); // Enter may have been pressed meanwhile
      this.#check(page);
      show();
      this.#enter(page, at, hash);
    } catch (error) {
      if (this.#latest !== address) return;
      console.info(`${href} is loaded as a whole: ${error.message}`);
      location.assign(href);
    } finally {
      this.#ahead = null;
    }
  }

  // What is being sent is kept by a page that is left, and looked for by the next.
  #checkBusy() {
    const { composer, edits } = this.#page;
    if (composer.isSending || edits.now?.isSending) throw new Error("Something is on its way to the server.");
  }

  async #fetch(address) {
    const response = await fetch(address, { headers: { Accept: "text/html", "X-Script": "1" } });
    if (!response.ok || response.redirected) throw new Error(`The answer was ${response.status}.`);
    return new DOMParser().parseFromString(await response.text(), "text/html");
  }

  // Only a page of the same person, the same routes and the same version of the site can take the place of this one.
  #check(page) {
    const isSame = page.getElementById("thread")?.dataset.user === this.#page.thread.user;
    if (!isSame || scriptOf(page) !== scriptOf(document)) throw new Error("It is another kind of page.");
    if (!this.#page.composer.fits(page)) throw new Error("It offers other routes.");
  }

  #leave() {
    const { thread, scroll } = this.#page;
    remember(thread, scroll.place);
  }

  #enter(page, askedAt, hash) {
    const { thread, composer, preview, stream, scroll, sidebar, announcer, earlier, decorate } = this.#page;
    composer.leave();
    stream.leave();
    thread.show(page);
    sidebar.close();
    sidebar.markCurrent(thread.conversation ?? "");
    decorate(thread.root);
    preview.forget();
    composer.enter(page);
    stream.enter(askedAt);
    earlier.watch();
    if (hash) location.replace(hash);
    scroll.enter(recall(thread));
    announcer.say(document.title);
    // A phone would show its keyboard.
    if (matchMedia("(pointer: coarse)").matches) thread.focusTitle();
    else composer.focus();
  }
}
