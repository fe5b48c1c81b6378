// The messages of the conversation that the page shows.
import { keepingWhy } from "./why.js";

function parse(html) {
  const template = document.createElement("template");
  template.innerHTML = html; // rendered by the server's one partial
  return template.content;
}

export class Thread {
  #thread = document.getElementById("thread");
  #messages = document.getElementById("messages");

  get conversation() {
    return this.#thread.dataset.conversation || null;
  }

  get user() {
    return this.#thread.dataset.user;
  }

  get openReplies() {
    return [...this.#messages.querySelectorAll("[data-open]")];
  }

  // The page was empty; now it shows this conversation.
  become({ conversation, url, title }) {
    this.#thread.dataset.conversation = conversation;
    history.pushState(null, "", url);
    const heading = document.getElementById("title");
    heading.textContent = title;
    heading.classList.remove("unseen");
    document.title = `${title} - Switchyard`;
    const menu = document.getElementById("menu");
    for (const form of menu.querySelectorAll("form")) form.action = url + form.dataset.actionPath;
    document.getElementById("new-title").value = title;
    menu.hidden = false;
  }

  // Whether the page shows the message that was sent under this id.
  has(clientId) {
    return this.#messages.querySelector(`[data-client="${CSS.escape(clientId)}"]`) !== null;
  }

  find(reply) {
    return document.getElementById(`m-${reply}`);
  }

  // Add what `html` has and the page has not. An alternative takes the place of what it `replaces` and all after it.
  add({ html, reply, replaces }) {
    if (this.find(reply)) return;
    const replaced = replaces && this.find(replaces);
    const hadFocus = replaced?.contains(document.activeElement);
    while (replaced && this.#messages.lastElementChild !== replaced) this.#messages.lastElementChild.remove();
    replaced?.remove();
    for (const article of parse(html).querySelectorAll(".message")) {
      if (!document.getElementById(article.id)) this.#messages.append(article);
    }
    if (hadFocus) this.#focus(this.find(reply));
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

  // Whoever went by keys through what has been replaced goes on from what has replaced it.
  #focus(article) {
    article.tabIndex = -1;
    article.focus({ preventScroll: true });
  }

  // Show the finished answer.
  finish(reply, html) {
    const before = this.find(reply);
    return keepingWhy(before, () => {
      const after = parse(html).querySelector(".message");
      before.replaceWith(after);
      return after;
    });
  }

  // Take over from a fresh copy of the page what is missing here, finished there, or gone.
  async catchUp() {
    if (!this.conversation) return;
    const response = await fetch(location.pathname, { headers: { Accept: "text/html" } });
    if (!response.ok) return;
    const fresh = parse(await response.text());
    if (!fresh.getElementById("messages")) return;
    this.#dropGone(fresh);
    for (const article of fresh.querySelectorAll("#messages > .message")) {
      const shown = document.getElementById(article.id);
      if (!shown) this.#messages.append(article);
      else if ("open" in shown.dataset && !("open" in article.dataset)) shown.replaceWith(article);
    }
  }

  // Take out what the fresh copy has no more; it has only the newest messages of a long conversation.
  #dropGone(fresh) {
    const shown = [...this.#messages.querySelectorAll(":scope > .message")];
    const common = shown.findIndex((message) => fresh.getElementById(message.id));
    if (common < 0) this.#messages.replaceChildren();
    const isWhole = !fresh.querySelector(".earlier");
    for (const message of shown.slice(isWhole ? 0 : common)) {
      if (!fresh.getElementById(message.id) && !("open" in message.dataset)) message.remove();
    }
  }
}
