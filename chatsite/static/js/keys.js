// Keys that work wherever the focus is, as the list of shortcuts in the page says (chatsite/chat/shortcuts.py).

function isPressed(event, keys) {
  const parts = keys.split("+");
  const key = parts.pop();
  const hasControl = event.ctrlKey || event.metaKey;
  if (parts.includes("Ctrl") !== hasControl || parts.includes("Alt") !== event.altKey) return false;
  if (key === "/") return event.key === key; // with Shift on some keyboards
  if (parts.includes("Shift") !== event.shiftKey) return false;
  if (/^\d$/.test(key)) return event.code.startsWith("Digit"); // Alt makes other characters of them
  return event.key.toLowerCase() === key.toLowerCase();
}

export function listenToKeys({ composer, openSearch, stopNewest }) {
  const dialog = document.getElementById("shortcuts");
  const text = document.getElementById("text");
  const listed = [...dialog.querySelectorAll("[data-keys]")].map(({ dataset }) => dataset);

  // Each gives false if it has nothing to do, so that the browser does what it would.
  const actions = {
    search: () => openSearch(),
    new: () => document.querySelector(".new").click(),
    write: () => text.focus(),
    shortcuts: () => (dialog.open ? dialog.close() : dialog.showModal()),
    route: (event) => composer.choose(Number(event.code.at(-1))),
    stop() {
      const menu = document.querySelector(".menu[open]");
      if (menu) {
        if (menu.contains(document.activeElement)) menu.querySelector("summary").focus();
        menu.open = false;
      } else if (!document.querySelector(":popover-open, dialog[open]")) stopNewest();
      return false;
    },
  };

  document.addEventListener("keydown", (event) => {
    if (event.isComposing) return;
    const pressed = listed.find(({ keys }) => isPressed(event, keys));
    if (pressed && actions[pressed.action](event) !== false) event.preventDefault();
  });
  document.addEventListener("click", (event) => {
    if (event.target === dialog) dialog.close(); // beside it
    if (!event.target.closest("[data-action=show-shortcuts]")) return;
    event.preventDefault();
    dialog.showModal();
  });
}
