// What is typed and not sent, as this browser keeps it. Storage that is full or forbidden only means that it lasts as
// long as the page.

const SIGNED_OUT = "signed-out"; // changes whenever somebody signs out
const LEAVING = "leaving"; // of the tab's storage: who signs out
const OWNED = /^(?:draft|waiting):([^:]+):/; // the keys of what is forgotten then, with whose it is

const unsaved = new Map(); // what storage did not take, by key
const atStart = lastSignOut();

// What is kept under `key`, or null.
export function read(key) {
  try {
    return unsaved.get(key) ?? JSON.parse(localStorage.getItem(key));
  } catch {
    return null;
  }
}

// The keys that begin so.
export function keys(beginning) {
  const all = new Set(unsaved.keys());
  try {
    for (const key of Object.keys(localStorage)) all.add(key);
  } catch {
    // Nothing is there.
  }
  return [...all].filter((key) => key.startsWith(beginning));
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

// Call when somebody signs out: they leave nothing behind for the next person at this computer. Their other tabs may
// still be open: none of them writes anything from now on.
export function leave(user) {
  try {
    sessionStorage.setItem(LEAVING, user);
  } catch {
    // Then the next page does not know who it was.
  }
  forget((owner) => owner === user);
}

// Call when somebody has signed out, for what was written until they had. Where nobody knows who it was, as the admin
// does not, nothing of anybody stays; but a link from elsewhere is no sign that somebody was here.
export function forgetLeft() {
  let user = null;
  try {
    user = sessionStorage.getItem(LEAVING);
    sessionStorage.removeItem(LEAVING);
  } catch {
    // As above.
  }
  if (user || document.referrer.startsWith(`${location.origin}/`)) forget((owner) => !user || owner === user);
}

// What storage has no room for may still be removed.
function forget(isTheirs) {
  try {
    for (const key of Object.keys(localStorage)) {
      const [, owner] = OWNED.exec(key) ?? [];
      if (owner && isTheirs(owner)) localStorage.removeItem(key);
    }
    localStorage.setItem(SIGNED_OUT, Number(lastSignOut()) + 1);
  } catch {
    // There was nothing.
  }
}

function isOfThePast() {
  return lastSignOut() !== atStart;
}

function lastSignOut() {
  try {
    return localStorage.getItem(SIGNED_OUT);
  } catch {
    return null;
  }
}
