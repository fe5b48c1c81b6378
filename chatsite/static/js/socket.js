// Frames over the tab's one WebSocket.

const PING_MS = 25_000;
const SILENCE_MS = 10_000; // after a ping

export class Socket {
  #listener;
  #news;
  #socket = null;
  #pinger = 0;
  #deadline = 0;

  // `listener` has opened(), closed(code) and received(frame); `news` is the last news that this tab knows.
  constructor(listener, news) {
    this.#listener = listener;
    this.#news = news;
  }

  // Empty: from now on.
  get news() {
    return this.#news;
  }

  open() {
    this.#socket = new WebSocket(`${location.origin.replace(/^http/, "ws")}/ws/`);
    this.#socket.addEventListener("open", () => {
      this.#pinger = setInterval(() => this.#ping(), PING_MS);
      if (this.#news) this.send({ type: "news", after: this.#news });
      this.#news = ""; // whatever happens later comes by itself
      this.#listener.opened();
    });
    this.#socket.addEventListener("message", (event) => {
      clearTimeout(this.#deadline);
      this.#deadline = 0;
      this.#listener.received(JSON.parse(event.data));
    });
    this.#socket.addEventListener("close", (event) => this.#listener.closed(event.code));
  }

  send(frame) {
    this.#socket.send(JSON.stringify(frame));
  }

  close() {
    clearInterval(this.#pinger);
    clearTimeout(this.#deadline);
    this.#socket?.close();
  }

  #ping() {
    this.send({ type: "ping" });
    this.#deadline ||= setTimeout(() => this.#listener.closed(), SILENCE_MS);
  }
}
