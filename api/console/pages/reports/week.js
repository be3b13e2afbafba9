// The hours of the week, as a table whose cells are the darker the more there is; and those with most passages.

import { Choice } from "../../components/field.js";
import { count, decimal, percent } from "../../format.js";
import { T } from "../../texts.js";
import { html, useState } from "../../ui.js";

const SHADES = 5;
const DAYS = Object.keys(T.reports.weekday);

export function Week({ table }) {
  const [measure, setMeasure] = useState("tracks");
  const most = Math.max(1e-9, ...table.flat().map((one) => one?.tracks_per_hour ?? 0));
  const rate = measure === "rate";
  const value = (one) => (rate ? one.compliance_rate : one.tracks ? one.tracks_per_hour : null);
  const shade = (one) => {
    const found = one && value(one);
    if (found === null) return 0;
    return Math.min(SHADES, 1 + Math.floor((SHADES * found) / (rate ? 1 : most)));
  };
  const words = (one) => {
    if (!one || value(one) === null) return one?.tracks === 0 && !rate ? "0" : "–";
    return rate ? decimal(100 * one.compliance_rate, 0) : decimal(one.tracks_per_hour, one.tracks_per_hour < 9.95 && !Number.isInteger(one.tracks_per_hour) ? 1 : 0);
  };
  return html`<section class="card pad wide-chart"><div class="row"><h2 class="grow">${T.reports.week}</h2>
      <${Choice} label=${T.reports.measure} value=${measure} change=${setMeasure} options=${Object.entries(T.reports.weekText)} /></div>
    <div class="scroll" tabindex="0" role="region" aria-label=${T.table.scroll(T.reports.week)}>
    <table class="heat"><caption class="unseen">${T.reports.week}: ${T.reports.weekText[measure]}${rate ? ", %" : ""}</caption>
      <thead><tr><th scope="col">${T.reports.hourHead}</th>${Array.from({ length: 24 }, (_, hour) => html`<th key=${hour} scope="col">${hour}</th>`)}</tr></thead>
      <tbody>${table.map((hours, at) => html`<tr key=${at}><th scope="row">${T.reports.weekday[DAYS[at]]}</th>
        ${hours.map((one, hour) => html`<td key=${hour} class=${`shade-${shade(one)}`}>${words(one)}</td>`)}</tr>`)}</tbody>
    </table></div></section>`;
}

export function Busiest({ hours }) {
  return html`<section class="card pad"><h2>${T.reports.busiest}</h2>
    ${hours.length === 0 ? html`<p class="quiet">${T.reports.busiestNone}</p>` : html`<ol class="busiest">${hours.map((one) => html`<li key=${`${one.weekday} ${one.hour}`}>
      <span>${T.reports.busiestLine(T.reports.weekday[one.weekday] ?? one.weekday, T.reports.hour(one.hour), T.reports.hour((one.hour + 1) % 24))}</span>
      <span class="number">${T.reports.anHour(one.tracks_per_hour < 10 && !Number.isInteger(one.tracks_per_hour) ? decimal(one.tracks_per_hour) : count(Math.round(one.tracks_per_hour)))}</span>
      <span class="number quiet">${percent(one.compliance_rate, 0)}</span></li>`)}</ol>`}</section>`;
}
