// Messages that wait until the present answer is done, then go out one by one, from whichever tab hears of that. They are
// kept in this browser, where all tabs see them; two tabs that send the same one send it once, by its client id.
import { read, remove, write } from "./kept.js";

function keep(key, messages) {
  if (messages.length) write(key, messages);
  else remove(key);
}

export class Waiting {
  #list = document.getElementById("waiting");
  #item = document.getElementById("waiting-message");
  #connection;
  #thread;
  #composer;
  #messages = [];
  #outgoing = null; // the frame that was sent and not accepted yet
  #elsewhere = new Map(); // frames of conversations that are not shown, by client id
  #isHeld = false; // the first one was refused: it waits for the person

  // `composer` has isFree (nothing is being written or sent), takeBack(message) and discard(message).
  constructor({ connection, thread, composer }) {
    this.#connection = connection;
    this.#thread = thread;
    this.#composer = composer;
    this.#list.addEventListener("click", (event) => this.#clicked(event));
    addEventListener("storage", (event) => event.key === this.#key && this.#load());
    this.#load();
  }

  get isEmpty() {
    return this.#messages.length === 0;
  }

  // Whether one of these is on its way.
  get isSending() {
    return this.#outgoing !== null;
  }

  // Another conversation is shown.
  enter() {
    this.#isHeld = false;
    this.#load();
  }

  // The ids of the files of all of them.
  get files() {
    return this.#messages.flatMap((message) => message.files);
  }

  // `message` is a frame to send without its conversation, and `label`, the words that stand for it.
  add(message, { isFirst = false } = {}) {
    this.#isHeld = false;
    this.#keep(isFirst ? [message, ...this.#messages] : [...this.#messages, message]);
  }

  // Call when there may be nothing to wait for any more.
  release() {
    const [next] = this.#messages;
    if (!next || this.#outgoing || this.#isHeld || !this.#composer.isFree) return;
    const { label, ...frame } = next;
    const outgoing = { ...frame, conversation: this.#thread.conversation };
    if (this.#connection.send(outgoing)) this.#outgoing = outgoing;
  }

  // The answer of a conversation is done which may be shown nowhere.
  releaseIn(conversation) {
    if (conversation === this.#thread.conversation) return;
    const [next] = read(this.#keyOf(conversation)) ?? [];
    if (!next || this.#elsewhere.has(next.client_id)) return;
    const { label, ...frame } = next;
    const outgoing = { ...frame, conversation };
    if (this.#connection.send(outgoing)) this.#elsewhere.set(next.client_id, outgoing);
  }

  // What was in the way may be gone.
  tryAgain() {
    this.#isHeld = false;
  }

  resend() {
    for (const frame of [this.#outgoing, ...this.#elsewhere.values()]) if (frame) this.#connection.send(frame);
  }

  // Whether it was one of these, and of the conversation that is shown.
  accepted(clientId) {
    this.#acceptedElsewhere(clientId);
    if (!this.#end(clientId)) return false;
    this.#keep(this.#messages.filter((message) => message.client_id !== clientId));
    return true;
  }

  // Whether it was one of these: it stays, first in the line, until the person has seen to it.
  refused(clientId) {
    this.#elsewhere.delete(clientId);
    this.#isHeld = this.#end(clientId);
    return this.#isHeld;
  }

  #end(clientId) {
    if (!clientId || this.#outgoing?.client_id !== clientId) return false;
    this.#outgoing = null;
    return true;
  }

  #acceptedElsewhere(clientId) {
    const { conversation } = this.#elsewhere.get(clientId) ?? {};
    if (!this.#elsewhere.delete(clientId)) return;
    const key = this.#keyOf(conversation);
    keep(key, (read(key) ?? []).filter((message) => message.client_id !== clientId));
    if (key === this.#key) this.#load();
  }

  get #key() {
    return this.#keyOf(this.#thread.conversation);
  }

  #keyOf(conversation) {
    return `waiting:${this.#thread.user}:${conversation}`;
  }

  #load() {
    this.#messages = read(this.#key) ?? [];
    this.#show();
  }

  #keep(messages) {
    this.#messages = messages;
    keep(this.#key, messages);
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
    const message = this.#messages.find((one) => one.client_id === clientId);
    if (message && clientId !== this.#outgoing?.client_id) {
      this.#isHeld = false;
      this.#keep(this.#messages.filter((one) => one.client_id !== clientId));
      if (button.value === "edit") this.#composer.takeBack(message);
      else this.#composer.discard(message);
    }
    this.release();
  }
}
