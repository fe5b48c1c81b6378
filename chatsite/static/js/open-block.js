// The block that is still being written: a light preview of its Markdown, made of elements and text only, in the shape
// that the server's rendering will have, which takes its place as soon as the block is finished.

const LIGHT_MAX = 12_000; // longer text is shown as it is
const FENCE = /^ {0,3}(`{3,}|~{3,}) *([^\s`]*)/;
const FORMULA = /^ {0,3}(\$\$|\\\[)[ \t]*(?:\n|$)/;
const HEADING = /^ {0,3}(#{1,6})[ \t]+(.*)$/;
const QUOTE = /^ {0,3}> ?/;
const ITEM = /^( *)([-+*]|\d{1,9}[.)])[ \t]+(?:\[([ xX])\][ \t]+)?/;
const DELIMITERS = /^ {0,3}\|?( *:?-+:? *\|)+ *(:?-+:? *)?$/;
const MARKER = /^ *([-+*]|\d{1,9}[.)]|#{1,6}|`{1,3}|~{1,3}|\$\$?|>|\|[-:| ]*|[-+*] +\[[ xX]?\]?)$/; // of something that comes
const LEVELS = ["h3", "h4", "h5", "h6", "h6", "h6"]; // below the headings of the page
const INLINE = /(`+)(.+?)\1|\*\*(.+?)\*\*|__(.+?)__|\*([^\s*](?:.*?[^\s*])?)\*|~~(.+?)~~|\[([^\]]+)\]\([^)\s]+\)|( {2,}|\\)\n/g;

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
    const [all, , code, bold, alsoBold, emphasis, struck, label] = match;
    parts.push(text.slice(end, match.index));
    if (code !== undefined) parts.push(element("code", "", code));
    else if (emphasis !== undefined) parts.push(element("em", "", emphasis));
    else if (struck !== undefined) parts.push(element("s", "", struck));
    else if (label !== undefined) parts.push(element("span", "link", label));
    else if (bold ?? alsoBold) parts.push(element("strong", "", bold ?? alsoBold));
    else parts.push(element("br"));
    end = match.index + all.length;
  }
  return [...parts, text.slice(end)];
}

function codeBox(code, language) {
  const bar = element("div", "code-bar", element("span", "", language || "text"));
  return element("div", "code", bar, element("pre", "", element("code", "", code)));
}

// Takes the lines of one block after the other from `lines`.
class Blocks {
  #lines;
  #at = 0;

  constructor(lines) {
    this.#lines = lines;
  }

  all() {
    const shown = [];
    while (this.#at < this.#lines.length) {
      if (this.#line.trim()) shown.push(this.#next());
      else this.#at++;
    }
    return shown;
  }

  get #line() {
    return this.#lines[this.#at];
  }

  #next() {
    const heading = HEADING.exec(this.#line);
    if (heading) return this.#at++, element(LEVELS[heading[1].length - 1], "", ...inline(heading[2]));
    const fence = FENCE.exec(this.#line);
    if (fence) return this.#code(fence);
    if (QUOTE.test(this.#line)) return element("blockquote", "", ...new Blocks(this.#quoted()).all());
    const item = ITEM.exec(this.#line);
    if (item) return this.#list(item);
    return DELIMITERS.test(this.#lines[this.#at + 1] ?? "") && this.#line.includes("|") ? this.#table() : this.#paragraph();
  }

  #take(belongs) {
    const taken = [];
    while (this.#at < this.#lines.length && belongs(this.#line)) taken.push(this.#lines[this.#at++]);
    return taken;
  }

  #code([, mark, language]) {
    this.#at++;
    const code = this.#take((line) => !line.trim().startsWith(mark));
    this.#at++;
    return codeBox(code.join("\n"), language);
  }

  #quoted() {
    return this.#take((line) => line.trim()).map((line) => line.replace(QUOTE, ""));
  }

  #paragraph() {
    const first = this.#lines[this.#at++];
    const begins = (line) => HEADING.test(line) || FENCE.test(line) || QUOTE.test(line) || ITEM.test(line);
    const isTable = () => DELIMITERS.test(this.#lines[this.#at + 1] ?? "") && this.#line.includes("|");
    return element("p", "", ...inline([first, ...this.#take((line) => line.trim() && !begins(line) && !isTable())].join("\n")));
  }

  #table() {
    const [head, delimiters, ...rows] = this.#take((line) => line.trim());
    const sides = cells(delimiters).map((cell) => (cell.endsWith(":") ? (cell.startsWith(":") ? "center" : "right") : ""));
    const row = (line, tag) => element("tr", "", ...sides.map((side, place) => element(tag, side, ...inline(cells(line)[place] ?? ""))));
    const body = rows.length ? [element("tbody", "", ...rows.map((line) => row(line, "td")))] : [];
    const table = element("table", "", element("thead", "", row(head, "th")), ...body);
    return element("div", "table", element("div", "table-bar"), element("div", "table-scroll", table));
  }

  #list([, , marker]) {
    const isOrdered = /\d/.test(marker);
    const items = [];
    let isLoose = false;
    for (let match; (match = this.#at < this.#lines.length && ITEM.exec(this.#line)) && match[2].at(-1) === marker.at(-1); ) {
      const [all, indent, own, box] = match;
      const inside = indent.length + own.length + 1;
      const first = this.#lines[this.#at++].slice(all.length);
      let isAfterBlank = false;
      const more = this.#take((line) => {
        const belongs = !line.trim() || line.search(/\S/) >= inside || (!isAfterBlank && !ITEM.test(line) && !FENCE.test(line));
        isAfterBlank = !line.trim();
        return belongs;
      });
      const isLast = this.#at >= this.#lines.length;
      const lines = [first, ...more.map((line) => line.slice(Math.min(inside, Math.max(0, line.search(/\S/)))))];
      isLoose ||= (isAfterBlank && !isLast) || lines.join("\n").trim().includes("\n\n");
      items.push({ box, lines });
    }
    const list = element(isOrdered ? "ol" : "ul", items.some(({ box }) => box) ? "contains-task-list" : "");
    if (isOrdered) list.start = Number.parseInt(marker, 10);
    list.append(...items.map((item) => listItem(item, isLoose)));
    return list;
  }
}

function listItem({ box, lines }, isLoose) {
  const content = new Blocks(lines).all().flatMap((block) => (isLoose || block.tagName !== "P" ? [block] : [...block.childNodes]));
  if (!box) return element("li", "", ...content);
  const shown = Object.assign(document.createElement("input"), { type: "checkbox", disabled: true, checked: box !== " " });
  return element("li", "task-list-item", shown, " ", ...content);
}

function cells(line) {
  return line.trim().replace(/^\||\|$/g, "").split(/(?<!\\)\|/).map((cell) => cell.trim().replaceAll("\\|", "|"));
}

// The lines to show: not the beginning of something that nobody can tell yet.
function linesOf(text) {
  const lines = text.replaceAll("\t", "    ").split("\n");
  if (MARKER.test(lines.at(-1))) lines.pop();
  return lines;
}

// A long block only gets the text that is new, as laying it out anew for every frame would take its time.
function extend(place, text) {
  if (!text.startsWith(place.textContent)) place.textContent = text;
  else if (place.firstChild) place.firstChild.appendData(text.slice(place.firstChild.length));
  else place.append(text);
}

function asIs(shown, className, text) {
  const kept = shown.className === className ? shown : element("pre", className);
  extend(kept, text);
  return kept;
}

function afterFirstLine(text) {
  return text.includes("\n") ? text.slice(text.indexOf("\n") + 1) : "";
}

// A fence is not part of the code that people see.
function codeOf(shown, text, language) {
  const kept = shown.className === "open one-code" ? shown : element("div", "open one-code", codeBox("", language));
  kept.querySelector(".code-bar span").textContent = language || "text";
  extend(kept.querySelector("code"), afterFirstLine(text).replace(/\n? {0,3}(`{1,}|~{1,})$/, ""));
  return kept;
}

// The element that shows `text`, which is the whole open block; `shown` is what showed it so far.
export function showOpenBlock(shown, text) {
  const fence = FENCE.exec(text);
  if (fence) return codeOf(shown, text, fence[2]);
  if (FORMULA.test(text)) return asIs(shown, "open tex", afterFirstLine(text));
  if (text.length > LIGHT_MAX) return asIs(shown, "open as-is", text.trimStart());
  return element("div", "open", ...new Blocks(linesOf(text)).all());
}
