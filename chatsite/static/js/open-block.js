// The block that is still being written: a light preview of its Markdown, made of elements and text only.
// The server's rendering takes its place as soon as the block is finished.

const LIGHT_MAX = 12_000; // longer text is shown as it is
const LINE = /^( *)(?:(#{1,6}) |([-*+]|\d{1,9}[.)]) |(>) ?)?(.*)$/s;
const INLINE = /(`+)(.+?)\1|\*\*(.+?)\*\*|__(.+?)__|\*([^\s*](?:.*?[^\s*])?)\*/g;
const FENCE = /^ {0,3}(```|~~~)/;

function element(tag, className, ...children) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.append(...children);
  return made;
}

function inline(text) {
  const parts = [];
  let end = 0;
  for (const match of text.matchAll(INLINE)) {
    const [all, , code, bold, alsoBold, emphasis] = match;
    parts.push(text.slice(end, match.index));
    if (code !== undefined) parts.push(element("code", "", code));
    else if (emphasis !== undefined) parts.push(element("em", "", emphasis));
    else parts.push(element("strong", "", bold ?? alsoBold));
    end = match.index + all.length;
  }
  return [...parts, text.slice(end)];
}

function line(text) {
  const [, indent, heading, marker, quote, rest] = LINE.exec(text);
  if (heading) return element("div", `line heading level-${Math.min(heading.length, 3)}`, ...inline(rest));
  if (quote) return element("div", "line quote", ...inline(rest));
  if (!marker) return element("div", indent.length > 1 ? "line continued" : "line", ...inline(rest));
  const shown = element("span", "marker", /\d/.test(marker) ? marker : "•");
  return element("div", indent.length > 1 ? "line item nested" : "line item", shown, element("span", "", ...inline(rest)));
}

// A long block only gets the text that is new, as laying it out anew for every frame would take its time.
function extended(shown, className, text) {
  if (shown.className !== className || !text.startsWith(shown.textContent)) return element("pre", className, text);
  if (shown.firstChild) shown.firstChild.appendData(text.slice(shown.firstChild.length));
  else shown.append(text);
  return shown;
}

// The element that shows `text`, which is the whole open block; `shown` is what showed it so far.
export function showOpenBlock(shown, text) {
  // A fence is not part of the code that people see.
  if (FENCE.test(text)) return extended(shown, "open code-text", text.includes("\n") ? text.slice(text.indexOf("\n") + 1) : "");
  if (text.length > LIGHT_MAX || text.includes("\n|")) return extended(shown, "open as-is", text.trimStart());
  return element("div", "open", ...text.trim().split(/\n+/).map(line));
}
