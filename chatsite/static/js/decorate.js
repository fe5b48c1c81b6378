// What only a script can use, put into what the server has rendered: the buttons of code and tables, and the names of
// what has to be scrolled.

const names = document.getElementById("messages").dataset;
const observer = new ResizeObserver((seen) => seen.forEach(({ target }) => name(target)));

// What does not fit scrolls by itself, and is reached with the keyboard under a name; the rest is no stop on the way.
function name(region) {
  const scrolls = region.scrollWidth > region.clientWidth + 1;
  region.parentElement.classList.toggle("scrolls", scrolls);
  if (!scrolls) return ["tabindex", "role", "aria-label"].forEach((each) => region.removeAttribute(each));
  region.tabIndex = 0;
  region.setAttribute("role", "region");
  region.setAttribute("aria-label", nameOf(region));
}

function nameOf(region) {
  if (region.matches(".table-scroll")) return names.tableName;
  if (region.matches(".formula")) return names.formulaName;
  return `${names.codeName}, ${region.parentElement.querySelector(".code-bar span").textContent}`;
}

function fill(bar, template) {
  bar.append(document.getElementById(template).content.cloneNode(true));
}

// Call with every part of the page that the server has rendered.
export function decorate(root) {
  for (const bar of root.querySelectorAll(".code-bar:not(:has(button))")) fill(bar, "code-buttons");
  for (const bar of root.querySelectorAll(".table-bar:not(:has(button))")) fill(bar, "table-buttons");
  for (const region of root.querySelectorAll(".code pre, .table-scroll, .formula")) observer.observe(region);
}
