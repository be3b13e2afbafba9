// What is looked at: filters that stand in the address, so that a link leads to the same events.

import { Choice, Field } from "../../components/field.js";
import { go, href } from "../../router.js";
import { T } from "../../texts.js";
import { html } from "../../ui.js";
import { dateIn, midnight, nextDay } from "../../when.js";

const FACTS = ["building", "camera", "zone", "type", "label", "job"];
const LABELS = ["without_mask", "incorrect_mask"];
const VERDICTS = ["pending", "confirmed", "dismissed", "all"];
const PERIODS = { today: 0, week: 6, month: 29 };

// The address's filters as the API asks for them; without a word about verdicts, those that wait.
export function wanted(query, places) {
  const asked = Object.fromEntries(FACTS.map((name) => [name, query.get(name)]).filter(([, value]) => value));
  const verdict = query.get("verdict") ?? "pending";
  if (verdict !== "all" && VERDICTS.includes(verdict)) asked.verdict = verdict;
  const zone = zoneOf(query.get("building"), places);
  const period = query.get("period");
  if (period in PERIODS) asked.from = midnight(nextDay(dateIn(Date.now(), zone), -PERIODS[period]), zone);
  if (query.get("from")) asked.from = midnight(query.get("from"), zone);
  if (query.get("to")) asked.to = midnight(nextDay(query.get("to")), zone);
  return asked;
}

// In which time zone days are meant: the building's, or that of all where they agree, or the person's.
export function zoneOf(building, places) {
  const zones = new Set([...places.buildings.values()].map((one) => one.timezone));
  const only = zones.size === 1 ? [...zones][0] : Intl.DateTimeFormat().resolvedOptions().timeZone;
  return places.buildings.get(building)?.timezone ?? only;
}

// `tracks`: of passages, which have labels, and not only breaches.
export function Filters({ route: { query }, places, tracks = false }) {
  const value = (name) => query.get(name) ?? "";
  // Another question is another list: the event that is open now may not be in it.
  const change = (changes) => go("review", { ...Object.fromEntries(query), ...changes }, { replace: true });
  const building = value("building");
  const here = (one) => !building || one.building_id === building;
  const named = (map, keep = () => true) => [...map.values()].filter(keep).sort((one, other) => one.name.localeCompare(other.name)).map((one) => [one.id, one.name]);
  const zones = named(places.zones, here);
  const period = value("from") || value("to") ? "dates" : value("period");
  const set = [
    T.review.verdicts[value("verdict") || "pending"], T.labels[value("type")], T.labels[value("label")], places.buildings.get(building)?.name,
    places.zones.get(value("zone"))?.name, places.cameras.get(value("camera"))?.name, period && T.review.periods[period], value("job") && T.review.job,
  ];
  return html`<details class="card more-filters"><summary>${T.review.filters}: <strong>${set.slice(tracks ? 1 : 0).filter(Boolean).join(", ") || T.review.every}</strong></summary><div class="filters">
    ${places.buildings.size > 1 && html`<${Choice} label=${T.review.building} value=${building} change=${(one) => change({ building: one, camera: "", zone: "" })}
      options=${[["", T.review.everywhere], ...named(places.buildings)]} />`}
    ${zones.length > 0 && html`<${Choice} label=${T.review.zone} value=${value("zone")} change=${(one) => change({ zone: one })} options=${[["", T.review.everywhere], ...zones]} />`}
    <${Choice} label=${T.review.camera} value=${value("camera")} change=${(one) => change({ camera: one })} options=${[["", T.review.everyCamera], ...named(places.cameras, here)]} />
    ${tracks
      ? html`<${Choice} label=${T.review.label} value=${value("label")} change=${(one) => change({ label: one })}
          options=${[["", T.review.every], ...Object.keys(T.labels).map((one) => [one, T.labels[one]])]} />`
      : html`<${Choice} label=${T.review.type} value=${value("type")} change=${(one) => change({ type: one })}
          options=${[["", T.review.every], ...LABELS.map((one) => [one, T.labels[one]])]} />
        <${Choice} label=${T.review.verdict} value=${value("verdict") || "pending"} change=${(one) => change({ verdict: one })}
          options=${VERDICTS.map((one) => [one, T.review.verdicts[one]])} />`}
    <${Choice} label=${T.review.period} value=${period} change=${(one) => change(one === "dates" ? { period: "", from: dateIn(Date.now(), zoneOf(building, places)) } : { period: one, from: "", to: "" })}
      options=${[["", T.review.always], ...Object.keys(PERIODS).map((one) => [one, T.review.periods[one]]), ["dates", T.review.periods.dates]]} />
    ${period === "dates" && html`<${Field} label=${T.review.from} type="date" value=${value("from")} max=${value("to")} onChange=${(event) => change({ from: event.target.value })} />
      <${Field} label=${T.review.to} type="date" value=${value("to")} min=${value("from")} onChange=${(event) => change({ to: event.target.value })} />`}
  </div></details>
  ${value("job") && html`<p class="meaning of-job">${T.review.jobOnly} <a href=${href(`footage/${value("job")}`)}>${T.review.toJob}</a> <a href=${href("review", { ...Object.fromEntries(query), job: "" })}>${T.review.jobAll}</a></p>`}`;
}
