// The admin: names for the parts of a page that the theme leaves without.

// A field in a table is called like its column.
function nameFields(rows) {
  for (const field of rows.querySelectorAll("td :is(input:not([type=hidden]), select, textarea)")) {
    const cell = field.closest("td");
    const header = cell.closest("table").tHead?.rows[0].cells[cell.cellIndex];
    if (header && !field.labels.length && !field.ariaLabel) field.ariaLabel = header.innerText.trim();
  }
}

addEventListener("load", () => {
  document.getElementById("main")?.setAttribute("role", "main");
  // Boxes that scroll are called alike, and are no places to go to.
  for (const box of document.querySelectorAll(".simplebar-content-wrapper[role=region]")) box.setAttribute("role", "group");
  // What scrolls sideways is reached by keys, too.
  for (const box of document.querySelectorAll(".overflow-x-auto")) {
    if (box.querySelector("a, button, input, select")) continue;
    box.tabIndex = 0;
    box.setAttribute("role", "group");
    box.ariaLabel = "Wide content";
  }
  nameFields(document);
  for (const header of document.querySelectorAll("th")) {
    if (!header.textContent.trim() && !header.querySelector("input")) header.setAttribute("role", "presentation");
  }
});
document.addEventListener("formset:added", (event) => nameFields(event.target));
