// Buildings, zones or cameras side by side over the period.

import { get } from "../../api.js";
import { useAsked } from "../../asked.js";
import { Choice } from "../../components/field.js";
import { IntervalBar } from "../../components/rate.js";
import { Shown } from "../../components/states.js";
import { Table } from "../../components/table.js";
import { between, count, percent } from "../../format.js";
import { T } from "../../texts.js";
import { html, useState } from "../../ui.js";

const byRate = (one, other) => (one.compliance_rate ?? 2) - (other.compliance_rate ?? 2);

export function Compare({ places, asks, zone }) {
  const kinds = ["building", "zone", "camera"].filter((one) => (one === "building" ? places.buildings.size > 1 : one === "zone" ? places.zones.size > 0 : true));
  const [by, setBy] = useState(kinds[0]);
  const asked = useAsked(
    (signal) => get("/statistics/compliance", { ...asks.place, from: asks.span.from, to: asks.span.to, bucket: "month", group_by: by, timezone: zone }, { signal }),
    [by, JSON.stringify([asks.place, asks.span, zone])],
  );
  const columns = [
    { name: "place", title: T.reports.place, head: true, cell: (row) => row.group.name ?? T.reports.elsewhere },
    { name: "rate", title: T.reports.rate, number: true, cell: (row) => percent(row.compliance_rate) },
    { name: "interval", title: T.reports.interval, cell: (row) => html`<div class="in-cell"><${IntervalBar} rate=${row.compliance_rate} interval=${row.interval} /><span class="meaning">${between(row.interval)}</span></div>` },
    { name: "tracks", title: T.reports.passages, number: true, cell: (row) => count(row.tracks) },
    { name: "unknown", title: T.labels.unknown, number: true, cell: (row) => count(row.unknown) },
    { name: "events", title: T.reports.events, number: true, cell: (row) => count(row.events) },
  ];
  return html`<section class="card pad wide-chart places"><div class="row"><h2 class="grow">${T.reports.compare}</h2>
      ${kinds.length > 1 && html`<${Choice} label=${T.reports.by} value=${by} change=${setBy} options=${kinds.map((one) => [one, T.reports.byNames[one]])} />`}</div>
    <${Shown} asked=${asked}>${(data) => html`<${Table} caption=${T.reports.compare} columns=${columns} rows=${data.whole.filter((one) => one.tracks > 0).sort(byRate)} keyOf=${(row) => row.group.id ?? ""} />`}<//></section>`;
}
