// Messages that wait until the present answer is done, then go out one by one, from whichever tab hears of that. They are
// kept in this browser, where all tabs see them; two tabs that send the same one send it once, by its client id. The
// server takes none while an answer is being written before it: one that was sent too early waits on, without a word.
import { keys, read, remove, write } from "./kept.js";

export class Waiting {
  #list = document.getElementById("waiting");
  #item = document.getElementById("waiting-message");
  #connection;
  #thread;
  #composer;
  #messages = []; // of the conversation that is shown
  #outgoing = new Map(); // the frames that were sent and not accepted yet, by client id
  #tooEarly = new Set(); // the client ids of those that may go since they were sent
  #held = new Set(); // the client ids of those that were refused: they wait for the person
  #wishes = new Map(); // what the person pressed while one was on its way, by client id: for when it is not taken

  // `composer` has isFree (nothing is being written or sent), takeBack(message), discard(message) and note(text).
  constructor({ connection, thread, composer }) {
    this.#connection = connection;
    this.#thread = thread;
    this.#composer = composer;
    this.#list.addEventListener("click", (event) => this.#clicked(event));
    addEventListener("storage", (event) => event.key === this.#keyOf(thread.conversation) && this.#load());
    this.#load();
  }

  get isEmpty() {
    return this.#messages.length === 0;
  }

  // Another conversation is shown.
  enter() {
    this.#held.clear();
    this.#load();
  }

  // The ids of the files of all of them.
  get files() {
    return this.#messages.flatMap((message) => message.files);
  }

  // `message` is a frame to send without its conversation; `label`, the words that stand for it; and `title`, those that
  // stand for its conversation.
  add(message, { isFirst = false } = {}) {
    this.#held.clear();
    this.#change(this.#thread.conversation, (messages) => (isFirst ? [message, ...messages] : [...messages, message]));
  }

  // Call when there may be nothing to wait for any more.
  release() {
    if (this.#composer.isFree) this.#offer(this.#thread.conversation);
  }

  // An answer of a conversation is done which may be shown nowhere.
  releaseIn(conversation) {
    if (conversation === this.#thread.conversation) this.release();
    else this.#offer(conversation);
  }

  // What was in the way may be gone.
  tryAgain() {
    this.#held.clear();
  }

  // There is a connection: what may have been lost with the last one, and what could have gone meanwhile.
  resend() {
    for (const frame of this.#outgoing.values()) this.#connection.send(frame);
    const beginning = this.#keyOf("");
    for (const key of keys(beginning)) this.#offer(key.slice(beginning.length));
  }

  // Whether it was one of these, and of the conversation that is shown.
  accepted(clientId) {
    const sent = this.#end(clientId);
    if (!sent) return false;
    const { conversation } = sent;
    this.#leaveOut(clientId, conversation);
    if (conversation === this.#thread.conversation) return true;
    this.#offer(conversation); // the answer may have been there for long
    return false;
  }

  // Whether it was one of these, and the person has to see to it in the conversation that is shown. It stays, first in
  // the line.
  refused({ client_id: clientId, code, text, retry_after: seconds }) {
    const isTooEarly = this.#tooEarly.has(clientId);
    const wish = this.#wishes.get(clientId);
    const sent = this.#end(clientId);
    if (!sent) return false;
    const { conversation } = sent;
    if (wish && conversation === this.#thread.conversation) {
      this.#take(clientId, wish);
      return false;
    }
    if (code === "still_answering") {
      if (isTooEarly) this.#offer(conversation);
      return false;
    }
    this.#held.add(clientId);
    if (conversation === this.#thread.conversation) return true;
    if (seconds) setTimeout(() => this.#offerAgain(clientId, conversation), seconds * 1000);
    else if (code !== "not_found") this.#say(clientId, conversation, text); // what was deleted may come back
    return false;
  }

  // Send the first one of a conversation.
  #offer(conversation) {
    const [next] = this.#in(conversation);
    if (!next || this.#held.has(next.client_id)) return;
    if (this.#outgoing.has(next.client_id)) return void this.#tooEarly.add(next.client_id);
    const { label, title, ...message } = next;
    const frame = { ...message, conversation, waits: true };
    if (this.#connection.send(frame)) this.#outgoing.set(next.client_id, frame);
  }

  #offerAgain(clientId, conversation) {
    this.#held.delete(clientId);
    this.#offer(conversation);
  }

  #say(clientId, conversation, text) {
    const { title } = this.#in(conversation).find((message) => message.client_id === clientId) ?? {};
    if (title) this.#composer.note(this.#list.dataset.refused.replace("{title}", () => title).replace("{text}", () => text));
  }

  // The frame that is not on its way any more, if it was.
  #end(clientId) {
    const frame = this.#outgoing.get(clientId);
    this.#outgoing.delete(clientId);
    this.#tooEarly.delete(clientId);
    this.#wishes.delete(clientId);
    return frame;
  }

  #keyOf(conversation) {
    return `waiting:${this.#thread.user}:${conversation}`;
  }

  #in(conversation) {
    return read(this.#keyOf(conversation)) ?? [];
  }

  #change(conversation, change) {
    const key = this.#keyOf(conversation);
    const messages = change(this.#in(conversation));
    if (messages.length) write(key, messages);
    else remove(key);
    if (conversation === this.#thread.conversation) this.#load();
  }

  #leaveOut(clientId, conversation) {
    this.#change(conversation, (messages) => messages.filter((message) => message.client_id !== clientId));
  }

  #load() {
    this.#messages = this.#in(this.#thread.conversation);
    this.#show();
  }

  #show() {
    this.#list.hidden = this.isEmpty;
    this.#list.querySelectorAll("[data-client-id]").forEach((item) => item.remove());
    for (const message of this.#messages) {
      const item = this.#item.content.firstElementChild.cloneNode(true);
      item.dataset.clientId = message.client_id;
      item.querySelector(".waiting-text").textContent = message.label;
      this.#list.append(item);
    }
  }

  #clicked(event) {
    const button = event.target.closest("button");
    if (!button) return;
    const { clientId } = button.closest("[data-client-id]").dataset;
    if (this.#outgoing.has(clientId)) this.#wishes.set(clientId, button.value);
    else this.#take(clientId, button.value);
    this.release();
  }

  // Out of the line: back into the composer, or away.
  #take(clientId, wish) {
    const message = this.#messages.find((one) => one.client_id === clientId);
    if (!message) return;
    this.#held.clear();
    this.#leaveOut(clientId, this.#thread.conversation);
    if (wish === "edit") this.#composer.takeBack(message);
    else this.#composer.discard(message);
  }
}
