// Frames as answers to polls, where not even events get through before they end.
import { leaving, newsOf, post, watchesReplies, watching } from "./posting.js";

const PAUSE_MS = 1000; // at least, between the beginnings of two polls
const SILENCE_MS = 45_000; // an answer comes within twenty seconds

export class Polling {
  #listener;
  #at; // how far this tab has come
  #isOpen = false;
  #isOver = false;
  #timer = 0;
  #asking = null; // what ends the poll that is under way
  #shown = () => document.hidden || this.#asking || this.#planPoll(0);

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
    this.#poll();
  }

  send(frame) {
    if (frame.type === "detach") return void (this.#at = leaving(this.#at, frame.reply));
    if (frame.type !== "attach") return post(frame, this.#listener);
    this.#at = watching(this.#at, frame.reply, frame.after);
    this.#planPoll(0);
  }

  close() {
    this.#isOver = true;
    document.removeEventListener("visibilitychange", this.#shown);
    clearTimeout(this.#timer);
    this.#asking?.abort();
  }

  #planPoll(milliseconds) {
    this.#asking?.abort();
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#poll(), milliseconds);
  }

  async #poll() {
    const asking = new AbortController();
    this.#asking = asking;
    const began = performance.now();
    const deadline = setTimeout(() => this.#listener.closed(), SILENCE_MS);
    try {
      const address = `/frames/poll/?at=${encodeURIComponent(this.#at)}${this.#isOpen ? "" : "&now"}`;
      const response = await fetch(address, { signal: asking.signal });
      const answer = await response.json();
      if (!asking.signal.aborted) this.#heard(answer);
    } catch {
      if (!asking.signal.aborted) this.#listener.closed();
    } finally {
      clearTimeout(deadline);
    }
    if (this.#asking !== asking) return;
    this.#asking = null;
    // A page that nobody sees, and that waits for nothing, is quiet.
    if (this.#isOver || asking.signal.aborted) return;
    if (document.hidden && !watchesReplies(this.#at)) this.#isOpen = false; // more can happen than is kept as news
    else this.#planPoll(Math.max(0, PAUSE_MS - (performance.now() - began)));
  }

  #heard({ at, frames }) {
    this.#at = at;
    if (!this.#isOpen) {
      this.#isOpen = true;
      this.#listener.opened();
    }
    for (const frame of frames) this.#listener.received(frame);
  }
}
