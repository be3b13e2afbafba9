// A compliance rate: the number, the bar that shows its 95 % interval, and the interval in words.

import { between, percent } from "../format.js";
import { T } from "../texts.js";
import { classes, html } from "../ui.js";

// `rate` 0 to 1 or null, `interval` [low, high] or null. `large` for the one figure of a page, with `meaning` under it.
export function Rate({ rate, interval, large = false, meaning }) {
  return html`<div class=${classes("rate", large && "large")}>
    <span class="figure">${percent(rate)}</span>
    ${meaning && html`<span>${meaning}</span>`}
    <${IntervalBar} rate=${rate} interval=${interval} />
    <span class="meaning">${interval ? T.rate.interval(between(interval)) : T.rate.nobody}</span>
  </div>`;
}

export function IntervalBar({ rate, interval }) {
  const [low, high] = interval ?? [0, 0];
  return html`<svg class="interval" viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true" focusable="false">
    <rect class="ground" x="0" y="2" width="100" height="4" rx="2" />
    ${interval && html`<rect class="range" x=${100 * low} y="2" width=${Math.max(0.5, 100 * (high - low))} height="4" />`}
    ${rate !== null && rate !== undefined && html`<line class="mark" x1=${100 * rate} x2=${100 * rate} y1="0" y2="8" vector-effect="non-scaling-stroke" />`}
  </svg>`;
}
