// The list of conversations, and the drawer that it is on narrow screens.

export class Sidebar {
  #sidebar = document.getElementById("sidebar");
  #list = document.getElementById("conversations");
  #opener = document.querySelector("[data-action=open-sidebar]");

  constructor() {
    this.#opener.addEventListener("click", (event) => this.#toggle(event, true));
    for (const closer of document.querySelectorAll("[data-action=close-sidebar]")) {
      closer.addEventListener("click", (event) => this.#toggle(event, false));
    }
    this.#sidebar.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && this.#isOpen) this.#toggle(event, false);
    });
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

  // A conversation in which something happened goes to the top.
  remember({ conversation, url, title }) {
    const link = this.#link(conversation) ?? document.createElement("a");
    const item = link.closest("li") ?? document.createElement("li");
    link.href = url;
    link.dataset.conversation = conversation;
    link.dir = "auto";
    link.textContent = title;
    item.append(link);
    this.#list.prepend(item);
  }

  markCurrent(conversation) {
    for (const link of this.#list.querySelectorAll("[aria-current]")) link.removeAttribute("aria-current");
    this.#link(conversation)?.setAttribute("aria-current", "page");
  }

  #link(conversation) {
    return this.#list.querySelector(`[data-conversation="${CSS.escape(conversation)}"]`);
  }
}
