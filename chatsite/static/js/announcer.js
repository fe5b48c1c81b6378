// Tells those who listen instead of looking: by the sentence, not by the token.

const KEPT = 5;
const SENTENCE = /[.!?…。！？](?=\s)|\n/g;
const MARKUP = /[*_`#>|~]+/g;

export class Announcer {
  #region = document.getElementById("announcements");
  #heard = new Map(); // by reply, what has not been said yet

  hear(reply, text) {
    const all = (this.#heard.get(reply) ?? "") + text;
    const end = [...all.matchAll(SENTENCE)].at(-1);
    const said = end ? end.index + 1 : 0;
    this.say(all.slice(0, said));
    this.#heard.set(reply, all.slice(said));
  }

  // What came all at once, unless its parts have been heard.
  catchUp(reply, text) {
    if (!this.#heard.has(reply)) this.hear(reply, text);
  }

  restart(reply) {
    this.#heard.delete(reply);
  }

  // Say the rest, and how it ended if it did not end well.
  finish(reply, article) {
    this.catchUp(reply, article.querySelector(".answer").textContent);
    this.say(this.#heard.get(reply) ?? "");
    this.say(article.querySelector(".trouble, .ended")?.textContent ?? "");
    this.#heard.delete(reply);
  }

  say(text) {
    const words = text.replace(MARKUP, "").replace(/\s+/g, " ").trim();
    if (!words) return;
    const line = document.createElement("p");
    line.textContent = words;
    this.#region.append(line);
    while (this.#region.children.length > KEPT) this.#region.firstChild.remove();
  }
}
