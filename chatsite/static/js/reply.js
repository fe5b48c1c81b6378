// An answer that is being written: finished blocks as HTML, the open block as text.
import { count, dropFirst } from "./codepoints.js";
import { showOpenBlock } from "./open-block.js";
import { keepingWhy } from "./why.js";

function element(tag, className) {
  const made = document.createElement(tag);
  made.className = className;
  return made;
}

// One attempt at the answer.
class Draft {
  length = 0; // code points
  #start = 0; // where the open block starts
  #text = ""; // the open block
  #isPlanned = false;
  #open = element("div", "open");
  #done = element("div", "done");
  root = element("div", "draft");

  constructor() {
    this.root.append(this.#done, this.#open);
  }

  set(html, tail, length) {
    this.#done.innerHTML = html; // sanitised by the server
    this.length = length;
    this.#text = tail;
    this.#start = length - count(tail);
    this.#showOpen();
    return this.#done;
  }

  append(text) {
    this.length += count(text);
    this.#text += text;
    this.#showSoon();
  }

  // What was open up to the code point `upto` is now `html`.
  finish(html, upto) {
    if (upto <= this.#start) return this.#done; // sent again after an interruption
    this.#done.insertAdjacentHTML("beforeend", html); // sanitised by the server
    this.#text = dropFirst(this.#text, upto - this.#start);
    this.#start = upto;
    this.#showOpen(); // at once: nothing stands in the page twice
    return this.#done;
  }

  // At most once a frame, however fast the text comes.
  #showSoon() {
    if (this.#isPlanned) return;
    this.#isPlanned = true;
    requestAnimationFrame(() => {
      this.#isPlanned = false;
      this.#showOpen();
    });
  }

  #showOpen() {
    const shown = showOpenBlock(this.#open, this.#text);
    if (shown !== this.#open) this.#open.replaceWith(shown);
    this.#open = shown;
  }
}

export class Reply {
  after = null; // everything up to this offset is shown
  #offset = null; // of the last frame; more frames of that offset may come
  #began = "writing"; // how this attempt is called while nothing else is to be said of it
  #article;
  #draft = new Draft();
  #stale = null; // the draft of an attempt that broke off, shown until the new one is as long

  constructor(article) {
    this.#article = article;
    this.#answer.replaceChildren(this.#draft.root);
  }

  get id() {
    return this.#article.dataset.reply;
  }

  get #answer() {
    return this.#article.querySelector(".answer");
  }

  // Nobody has begun yet; said by the way, so it may come after the beginning. But whoever had begun can be gone, with
  // nobody there to take over.
  waits(state) {
    const isAlone = [state, this.#article.dataset.state].includes("unserved");
    if (this.#offset === null || isAlone) this.setState(state);
  }

  // Where it stands in the line, in words.
  stands(text) {
    const place = this.#article.querySelector(".place");
    if (place.textContent !== text) place.textContent = text;
  }

  setState(state) {
    if (this.#article.dataset.state !== state) this.#article.dataset.state = state;
  }

  decided(html) {
    const decision = this.#article.querySelector(".decision");
    keepingWhy(decision, () => {
      decision.innerHTML = html; // our own template
      return decision;
    });
    if (["routing", "unrouted", "unread"].includes(this.#article.dataset.state)) this.setState("waiting");
  }

  started({ offset, attempt }) {
    if (offset === this.#offset) return; // sent again after an interruption
    this.#note(offset);
    this.#began = attempt > 1 ? "retrying" : "writing";
    this.setState(this.#began);
    if (this.#draft.length === 0) return;
    this.#stale?.root.remove();
    this.#stale = this.#draft;
    this.#stale.root.classList.add("stale");
    this.#draft = new Draft();
  }

  // Its model is being loaded, or is there at last.
  loads({ type, offset }) {
    if (offset === this.#offset) return;
    this.#note(offset);
    this.setState(type === "loading" ? "loading" : this.#began);
  }

  snapshot({ offset, attempt, is_loading, html, tail, length }) {
    this.after = this.#offset = offset;
    this.#began = attempt > 1 && length === 0 ? "retrying" : "writing";
    this.setState(is_loading ? "loading" : this.#began);
    this.#stale = null;
    this.#draft = new Draft();
    const done = this.#draft.set(html, tail, length);
    this.#answer.replaceChildren(this.#draft.root);
    return done;
  }

  // The part of a delta that is new, and shown now; null if there is a gap before it. After an interruption, some or all
  // of it can be known: another process may have put together other pieces.
  delta({ offset, at, text }) {
    const known = this.#draft.length - at;
    if (known < 0) return null;
    this.#note(offset);
    const fresh = known ? dropFirst(text, known) : text;
    if (fresh) {
      this.#draft.append(fresh);
      this.#overtake();
    }
    return fresh;
  }

  block({ offset, html, upto }) {
    this.#note(offset);
    return this.#draft.finish(html, upto);
  }

  #note(offset) {
    if (offset === this.#offset) return;
    this.after = this.#offset;
    this.#offset = offset;
  }

  #overtake() {
    if (this.#stale && this.#draft.length < this.#stale.length) return;
    if (this.#stale) this.#answer.replaceChildren(this.#draft.root);
    this.#stale = null;
    this.setState("writing");
  }
}
