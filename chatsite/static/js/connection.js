// The tab's way to the server and back, kept open: opened again whenever it closes, later and later, with jitter.
// A socket is best. Where something on the way lets none through, frames come as events, or as answers to polls.
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
const SIGNED_OUT = 4401;
const KEY = "way"; // of the browser's storage, where a tab notes which way was open
const TRUSTED_MS = 10 * 60_000;

// A random time, so that a restarted server does not get all its tabs at once.
function delay(failures) {
  return Math.min(LONGEST_DELAY_MS, 400 * 2 ** failures) * (0.5 + Math.random() / 2);
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

async function canBeReached() {
  return fetch("/healthz", { cache: "no-store" }).then((response) => response.ok, () => false);
}

export class Connection {
  #listener;
  #way = remembered();
  #open = null; // the way that is taken, or tried, at the moment
  #failures = 0;
  #timer = 0;
  #patience = 0;
  #isOver = false;
  isOpen = false;
  wasEverOpen = false;

  // `listener` has opened(), closed(), signedOut() and received(frame).
  constructor(listener) {
    this.#listener = listener;
    addEventListener("online", () => this.#hurry());
    document.addEventListener("visibilitychange", () => document.hidden || this.#hurry());
  }

  // Nothing but a form gets through.
  get isBlocked() {
    return !this.wasEverOpen && this.#way === WAYS.length - 1 && this.#failures > 0;
  }

  async open() {
    clearTimeout(this.#timer);
    const fetched = { close() {}, send() {} }; // stands for the way meanwhile
    this.#open = fetched;
    const Way = await WAYS[this.#way]().catch(() => null);
    if (this.#open !== fetched) return;
    if (!Way) return this.#closed(fetched);
    const way = new Way({
      opened: () => this.#opened(way),
      closed: (code) => this.#closed(way, code),
      received: (frame) => this.#received(way, frame),
    });
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

  // Stay closed: nobody is signed in any more.
  end() {
    this.#isOver = true;
    this.#open?.close();
    this.#listener.signedOut();
  }

  #opened(way) {
    if (way !== this.#open) return;
    clearTimeout(this.#patience);
    this.isOpen = this.wasEverOpen = true;
    if (this.#way) remember(this.#way);
    this.#listener.opened();
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
    this.isOpen = false;
    clearTimeout(this.#patience);
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
