// Behaviours that are fetched when they are first used, so that a page is ready sooner.
import { isPlain } from "./forms.js";

export class Lazy {
  now = null; // what `load` gave, once it is there
  #load;
  #ready = null;
  #isAway = false; // it could not be fetched

  constructor(load) {
    this.#load = load;
  }

  get ready() {
    this.#ready ??= this.#load().then(
      (made) => (this.now = made),
      (error) => {
        this.#ready = null; // the next use tries again
        throw error;
      },
    );
    return this.#ready;
  }

  // The first click on what `selector` names waits for the behaviour, then happens; without it, it happens as it is.
  onClick(selector) {
    document.addEventListener(
      "click",
      async (event) => {
        const control = this.now || this.#isAway ? null : event.target.closest(selector);
        if (!control || !isPlain(event)) return;
        event.preventDefault();
        event.stopImmediatePropagation();
        await this.ready.catch(() => (this.#isAway = true));
        control.click();
      },
      true,
    );
    return this;
  }
}
