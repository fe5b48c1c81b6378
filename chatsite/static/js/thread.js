// The messages of the conversation that the page shows.
import { keepingWhy } from "./why.js";

const PATIENCE_MS = 20_000;

function parse(html) {
  const template = document.createElement("template");
  template.innerHTML = html; // rendered by the server's one partial
  return template.content;
}

// An answer that is still being written on both sides belongs to its stream. One that had ended may have been taken up
// again.
function isOutdated(shown, fresh) {
  if ("open" in fresh.dataset) return !("open" in shown.dataset);
  return "open" in shown.dataset || shown.dataset.look !== fresh.dataset.look;
}

export class Thread {
  #thread = document.getElementById("thread");
  #messages = document.getElementById("messages");
  #changes = 0; // how often something was added, finished or named

  get conversation() {
    return this.#thread.dataset.conversation || null;
  }

  get user() {
    return this.#thread.dataset.user;
  }

  // Whether there is an answer that the person has not looked at.
  get isReady() {
    return "ready" in this.#thread.dataset;
  }

  markReady(isReady) {
    this.#thread.toggleAttribute("data-ready", isReady);
  }

  get root() {
    return this.#thread;
  }

  get openReplies() {
    return [...this.#messages.querySelectorAll("[data-open]")];
  }

  // The page was empty; now it shows this conversation.
  become({ conversation, url, title }) {
    this.#thread.dataset.conversation = conversation;
    history.pushState(null, "", url);
    this.setTitle(title);
    document.getElementById("menu").hidden = false;
  }

  // Show the conversation of another page, or its empty one.
  show(page) {
    const thread = page.getElementById("thread");
    const messages = page.getElementById("messages");
    this.#changes++;
    this.#thread.dataset.conversation = thread.dataset.conversation;
    this.markReady("ready" in thread.dataset);
    this.#messages.replaceChildren(...messages.childNodes);
    messages.remove();
    this.#thread.replaceChildren(this.#messages, ...thread.children);
    for (const id of ["title", "menu"]) document.getElementById(id).replaceWith(page.getElementById(id));
    document.title = page.title;
  }

  focusTitle() {
    const title = document.getElementById("title");
    title.tabIndex = -1;
    title.focus({ preventScroll: true });
  }

  get title() {
    return document.getElementById("title").textContent;
  }

  setTitle(title) {
    this.#changes++;
    const heading = document.getElementById("title");
    heading.textContent = title;
    heading.classList.remove("unseen");
    document.title = `${title} - Switchyard`;
  }

  // What was being written never will be.
  end() {
    for (const article of this.openReplies) {
      delete article.dataset.open;
      article.querySelector(".state")?.remove();
    }
  }

  // Whether the page shows the message that was sent under this id.
  has(clientId) {
    return this.#messages.querySelector(`[data-client="${CSS.escape(clientId)}"]`) !== null;
  }

  find(reply) {
    return document.getElementById(`m-${reply}`);
  }

  // Add what follows the message `parent` (null: the first one) instead of what follows it on the page.
  // Whether it could: the page has that message, no answers beside each other, and is told what it is.
  add({ html, reply, parent }) {
    if (this.find(reply)) return true;
    const before = parent && this.find(parent);
    if (!html || (parent && !before) || this.#messages.querySelector(".compared")) return false;
    this.#changes++;
    this.#keepingFocus(() => {
      while (this.#messages.lastElementChild !== before) this.#messages.lastElementChild.remove();
      this.#messages.append(...parse(html).querySelectorAll(".message"));
    });
    return true;
  }

  // Put earlier messages before those that are shown; gives the place they are in.
  prepend(html) {
    const link = this.#messages.querySelector(".earlier");
    const hadFocus = link.contains(document.activeElement);
    const first = link.nextElementSibling;
    link.replaceWith(parse(html));
    if (hadFocus) this.#focus(first);
    return this.#messages;
  }

  #focus(article) {
    article.tabIndex = -1;
    article.focus({ preventScroll: true });
  }

  // Whoever went by keys through what `change` replaces goes on from what has replaced it.
  #keepingFocus(change) {
    const { activeElement: focused } = document;
    const place = [...this.#messages.children].findIndex((article) => article.contains(focused));
    change();
    if (place === -1 || focused.isConnected) return;
    const article = this.#messages.children[place] ?? this.#messages.lastElementChild;
    if (!article) return;
    const arrows = [...article.querySelectorAll("[data-way]:enabled")];
    const arrow = arrows.find((each) => each.dataset.way === focused.dataset.way) ?? arrows[0];
    if (focused.dataset.way && arrow) arrow.focus({ preventScroll: true });
    else this.#focus(article);
  }

  // Show the finished answer.
  finish(reply, html) {
    const before = this.find(reply);
    this.#changes++;
    return keepingWhy(before, () => {
      const after = parse(html).querySelector(".message");
      before.replaceWith(after);
      return after;
    });
  }

  // Take over from a fresh copy of the page what is missing here, finished there, or gone. True if there is no such
  // conversation any more.
  async catchUp() {
    if (!this.conversation || document.querySelector(".gone")) return false;
    const { conversation } = this;
    const changes = this.#changes;
    const signal = AbortSignal.timeout(PATIENCE_MS); // what is being written is not watched until then
    const response = await fetch(`/c/${conversation}/`, { headers: { Accept: "text/html", "X-Script": "1" }, signal });
    if (conversation !== this.conversation) return false;
    if (!response.ok) return response.status === 404;
    const fresh = parse(await response.text());
    if (!fresh.getElementById("messages")) return false;
    if (changes !== this.#changes) return this.catchUp(); // the copy may be older than what came meanwhile
    if ("ready" in fresh.getElementById("thread").dataset) this.markReady(true);
    const { textContent: title } = fresh.getElementById("title");
    if (title !== this.title) this.setTitle(title);
    this.#keepingFocus(() => this.#take(fresh));
    return false;
  }

  // Show what the fresh copy shows; of a long conversation it has only the newest messages.
  #take(fresh) {
    const articles = [...fresh.querySelectorAll("#messages > .message")];
    const ids = new Set(articles.map((article) => article.id));
    const shown = [...this.#messages.children];
    const common = shown.findIndex((article) => ids.has(article.id));
    if (common < 0) return this.#messages.replaceChildren(...fresh.getElementById("messages").children);
    const isWhole = !fresh.querySelector(".earlier");
    for (const article of shown.slice(isWhole ? 0 : common)) if (!ids.has(article.id)) article.remove();
    for (const article of articles) {
      const before = document.getElementById(article.id);
      if (!before) this.#messages.append(article);
      else if (isOutdated(before, article)) before.replaceWith(article);
    }
  }
}
