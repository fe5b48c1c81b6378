// What is typed and not sent, as this browser keeps it. Storage that is full or forbidden only means that it lasts as
// long as the page.

const SIGNED_OUT = "signed-out"; // when somebody last signed out

const unsaved = new Map(); // what storage did not take, by key

// What is kept under `key`, or null.
export function read(key) {
  try {
    return unsaved.get(key) ?? JSON.parse(localStorage.getItem(key));
  } catch {
    return null;
  }
}

export function write(key, kept) {
  unsaved.delete(key);
  try {
    if (isOfThePast()) throw new Error("Whoever this page belongs to has signed out.");
    localStorage.setItem(key, JSON.stringify(kept));
  } catch {
    unsaved.set(key, kept);
  }
}

export function remove(key) {
  unsaved.delete(key);
  try {
    localStorage.removeItem(key);
  } catch {
    // Nothing was there.
  }
}

// Somebody who signs out leaves nothing behind for the next person at this computer. Their other tabs may still be open:
// none of them writes anything from now on.
export function forgetAll() {
  try {
    localStorage.setItem(SIGNED_OUT, Date.now());
    for (const key of Object.keys(localStorage)) if (/^(draft|waiting):/.test(key)) localStorage.removeItem(key);
  } catch {
    // There was nothing.
  }
}

function isOfThePast() {
  return Number(localStorage.getItem(SIGNED_OUT)) > performance.timeOrigin;
}
