// Long lines of code are wrapped, or scroll: by choice, which this browser remembers.

const root = document.documentElement;

function stored() {
  try {
    return localStorage.getItem("wrap-code") === "1";
  } catch {
    return false;
  }
}

function apply(wraps) {
  root.classList.toggle("wrap-code", wraps);
}

// `still` changes the page while the text that is read stays where it is.
export function listenToWrapping(still) {
  apply(stored());
  document.addEventListener("click", (event) => {
    if (!event.target.closest("[data-action=wrap-code]")) return;
    const wraps = !root.classList.contains("wrap-code");
    still(() => apply(wraps));
    try {
      localStorage.setItem("wrap-code", wraps ? "1" : "0");
    } catch {
      // It lasts as long as the page.
    }
  });
}
