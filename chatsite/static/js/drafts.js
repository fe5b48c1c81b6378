// What was typed and not accepted yet, kept in this browser. Storage that is full or forbidden only means no draft.

export function load(key) {
  try {
    return JSON.parse(localStorage.getItem(key)) ?? {};
  } catch {
    return {};
  }
}

// `draft` is {text, sent: {text, client_id}}; without a text there is nothing to keep.
export function save(key, draft) {
  try {
    if (draft.text) localStorage.setItem(key, JSON.stringify(draft));
    else localStorage.removeItem(key);
  } catch {
    // It lasts as long as the page.
  }
}

// Somebody who signs out leaves nothing behind for the next person at this computer.
export function forgetDrafts(user) {
  try {
    for (const key of Object.keys(localStorage)) if (key.startsWith(`draft:${user}:`)) localStorage.removeItem(key);
  } catch {
    // There were none.
  }
}
