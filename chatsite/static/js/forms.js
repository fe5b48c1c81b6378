// Forms that have pages of their own, for those without a script, and are opened in place for the others.

export async function formFrom(link, selector) {
  const response = await fetch(link.href);
  const page = document.createElement("template");
  page.innerHTML = await response.text(); // rendered by the server
  const form = page.content.querySelector(selector);
  if (!form) throw new Error(`The form could not be fetched: ${response.status}`);
  return form;
}

// Whether a click means this page, and not a new tab.
export function isPlain(event) {
  return !(event.ctrlKey || event.metaKey || event.shiftKey || event.altKey);
}
