// Files beside the message: chosen, pasted or dropped, uploaded with progress, and looked after until they are read.

const LOOK_MS = 400; // first, then less and less often
const LONGEST_LOOK_MS = 4000;
const STALL_MS = 60_000; // a connection can be dead without a sign, as after a sleep

function parse(html) {
  const template = document.createElement("template");
  template.innerHTML = html; // rendered by the server's one partial
  return [...template.content.children];
}

export class Attachments {
  #form;
  #list = document.getElementById("files");
  #chooser = document.getElementById("new-files");
  #uploading = document.getElementById("uploading-file");
  #shade = document.getElementById("drop");
  #words = this.#list.dataset;
  #thread;
  #tab;
  #changed;
  #failed;
  #timer = 0;
  #uploads = new Map(); // requests under way, by their element

  // `changed` is called when something was added, removed or read, after `failed` if it could not be uploaded; `tab` is
  // this tab's own id.
  constructor({ form, thread, tab, changed, failed }) {
    this.#form = form;
    this.#thread = thread;
    this.#tab = tab;
    this.#changed = changed;
    this.#failed = failed;
    this.#chooser.addEventListener("change", () => {
      this.#add(this.#chooser.files);
      this.#chooser.value = "";
    });
    form.elements.text.addEventListener("paste", (event) => {
      // Tables and documents bring a picture of themselves along: what has a text is pasted as that.
      if (!event.clipboardData.files.length || event.clipboardData.getData("text/plain")) return;
      event.preventDefault();
      this.#add(event.clipboardData.files);
    });
    this.#list.addEventListener("click", (event) => this.#clicked(event));
    this.#listenToDrops();
    this.#look(LOOK_MS);
  }

  // Of those that can be sent.
  get ids() {
    return [...this.#list.querySelectorAll("[data-file]:not([data-state=failed])")].map((item) => item.dataset.file);
  }

  get names() {
    return [...this.#list.querySelectorAll("[data-file]:not([data-state=failed]) .file-name")].map((name) => name.textContent);
  }

  get isUploading() {
    return this.#uploads.size > 0;
  }

  get isReading() {
    return this.#list.querySelector("[data-state=reading]") !== null;
  }

  // The files of the draft as the server has them now; those that are being uploaded here stay.
  show(html) {
    for (const item of this.#list.querySelectorAll("[data-file]")) item.remove();
    this.#list.prepend(...parse(html));
    this.#look(LOOK_MS);
  }

  // Another conversation is shown, with these files; what is being uploaded arrives in the one before.
  enter(items) {
    this.#uploads.clear();
    this.#list.replaceChildren(...items);
    this.#look(LOOK_MS);
    this.#changed();
  }

  // They were sent, or wait to be; what could not be read goes, too.
  clear() {
    for (const item of this.#list.querySelectorAll("[data-file][data-state=failed]")) this.discard([item.dataset.file]);
    this.#list.replaceChildren(...this.#uploads.keys());
  }

  // These stand somewhere else.
  hide(ids) {
    for (const id of ids) this.#list.querySelector(`[data-file="${CSS.escape(id)}"]`)?.remove();
  }

  // These are back in the composer.
  async takeBack(ids) {
    const { conversation } = this.#thread;
    for (const id of ids) {
      const html = await this.#fetched(id);
      if (conversation !== this.#thread.conversation) return; // they are there when it is shown again
      this.#list.append(...parse(html));
    }
    this.#look(LOOK_MS);
    this.#changed();
  }

  // A file as it stands in the composer; nothing if it cannot be had: a reload shows it.
  async #fetched(id) {
    try {
      const response = await fetch(`${this.#words.url}${id}/`);
      return response.ok ? (await response.json()).html : "";
    } catch {
      return "";
    }
  }

  discard(ids) {
    for (const id of ids) fetch(`${this.#words.url}${id}/remove/`, { method: "POST", body: this.#body() }).catch(() => {});
  }

  #body() {
    const body = new FormData();
    body.set("csrfmiddlewaretoken", this.#form.elements.csrfmiddlewaretoken.value);
    body.set("conversation", this.#thread.conversation ?? "");
    body.set("tab", this.#tab);
    return body;
  }

  #add(files) {
    for (const file of files) this.#upload(file);
    this.#changed();
  }

  #upload(file) {
    const item = this.#uploading.content.firstElementChild.cloneNode(true);
    item.querySelector(".file-name").textContent = file.name;
    item.querySelector(".file-ending").textContent = file.name.split(".").at(-1).slice(0, 5).toUpperCase();
    this.#list.append(item);
    if (this.#list.children.length > Number(this.#words.most)) return this.#fail(item, this.#words.tooMany);
    if (file.size > Number(this.#words.limit)) return this.#fail(item, this.#words.tooLarge);
    const request = new XMLHttpRequest();
    const body = this.#body();
    body.set("file", file, file.name);
    let stalled = 0;
    const goesOn = () => {
      clearTimeout(stalled);
      stalled = setTimeout(() => request.abort(), STALL_MS);
    };
    request.upload.addEventListener("progress", ({ loaded, total }) => {
      item.querySelector("progress").value = loaded / total;
      goesOn();
    });
    request.addEventListener("loadend", () => {
      clearTimeout(stalled);
      this.#uploaded(item, request);
    });
    request.open("POST", this.#words.url);
    request.responseType = "json";
    this.#uploads.set(item, request);
    goesOn();
    request.send(body);
  }

  #uploaded(item, request) {
    if (!this.#uploads.delete(item)) return; // taken away meanwhile
    const { html, error } = request.response ?? {};
    if (!html) this.#fail(item, error ?? this.#words.lost);
    else {
      const [made] = parse(html);
      this.hide([made.dataset.file]); // the same file again
      item.replaceWith(made);
      this.#look(LOOK_MS);
    }
    this.#changed();
  }

  #fail(item, reason) {
    item.dataset.state = "failed";
    item.querySelector("progress").remove();
    item.querySelector(".file-facts").textContent = reason;
    this.#failed();
  }

  #clicked(event) {
    const button = event.target.closest("button");
    if (!button) return;
    event.preventDefault();
    const item = button.closest(".file");
    this.#uploads.get(item)?.abort();
    this.#uploads.delete(item);
    if (item.dataset.file) this.discard([item.dataset.file]);
    item.remove();
    this.#changed();
    this.#form.elements.text.focus();
  }

  // Ask after those that are being read.
  #look(pause) {
    if (!this.isReading) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(async () => {
      const asked = [...this.#list.querySelectorAll("[data-state=reading]")];
      for (const item of asked) await this.#ask(item);
      if (asked.some((item) => item.isConnected)) this.#look(Math.min(1.5 * pause, LONGEST_LOOK_MS));
    }, pause);
  }

  async #ask(item) {
    try {
      const response = await fetch(`${this.#words.url}${item.dataset.file}/`);
      if (response.status === 404) item.remove();
      if (!response.ok) return;
      const [made] = parse((await response.json()).html);
      if (made.dataset.state === "reading") {
        item.querySelector(".file-facts").textContent = made.querySelector(".file-facts").textContent;
        return;
      }
      item.replaceWith(made);
      this.#changed();
    } catch {
      // The next look asks again.
    }
  }

  #listenToDrops() {
    let depth = 0; // of the elements that the pointer has come into with files
    const hasFiles = (event) => event.dataTransfer?.types.includes("Files");
    const show = (change) => {
      depth = Math.max(0, depth + change);
      this.#shade.hidden = depth === 0;
    };
    document.addEventListener("dragenter", (event) => hasFiles(event) && show(1));
    document.addEventListener("dragleave", (event) => hasFiles(event) && show(-1));
    document.addEventListener("dragover", (event) => hasFiles(event) && event.preventDefault());
    document.addEventListener("drop", (event) => {
      if (!hasFiles(event)) return;
      event.preventDefault();
      depth = 0;
      show(0);
      this.#add(event.dataTransfer.files);
    });
  }
}
