// The labels: their names with their colours, and what they mean.

import { T } from "../texts.js";
import { html } from "../ui.js";

export const LabelName = ({ label }) => html`<span class="label" data-label=${label}>${T.labels[label] ?? label.replaceAll("_", " ")}</span>`;

export function LabelHelp() {
  return html`<details class="labels"><summary>${T.overview.meaningTitle}</summary>
    <dl class="card">${Object.keys(T.labels).map((name) => html`<dt key=${name}><${LabelName} label=${name} /></dt><dd>${T.policy[name]}</dd>`)}</dl>
    <p class="meaning">${T.policy.not_judged}</p><p class="meaning">${T.policy.intended_use}</p></details>`;
}
