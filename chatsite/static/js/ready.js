// Says that an answer is ready to somebody who does not see it: in the title of the page, and, if they have asked for
// it, by a notification.

const KEY = "tell-when-ready";

function isWanted() {
  try {
    return localStorage.getItem(KEY) === "1" && Notification.permission === "granted";
  } catch {
    return false;
  }
}

export class Ready {
  #bell = document.getElementById("bell");
  #title = document.querySelector("title");
  #count = 0; // answers that nobody has seen
  #say;

  // `say` tells the person something on the page.
  constructor(say) {
    this.#say = say;
    this.#bell.hidden = !("Notification" in window);
    this.#bell.setAttribute("aria-pressed", isWanted());
    this.#bell.addEventListener("click", () => this.#clicked());
    document.addEventListener("visibilitychange", () => document.hidden || this.#seen());
    new MutationObserver(() => this.#mark()).observe(this.#title, { childList: true });
  }

  // An answer has come to its end.
  tell(article) {
    const { status } = article.dataset;
    if (!document.hidden || status === "cancelled") return;
    this.#count++;
    this.#mark();
    if (isWanted()) this.#notify(article.dataset.reply, status === "done" ? this.#bell.dataset.done : this.#bell.dataset.failed);
  }

  #notify(reply, words) {
    try {
      const icon = document.querySelector("link[rel=icon]").href;
      const body = document.getElementById("title").textContent;
      const notification = new Notification(words, { body, icon, tag: reply });
      notification.addEventListener("click", () => {
        window.focus();
        notification.close();
      });
    } catch {
      // Some browsers leave that to service workers.
    }
  }

  // Only now is the browser asked whether it may.
  async #clicked() {
    const wants = this.#bell.getAttribute("aria-pressed") !== "true";
    const isAllowed = !wants || (await Notification.requestPermission()) === "granted";
    this.#say(isAllowed ? "" : this.#bell.dataset.denied);
    try {
      localStorage.setItem(KEY, wants && isAllowed ? "1" : "0");
    } catch {
      // Then there is no telling.
    }
    this.#bell.setAttribute("aria-pressed", isWanted());
  }

  #seen() {
    this.#count = 0;
    this.#mark();
  }

  // The title may have been given anew.
  #mark() {
    const plain = document.title.replace(/^\(\d+\) /, "");
    const marked = this.#count ? `(${this.#count}) ${plain}` : plain;
    if (document.title !== marked) document.title = marked;
  }
}
