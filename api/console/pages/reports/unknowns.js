// Why passages could not be judged.

import { count, percent } from "../../format.js";
import { T } from "../../texts.js";
import { html } from "../../ui.js";

export function Unknowns({ totals }) {
  const given = Object.entries(totals.unknown_reasons).filter(([, number]) => number > 0).sort(([, one], [, other]) => other - one);
  const rest = totals.unknown - given.reduce((sum, [, number]) => sum + number, 0);
  const rows = [...given.map(([reason, number]) => [T.reasons[reason] ?? reason, number]), ...(rest > 0 ? [[T.reports.noReason, rest]] : [])];
  return html`<section class="card pad"><h2>${T.reports.unknown}</h2>
    ${rows.length === 0 ? html`<p class="quiet">${T.reports.unknownNone}</p>` : html`<table class="bars"><caption class="unseen">${T.reports.unknown}</caption>
      <thead class="unseen"><tr><th scope="col">${T.reports.reason}</th><th scope="col">${T.reports.passages}</th><th scope="col">${T.reports.share}</th></tr></thead>
      <tbody>${rows.map(([name, number]) => html`<tr key=${name}><th scope="row">${name}
        <svg class="interval" viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true" focusable="false"><rect class="ground" x="0" y="2" width="100" height="4" /><rect class="bar" x="0" y="2" width=${(100 * number) / totals.unknown} height="4" /></svg></th>
        <td class="number">${count(number)}</td><td class="number quiet">${percent(number / totals.unknown, 0)}</td></tr>`)}</tbody></table>`}</section>`;
}
