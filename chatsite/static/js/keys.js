// Keys that work wherever the focus is.

export function listenToKeys({ composer, openSearch, stopNewest }) {
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && !event.isComposing) {
      const menu = document.querySelector(".menu[open]");
      if (menu) menu.open = false;
      else if (!document.querySelector(":popover-open, dialog[open]")) stopNewest();
    }
    if (event.key.toLowerCase() === "k" && (event.ctrlKey || event.metaKey) && !event.altKey && !event.shiftKey) {
      event.preventDefault();
      openSearch();
    }
    const place = event.altKey && /^Digit(\d)$/.exec(event.code)?.[1];
    if (place && composer.choose(Number(place))) event.preventDefault();
  });
}
