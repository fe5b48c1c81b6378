// The copy buttons of code and of answers.

const SHOWN_MS = 1600;

// Put a text that is or will be there on the clipboard.
export async function write(text) {
  if (navigator.clipboard) return navigator.clipboard.write([new ClipboardItem({ "text/plain": text })]);
  // On pages that are not secure there is only the old way.
  const area = document.createElement("textarea");
  area.value = await text;
  document.body.append(area);
  area.select();
  document.execCommand("copy");
  area.remove();
}

async function answerText(link) {
  const response = await fetch(link.href);
  if (!response.ok) throw new Error(`The answer could not be fetched: ${response.status}`);
  return response.text();
}

// Say on the button that it is done.
export function confirmOn(button) {
  button.classList.add("copied");
  setTimeout(() => button.classList.remove("copied"), SHOWN_MS);
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-action=copy-code], [data-action=copy-answer]");
  if (!button) return;
  event.preventDefault();
  const isCode = button.dataset.action === "copy-code";
  await write(isCode ? Promise.resolve(button.closest(".code").querySelector("code").textContent) : answerText(button));
  confirmOn(button);
});
