// The period in a few figures, and against the time before.

import { Rate } from "../../components/rate.js";
import { between, count, moment, percent, points } from "../../format.js";
import { T } from "../../texts.js";
import { html } from "../../ui.js";

const judged = (totals) => totals.with_mask + totals.without_mask + totals.incorrect_mask;
const signed = (number) => points(number / 100);

export function Summed({ summary: { period, before, change, timezone }, whole }) {
  return html`<section class="today" aria-label=${T.reports.span(moment(period.from, timezone), moment(period.to, timezone))}>
    <div class="card pad"><h2>${T.reports.rate}</h2>
      <${Rate} rate=${period.compliance_rate} interval=${period.interval} meaning=${T.reports.meaning} large />
      <${Corrected} whole=${whole} /></div>
    <div class="card pad"><h2>${T.reports.change}</h2>
      ${change
        ? html`<p class="change"><span class="figure">${T.reports.changePoints(signed(change.points))}</span>
            <span class="meaning">${T.reports.changeInterval(signed(change.interval[0]), signed(change.interval[1]))}</span></p>
            <p>${change.interval[0] <= 0 && change.interval[1] >= 0 ? T.reports.chance : T.reports.notChance}</p>`
        : html`<p class="quiet">${T.reports.noChange}</p>`}
      <p class="meaning">${T.reports.before(percent(before.compliance_rate), count(judged(before)))}<br />${T.reports.span(moment(before.from, timezone), moment(before.to, timezone))}</p></div>
    <div class="card pad"><h2>${T.reports.passages}</h2><dl class="counts">
      ${[["passages", period.tracks], ["judged", judged(period)], ["events", period.events], ["exempt", period.exempt], ["outside", period.outside_hours], ["open", period.open_tracks]]
        .map(([name, number]) => html`<dt key=${name}>${T.reports[name]}</dt><dd>${count(number)}</dd>`)}
    </dl></div>
  </section>`;
}

// What spot checks say of the system's own errors, where the building has them.
function Corrected({ whole }) {
  if (!whole) return null;
  const { corrected_rate: rate, corrected_interval: interval, corrected_note: note, verified_by: by } = whole;
  if (rate === null) return html`<p class="meaning corrected">${T.reports.notCorrected}: ${note}${by && `, ${T.reports.checks(count(by.checks))}`}</p>`;
  return html`<p class="corrected"><strong>${T.reports.corrected}: ${percent(rate)}</strong><br />
    <span class="meaning">${T.reports.correctedText(between(interval), count(by?.checks))}</span></p>`;
}
