// A table leaves the page as text, as Markdown or as a file for spreadsheets.
import { confirmOn, write } from "./copy.js";

const FORMULA = /^[=+\-@\t\r]/; // a spreadsheet would take it for one
const NUMBER = /^[+-]?[\d.,\s]*\d%?$/;
const MARKS = { STRONG: "**", EM: "*", S: "~~", CODE: "`" };

function rows(table, textOf) {
  return [...table.rows].map((row) => [...row.cells].map(textOf));
}

function plain(cell) {
  const copy = cell.cloneNode(true);
  for (const end of copy.querySelectorAll("br")) end.replaceWith(" ");
  return copy.textContent.replace(/\s+/g, " ").trim();
}

function markdown(node) {
  if (node.nodeType === Node.TEXT_NODE) return node.data.replace(/\s+/g, " ").replace(/[|\\]/g, "\\$&");
  if (node.tagName === "BR") return "<br>";
  const inside = [...node.childNodes].map(markdown).join("");
  if (node.tagName === "A" && node.hasAttribute("href")) return `[${inside}](${node.getAttribute("href")})`;
  const mark = MARKS[node.tagName] ?? "";
  return mark + inside + mark;
}

function side(cell) {
  if (cell.classList.contains("right")) return "--:";
  return cell.classList.contains("center") ? ":-:" : "---";
}

function asMarkdown(table) {
  const [head, ...body] = rows(table, (cell) => markdown(cell).trim());
  return [head, [...table.rows[0].cells].map(side), ...body].map((row) => `| ${row.join(" | ")} |\n`).join("");
}

function asText(table) {
  return rows(table, plain).map((row) => `${row.join("\t")}\n`).join("");
}

// Whoever opens the file must not run what a model wrote: an apostrophe makes it text.
function csvCell(text) {
  const safe = FORMULA.test(text) && !NUMBER.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

function asCsv(table) {
  return rows(table, plain).map((row) => `${row.map(csvCell).join(",")}\r\n`).join("");
}

function download(text, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob(["\ufeff", text], { type: "text/csv" })); // the mark says that it is UTF-8
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href));
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest(".table-bar button");
  if (!button) return;
  const table = button.closest(".table").querySelector("table");
  if (button.value === "csv") return download(asCsv(table), button.dataset.file);
  await write(Promise.resolve(button.value === "markdown" ? asMarkdown(table) : asText(table)));
  confirmOn(button);
});
