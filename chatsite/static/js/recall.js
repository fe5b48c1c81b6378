// The arrow keys bring back what one has sent: this conversation's first, then further back. What stood in the composer
// comes after the newest, and is not lost.

export class Recall {
  #text;
  #url;
  #thread;
  #texts = null; // newest first, once they are there
  #fetching = null; // the promise of them
  #place = -1; // -1: what is being typed
  #typed = "";

  constructor({ text, url, thread }) {
    this.#text = text;
    this.#url = url;
    this.#thread = thread;
    text.addEventListener("keydown", (event) => this.#pressed(event));
  }

  // This has been sent; the next time it is the newest.
  remember(text) {
    this.#place = -1;
    this.#texts = this.#texts && [text, ...this.#texts.filter((other) => other !== text)];
  }

  // Another conversation is shown, whose own texts come first.
  forget() {
    this.#place = -1;
    this.#texts = this.#fetching = null;
  }

  get #isRecalled() {
    return this.#place >= 0 && this.#text.value === this.#texts[this.#place];
  }

  // Where the arrow would move the caret it does that.
  #pressed(event) {
    const step = { ArrowUp: 1, ArrowDown: -1 }[event.key];
    if (!step || event.isComposing || event.shiftKey || event.ctrlKey || event.altKey || event.metaKey) return;
    if (!this.#isRecalled) this.#place = -1;
    const { selectionStart: start, selectionEnd: end, value } = this.#text;
    const isFree = start === end && (this.#isRecalled ? end === value.length : step > 0 && end === 0);
    if (!isFree || (step < 0 && this.#place < 0)) return;
    event.preventDefault();
    this.#go(step);
  }

  async #go(step) {
    if (!this.#texts && !(await this.#isFetched())) return;
    if (this.#place < 0) this.#typed = this.#text.value;
    const place = this.#place + step;
    if (place >= this.#texts.length) return;
    this.#place = place;
    this.#text.value = place < 0 ? this.#typed : this.#texts[place];
    this.#text.dispatchEvent(new Event("input"));
    this.#text.setSelectionRange(this.#text.value.length, this.#text.value.length);
  }

  // False if something was typed or another conversation is shown meanwhile.
  async #isFetched() {
    const { value } = this.#text;
    const fetching = (this.#fetching ??= this.#fetched());
    const texts = await fetching;
    if (fetching !== this.#fetching || value !== this.#text.value) return false;
    this.#texts = texts;
    return true;
  }

  async #fetched() {
    try {
      const response = await fetch(`${this.#url}?conversation=${this.#thread.conversation ?? ""}`);
      return (await response.json()).texts;
    } catch {
      return [];
    }
  }
}
