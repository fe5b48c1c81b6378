// A part of a page that changes by itself: fetched again until it says that it is finished.

const PAUSE_MS = 1000;

async function refresh(part) {
  try {
    const response = await fetch(location.pathname);
    const fresh = new DOMParser().parseFromString(await response.text(), "text/html").getElementById(part.id);
    if (fresh) {
      part.replaceChildren(...fresh.childNodes);
      part.toggleAttribute("data-refresh", "refresh" in fresh.dataset);
    }
  } catch {
    // The next time, perhaps.
  }
  if ("refresh" in part.dataset) setTimeout(() => refresh(part), PAUSE_MS);
}

for (const part of document.querySelectorAll("[data-refresh]")) setTimeout(() => refresh(part), PAUSE_MS);
