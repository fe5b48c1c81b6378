// What the server says, and what the page does about it: the one switch over the types of frames.
import { Lazy } from "./lazily.js";

export class Stream {
  #page;
  #writing = new Lazy(() => import("./reply.js"));
  #replies = new Map(); // by id, those that are still being written
  #begun = null; // the conversation that this tab has begun and does not show yet
  #early = []; // news that may be of that conversation, if they came before its id
  #news = new Map(); // when this tab has heard of a conversation that it does not show

  // `page` has connection, thread, composer, edits, ratings, sidebar, menu, scroll, announcer, preview,
  // earlier, ready and decorate(element).
  constructor(page) {
    this.#page = page;
    document.addEventListener("visibilitychange", () => this.#see());
  }

  get isWriting() {
    return this.#replies.size > 0;
  }

  get newest() {
    return [...this.#replies.keys()].at(-1) ?? null;
  }

  receive(frame) {
    this.#note(frame);
    const { connection, thread, composer, edits, ratings, sidebar, menu, scroll, announcer, preview, ready } = this.#page;
    const reply = this.#replies.get(frame.reply);
    switch (frame.type) {
      case "accepted":
        if (!composer.accepted(frame.client_id) && !edits.now?.accepted(frame.client_id)) break;
        scroll.follow();
        if (!thread.conversation) this.#begin(frame.conversation);
        break;
      case "turn":
        sidebar.remember(frame);
        this.#add(frame);
        break;
      case "branch":
        if (frame.conversation === thread.conversation) this.#showBranch();
        break;
      case "conversations":
        sidebar.listAnew(frame);
        menu.lookAgain();
        break;
      case "conversation":
        sidebar.heard(frame);
        menu.heard(frame);
        break;
      case "ready":
        this.#markReady(frame, true);
        ready.tell(frame);
        if (frame.conversation !== thread.conversation) announcer.say(ready.words(frame));
        composer.releaseIn(frame.conversation);
        this.#seeEnd(frame);
        this.#see();
        break;
      case "stopped":
        composer.releaseIn(frame.conversation);
        this.#seeEnd(frame);
        break;
      case "seen":
        this.#markReady(frame, false);
        ready.seen(frame);
        break;
      case "decided":
        reply?.decided(frame.html);
        break;
      case "state":
        reply?.waits(frame.state);
        break;
      case "position":
        reply?.stands(frame.text);
        break;
      case "started":
      case "reset":
        reply?.started(frame);
        announcer.restart(frame.reply);
        break;
      case "loading":
      case "loaded":
        reply?.loads(frame);
        break;
      case "snapshot":
        if (reply) this.#catchUp(reply, frame);
        break;
      case "delta":
        if (reply) this.#delta(reply, frame);
        break;
      case "block":
        if (reply) this.#page.decorate(reply.block(frame));
        break;
      case "finished":
        if (reply) this.#finish(frame);
        break;
      case "rated":
        ratings.ready.then((shown) => shown.show(frame), () => {}); // a reload shows it too
        break;
      case "corrected":
        composer.note(frame.text);
        break;
      case "preview":
        preview.show(frame);
        break;
      case "draft":
        composer.draftChanged(frame);
        break;
      case "error":
        composer.refuse(frame);
        edits.now?.refuse(frame);
        break;
      case "signed_out":
        connection.end();
        break;
      case "pong":
        break;
    }
    scroll.keep();
  }

  // An answer is to be expected.
  prepare() {
    return this.#writing.ready.catch(() => {}); // whoever needs it tries again
  }

  // Watch every answer on the page that is not finished, from where it was left.
  attachAll() {
    for (const reply of this.#replies.values()) this.#attach(reply, reply.after);
    this.#watchNew();
  }

  // After an interruption: fetch what happened meanwhile, then go on.
  async resume() {
    const { sidebar, composer } = this.#page;
    sidebar.catchUp();
    composer.catchUp();
    await this.refresh();
    this.attachAll();
  }

  // Fetch what is new as a page, which works without a connection of its own.
  async refresh() {
    const isGone = await this.#page.thread.catchUp().catch(() => false); // the next interruption tries again
    if (isGone) this.#page.menu.gone(location.pathname);
    this.#forgetGone();
    this.#page.decorate(document);
    this.#page.earlier.watch();
    this.#see();
  }

  // What follows some message has changed.
  async #showBranch() {
    await this.refresh();
    this.#watchNew();
    this.#page.scroll.keep();
  }

  // Another conversation will be shown: what is written in this one is none of this tab's business.
  leave() {
    for (const reply of this.#replies.keys()) this.#page.connection.send({ type: "detach", reply });
    this.#replies.clear();
    this.#begun = null;
    this.#early = [];
  }

  // It is there, on a page that was asked for at a time.
  enter(askedAt) {
    this.#watchNew();
    if (this.#news.get(this.#page.thread.conversation) > askedAt) this.#showBranch();
    this.#news.clear();
    this.#see();
  }

  // The conversation is gone: nothing is being written any more.
  end() {
    this.#replies.clear();
    this.#page.thread.end();
    this.#page.composer.showStop(false);
  }

  // What is ready in the conversation that the person looks at is not new any more.
  #see() {
    const { connection, thread } = this.#page;
    if (document.hidden || !thread.isReady) return;
    if (connection.send({ type: "seen", conversation: thread.conversation })) thread.markReady(false);
  }

  // An answer has come to its end. If the code for watching it could not be fetched, as when the site has been replaced
  // meanwhile, it is fetched now.
  #seeEnd({ reply }) {
    if (!this.#replies.has(reply) && this.#isOpen(reply)) this.#showBranch();
  }

  #isOpen(reply) {
    return "open" in (this.#page.thread.find(reply)?.dataset ?? {});
  }

  #markReady({ conversation }, isReady) {
    const { thread, sidebar } = this.#page;
    sidebar.markReady(conversation, isReady);
    if (conversation === thread.conversation) thread.markReady(isReady);
  }

  #note({ type, conversation }) {
    const isNews = ["turn", "branch", "ready"].includes(type);
    if (isNews && conversation !== this.#page.thread.conversation) this.#news.set(conversation, performance.now());
  }

  #delta(reply, frame) {
    const fresh = reply.delta(frame);
    if (fresh === null) this.#attach(reply, null);
    if (!fresh) return;
    this.#page.announcer.hear(reply.id, fresh);
    this.#page.scroll.news();
  }

  #catchUp(reply, frame) {
    const done = reply.snapshot(frame);
    this.#page.announcer.catchUp(reply.id, done.textContent + frame.tail);
    this.#page.decorate(done);
  }

  #attach(reply, after) {
    this.#page.connection.send({ type: "attach", reply: reply.id, ...(after && { after }) });
  }

  #watchNew() {
    const { openReplies } = this.#page.thread;
    const module = this.#writing.now;
    if (!module && openReplies.length) return void this.#writing.ready.then(() => this.#watchNew(), () => {});
    for (const article of openReplies) {
      const id = article.dataset.reply;
      if (this.#replies.has(id)) continue;
      this.#replies.set(id, new module.Reply(article));
      this.#attach(this.#replies.get(id), null);
    }
    this.#forgetGone();
  }

  // Answers that another one has replaced, or that were fetched when they were finished.
  #forgetGone() {
    for (const id of this.#replies.keys()) {
      if (this.#isOpen(id)) continue;
      this.#replies.delete(id);
      const article = this.#page.thread.find(id);
      if (article) this.#page.announcer.finish(id, article);
    }
    this.#page.composer.showStop(this.isWriting);
  }

  #begin(conversation) {
    this.#begun = conversation;
    for (const frame of this.#early.splice(0)) this.#add(frame);
  }

  #add(frame) {
    const { thread, sidebar, composer, scroll } = this.#page;
    if (!thread.conversation && frame.conversation === this.#begun) thread.become(frame);
    if (frame.conversation === thread.conversation) {
      if (!thread.add(frame)) this.#showBranch();
      sidebar.markCurrent(frame.conversation);
      scroll.news();
      this.#watchNew();
    } else if (!thread.conversation && composer.isSending) {
      this.#early.push(frame);
    }
  }

  #finish({ reply, html }) {
    const { thread, announcer } = this.#page;
    this.#replies.delete(reply);
    const article = thread.finish(reply, html);
    announcer.finish(reply, article);
    this.#page.decorate(article);
    this.#page.composer.showStop(this.isWriting);
  }
}
