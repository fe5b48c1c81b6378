// Tells those who listen instead of looking: by the sentence, not by the token.

const KEPT = 5;
const SENTENCE = /[.!?…。！？](?=\s)|\n/g;
const MARKUP = /[*_`#>|~]+/g;
const WORDS = /[\p{L}\p{N}]+/gu;
const OTHERS = /[^\p{L}\p{N}]+/gu;
const ENDS_IN_WORD = /[\p{L}\p{N}]$/u;
const TAILS = [40, 20, 10]; // so many letters are enough to find a place again

// Where in `whole`, an answer as it is shown, begins what has not come as `text`, which has markup; its end, if nobody can
// tell.
function newIn(whole, text) {
  const [shown, known] = [whole, text].map((one) => one.replace(OTHERS, ""));
  const tail = TAILS.map((length) => known.slice(-length)).find((one) => shown.includes(one));
  if (tail === undefined) return whole.length;
  let left = shown.startsWith(known) ? known.length : shown.lastIndexOf(tail) + tail.length;
  if (left === shown.length) return whole.length;
  const isInWord = ENDS_IN_WORD.test(text);
  for (const { 0: word, index } of whole.matchAll(WORDS)) {
    if (left < word.length || (isInWord && left === word.length)) return index + left;
    left -= word.length;
  }
  return whole.length;
}

export class Announcer {
  #region = document.getElementById("announcements");
  #heard = new Map(); // by reply, the text that has come, and the rest of it that has not been said

  hear(reply, text) {
    const heard = this.#heard.get(reply) ?? { text: "", rest: "" };
    const rest = heard.rest + text;
    const end = [...rest.matchAll(SENTENCE)].at(-1);
    const said = end ? end.index + 1 : 0;
    this.say(rest.slice(0, said));
    this.#heard.set(reply, { text: heard.text + text, rest: rest.slice(said) });
  }

  // What came all at once, as it is shown: its parts that have not been heard.
  catchUp(reply, whole) {
    const { text } = this.#heard.get(reply) ?? {};
    this.hear(reply, text ? whole.slice(newIn(whole, text)) : whole);
  }

  restart(reply) {
    this.#heard.delete(reply);
  }

  // Say the rest, and how it ended if it did not end well.
  finish(reply, article) {
    this.catchUp(reply, article.querySelector(".answer").textContent);
    this.say(this.#heard.get(reply).rest);
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
