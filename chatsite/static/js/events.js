// Frames as server-sent events, where no socket gets through.
import { leaving, newsOf, post, watchesReplies, watching } from "./posting.js";

const SILENCE_MS = 45_000; // the server says something every twenty seconds
const RETRYING_MS = 5_000; // that a stream which has ended may take to come back

export class Events {
  #listener;
  #source = null;
  #at; // how far this tab has come
  #isOpen = false;
  #isPlanned = false;
  #deadline = 0;
  #shown = () => this.#showOrHide();

  // `listener` has opened(), closed(), received(frame) and answered(frame); `news` is the last news that this tab knows.
  constructor(listener, news) {
    this.#listener = listener;
    this.#at = news;
    document.addEventListener("visibilitychange", this.#shown);
  }

  get news() {
    return newsOf(this.#at);
  }

  open() {
    this.#source?.close();
    this.#source = new EventSource(`/frames/events/?at=${encodeURIComponent(this.#at)}`);
    this.#source.addEventListener("message", (event) => this.#heard(event));
    this.#source.addEventListener("error", (event) => this.#failed(event));
    this.#watch(SILENCE_MS);
  }

  send(frame) {
    if (frame.type === "attach") this.#attach(frame);
    else if (frame.type === "detach") this.#at = leaving(this.#at, frame.reply); // from the next stream on
    else post(frame, this.#listener);
  }

  close() {
    document.removeEventListener("visibilitychange", this.#shown);
    clearTimeout(this.#deadline);
    this.#source?.close();
    this.#source = null;
  }

  #heard({ data, lastEventId, target }) {
    if (target !== this.#source) return;
    this.#watch(SILENCE_MS);
    this.#at = lastEventId;
    if (!this.#isOpen) {
      this.#isOpen = true;
      this.#listener.opened();
    }
    for (const frame of JSON.parse(data)) this.#listener.received(frame);
  }

  // A stream that ends is asked for again by the browser, from the last event on; one that is refused is not.
  #failed({ target }) {
    if (target !== this.#source) return;
    if (target.readyState === EventSource.CLOSED) this.#listener.closed();
    else this.#watch(RETRYING_MS);
  }

  #watch(milliseconds) {
    clearTimeout(this.#deadline);
    this.#deadline = setTimeout(() => this.#listener.closed(), milliseconds);
  }

  // What is watched stands in the address. Whoever attaches to several replies at once asks for them together.
  #attach({ reply, after }) {
    this.#at = watching(this.#at, reply, after);
    if (this.#isPlanned) return;
    this.#isPlanned = true;
    queueMicrotask(() => {
      this.#isPlanned = false;
      if (this.#source) this.open();
    });
  }

  // Browsers open few connections to a site at a time: a page that nobody sees, and that waits for nothing, keeps none.
  #showOrHide() {
    if (!document.hidden) return this.#source.readyState === EventSource.CLOSED && this.open();
    if (!this.#isOpen || watchesReplies(this.#at)) return;
    clearTimeout(this.#deadline);
    this.#source.close();
    this.#isOpen = false; // until somebody looks, more can happen than is kept as news
  }
}
