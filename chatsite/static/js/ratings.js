// Good or bad, and why, under an answer.
import { formFrom, isPlain } from "./forms.js";

export class Ratings {
  #connection;
  #thread;
  #rated = null; // the answer that was rated here last, whose reason is asked for

  constructor({ connection, thread }) {
    this.#connection = connection;
    this.#thread = thread;
    document.addEventListener("click", (event) => this.#clicked(event));
    document.addEventListener("submit", (event) => this.#submitted(event));
    document.addEventListener("keydown", (event) => this.#pressed(event), true); // before the keys of the whole page
  }

  // What the person thinks of an answer now, said in whichever tab.
  show({ reply, rating, html }) {
    const article = this.#thread.find(reply);
    if (!article) return;
    for (const button of article.querySelectorAll("[data-action=rate]")) {
      const isPressed = button.dataset.rating === rating;
      button.setAttribute("aria-pressed", isPressed);
      button.value = isPressed ? "" : button.dataset.rating;
    }
    const place = article.querySelector(".rated");
    const hadFocus = place.contains(document.activeElement);
    place.innerHTML = html; // our own template
    const link = place.querySelector("[data-action=reason]");
    if (hadFocus) link?.focus();
    if (this.#rated === reply && link) this.#open(link);
    this.#rated = null;
  }

  #clicked(event) {
    const control = event.target.closest("[data-action=rate], [data-action=reason], [data-action=cancel-reason]");
    const article = control?.closest(".message");
    if (!article || !isPlain(event)) return;
    if (control.dataset.action === "rate") return this.#rate(control, article.dataset.reply, event);
    event.preventDefault();
    if (control.dataset.action === "reason") this.#open(control);
    else this.#close(control.closest("form"));
  }

  #rate(button, reply, event) {
    if (!this.#connection.send({ type: "rate", reply, rating: button.value })) return; // the form is posted
    event.preventDefault();
    this.#rated = button.value ? reply : null;
  }

  async #open(link) {
    try {
      const form = await formFrom(link, "form.reason");
      const line = link.closest("p");
      line.hidden = true;
      line.after(form);
      form.elements.reason.focus();
    } catch {
      location.assign(link.href);
    }
  }

  #close(form) {
    const line = form.previousElementSibling;
    form.remove();
    line.hidden = false;
    line.querySelector("a").focus();
  }

  #pressed(event) {
    const form = event.key === "Escape" && event.target.closest?.("form.reason");
    if (!form || !form.closest(".message")) return;
    event.stopImmediatePropagation(); // it means this form, not the answer that is being written
    this.#close(form);
  }

  #submitted(event) {
    const form = event.target.closest("form.reason");
    if (!form?.closest(".message")) return;
    const { rating, reason } = form.elements;
    const frame = { type: "rate", reply: form.dataset.reply, rating: rating.value, reason: reason.value };
    if (this.#connection.send(frame)) event.preventDefault();
  }
}
