// The draft: kept in this browser first, so that nothing is lost without a connection, then on the server, for the
// person's other tabs and devices.
import { read, remove, write } from "./kept.js";

const SAVE_MS = 300;
const POST_MS = 700;
const PATIENCE_MS = 20_000; // the next one waits for it
const BEACON_MAX = 60_000; // browsers take no more of a page that is being left

export function load(key) {
  return read(key) ?? {};
}

export function save(key, draft) {
  if (draft.text || draft.pasted?.length || draft.isNew) write(key, draft);
  else remove(key);
}

// crypto.randomUUID exists on secure pages only.
export function uuid() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}

export class Drafts {
  #form;
  #thread;
  #composer;
  #tab;
  #revisions = new Map(); // the newest of the server's copy that this tab has heard of, by conversation
  #isNew = false; // what stands here is newer than the server's copy
  #sent = null; // what was sent last and not accepted, with its client id
  #posts = Promise.resolve(); // one after the other
  #saver = 0;
  #poster = 0;

  // `composer` has content ({text, pasted}), show(content), whole (all as one text) and isSending.
  constructor({ form, thread, tab, composer }) {
    this.#form = form;
    this.#tab = tab;
    this.#thread = thread;
    this.#composer = composer;
    this.#restore();
    addEventListener("pagehide", () => this.#leave());
    addEventListener("online", () => this.#post());
  }

  // Call when something was typed.
  changed() {
    this.#isNew = true;
    clearTimeout(this.#saver);
    clearTimeout(this.#poster);
    this.#saver = setTimeout(() => this.save(), SAVE_MS);
    this.#poster = setTimeout(() => this.#post(), POST_MS);
  }

  save() {
    clearTimeout(this.#saver);
    save(this.#key, { ...this.#composer.content, sent: this.#sent, isNew: this.#isNew });
  }

  // The same text again is the same message, even from a page that was closed before it heard of the first.
  clientId() {
    const text = [this.#composer.whole, ...this.#composer.files].join("\n");
    if (this.#sent?.text !== text) this.#sent = { text, client_id: uuid() };
    return this.#sent.client_id;
  }

  // What stood here is a message now, and the composer is empty.
  accepted() {
    this.#sent = null;
    this.#isNew = false;
    this.save();
    this.#post(true); // after what was still on its way
  }

  // Another tab or device has written, or sent what stood here: it is taken over unless somebody is typing here.
  async received({ conversation, revision, tab }) {
    if (this.#learn(conversation, revision) && tab !== this.#tab && this.#canTake(conversation)) await this.#fetch();
  }

  // The same, for what nobody could be told.
  async catchUp() {
    if (this.#canTake(this.#conversation)) await this.#fetch();
  }

  #canTake(conversation) {
    return conversation === this.#conversation && !this.#isNew && !this.#composer.isSending;
  }

  // Whether the revision was news.
  #learn(conversation, revision) {
    if (revision <= (this.#revisions.get(conversation) ?? -1)) return false;
    this.#revisions.set(conversation, revision);
    return true;
  }

  async #fetch() {
    const conversation = this.#conversation;
    try {
      const response = await fetch(`${this.#form.dataset.draftUrl}?conversation=${conversation}`);
      const draft = await response.json();
      this.#learn(conversation, draft.revision);
      if (!this.#canTake(conversation) || draft.revision < this.#revisions.get(conversation)) return;
      this.#composer.show(draft);
      this.#isNew = false;
      this.save();
    } catch {
      // The next change or the next page brings it.
    }
  }

  // Another conversation takes the place of this one.
  leave() {
    this.save();
    this.#post();
    clearTimeout(this.#poster);
  }

  // Another conversation has taken the place: its draft is the one of the form.
  enter() {
    this.#isNew = false;
    this.#restore();
  }

  get #conversation() {
    return this.#thread.conversation ?? "";
  }

  get #key() {
    return this.#keyOf(this.#conversation || "new");
  }

  #keyOf(conversation) {
    return `draft:${this.#thread.user}:${conversation}`;
  }

  // What the page brought is the server's copy, unless it was refused or is a suggestion.
  #restore() {
    const isServers = this.#form.dataset.draftRevision !== "";
    this.#forgetArrived(this.#key);
    this.#forgetArrived(this.#keyOf("new")); // where this conversation may have begun
    const { text = "", pasted = [], sent = null, isNew = false } = load(this.#key);
    this.#sent = sent;
    const { value, defaultValue } = this.#form.elements.text;
    if (!isServers || value !== defaultValue) return this.changed(); // or typed before the script was there
    const revision = Number(this.#form.dataset.draftRevision);
    if (isNew) {
      this.#composer.show({ text, pasted });
      this.changed();
    } else if (!this.#learn(this.#conversation, revision) && revision < this.#revisions.get(this.#conversation)) {
      this.#fetch(); // the page was made before what was posted last had arrived
    }
  }

  // A draft that was sent and is on the page is none any more; the page before could not know.
  #forgetArrived(key) {
    const { text = "", pasted = [], sent } = load(key);
    const whole = [text, ...pasted].filter((one) => one.trim()).join("\n\n");
    if (sent && sent.text.startsWith(whole) && this.#thread.has(sent.client_id)) save(key, {});
  }

  #body(conversation, { text, pasted }) {
    const body = new FormData();
    body.set("csrfmiddlewaretoken", this.#form.elements.csrfmiddlewaretoken.value);
    body.set("conversation", conversation);
    body.set("text", text);
    body.set("pasted", JSON.stringify(pasted));
    body.set("tab", this.#tab);
    return body;
  }

  #post(isCertain = false) {
    clearTimeout(this.#poster);
    if (!this.#isNew && !isCertain) return;
    const conversation = this.#conversation;
    const content = this.#composer.content;
    this.#posts = this.#posts.then(() => this.#posted(conversation, content));
  }

  async #posted(conversation, content) {
    try {
      const body = this.#body(conversation, content);
      const signal = AbortSignal.timeout(PATIENCE_MS);
      const response = await fetch(this.#form.dataset.draftUrl, { method: "POST", body, signal });
      const { revision } = await response.json();
      if (!response.ok) return;
      this.#learn(conversation, revision);
      this.#arrived(conversation, content);
    } catch {
      // It stays new here: the next change tries again.
    }
  }

  // The server has it. Another conversation may be shown meanwhile.
  #arrived(conversation, content) {
    const isShown = conversation === this.#conversation;
    const key = this.#keyOf(conversation || "new");
    const { text, pasted, sent } = isShown ? this.#composer.content : load(key);
    if (JSON.stringify(content) !== JSON.stringify({ text, pasted })) return; // typed since
    if (!isShown) return save(key, { text, pasted, sent });
    this.#isNew = false;
    this.save();
  }

  #leave() {
    this.save();
    if (!this.#isNew || this.#composer.isSending) return;
    const content = this.#composer.content;
    if (JSON.stringify(content).length > BEACON_MAX / 3) return;
    navigator.sendBeacon(this.#form.dataset.draftUrl, this.#body(this.#conversation, content));
  }
}
