// Today's rate and its trend, building by building; and what needs somebody.

import { get } from "../api.js";
import { useAsked } from "../asked.js";
import { LabelHelp, LabelName } from "../components/label.js";
import { IntervalBar, Rate } from "../components/rate.js";
import { Empty, Shown } from "../components/states.js";
import { Table } from "../components/table.js";
import { Sparkline, Trend } from "../components/trend.js";
import { Attention } from "./attention.js";
import { between, clock, count, day, percent, weekday } from "../format.js";
import { href } from "../router.js";
import { may } from "../session.js";
import { T } from "../texts.js";
import { html } from "../ui.js";

const SHOWN = ["with_mask", "incorrect_mask", "without_mask", "unknown"];
const EVERY_MS = 15000;

export default function Overview() {
  const asked = useAsked((signal) => get("/overview", {}, { signal }), [], { on: ["event", "camera", "job"], every: EVERY_MS });
  return html`
    <div class="page-head"><h1>${T.overview.title}</h1>
      ${asked.data && html`<p class="quiet">${T.overview.asOf(clock(asked.data.as_of, zoneOf(asked.data)))}</p>`}</div>
    <${Shown} asked=${asked}>${(data) => html`<${Facts} data=${data} />`}<//>
  `;
}

// One zone for what is said of all: that of the buildings where they agree, else that of the person.
function zoneOf(data) {
  const zones = new Set(data.buildings.map((one) => one.timezone));
  return zones.size === 1 ? [...zones][0] : Intl.DateTimeFormat().resolvedOptions().timeZone;
}

function Facts({ data }) {
  if (data.cameras.enabled === 0 && data.today.tracks === 0) {
    return html`<${Attention} data=${data} troubles />
      <${Empty} icon="camera" title=${T.overview.empty} text=${T.overview.emptyText}>
        ${may("operator") && html`<a class="button main" href=${href("cameras/new")}>${T.overview.add}</a>`}<//>`;
  }
  return html`
    <section class="today" aria-label=${T.overview.today}>
      <div class="card pad"><h2>${T.overview.today}</h2>
        <${Rate} rate=${data.today.compliance_rate} interval=${data.today.interval} meaning=${T.overview.meaning} large /></div>
      <${Days} data=${data} />
      <${Counts} totals=${data.today} />
    </section>
    <${Attention} data=${data} />
    ${data.buildings.length > 0 && html`<${Places} buildings=${data.buildings} />`}
    <${LabelHelp} />
    <p class="meaning">${T.overview.note}</p>
  `;
}

function Days({ data }) {
  const days = data.trend ?? (data.buildings.length === 1 ? data.buildings[0].trend : null);
  if (!days) return null;
  const points = days.map((one) => {
    const noon = `${one.date}T12:00:00Z`;
    return {
      label: weekday(noon),
      rate: one.compliance_rate,
      interval: one.interval,
      text: one.interval
        ? T.overview.trendDay(day(noon), percent(one.compliance_rate), between(one.interval), count(one.tracks))
        : T.overview.trendNone(day(noon)),
    };
  });
  return html`<div class="card pad"><h2>${T.overview.trend}</h2>
    <${Trend} points=${points} label=${T.overview.trendText} /></div>`;
}

function Counts({ totals }) {
  const known = SHOWN.reduce((sum, name) => sum + totals[name], 0);
  let from = 0;
  return html`<div class="card pad"><h2>${T.overview.passages}</h2>
    <div class="shares" aria-hidden="true"><svg viewBox="0 0 100 4" preserveAspectRatio="none" focusable="false">
      ${known > 0 && SHOWN.map((name) => {
        const wide = (100 * totals[name]) / known;
        from += wide;
        return html`<rect key=${name} class=${name} x=${from - wide} y="0" width=${wide} height="4" />`;
      })}</svg></div>
    <dl class="counts">
      ${SHOWN.map((name) => html`<dt key=${name}><${LabelName} label=${name} /></dt><dd>${count(totals[name])}</dd>`)}
      <dt class="sum">${T.overview.passages}</dt><dd class="sum">${count(totals.tracks)}</dd>
      <dt>${T.overview.events}</dt><dd>${count(totals.events)}</dd>
      <dt>${T.overview.open}</dt><dd>${count(totals.open_tracks)}</dd>
    </dl></div>`;
}

function Places({ buildings }) {
  const rows = buildings.flatMap((building) => [
    { ...building, key: building.id, building: building.id },
    ...(building.zones.some((zone) => zone.id !== null)
      ? building.zones.map((zone) => ({ ...zone, key: `${building.id}/${zone.id}`, building: building.id, zone: true }))
      : []),
  ]);
  const columns = [
    { name: "place", title: T.overview.place, head: true, cell: (row) => html`<a href=${href("reports", { building: row.building, zone: row.zone ? row.id : null })}>
      ${row.name ?? T.overview.elsewhere}</a>` },
    { name: "rate", title: T.overview.rate, number: true, cell: (row) => percent(row.compliance_rate) },
    { name: "interval", title: T.overview.interval, cell: (row) => html`<div class="in-cell"><${IntervalBar} rate=${row.compliance_rate} interval=${row.interval} /><span class="meaning">${between(row.interval)}</span></div>` },
    { name: "trend", title: T.overview.trend, cell: (row) => row.trend && html`<${Sparkline} values=${row.trend.map((one) => one.compliance_rate)} text=${row.trend.map((one) => percent(one.compliance_rate)).join(", ")} />` },
    { name: "tracks", title: T.overview.passages, number: true, cell: (row) => count(row.tracks) },
    { name: "events", title: T.overview.events, number: true, cell: (row) => count(row.events) },
    { name: "open", title: T.overview.openShort, number: true, cell: (row) => count(row.open_tracks) },
  ];
  return html`<section class="block places"><h2>${T.overview.where}</h2>
    <div class="card pad"><${Table} caption=${T.overview.where} columns=${columns} rows=${rows} keyOf=${(row) => row.key} rowClass=${(row) => (row.zone ? "zone" : "")} /></div>
  </section>`;
}
