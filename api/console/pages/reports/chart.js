// A chart by uPlot, in the colours of the theme; for eyes only: the same is in the table below it.

import UPlot from "uplot";

import { sheet } from "../../pages.js";
import { html, useEffect, useRef, useState } from "../../ui.js";

// What a token such as --with_mask is now, as the browser computes it.
export function colourOf(token, share = 1) {
  const probe = document.createElement("span");
  probe.hidden = true;
  probe.style.color = share === 1 ? `var(${token})` : `color-mix(in srgb, var(${token}) ${Math.round(100 * share)}%, transparent)`;
  document.body.append(probe);
  const colour = getComputedStyle(probe).color;
  probe.remove();
  return colour;
}

// Grows by one whenever light becomes dark, or the other way round.
function useTheme() {
  const [turn, setTurn] = useState(0);
  useEffect(() => {
    const changed = () => setTurn((before) => before + 1);
    const dark = matchMedia("(prefers-color-scheme: dark)");
    const watcher = new MutationObserver(changed);
    watcher.observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
    dark.addEventListener("change", changed);
    return () => {
      watcher.disconnect();
      dark.removeEventListener("change", changed);
    };
  }, []);
  return turn;
}

// `options(width, height)` of uPlot, made anew when `deps` or the colours change.
export function Chart({ options, data, deps, label }) {
  const root = useRef(null);
  const theme = useTheme();
  useEffect(() => {
    let chart = null;
    let gone = false;
    const box = root.current; // Gone from `root` before the watcher is: it may still tell of a size.
    const size = () => ({ width: Math.max(120, box.clientWidth), height: box.clientHeight });
    const watcher = new ResizeObserver(() => chart?.setSize(size()));
    sheet("/console/vendor/uplot.css").then(() => {
      if (gone) return;
      chart = new UPlot({ ...options(), ...size() }, data, box);
      watcher.observe(box);
    }, () => {});
    return () => {
      gone = true;
      watcher.disconnect();
      chart?.destroy();
    };
  }, [theme, JSON.stringify(deps)]);
  return html`<div class="chart" ref=${root} role="img" aria-label=${label}></div>`;
}

// Axes in the page's colours; `x` and `y` give the words for values.
export function axes(x, y) {
  const one = { stroke: colourOf("--quiet"), grid: { stroke: colourOf("--line"), width: 1 }, ticks: { show: false }, font: "12px system-ui, sans-serif" };
  return [{ ...one, grid: { show: false }, values: (_, splits) => splits.map(x), space: 64, size: 28 }, { ...one, values: (_, splits) => splits.map(y), size: 52, space: 28 }];
}
