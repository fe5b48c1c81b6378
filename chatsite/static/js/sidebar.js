// The list of conversations, and the drawer that it is on narrow screens.

const DAY_MS = 86_400_000;

function parse(html) {
  const template = document.createElement("template");
  template.innerHTML = html; // rendered by the server
  return template.content;
}

function midnight(date) {
  return new Date(date.getFullYear(), date.getMonth(), date.getDate());
}

export class Sidebar {
  #sidebar = document.getElementById("sidebar");
  #tags = document.getElementById("tags");
  #list = document.getElementById("conversations");
  #opener = document.querySelector("[data-action=open-sidebar]");
  #button = document.getElementById("item-button").content.firstElementChild;
  #tag = ""; // only conversations that have it are listed
  #asked = 0; // how often the list was fetched anew
  #changes = 0; // how often something was heard of one that is listed
  #end = new IntersectionObserver(([end]) => end.isIntersecting && this.#loadOlder(end.target));

  constructor() {
    this.#opener.addEventListener("click", (event) => this.#toggle(event, true));
    for (const closer of document.querySelectorAll("[data-action=close-sidebar]")) {
      closer.addEventListener("click", (event) => this.#toggle(event, false));
    }
    this.#sidebar.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && this.#isOpen) this.#toggle(event, false);
    });
    this.#sidebar.addEventListener("click", (event) => this.#clicked(event));
    document.addEventListener("visibilitychange", () => document.hidden || this.#arrange()); // a day may have passed
    this.#arrange();
  }

  // Where it is a drawer.
  close() {
    this.#sidebar.classList.remove("open");
  }

  get #isOpen() {
    return this.#sidebar.classList.contains("open");
  }

  #toggle(event, isOpen) {
    event.preventDefault();
    event.stopPropagation();
    this.#sidebar.classList.toggle("open", isOpen);
    (isOpen ? this.#sidebar.querySelector("a") : this.#opener).focus();
  }

  // Something happened in a conversation.
  remember({ item }) {
    this.#changes++;
    this.#place(parse(item).querySelector("li"));
  }

  // How a conversation stands now.
  heard({ conversation, html, state, tags }) {
    this.#changes++;
    if (state === "listed") this.#place(parse(html).querySelector("li"));
    else this.#item(conversation)?.remove();
    this.#tags.replaceChildren(parse(tags));
    this.#markTag();
  }

  // Many conversations have changed at once.
  async listAnew({ tags }) {
    this.#tags.replaceChildren(parse(tags));
    if (!this.#tags.querySelector(`[data-tag="${this.#tag}"]`)) this.#tag = "";
    await this.#load();
  }

  // What happened while nobody could be told.
  async catchUp() {
    await this.#load();
  }

  // Whether there is an answer in it that the person has not looked at.
  markReady(conversation, isReady) {
    this.#changes++;
    const item = this.#item(conversation);
    item?.toggleAttribute("data-ready", isReady);
    if (isReady) item?.querySelector("a").setAttribute("aria-describedby", "new-answer");
    else item?.querySelector("a").removeAttribute("aria-describedby");
  }

  markCurrent(conversation) {
    for (const link of this.#list.querySelectorAll("[aria-current]")) link.removeAttribute("aria-current");
    this.#item(conversation)?.querySelector("a").setAttribute("aria-current", "page");
  }

  #item(conversation) {
    return this.#list.querySelector(`[data-conversation="${CSS.escape(conversation)}"]`)?.closest("li");
  }

  // Put an item where it belongs: into the group of its day as it is here, the newest first.
  #place(item) {
    const link = item.querySelector("a");
    const before = this.#item(link.dataset.conversation);
    const hadFocus = before !== item && before?.contains(document.activeElement);
    if (before !== item) before?.remove();
    if (this.#tag && !item.dataset.tags.split(" ").includes(this.#tag)) return item.remove();
    if (!item.querySelector(".item-button")) item.append(this.#button.cloneNode(true));
    const shown = document.getElementById("thread").dataset.conversation;
    if (link.dataset.conversation === shown) link.setAttribute("aria-current", "page");
    const at = new Date(item.dataset.at);
    const items = this.#group(item, at).querySelector("ul");
    const next = [...items.children].find((other) => other !== item && new Date(other.dataset.at) < at);
    items.insertBefore(item, next ?? null);
    if (hadFocus) link.focus();
  }

  #group(item, at) {
    if ("pinned" in item.dataset) return this.#list.querySelector("[data-group=pinned]");
    const days = Math.round((midnight(new Date()) - midnight(at)) / DAY_MS);
    const groups = [...this.#list.querySelectorAll("[data-group]:not([data-group=pinned])")];
    return groups.find((group) => days <= Number(group.dataset.days ?? Infinity));
  }

  // The server does not know what day it is here.
  #arrange() {
    for (const item of this.#list.querySelectorAll("li")) this.#place(item);
    const older = this.#list.querySelector("[data-action=older]");
    if (older) this.#end.observe(older);
  }

  #clicked(event) {
    const older = event.target.closest("[data-action=older]");
    const tag = event.target.closest("[data-tag]");
    if (older || tag) event.preventDefault();
    if (older) this.#loadOlder(older);
    if (tag) this.#narrow(tag);
  }

  async #loadOlder(link) {
    this.#end.unobserve(link);
    const page = await this.#fetch(link.href);
    if (!page || !link.isConnected) return; // the link can be followed again
    link.replaceWith(...page.querySelectorAll("[data-action=older]"));
    for (const item of page.querySelectorAll("li")) this.#place(item);
    this.#arrange();
  }

  // List the conversations of a tag only; once more, and all are listed again.
  async #narrow(link) {
    this.#tag = this.#tag === link.dataset.tag ? "" : link.dataset.tag;
    if (!(await this.#load())) location.assign(link.href);
  }

  // Whether the list could be fetched anew. What was asked for last is shown, whichever answer comes last.
  async #load() {
    const asked = ++this.#asked;
    const changes = this.#changes;
    this.#markTag();
    const page = await this.#fetch(this.#tag ? `/conversations/?tag=${this.#tag}` : "/conversations/");
    if (!page || asked !== this.#asked) return page !== null;
    if (changes !== this.#changes) return this.#load(); // it may be older than what came meanwhile
    this.#show(page);
    return true;
  }

  #show(page) {
    const { activeElement: focused } = document;
    const before = this.#list.contains(focused) && focused.closest("li")?.querySelector("a").dataset.conversation;
    this.#list.replaceChildren(page);
    this.#arrange();
    if (before) this.#item(before)?.querySelector("a").focus();
  }

  #markTag() {
    for (const link of this.#tags.querySelectorAll("[data-tag]")) {
      link.toggleAttribute("aria-current", link.dataset.tag === this.#tag);
    }
  }

  // A part of a page, or null if it cannot be had.
  async #fetch(address) {
    try {
      const response = await fetch(address, { headers: { "X-Fragment": "1" } });
      return response.ok && !response.redirected ? parse(await response.text()) : null;
    } catch {
      return null;
    }
  }
}
