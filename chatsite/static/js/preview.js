// Beside “Auto”: the route that the message would take, asked for when the typing rests.
const REST_MS = 300;
const MAX_CHARACTERS = 20_000;

export class Preview {
  #form = document.getElementById("composer");
  #place = document.getElementById("preview");
  #tag = "";
  #asked = ""; // the message that was asked for last
  #timer = 0;
  #connection;
  #thread;
  #composer;

  // `composer` has whole (the text) and files, and whether one isReading; its form says "composed".
  constructor({ connection, thread, composer }) {
    this.#connection = connection;
    this.#thread = thread;
    this.#composer = composer;
    this.#form.addEventListener("composed", () => this.#changed());
    this.#form.addEventListener("submit", () => this.forget());
  }

  show({ tag, title }) {
    if (tag && tag === this.#tag) this.#place.textContent = title;
  }

  #changed() {
    clearTimeout(this.#timer);
    const [text, files] = [this.#composer.whole.trim(), this.#composer.files];
    if (!(text || files.length) || text.length > MAX_CHARACTERS || this.#composer.isReading) return this.forget();
    this.#timer = setTimeout(() => this.#ask(text, files), REST_MS);
  }

  #ask(text, files) {
    const asked = [text, ...files].join("\n");
    if (asked === this.#asked) return;
    this.#asked = asked;
    this.#tag = Math.random().toString(36).slice(2);
    this.#connection.send({ type: "preview", tag: this.#tag, text, files, conversation: this.#thread.conversation ?? "" });
  }

  // Nothing is typed any more.
  forget() {
    clearTimeout(this.#timer);
    this.#tag = this.#asked = this.#place.textContent = "";
  }
}
