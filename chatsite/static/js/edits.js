// Changing the words of one's own message, where it stands. The form comes from the page that does it without a script.
import { load, save } from "./drafts.js";
import { formFrom, isPlain } from "./forms.js";

export class Edits {
  #connection;
  #thread;
  #sent = new Map(); // forms by client id, sent and not accepted yet

  constructor({ connection, thread }) {
    this.#connection = connection;
    this.#thread = thread;
    document.addEventListener("input", (event) => this.#typed(event));
    document.addEventListener("click", (event) => this.#clicked(event));
    document.addEventListener("submit", (event) => this.#submitted(event));
    document.addEventListener("keydown", (event) => this.#pressed(event), true); // before the keys of the whole page
  }

  get isSending() {
    return this.#sent.size > 0;
  }

  // Whether the message of this id was edited here. What takes its place is on its way.
  accepted(clientId) {
    const form = this.#sent.get(clientId);
    if (form) save(this.#keyOf(form), {});
    return this.#sent.delete(clientId);
  }

  refuse({ client_id: clientId, text }) {
    const form = this.#sent.get(clientId);
    if (!form) return;
    this.#sent.delete(clientId);
    form.elements.text.readOnly = false;
    this.#say(form, text);
    form.elements.text.focus();
  }

  // Send again what may have been lost with the connection; sent twice, it is saved once.
  resend() {
    for (const form of this.#sent.values()) this.#send(form);
  }

  #clicked(event) {
    const link = event.target.closest("[data-action=edit], [data-action=cancel-edit]");
    const article = link?.closest(".message");
    if (!article || !isPlain(event)) return;
    event.preventDefault();
    if (link.dataset.action === "edit") return this.#open(article, link);
    save(this.#keyOf(link.closest("form")), {});
    this.#close(article);
  }

  // Kept, so that it is there again after a reload, or when another tab has shown another branch meanwhile.
  #typed({ target }) {
    const form = target.closest("form.edit");
    if (form) save(this.#keyOf(form), target.value === target.defaultValue ? {} : { text: target.value });
  }

  #keyOf(form) {
    return `draft:${this.#thread.user}:edit:${form.dataset.message}`;
  }

  async #open(article, link) {
    if (article.classList.contains("editing")) return;
    article.classList.add("editing");
    try {
      const form = await formFrom(link, "form.edit");
      const { text } = form.elements;
      text.value = load(this.#keyOf(form)).text ?? text.value;
      article.append(form);
      text.focus();
      text.setSelectionRange(text.value.length, text.value.length);
    } catch {
      location.assign(link.href);
    }
  }

  #close(article) {
    article.querySelector(".edit").remove();
    article.classList.remove("editing");
    article.querySelector("[data-action=edit]").focus();
  }

  #pressed(event) {
    const form = event.target.closest?.("form.edit");
    const article = form?.closest(".message");
    if (!article || event.isComposing || event.keyCode === 229) return;
    if (event.key === "Escape") {
      event.stopImmediatePropagation(); // it means this form, not the answer that is being written
      this.#close(article);
    } else if (event.key === "Enter" && !event.shiftKey && event.target === form.elements.text) {
      event.preventDefault();
      form.requestSubmit();
    }
  }

  #submitted(event) {
    const form = event.target.closest("form.edit");
    if (!form || this.#connection.isBlocked) return; // the form works by itself
    event.preventDefault();
    const text = form.elements.text;
    if (text.readOnly || !text.value.trim()) return;
    if (new TextEncoder().encode(text.value).length > Number(form.dataset.limit)) return this.#say(form, form.dataset.tooLong);
    text.readOnly = true;
    this.#sent.set(form.elements.client_id.value, form);
    this.#say(form, this.#send(form) ? "" : form.dataset.waiting);
  }

  #send(form) {
    const { client_id: id, text } = form.elements;
    return this.#connection.send({ type: "edit", message: form.dataset.message, client_id: id.value, text: text.value });
  }

  #say(form, words) {
    form.querySelector(".refusal").textContent = words;
  }
}
