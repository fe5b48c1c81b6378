// The composer: typing and sending. It is emptied only when the server has saved the message.
import { Attachments } from "./attachments.js";
import { Commands } from "./commands.js";
import { Drafts, uuid } from "./drafts.js";
import { Pasted } from "./pasted.js";
import { Recall } from "./recall.js";
import { Waiting } from "./waiting.js";

const BYTES_PER_UNIT = 3; // at most, in UTF-8
const LABEL_CHARACTERS = 200;
const MEANWHILE = "while-answering"; // what Enter does while an answer is being written: wait or interrupt

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
  #meanwhile = document.getElementById("meanwhile");
  #limit = Number(this.#form.dataset.limit);
  #limitWords = this.#size.textContent;
  #sending = null; // the frame that was sent and not accepted yet
  #isWriting = false; // an answer is
  #wantsOther = false; // this time, what Enter does not do by itself
  #connection;
  #thread;
  #wantsStop;
  #pasted;
  #attachments;
  #drafts;
  #isPressed = false; // to be sent as soon as the files are uploaded
  #recall;
  #waiting;

  // `wantsStop` is called when the person wants the newest answer stopped.
  constructor({ connection, thread, wantsStop }) {
    this.#connection = connection;
    this.#thread = thread;
    this.#wantsStop = wantsStop;
    this.#pasted = new Pasted({ text: this.#text, changed: () => this.#typed() });
    this.#pasted.texts = JSON.parse(this.#form.dataset.pasted);
    const tab = uuid();
    const [changed, failed] = [() => this.#filesChanged(), () => this.#holdBack()];
    this.#attachments = new Attachments({ form: this.#form, thread, tab, changed, failed });
    this.#drafts = new Drafts({ form: this.#form, thread, tab, composer: this });
    new Commands(this.#text); // before the others: its keys are its own while it is open
    this.#recall = new Recall({ text: this.#text, url: this.#form.dataset.sentUrl, thread });
    this.#waiting = new Waiting({ connection, thread, composer: this });
    this.#attachments.hide(this.#waiting.files);
    this.#form.addEventListener("submit", (event) => this.#submitted(event));
    this.#text.addEventListener("input", () => this.#typed());
    this.#form.addEventListener("keydown", (event) => this.#pressed(event));
    this.#stop.addEventListener("click", wantsStop);
    this.#prefer();
    this.#look();
  }

  get isSending() {
    return this.#sending !== null;
  }

  // Whether a message that waits may go.
  get isFree() {
    return !this.isSending && !this.#isWriting;
  }

  get content() {
    return { text: this.#text.value, pasted: this.#pasted.texts };
  }

  // All that would be sent, as one text.
  get whole() {
    return [this.#text.value, ...this.#pasted.texts].filter((text) => text.trim()).join("\n\n");
  }

  // The files of the message, and whether one is still being read.
  get files() {
    return this.#attachments.ids;
  }

  get isReading() {
    return this.#attachments.isReading;
  }

  // `files` are left as they are if they are not given.
  show({ text, pasted, files }) {
    this.#text.value = text;
    this.#pasted.texts = pasted;
    if (files !== undefined) {
      this.#attachments.show(files);
      this.#attachments.hide(this.#waiting.files);
    }
    this.#look();
  }

  // Put `text` in, to be sent or changed, and show its beginning.
  fill(text) {
    this.#text.value = text;
    this.#text.dispatchEvent(new Event("input"));
    this.#text.focus();
    this.#text.setSelectionRange(0, 0);
    this.#text.scrollTop = 0;
  }

  focus() {
    this.#text.focus({ preventScroll: true });
  }

  // Whether it can stand under the conversation of another page: whether that has the same routes.
  fits(page) {
    const names = (form) => [...form.querySelectorAll(".routes label")].map((chip) => chip.querySelector("input").value).join();
    return names(page.getElementById("composer")) === names(this.#form);
  }

  // Another conversation will be shown: what stands here belongs to this one.
  leave() {
    this.#isPressed = false;
    this.#drafts.leave();
  }

  // It is there, with its own draft.
  enter(page) {
    const form = page.getElementById("composer");
    this.#form.dataset.draftRevision = form.dataset.draftRevision;
    this.#refusal.textContent = "";
    this.note(page.getElementById("note").textContent);
    this.choose(0);
    this.#text.defaultValue = form.elements.text.defaultValue;
    this.show({ text: this.#text.defaultValue, pasted: JSON.parse(form.dataset.pasted) });
    this.#drafts.enter();
    this.#recall.forget();
    this.#waiting.enter();
    this.#attachments.enter(page.getElementById("files").children);
    this.#attachments.hide(this.#waiting.files);
  }

  // There is a connection: send again what may have been lost with the last one; sent twice, it is saved once.
  resend() {
    if (this.#sending) this.#connection.send(this.#sending);
    this.#waiting.resend();
  }

  // There is no connection to wait for: what was to go over it is posted.
  sendAsForm() {
    if (!this.#sending) return;
    this.#release();
    this.#prepareForm();
    this.#form.submit();
  }

  // Whether `clientId` is a message that this composer was sending.
  accepted(clientId) {
    if (this.#waiting.accepted(clientId)) return true;
    if (this.#sending?.client_id !== clientId) return false;
    if (this.#sending.text) this.#recall.remember(this.#sending.text);
    this.#release();
    this.#clear();
    return true;
  }

  // What is refused without a client id was no message: those that are on their way stay there.
  refuse(frame) {
    const { client_id: clientId, text } = frame;
    if (!clientId) return void (this.#refusal.textContent = text);
    const hasWaited = this.#waiting.refused(frame);
    if (clientId !== this.#sending?.client_id && !hasWaited) return;
    if (!hasWaited) this.#release();
    this.#refusal.textContent = text;
    this.#text.focus();
  }

  // Say something that is no refusal; the next message ends it.
  note(text) {
    this.#note.textContent = text;
  }

  // Whether an answer is being written has changed, or may have.
  showStop(isWriting) {
    if (this.#isWriting && !isWriting) this.#waiting.tryAgain();
    this.#isWriting = isWriting;
    this.#stop.hidden = !isWriting;
    this.#waiting.release();
    this.#form.classList.toggle("meanwhile", isWriting || !this.#waiting.isEmpty);
    this.#look();
  }

  // Choose a route by its place; Auto is 0.
  choose(place) {
    const radio = this.#form.elements.route[place];
    if (radio) radio.checked = true;
    radio?.parentElement.scrollIntoView({ block: "nearest", inline: "nearest" });
    return Boolean(radio);
  }

  // An answer of a conversation is done, be it shown or not.
  releaseIn(conversation) {
    this.#waiting.releaseIn(conversation);
  }

  // The draft on the server may have changed, unheard.
  catchUp() {
    this.#drafts.catchUp();
  }

  // The draft on the server has changed.
  draftChanged(frame) {
    this.#drafts.received(frame);
  }

  // A message that waited is to be changed: it goes before what has been typed since.
  takeBack(message) {
    const { text, pasted } = this.content;
    this.show({ text: [message.text, text].filter((one) => one.trim()).join("\n\n"), pasted });
    this.#attachments.takeBack(message.files);
    this.#typed();
    this.#text.focus();
  }

  // A message that waited is not to be sent.
  discard(message) {
    this.#attachments.discard(message.files);
    this.#text.focus();
  }

  #release() {
    this.#sending = null;
    this.#refusal.textContent = "";
    this.#text.readOnly = this.#pasted.isReadOnly = false;
    this.#look();
  }

  // What stood here has become a message.
  #clear() {
    this.show({ text: "", pasted: [] });
    this.#attachments.clear();
    this.choose(0);
    this.#drafts.accepted();
  }

  #pressed(event) {
    // 229: the key belongs to an input method that is composing a character.
    if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229) return;
    if (event.target !== this.#text) return;
    event.preventDefault();
    this.#wantsOther = event.ctrlKey || event.metaKey;
    this.#form.requestSubmit();
    this.#wantsOther = false;
  }

  #submitted(event) {
    if (this.#connection.isBlocked) return this.#prepareForm(); // the form works by itself
    event.preventDefault();
    const [text, files] = [this.whole, this.files];
    if (this.isSending || this.#isTooLong(text)) return;
    this.#isPressed = this.#attachments.isUploading;
    this.note(this.#isPressed ? this.#form.dataset.uploading : "");
    if (this.#isPressed || !(text || files.length)) return;
    this.#refusal.textContent = "";
    const route = this.#form.elements.route.value;
    const message = { type: "send", client_id: this.#drafts.clientId(), text, files, route };
    if (this.#isWriting || !this.#waiting.isEmpty) this.#wait(message);
    else this.#sendNow({ ...message, conversation: this.#thread.conversation });
  }

  #sendNow(frame) {
    this.#sending = frame;
    this.#drafts.save();
    this.#text.readOnly = this.#pasted.isReadOnly = true;
    this.#send.disabled = true;
    const isOut = this.#connection.send(frame);
    if (!isOut && this.#connection.wasEverOpen) this.#refusal.textContent = this.#form.dataset.waiting;
  }

  // An answer is being written: the message goes when that is done, or ends it.
  #wait(message) {
    const interrupts = (this.#meanwhile.value === "interrupt") !== this.#wantsOther;
    const label = [...this.#attachments.names, message.text].join(" ").slice(0, LABEL_CHARACTERS);
    const { title } = this.#thread;
    this.#waiting.add({ ...message, client_id: uuid(), label, title }, { isFirst: interrupts });
    if (message.text) this.#recall.remember(message.text);
    this.#clear();
    if (interrupts && this.#isWriting) this.#wantsStop();
    this.#waiting.release();
  }

  #prepareForm() {
    this.#form.elements.client_id.value = this.#drafts.clientId();
    this.show({ text: this.whole, pasted: [] });
    this.#drafts.save();
  }

  #typed() {
    this.#look();
    this.#drafts.changed();
  }

  #filesChanged() {
    this.#look();
    if (this.#isPressed && !this.#attachments.isUploading) this.#form.requestSubmit();
  }

  // Without a file that could not be uploaded, it is for the person to say whether the message goes.
  #holdBack() {
    if (this.#isPressed) this.note("");
    this.#isPressed = false;
  }

  #look() {
    const text = this.whole;
    const isEmpty = !text && !this.files.length && !this.#attachments.isUploading;
    this.#send.disabled = this.isSending || this.#isTooLong(text) || isEmpty;
    this.#grow();
    this.#form.dispatchEvent(new Event("composed"));
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

  // What Enter does while an answer is being written is remembered in this browser.
  #prefer() {
    try {
      this.#meanwhile.value = localStorage.getItem(MEANWHILE) === "interrupt" ? "interrupt" : "wait";
    } catch {
      // It lasts as long as the page.
    }
    this.#meanwhile.addEventListener("change", () => {
      try {
        localStorage.setItem(MEANWHILE, this.#meanwhile.value);
      } catch {
        // See above.
      }
    });
  }
}
