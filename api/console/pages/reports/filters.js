// Which time and place a report is about; it stands in the address.

import { Choice, Field } from "../../components/field.js";
import { filter } from "../../router.js";
import { T } from "../../texts.js";
import { html } from "../../ui.js";
import { dateIn, midnight, nextDay } from "../../when.js";

const DAYS = { last7: 7, last30: 30, last365: 365 };
const PERIODS = ["day", "week", "month", ...Object.keys(DAYS), "dates"];
const BUCKETS = ["hour", "day", "week", "month"];
const MOST_DAYS = 366;

// What the API is asked: { name, place, span: {from, to}, bucket, dates: [first, last] }; days are those of `zone`.
export function question(query, zone) {
  const value = (name) => query.get(name) || undefined;
  const today = dateIn(Date.now(), zone);
  const name = value("from") || value("to") ? "dates" : PERIODS.includes(value("period")) ? value("period") : "week";
  const [first, last] = datesOf(name, today, value("from"), value("to"));
  const days = (new Date(last) - new Date(first)) / 86400000 + 1;
  const fit = days <= 2 ? "hour" : days <= 62 ? "day" : days <= 200 ? "week" : "month";
  return {
    name,
    place: { building: value("building"), zone: value("zone"), camera: value("camera") },
    span: { from: midnight(first, zone), to: midnight(nextDay(last), zone) },
    bucket: BUCKETS.includes(value("bucket")) && !(value("bucket") === "hour" && days > 14) ? value("bucket") : fit,
    dates: [first, last],
  };
}

function datesOf(name, today, from, to) {
  const weekday = (new Date(`${today}T00:00:00Z`).getUTCDay() + 6) % 7;
  if (name === "dates") {
    const last = nextDay(to ?? today, 0) || today;
    const first = nextDay(from ?? last, 0) || last;
    const least = nextDay(last, 1 - MOST_DAYS);
    return first > last ? [last, first] : [first < least ? least : first, last];
  }
  if (name === "week") return [nextDay(today, -weekday), today];
  if (name === "month") return [`${today.slice(0, 8)}01`, today];
  return [nextDay(today, 1 - (DAYS[name] ?? 1)), today];
}

export function Filters({ query, places, asks }) {
  const value = (name) => query.get(name) ?? "";
  const named = (map, keep = () => true) => [...map.values()].filter(keep).sort((one, other) => one.name.localeCompare(other.name)).map((one) => [one.id, one.name]);
  const here = (one) => !value("building") || one.building_id === value("building");
  const zones = named(places.zones, here);
  return html`<div class="filters">
    <${Choice} label=${T.reports.period} value=${asks.name} change=${(one) => filter(one === "dates" ? { period: "", from: asks.dates[0], to: asks.dates[1] } : { period: one, from: "", to: "", bucket: "" })}
      options=${PERIODS.map((one) => [one, T.reports.periods[one]])} />
    ${asks.name === "dates" && html`<${Field} label=${T.reports.from} type="date" value=${asks.dates[0]} max=${asks.dates[1]} onChange=${(event) => filter({ from: event.target.value })} />
      <${Field} label=${T.reports.to} type="date" value=${asks.dates[1]} min=${asks.dates[0]} onChange=${(event) => filter({ to: event.target.value })} />`}
    <${Choice} label=${T.reports.bucket} value=${asks.bucket} change=${(one) => filter({ bucket: one })} options=${BUCKETS.map((one) => [one, T.reports.buckets[one]])} />
    ${places.buildings.size > 1 && html`<${Choice} label=${T.reports.building} value=${value("building")} change=${(one) => filter({ building: one, zone: "", camera: "" })} options=${[["", T.reports.all], ...named(places.buildings)]} />`}
    ${zones.length > 0 && html`<${Choice} label=${T.reports.zone} value=${value("zone")} change=${(one) => filter({ zone: one })} options=${[["", T.reports.all], ...zones]} />`}
    <${Choice} label=${T.reports.camera} value=${value("camera")} change=${(one) => filter({ camera: one })} options=${[["", T.reports.all], ...named(places.cameras, here)]} />
  </div>`;
}
