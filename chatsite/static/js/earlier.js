// The earlier messages of a long conversation come while one scrolls up to them.

const AHEAD = "2000px 0px 0px"; // before one is there

export class Earlier {
  #observer = new IntersectionObserver((seen) => this.#seen(seen), { rootMargin: AHEAD });
  #thread;
  #scroll;
  #decorate;

  constructor({ thread, scroll, decorate }) {
    this.#thread = thread;
    this.#scroll = scroll;
    this.#decorate = decorate;
    document.addEventListener("click", (event) => {
      const link = event.target.closest(".earlier a");
      if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      this.#fetch(link).catch(() => location.assign(link.href));
    });
    this.watch();
  }

  // Call when the page has been given other messages.
  watch() {
    this.#observer.disconnect();
    const link = document.querySelector(".earlier a");
    if (link) this.#observer.observe(link);
  }

  #seen(seen) {
    for (const { isIntersecting, target } of seen) {
      if (isIntersecting) this.#fetch(target).catch(() => {}); // it is still a link
    }
  }

  async #fetch(link) {
    if (link.hasAttribute("aria-busy")) return;
    link.setAttribute("aria-busy", "true");
    try {
      const response = await fetch(link.dataset.fragment);
      if (!response.ok || response.redirected) throw new Error(`Earlier messages could not be fetched: ${response.status}`);
      const html = await response.text();
      if (!link.isConnected) return; // another conversation is shown meanwhile
      this.#scroll.still(() => this.#decorate(this.#thread.prepend(html)));
      this.watch();
    } finally {
      link.removeAttribute("aria-busy");
    }
  }
}
