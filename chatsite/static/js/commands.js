// Commands at the beginning of a message: a list that narrows with every letter, to be chosen from by keys or pointer.
// A route's command is put into the message; any other one presses what the page has for it, and is there only then.

const TYPED = /^\/[a-z0-9-]*$/i;

export class Commands {
  #text;
  #list = document.getElementById("commands");
  #options = [...this.#list.children];
  #active = null;

  constructor(text) {
    this.#text = text;
    text.addEventListener("input", () => this.#look());
    text.addEventListener("blur", () => this.close());
    text.addEventListener("keydown", (event) => this.#pressed(event));
    // Not click: by then the text box has lost the focus.
    this.#list.addEventListener("pointerdown", (event) => {
      event.preventDefault();
      const option = event.target.closest("[role=option]");
      if (option) this.#choose(option);
    });
  }

  get isOpen() {
    return !this.#list.hidden;
  }

  close() {
    this.#list.hidden = true;
    this.#mark(null);
  }

  get #shown() {
    return this.#options.filter((option) => !option.hidden);
  }

  #look() {
    const typed = this.#text.value.toLowerCase();
    if (!TYPED.test(typed) || this.#text.selectionStart !== typed.length) return this.close();
    for (const option of this.#options) option.hidden = !(option.dataset.command.startsWith(typed) && this.#works(option));
    this.#list.hidden = this.#shown.length === 0;
    this.#mark(this.#shown[0] ?? null);
  }

  #works({ dataset: { presses } }) {
    return !presses || document.querySelector(presses)?.hidden === false;
  }

  #mark(option) {
    this.#active?.setAttribute("aria-selected", "false");
    this.#active = option;
    option?.setAttribute("aria-selected", "true");
    option?.scrollIntoView({ block: "nearest" });
    if (option) this.#text.setAttribute("aria-activedescendant", option.id);
    else this.#text.removeAttribute("aria-activedescendant");
  }

  #pressed(event) {
    if (!this.isOpen || event.isComposing || event.ctrlKey || event.metaKey || event.altKey) return;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    const isWhole = this.#active.dataset.command === this.#text.value.toLowerCase();
    if (step) this.#move(step);
    else if (event.key === "Escape") this.close();
    else if (event.key === "Enter" && isWhole && !this.#active.dataset.presses) return this.close(); // a message by itself
    else if ((event.key === "Enter" || event.key === "Tab") && !event.shiftKey) this.#choose(this.#active);
    else return;
    event.preventDefault();
    event.stopImmediatePropagation();
  }

  #move(step) {
    const shown = this.#shown;
    this.#mark(shown.at((shown.indexOf(this.#active) + step) % shown.length));
  }

  #choose(option) {
    const { command, presses } = option.dataset;
    this.#text.value = presses ? "" : `${command} `;
    this.#text.dispatchEvent(new Event("input"));
    this.close();
    if (presses) document.querySelector(presses).click();
  }
}
