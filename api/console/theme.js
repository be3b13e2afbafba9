// Before anything is drawn: the light or dark that this person chose here. Nothing chosen: what the system says.
(() => {
  const KEY = "maskwatch-theme";
  const root = document.documentElement;
  const chosen = () => {
    try {
      return localStorage.getItem(KEY);
    } catch {
      return null; // A browser that keeps nothing.
    }
  };
  const show = (theme) => {
    if (theme === "light" || theme === "dark") root.dataset.theme = theme;
    else delete root.dataset.theme;
  };
  show(chosen());
  window.maskwatchTheme = {
    get: () => root.dataset.theme ?? "system",
    set: (theme) => {
      show(theme);
      try {
        localStorage.setItem(KEY, theme);
      } catch {
        // It holds until the page is left.
      }
    },
  };
})();
