// Says that an answer is ready to somebody who does not see it: in the title of the page, and, if they have asked for
// it, by a notification.

const KEY = "tell-when-ready";
const LOOK_MS = 1000; // so long another tab has to say that the answer is being read there

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
  #unseen = new Map(); // by reply, the conversations of answers that came while nobody looked
  #thread;
  #say;

  // `say` tells the person something on the page.
  constructor({ thread, say }) {
    this.#thread = thread;
    this.#say = say;
    this.#bell.hidden = !("Notification" in window);
    this.#bell.setAttribute("aria-pressed", isWanted());
    this.#bell.addEventListener("click", () => this.#clicked());
    document.addEventListener("visibilitychange", () => document.hidden || this.#forget());
    new MutationObserver(() => this.#mark()).observe(this.#title, { childList: true });
  }

  // An answer has come to its end, in whichever conversation.
  tell(frame) {
    if (!document.hidden || this.#unseen.has(frame.reply)) return;
    this.#unseen.set(frame.reply, frame.conversation);
    this.#mark();
    setTimeout(() => this.#unseen.has(frame.reply) && isWanted() && this.#notify(frame), LOOK_MS);
  }

  // A tab of the person shows this conversation.
  seen({ conversation }) {
    for (const [reply, of] of this.#unseen) if (of === conversation) this.#unseen.delete(reply);
    this.#mark();
  }

  words({ status, title }) {
    return `${this.#heading(status)}: ${title}`;
  }

  #heading(status) {
    return status === "done" ? this.#bell.dataset.done : this.#bell.dataset.failed;
  }

  #notify({ conversation, url, title, reply, status }) {
    try {
      const icon = document.querySelector("link[rel=icon]").href;
      const notification = new Notification(this.#heading(status), { body: title, icon, tag: reply });
      notification.addEventListener("click", () => {
        window.focus();
        notification.close();
        if (conversation !== this.#thread.conversation) this.#go(url);
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

  // As if its link was followed, if it is on the page.
  #go(url) {
    const link = document.querySelector(`#conversations a[href="${CSS.escape(url)}"]`);
    if (link) link.click();
    else location.assign(url);
  }

  #forget() {
    this.#unseen.clear();
    this.#mark();
  }

  // The title may have been given anew.
  #mark() {
    const plain = document.title.replace(/^\(\d+\) /, "");
    const marked = this.#unseen.size ? `(${this.#unseen.size}) ${plain}` : plain;
    if (document.title !== marked) document.title = marked;
  }
}
