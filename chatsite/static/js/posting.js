// Frames to the server where there is no socket: each is posted, and answered with frames for this tab.

const RELOADED = "reloaded-for-a-form";
const RELOAD_MS = 60_000;
const PATIENCE_MS = 45_000; // as for an event, or an answer to a poll

// Not again and again, if something on the way is what refuses.
function mayReload() {
  try {
    if (Date.now() - Number(sessionStorage.getItem(RELOADED)) < RELOAD_MS) return false;
    sessionStorage.setItem(RELOADED, Date.now());
    return true;
  } catch {
    return false;
  }
}

// `listener` has closed() and answered(frame).
export async function post(frame, listener) {
  const token = document.querySelector("[name=csrfmiddlewaretoken]").value;
  const headers = { "Content-Type": "application/json", "X-CSRFToken": token };
  try {
    const signal = AbortSignal.timeout(PATIENCE_MS); // a connection can be dead without a sign, as after a sleep
    const response = await fetch("/frames/", { method: "POST", headers, body: JSON.stringify(frame), signal });
    if (response.status === 403 && mayReload()) return location.reload(); // signed in anew: its forms have expired
    for (const answer of (await response.json()).frames) listener.answered(answer);
  } catch {
    listener.closed(); // what was not accepted is sent again when there is a way
  }
}

// The cursor `at` (chatsite/chat/cursors.py), also watching `reply` after the offset `after`.
export function watching(at, reply, after = "") {
  const [news, ...replies] = at.split(",");
  return [news, ...replies.filter((entry) => !entry.startsWith(reply)), `${reply}@${after}`].join(",");
}

// The same cursor, not watching `reply` any more.
export function leaving(at, reply) {
  return at.split(",").filter((entry) => !entry.startsWith(reply)).join(",");
}

export function newsOf(at) {
  return at.split(",")[0];
}

export function watchesReplies(at) {
  return at.includes(",");
}
