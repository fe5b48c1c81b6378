// The page follows the newest text only while the person is at the end of it.

const NEAR = 80;
const HELD_PICTURES = 4;

export class Scroll {
  #page = document.scrollingElement;
  #messages = document.getElementById("messages");
  #jump = document.getElementById("jump");
  #isFollowing = true;
  #isPlanned = false;
  #isOnItsWay = false; // to the end, because the person asked for it
  #top = 0; // where the page was scrolled to
  #height = 0; // and how high it was

  constructor() {
    history.scrollRestoration = "manual"; // the browser does not know what is fetched while one scrolls
    addEventListener("scroll", () => this.#look(), { passive: true });
    addEventListener("resize", () => this.keep());
    new ResizeObserver(() => this.keep()).observe(this.#messages);
    this.#jump.addEventListener("click", () => this.follow());
    this.enter(null);
  }

  // The page has been given other messages: go to the `place` where the person was, or to its end.
  enter(place) {
    const target = document.getElementById(location.hash.slice(1));
    const message = place && document.getElementById(place.message);
    this.#isFollowing = !message && !this.#messages.contains(target);
    this.#jump.classList.remove("news");
    if (this.#messages.contains(target)) target.scrollIntoView();
    else if (message) this.#hold(message, place.top);
    else this.#toEnd();
    this.#top = this.#page.scrollTop;
    this.keep();
  }

  // Bring a message to where it was. Only when it and its neighbours are drawn are they as high as they are.
  #hold(message, top, pictures = HELD_PICTURES) {
    if (!message.isConnected) return;
    this.#page.scrollTop += message.getBoundingClientRect().top - top;
    if (pictures) requestAnimationFrame(() => this.#hold(message, top, pictures - 1));
  }

  // Where the person is, null at the end.
  get place() {
    const message = this.#isFollowing ? null : this.#shown();
    if (!message) return null;
    const first = this.#messages.querySelector(":scope > .message").id.slice("m-".length);
    return { message: message.id, top: message.getBoundingClientRect().top, from: first };
  }

  // Go to the end and stay there.
  follow() {
    this.#isFollowing = true;
    this.#isOnItsWay = true;
    this.keep();
  }

  // Call when the page has grown.
  keep() {
    if (this.#isPlanned) return;
    this.#isPlanned = true;
    requestAnimationFrame(() => {
      this.#isPlanned = false;
      if (this.#isFollowing && this.#isEmpty) return; // on its way until there is something to follow
      this.#isOnItsWay = false;
      if (this.#isFollowing) this.#toEnd();
      else this.#look();
    });
  }

  // There is new text; who does not see it is told.
  news() {
    if (!this.#isFollowing) this.#jump.classList.add("news");
  }

  // Change what is above the text that the person reads, which stays where it is.
  still(change) {
    const anchor = this.#shown();
    const before = anchor?.getBoundingClientRect().top;
    this.#page.classList.add("still"); // the browser's own anchoring would do it a second time
    change();
    if (anchor?.isConnected) this.#page.scrollTop += anchor.getBoundingClientRect().top - before;
    this.#page.classList.remove("still");
    this.#top = this.#page.scrollTop;
  }

  // The first message that reaches into the window.
  #shown() {
    return [...this.#messages.querySelectorAll(":scope > .message")].find(
      (message) => message.getBoundingClientRect().bottom > 0,
    );
  }

  #toEnd() {
    this.#height = this.#page.scrollHeight;
    this.#page.scrollTop = this.#isEmpty ? 0 : this.#height;
    this.#top = this.#page.scrollTop;
    this.#showJump();
  }

  // Only a person scrolls up; a page that has grown meanwhile is no reason to stay behind. What has been sent makes the
  // composer lower in the same moment in which the page grows, and so moves the page up; so does what gets lower itself.
  #look() {
    if (this.#isOnItsWay) return;
    const { scrollTop: top, scrollHeight: height, clientHeight } = this.#page;
    const hasShrunk = height < this.#height;
    if (height - clientHeight - top < NEAR) this.#isFollowing = true;
    else if (top < this.#top && !hasShrunk) this.#isFollowing = false;
    this.#top = top;
    this.#height = height;
    this.#showJump();
  }

  // What greets people in an empty conversation is read from its beginning.
  get #isEmpty() {
    return this.#messages.childElementCount === 0;
  }

  #showJump() {
    this.#jump.hidden = this.#isFollowing || this.#isEmpty;
    if (this.#isFollowing) this.#jump.classList.remove("news");
  }
}
