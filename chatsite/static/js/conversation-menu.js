// What can be done to a conversation, from the menu on top or that of an item of the list; and what was done elsewhere.

function fill(place, template) {
  const content = template.content.cloneNode(true);
  place.replaceChildren(content);
  return place.firstElementChild;
}

export class ConversationMenu {
  #thread;
  #receive;
  #end;
  #isStale = false; // the menu on top shows what was true before
  #leaving = null; // the conversation that this tab itself has deleted
  #itemMenu = document.getElementById("item-menu");
  #undoPlace = document.getElementById("undo-place");
  #timer = 0;

  // `receive` is given how a conversation stands; `end` is called when the one that is shown is gone.
  constructor({ thread, receive, end }) {
    this.#thread = thread;
    this.#receive = receive;
    this.#end = end;
    document.addEventListener("submit", (event) => this.#submitted(event));
    document.addEventListener("click", (event) => this.#clicked(event));
    document.addEventListener("toggle", (event) => event.target.id === "menu" && this.#toggled(), true);
    if (this.#undoPlace.firstElementChild) this.#forgetUndoSoon();
  }

  get #menu() {
    return document.getElementById("menu");
  }

  // How a conversation stands now, whoever changed it.
  heard({ conversation, title, url, state }) {
    if (conversation !== this.#thread.conversation) return;
    this.#isStale = true;
    const gone = document.querySelector(".gone");
    if (gone && state !== "deleted") return location.reload();
    this.#thread.setTitle(title);
    if (state === "deleted" && !gone && conversation !== this.#leaving) this.gone(url);
  }

  // Many have changed at once, and the one that is shown may be one of them.
  async lookAgain() {
    const shown = this.#thread.conversation;
    if (!shown) return;
    this.#isStale = true;
    const { status } = await fetch(`/c/${shown}/menu/`).catch(() => ({}));
    const isGone = document.querySelector(".gone") !== null;
    if (shown !== this.#thread.conversation) return;
    if (status === 404 && !isGone) this.gone(`/c/${shown}/`);
    if (status === 200 && isGone) location.reload();
  }

  // The conversation that is shown is not there any more: say so, with what was typed kept.
  gone(url) {
    this.#menu.hidden = true;
    this.#end();
    const place = document.createElement("div");
    document.getElementById("thread").append(place);
    fill(place, document.getElementById("gone")).querySelector("form").action = `${url}restore/`;
    place.scrollIntoView({ block: "nearest" });
  }

  async #submitted(event) {
    const form = event.target.closest("form[data-live]");
    if (!form) return;
    event.preventDefault();
    const body = new FormData(form, event.submitter);
    const isDeletion = "deletes" in form.dataset;
    const conversation = /\/c\/([^/]+)\//.exec(form.action)[1];
    if (isDeletion) this.#leaving = conversation;
    const frame = await this.#post(form.action, body);
    if (frame.type === "error") {
      this.#leaving = null;
      form.closest(".menu-panel, .undo, .gone").querySelector(".refusal").textContent = frame.text;
      return;
    }
    this.#close();
    if (isDeletion) this.#deleted(frame);
    else if (form.matches(".undo")) this.#undone(frame);
    this.#receive(frame);
  }

  async #post(address, body) {
    try {
      const response = await fetch(address, { method: "POST", headers: { Accept: "application/json" }, body });
      return await response.json();
    } catch {
      return { type: "error", text: this.#menu.dataset.failed };
    }
  }

  #deleted({ conversation, title, url }) {
    if (conversation === this.#thread.conversation) return location.assign(`/?deleted=${conversation}`);
    const form = fill(this.#undoPlace, document.getElementById("undo"));
    form.action = `${url}restore/`;
    form.querySelector(".undo-title").textContent = title;
    this.#forgetUndoSoon();
  }

  #undone({ url, conversation }) {
    this.#undoPlace.replaceChildren();
    if (new URLSearchParams(location.search).get("deleted") === conversation) location.assign(url);
  }

  #forgetUndoSoon() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#undoPlace.replaceChildren(), 1000 * this.#undoPlace.dataset.seconds);
  }

  #clicked(event) {
    const button = event.target.closest("[data-action=item-menu]");
    if (button) this.#openFor(button);
    if (this.#menu.open && !this.#menu.contains(event.target)) this.#menu.open = false;
  }

  #close() {
    if (this.#itemMenu.matches(":popover-open")) this.#itemMenu.hidePopover();
    if (this.#menu.open) {
      this.#menu.open = false;
      this.#menu.querySelector("summary").focus();
    }
  }

  // The menu on top was rendered with the page; what has changed since is fetched when it is opened.
  async #toggled() {
    const panel = this.#menu.querySelector(".menu-panel");
    const shown = this.#thread.conversation;
    if (!this.#menu.open || (panel.dataset.conversation === shown && !this.#isStale)) return;
    this.#isStale = false;
    panel.replaceChildren();
    if (await this.#load(panel, `/c/${shown}/menu/`)) panel.dataset.conversation = shown;
  }

  async #openFor(button) {
    const link = button.closest("li").querySelector("a");
    if (!(await this.#load(this.#itemMenu, `${link.getAttribute("href")}menu/`))) return;
    this.#itemMenu.showPopover();
    const place = button.getBoundingClientRect();
    const { width, height } = this.#itemMenu.getBoundingClientRect();
    this.#itemMenu.style.left = `${Math.max(8, Math.min(place.left, innerWidth - width - 8))}px`;
    this.#itemMenu.style.top = `${Math.max(8, Math.min(place.bottom, innerHeight - height - 8))}px`;
    this.#itemMenu.querySelector(".menu-button").focus(); // not the title: a phone would show its keyboard
  }

  async #load(panel, address) {
    try {
      const response = await fetch(address);
      if (!response.ok || response.redirected) return false;
      panel.innerHTML = await response.text(); // rendered by the server
      return true;
    } catch {
      return false;
    }
  }
}
