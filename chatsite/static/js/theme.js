// Light or dark: the person's choice over the system's. Not a module, so that it runs before the first paint.
(() => {
  const root = document.documentElement;
  root.classList.add("script");

  function stored() {
    try {
      return localStorage.getItem("theme");
    } catch {
      return null;
    }
  }

  function apply(theme) {
    if (theme === "light" || theme === "dark") root.dataset.theme = theme;
  }

  apply(stored());
  addEventListener("storage", (event) => event.key === "theme" && apply(event.newValue));
  addEventListener("click", (event) => {
    if (!event.target.closest?.("[data-action=switch-theme]")) return;
    const isDark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    apply(isDark ? "light" : "dark");
    try {
      localStorage.setItem("theme", root.dataset.theme);
    } catch {
      // Without storage the choice lasts as long as the page.
    }
  });
})();
