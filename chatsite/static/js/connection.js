// The tab's way to the server and back, kept open: opened again whenever it closes, later and later, with jitter.
// A socket is best. Where something on the way lets none through, frames come as events, or as answers to polls, until a
// better way works again.
import { Socket } from "./socket.js";

// What is seldom needed is fetched when it is.
const WAYS = [
  async () => Socket,
  async () => (await import("./events.js")).Events,
  async () => (await import("./polling.js")).Polling,
];
const TRIES = 2; // of a way, while the site can be reached
const PATIENCE_MS = 6000; // for a way to open
const LONGEST_DELAY_MS = 20_000;
const BETTER_MS = 2 * 60_000; // until a better way is tried again, each time after twice as long
const LONGEST_BETTER_MS = 60 * 60_000;
const SIGNED_OUT = 4401;
const KEY = "way"; // of the browser's storage, where a tab notes which way was open
const TRUSTED_MS = 10 * 60_000;

// A random time, so that a restarted server does not get all its tabs at once.
function about(milliseconds) {
  return milliseconds * (0.5 + Math.random() / 2);
}

function delay(failures) {
  return about(Math.min(LONGEST_DELAY_MS, 400 * 2 ** failures));
}

function remembered() {
  try {
    const { way, at } = JSON.parse(sessionStorage.getItem(KEY));
    return way in WAYS && Math.abs(Date.now() - at) < TRUSTED_MS ? way : 0;
  } catch {
    return 0;
  }
}

function remember(way) {
  try {
    sessionStorage.setItem(KEY, JSON.stringify({ way, at: Date.now() }));
  } catch {
    // Then the next page finds out for itself.
  }
}

// A way beside the present one, if it opens and brings a frame in time: {way, listener, frames}, what it has brought so
// far. Else null.
async function tried(Way, news) {
  const [listener, frames] = [{}, []];
  const way = new Way(listener, news);
  const works = await new Promise((resolve) => {
    const received = (frame) => resolve(frames.push(frame) > 0);
    const opened = () => way.send({ type: "ping" });
    Object.assign(listener, { opened, received, answered: received, closed: () => resolve(false) });
    setTimeout(() => resolve(false), PATIENCE_MS);
    try {
      way.open();
    } catch {
      resolve(false);
    }
  });
  if (works) return { way, listener, frames };
  way.close();
  return null;
}

async function canBeReached() {
  return fetch("/healthz", { cache: "no-store" }).then((response) => response.ok, () => false);
}

export class Connection {
  #listener;
  #news; // how far the page is that was loaded, or the last way has come
  #way = remembered();
  #open = null; // the way that is taken, or tried, at the moment
  #failures = 0;
  #timer = 0;
  #patience = 0;
  #better = BETTER_MS;
  #seeker = 0;
  #isSeeking = false;
  #isOver = false;
  isOpen = false;
  wasEverOpen = false;

  // `listener` has opened(), closed(), signedOut() and received(frame); `news` is the last news that the page knows.
  constructor(listener, news) {
    this.#listener = listener;
    this.#news = news;
    addEventListener("online", () => this.#hurry());
    addEventListener("online", () => this.#seek());
    document.addEventListener("visibilitychange", () => document.hidden || this.#hurry());
  }

  // Nothing but a form gets through.
  get isBlocked() {
    return !this.wasEverOpen && this.#way === WAYS.length - 1 && this.#failures > 0;
  }

  async open() {
    clearTimeout(this.#timer);
    const fetched = { close() {}, send() {}, news: this.#news }; // stands for the way meanwhile
    this.#open = fetched;
    const Way = await WAYS[this.#way]().catch(() => null);
    if (this.#open !== fetched) return;
    if (!Way) {
      if (this.wasEverOpen) this.#way = 0; // the site has been replaced, and what was not fetched is gone with it
      return this.#closed(fetched);
    }
    const listener = {};
    const way = new Way(listener, this.#news);
    this.#listenTo(way, listener);
    this.#open = way;
    this.#patience = setTimeout(() => this.#gaveNoSign(way), PATIENCE_MS);
    try {
      way.open();
    } catch {
      this.#gaveNoSign(way); // the browser has no sockets, or is told to open none
    }
  }

  // Whether the frame could be handed over.
  send(frame) {
    if (this.isOpen) this.#open.send(frame);
    return this.isOpen;
  }

  // Stay closed.
  close() {
    this.#isOver = true;
    this.#open?.close();
  }

  // Nobody is signed in any more.
  end() {
    this.close();
    this.#listener.signedOut();
  }

  #opened(way) {
    if (way !== this.#open) return;
    clearTimeout(this.#patience);
    this.isOpen = this.wasEverOpen = true;
    if (this.#way !== remembered()) remember(this.#way);
    this.#seekLater();
    this.#listener.opened();
  }

  #listenTo(way, listener) {
    Object.assign(listener, {
      opened: () => this.#opened(way),
      closed: (code) => this.#closed(way, code),
      received: (frame) => this.#received(way, frame),
      answered: (frame) => this.#listener.received(frame), // what was posted has happened, by whatever way one hears now
    });
  }

  #seekLater() {
    clearTimeout(this.#seeker);
    if (this.#way) this.#seeker = setTimeout(() => this.#seek(), about(this.#better));
  }

  // From a lesser way to the best one that works again.
  async #seek() {
    if (!this.#way || !this.isOpen || this.#isSeeking) return;
    const present = this.#open;
    this.#isSeeking = true;
    this.#better = Math.min(2 * this.#better, LONGEST_BETTER_MS);
    let found = null;
    let index = 0;
    while (!found && index < this.#way) {
      const Way = await WAYS[index++]().catch(() => null);
      found = Way && (await tried(Way, present.news));
    }
    this.#isSeeking = false;
    if (this.#open !== present || this.#isOver) found?.way.close();
    else if (found) this.#changeTo(found, index - 1);
    else this.#seekLater();
  }

  // What comes twice, because it was on both ways, says nothing new the second time.
  #changeTo({ way, listener, frames }, index) {
    this.#open.close();
    this.#open = way;
    this.#way = index;
    this.#failures = 0;
    this.#listenTo(way, listener);
    this.#opened(way);
    for (const frame of frames) this.#received(way, frame);
  }

  #received(way, frame) {
    if (way !== this.#open) return;
    this.#failures = 0;
    this.#listener.received(frame);
  }

  #gaveNoSign(way) {
    this.#failures = TRIES;
    this.#closed(way);
  }

  async #closed(way, code) {
    if (way !== this.#open || this.#isOver) return;
    this.#open = null;
    this.#news = way.news;
    this.isOpen = false;
    clearTimeout(this.#patience);
    clearTimeout(this.#seeker);
    way.close();
    if (code === SIGNED_OUT) return this.end();
    this.#failures++;
    this.#listener.closed();
    this.#timer = setTimeout(() => this.open(), delay(this.#failures));
    if (this.#failures < TRIES || this.#way === WAYS.length - 1 || !(await canBeReached()) || this.#open) return;
    this.#way++;
    this.#failures = 0;
    this.open();
  }

  #hurry() {
    if (this.#open || this.#isOver) return;
    this.#failures = 0;
    this.open();
  }
}
