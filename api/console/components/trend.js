// Small pictures of rates over time.

import { html } from "../ui.js";

// Rates as dots with their intervals. `points`: [{ label, rate, interval, text }], rate null where nobody was judged;
// `text` says it in words for who can't see it.
export function Trend({ points, label }) {
  const step = 100 / Math.max(1, points.length);
  const known = points.filter((one) => one.interval);
  const low = Math.min(0.9, ...known.map((one) => one.interval[0]));
  const floor = Math.max(0, Math.floor(low * 10) / 10);
  const y = (share) => 4 + 52 * (1 - (share - floor) / (1 - floor));
  return html`<figure class="trend">
    <div class="trend-plot">
      <span class="trend-top" aria-hidden="true">100 %</span><span class="trend-floor" aria-hidden="true">${Math.round(100 * floor)} %</span>
      <svg viewBox="0 0 100 60" preserveAspectRatio="none" role="img" aria-label=${label} focusable="false">
        <line class="grid" x1="0" x2="100" y1="4" y2="4" vector-effect="non-scaling-stroke" />
        <line class="grid" x1="0" x2="100" y1="56" y2="56" vector-effect="non-scaling-stroke" />
        ${points.map((one, n) => one.interval && html`<g key=${n}>
          <line class="whisker" x1=${step * (n + 0.5)} x2=${step * (n + 0.5)} y1=${y(one.interval[1])} y2=${y(one.interval[0])} vector-effect="non-scaling-stroke" />
          <line class="dot" x1=${step * (n + 0.5)} x2=${step * (n + 0.5) + 0.001} y1=${y(one.rate)} y2=${y(one.rate)} vector-effect="non-scaling-stroke" />
        </g>`)}
      </svg>
    </div>
    <ol class="trend-days">${points.map((one, n) => html`<li key=${n} class=${n === points.length - 1 ? "now" : ""}>
      <span aria-hidden="true">${one.label}</span><span class="unseen">${one.text}</span></li>`)}</ol>
  </figure>`;
}

// A line in a row of a table: `values` 0 to 1 or null, oldest first; `text` says it in words.
export function Sparkline({ values, text }) {
  const known = values.map((value, n) => [n, value]).filter(([, value]) => value !== null && value !== undefined);
  const x = (n) => 2 + (96 * n) / Math.max(1, values.length - 1);
  const low = Math.min(0.8, ...known.map(([, value]) => value));
  const y = (value) => 21 - (18 * (value - low)) / (1 - low || 1);
  return html`<svg class="sparkline" viewBox="0 0 100 24" preserveAspectRatio="none" role="img" aria-label=${text} focusable="false">
    <polyline points=${known.map(([n, value]) => `${x(n)},${y(value)}`).join(" ")} vector-effect="non-scaling-stroke" />
    ${known.length > 0 && html`<line class="dot" x1=${x(known.at(-1)[0])} x2=${x(known.at(-1)[0]) + 0.001} y1=${y(known.at(-1)[1])} y2=${y(known.at(-1)[1])} vector-effect="non-scaling-stroke" />`}
  </svg>`;
}
