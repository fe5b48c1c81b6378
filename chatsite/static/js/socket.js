// The tab's one WebSocket: opened again whenever it closes, later and later, with jitter.

const SIGNED_OUT = 4401;
const PING_MS = 25_000;
const SILENCE_MS = 10_000; // after a ping
const LONGEST_DELAY_MS = 20_000;

// A random time, so that a restarted server does not get all its tabs at once.
function delay(failures) {
  return Math.min(LONGEST_DELAY_MS, 400 * 2 ** failures) * (0.5 + Math.random() / 2);
}

export class Socket {
  #url;
  #listener;
  #socket = null;
  #failures = 0;
  #timer = 0;
  #pinger = 0;
  #deadline = 0;
  #isOver = false;
  wasEverOpen = false;
  isBlocked = false; // it could not be opened even once

  // `listener` has opened(), closed(), signedOut() and received(frame).
  constructor(url, listener) {
    this.#url = url;
    this.#listener = listener;
    addEventListener("online", () => this.#hurry());
    document.addEventListener("visibilitychange", () => document.hidden || this.#hurry());
  }

  get isOpen() {
    return this.#socket?.readyState === WebSocket.OPEN;
  }

  open() {
    clearTimeout(this.#timer);
    const socket = new WebSocket(this.#url);
    this.#socket = socket;
    socket.addEventListener("open", () => {
      this.wasEverOpen = true;
      this.isBlocked = false;
      this.#pinger = setInterval(() => this.#ping(), PING_MS);
      this.#listener.opened();
    });
    socket.addEventListener("message", (event) => {
      clearTimeout(this.#deadline);
      this.#deadline = 0;
      this.#failures = 0;
      this.#listener.received(JSON.parse(event.data));
    });
    socket.addEventListener("close", (event) => this.#closed(socket, event.code));
  }

  // Whether the frame could be handed over.
  send(frame) {
    if (this.isOpen) this.#socket.send(JSON.stringify(frame));
    return this.isOpen;
  }

  // Stay closed: nobody is signed in any more.
  end() {
    this.#isOver = true;
    this.#socket?.close();
    this.#listener.signedOut();
  }

  #ping() {
    this.send({ type: "ping" });
    this.#deadline ||= setTimeout(() => this.#closed(this.#socket, 0), SILENCE_MS);
  }

  #closed(socket, code) {
    if (socket !== this.#socket) return;
    this.#socket = null;
    socket.close();
    clearInterval(this.#pinger);
    clearTimeout(this.#deadline);
    this.#deadline = 0;
    if (this.#isOver) return;
    if (code === SIGNED_OUT) return this.end();
    this.isBlocked = !this.wasEverOpen;
    this.#listener.closed();
    this.#timer = setTimeout(() => this.open(), delay(this.#failures++));
  }

  #hurry() {
    if (this.#socket || this.#isOver) return;
    this.#failures = 0;
    this.open();
  }
}
