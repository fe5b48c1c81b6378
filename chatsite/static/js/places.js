// Where one was in each conversation, for as long as the tab is there. `place` is {message, top, from}: the first
// message that was in sight, how far its top was below that of the window, and the oldest one on the page.

function key(user, conversation) {
  return `place:${user}:${conversation}`;
}

export function remember({ user, conversation }, place) {
  try {
    if (place) sessionStorage.setItem(key(user, conversation), JSON.stringify(place));
    else sessionStorage.removeItem(key(user, conversation));
  } catch {
    // The page opens at its end.
  }
}

export function recall({ user, conversation }) {
  try {
    return JSON.parse(sessionStorage.getItem(key(user, conversation)));
  } catch {
    return null;
  }
}
