// The page follows the newest text only while the person is at the end of it.

const NEAR = 80;

export class Scroll {
  #page = document.scrollingElement;
  #jump = document.getElementById("jump");
  #isFollowing = true;
  #isPlanned = false;
  #top = 0; // where the page was scrolled to

  constructor() {
    addEventListener("scroll", () => this.#look(), { passive: true });
    addEventListener("resize", () => this.keep());
    this.#jump.addEventListener("click", () => this.follow());
    this.#toEnd();
  }

  // Go to the end and stay there.
  follow() {
    this.#isFollowing = true;
    this.keep();
  }

  // Call when the page has grown.
  keep() {
    if (this.#isPlanned) return;
    this.#isPlanned = true;
    requestAnimationFrame(() => {
      this.#isPlanned = false;
      if (this.#isFollowing) this.#toEnd();
      else this.#look();
    });
  }

  #toEnd() {
    this.#page.scrollTop = this.#page.scrollHeight;
    this.#top = this.#page.scrollTop;
    this.#jump.hidden = true;
  }

  // Only a person scrolls up; a page that has grown meanwhile is no reason to stay behind.
  #look() {
    const top = this.#page.scrollTop;
    const isNear = this.#page.scrollHeight - this.#page.clientHeight - top < NEAR;
    if (isNear) this.#isFollowing = true;
    else if (top < this.#top) this.#isFollowing = false;
    this.#top = top;
    this.#jump.hidden = this.#isFollowing;
  }
}
