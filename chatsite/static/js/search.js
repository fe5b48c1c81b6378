// The quick search; keys.js opens it from anywhere in the chat.

const PAUSE_MS = 150; // in the typing

export class Search {
  #dialog = document.getElementById("search");
  #input = document.getElementById("search-query");
  #count = document.getElementById("search-count");
  #results = document.getElementById("search-results");
  #timer = 0;
  #asked = null; // what may still be on its way

  constructor() {
    document.addEventListener("click", (event) => {
      if (event.target === this.#dialog || event.target.closest("[data-action=close-search]")) this.#dialog.close();
    });
    this.#input.addEventListener("input", () => {
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => this.#look(), PAUSE_MS);
    });
    this.#dialog.addEventListener("keydown", (event) => this.#pressed(event));
    if (this.#input.value) this.#look(); // typed while this was fetched
  }

  async #look() {
    this.#asked?.abort();
    this.#asked = new AbortController();
    const address = `${this.#input.form.action}?${new URLSearchParams({ q: this.#input.value })}`;
    try {
      const response = await fetch(address, { headers: { "X-Fragment": "1" }, signal: this.#asked.signal });
      if (!response.ok || response.redirected) throw new Error(response.status);
      this.#results.innerHTML = await response.text(); // rendered by the server
      this.#count.textContent = this.#results.querySelector(".count")?.textContent ?? "";
    } catch (error) {
      if (error.name !== "AbortError") this.#results.textContent = this.#dialog.dataset.failed;
    }
  }

  #pressed(event) {
    if (event.isComposing) return;
    if (event.key === "Escape") {
      event.preventDefault(); // the browser would only empty the field
      event.stopPropagation(); // and the chat would stop an answer
      this.#dialog.close();
    }
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) this.#move(event, step);
  }

  // Arrows lead from what is typed to what was found, and back.
  #move(event, step) {
    event.preventDefault();
    const places = [this.#input, ...this.#results.querySelectorAll("a")];
    const place = places.indexOf(document.activeElement) + step;
    places[Math.max(0, Math.min(place, places.length - 1))].focus();
  }
}
