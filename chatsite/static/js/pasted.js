// Long texts that were pasted: each is a block beside what is typed, folded, to be read, changed or removed.

const LONG_CHARACTERS = 2000;
const LONG_LINES = 25;

function lineCount(text) {
  return text.split("\n").length;
}

export class Pasted {
  #list = document.getElementById("pasted");
  #block = document.getElementById("pasted-text");
  #changed;

  // `changed` is called when a text was added, changed or removed; `text` is where people paste.
  constructor({ text, changed }) {
    this.#changed = changed;
    text.addEventListener("paste", (event) => this.#pastedInto(event));
    this.#list.addEventListener("input", (event) => this.#edited(event.target));
    this.#list.addEventListener("click", (event) => {
      const button = event.target.closest("button");
      if (!button) return;
      button.closest(".pasted-block").remove();
      changed();
      text.focus();
    });
  }

  get texts() {
    return [...this.#list.querySelectorAll("textarea")].map((area) => area.value).filter((text) => text.trim());
  }

  set texts(texts) {
    this.#list.replaceChildren(...texts.map((text) => this.#made(text)));
  }

  set isReadOnly(isReadOnly) {
    for (const area of this.#list.querySelectorAll("textarea")) area.readOnly = isReadOnly;
  }

  #pastedInto(event) {
    const text = event.clipboardData.getData("text/plain").replace(/\r\n/g, "\n").trim();
    if (text.length < LONG_CHARACTERS && lineCount(text) < LONG_LINES) return;
    event.preventDefault();
    this.#list.append(this.#made(text));
    this.#changed();
  }

  #made(text) {
    const block = this.#block.content.firstElementChild.cloneNode(true);
    const area = block.querySelector("textarea");
    area.value = text;
    this.#name(block, text);
    return block;
  }

  #edited(area) {
    this.#name(area.closest(".pasted-block"), area.value);
    this.#changed();
  }

  #name(block, text) {
    const lines = lineCount(text);
    const { lines: inLines, characters: inCharacters } = this.#list.dataset;
    const [words, count] = lines > 1 ? [inLines, lines] : [inCharacters, text.length];
    block.querySelector(".pasted-name").textContent = words.replace("0", count.toLocaleString(document.documentElement.lang));
  }
}
