// Beside “Auto”: the route that the message would take, asked for when the typing rests.
const REST_MS = 300;
const MAX_CHARACTERS = 20_000;

export class Preview {
  #text = document.getElementById("text");
  #place = document.getElementById("preview");
  #tag = "";
  #asked = ""; // the text that was asked for last
  #timer = 0;
  #socket;
  #thread;

  constructor({ socket, thread }) {
    this.#socket = socket;
    this.#thread = thread;
    this.#text.addEventListener("input", () => this.#changed());
    this.#text.form.addEventListener("submit", () => this.forget());
  }

  show({ tag, title }) {
    if (tag && tag === this.#tag) this.#place.textContent = title;
  }

  #changed() {
    clearTimeout(this.#timer);
    const text = this.#text.value.trim();
    if (!text || text.length > MAX_CHARACTERS) return this.forget();
    this.#timer = setTimeout(() => this.#ask(text), REST_MS);
  }

  #ask(text) {
    if (text === this.#asked) return;
    this.#asked = text;
    this.#tag = Math.random().toString(36).slice(2);
    this.#socket.send({ type: "preview", tag: this.#tag, text, conversation: this.#thread.conversation ?? "" });
  }

  // Nothing is typed any more.
  forget() {
    clearTimeout(this.#timer);
    this.#tag = this.#asked = this.#place.textContent = "";
  }
}
