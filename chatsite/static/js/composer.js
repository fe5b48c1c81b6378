// The composer: typing, drafts, sending. It is emptied only when the server has saved the message.
import { load, save } from "./drafts.js";

const BYTES_PER_UNIT = 3; // at most, in UTF-8
const SAVE_MS = 300;

// crypto.randomUUID exists on secure pages only.
function uuid() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}

const megabytes = new Intl.NumberFormat(document.documentElement.lang, { minimumFractionDigits: 2, maximumFractionDigits: 2 });

function inMegabytes(bytes) {
  return `${megabytes.format(bytes / 1e6)} MB`;
}

export class Composer {
  #form = document.getElementById("composer");
  #text = document.getElementById("text");
  #refusal = document.getElementById("refusal");
  #note = document.getElementById("note");
  #size = document.getElementById("size");
  #tooLong = document.getElementById("too-long");
  #send = document.getElementById("send");
  #stop = document.getElementById("stop");
  #limit = Number(this.#form.dataset.limit);
  #limitWords = this.#size.textContent;
  #sending = null; // the frame that was sent and not accepted yet
  #sent = null; // the text that was sent last and not accepted, with its client id
  #saver = 0;
  #socket;
  #thread;

  // `wantsStop` is called when the person wants the newest answer stopped.
  constructor({ socket, thread, wantsStop }) {
    this.#socket = socket;
    this.#thread = thread;
    this.#restore();
    this.#form.addEventListener("submit", (event) => this.#submitted(event));
    this.#text.addEventListener("input", () => this.#changed());
    this.#text.addEventListener("keydown", (event) => this.#pressed(event));
    this.#stop.addEventListener("click", wantsStop);
    addEventListener("pagehide", () => this.#save());
    this.#changed();
  }

  get isSending() {
    return this.#sending !== null;
  }

  // Put `text` in, to be sent or changed, and show its beginning.
  fill(text) {
    this.#text.value = text;
    this.#text.dispatchEvent(new Event("input"));
    this.#text.focus();
    this.#text.setSelectionRange(0, 0);
    this.#text.scrollTop = 0;
  }

  // Send again what may have been lost with the connection; sent twice, it is saved once.
  resend() {
    if (this.#sending) this.#socket.send(this.#sending);
  }

  // There is no socket to wait for: what was to go through it is posted.
  sendAsForm() {
    if (!this.#sending) return;
    this.#release();
    this.#prepareForm();
    this.#form.submit();
  }

  // Whether `clientId` is the message that this composer was sending.
  accepted(clientId) {
    if (this.#sending?.client_id !== clientId) return false;
    this.#sent = null;
    this.#text.value = "";
    this.choose(0);
    this.#release();
    this.#save();
    return true;
  }

  refuse({ client_id: clientId, text }) {
    if (clientId && clientId !== this.#sending?.client_id) return;
    this.#release();
    this.#refusal.textContent = text;
    this.#text.focus();
  }

  // Say something that is no refusal; the next message ends it.
  note(text) {
    this.#note.textContent = text;
  }

  showStop(isWriting) {
    this.#stop.hidden = !isWriting;
  }

  // Choose a route by its place; Auto is 0.
  choose(place) {
    const radio = this.#form.elements.route[place];
    if (radio) radio.checked = true;
    return Boolean(radio);
  }

  #release() {
    this.#sending = null;
    this.#refusal.textContent = "";
    this.#text.readOnly = false;
    this.#changed();
  }

  #pressed(event) {
    // 229: the key belongs to an input method that is composing a character.
    if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229) return;
    event.preventDefault();
    this.#form.requestSubmit();
  }

  #submitted(event) {
    if (this.#socket.isBlocked) return this.#prepareForm(); // the form works by itself
    event.preventDefault();
    const text = this.#text.value;
    if (this.isSending || !text.trim() || this.#isTooLong(text)) return;
    this.#refusal.textContent = "";
    this.note("");
    this.#sending = {
      type: "send",
      client_id: this.#clientId(text),
      conversation: this.#thread.conversation,
      text,
      route: this.#form.elements.route.value,
    };
    this.#save();
    this.#text.readOnly = true;
    this.#send.disabled = true;
    const isOut = this.#socket.send(this.#sending);
    if (!isOut && this.#socket.wasEverOpen) this.#refusal.textContent = this.#form.dataset.waiting;
  }

  #prepareForm() {
    this.#form.elements.client_id.value = this.#clientId(this.#text.value);
    this.#save();
  }

  #changed() {
    const text = this.#text.value;
    const isTooLong = this.#isTooLong(text);
    this.#send.disabled = this.isSending || isTooLong || !text.trim();
    this.#grow();
    clearTimeout(this.#saver);
    this.#saver = setTimeout(() => this.#save(), SAVE_MS);
  }

  // Says how long the text is as soon as that matters.
  #isTooLong(text) {
    const bytes = text.length * BYTES_PER_UNIT < this.#limit / 2 ? 0 : new TextEncoder().encode(text).length;
    this.#tooLong.hidden = bytes <= this.#limit;
    this.#size.textContent = bytes > this.#limit / 2 ? this.#share(bytes) : this.#limitWords;
    return bytes > this.#limit;
  }

  #share(bytes) {
    return this.#size.dataset.share.replace("{size}", inMegabytes(bytes)).replace("{limit}", inMegabytes(this.#limit));
  }

  #grow() {
    if (CSS.supports("field-sizing", "content")) return;
    this.#text.style.height = "auto";
    this.#text.style.height = `${this.#text.scrollHeight}px`;
  }

  // --- the draft -------------------------------------------------------------------------------------------

  get #key() {
    return this.#keyOf(this.#thread.conversation ?? "new");
  }

  #keyOf(conversation) {
    return `draft:${this.#thread.user}:${conversation}`;
  }

  #save() {
    clearTimeout(this.#saver);
    save(this.#key, { text: this.#text.value, sent: this.#sent });
  }

  #restore() {
    this.#forgetArrived(this.#key);
    this.#forgetArrived(this.#keyOf("new")); // where this conversation may have begun
    const { text = "", sent = null } = load(this.#key);
    this.#sent = sent;
    if (!this.#text.value) this.#text.value = text;
  }

  // A draft that was sent and is on the page is none any more; the page before could not know.
  #forgetArrived(key) {
    const { text, sent } = load(key);
    if (sent && sent.text === text && this.#thread.has(sent.client_id)) save(key, {});
  }

  // The same text again is the same message, even from a page that was closed before it heard of the first.
  #clientId(text) {
    if (this.#sent?.text !== text) this.#sent = { text, client_id: uuid() };
    return this.#sent.client_id;
  }
}
