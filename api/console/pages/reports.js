// How masks were worn over time: charts, each with its table, for a period and a place that the address names.

import { address, get } from "../api.js";
import { useAsked } from "../asked.js";
import { Icon } from "../components/icon.js";
import { Menu } from "../components/menu.js";
import { Empty, Loading, Shown } from "../components/states.js";
import { moment } from "../format.js";
import { T } from "../texts.js";
import { html } from "../ui.js";
import { zoneOf } from "./review/filters.js";
import { places } from "./review/places.js";
import { Compare } from "./reports/compare.js";
import { CountsOver, RateOver } from "./reports/over.js";
import { Filters, question } from "./reports/filters.js";
import { Summed } from "./reports/summed.js";
import { Unknowns } from "./reports/unknowns.js";
import { Busiest, Week } from "./reports/week.js";
import { Weekly } from "./reports/weekly.js";

const EVERY_MS = 60000;

export default function Reports({ route }) {
  const known = useAsked(places, []);
  return html`<div class="page-head"><h1>${T.reports.title}</h1></div>
    <${Shown} asked=${known}>${(found) => html`<${Page} query=${route.query} places=${found} />`}<//>`;
}

function Page({ query, places: known }) {
  const zone = zoneOf(query.get("building") ?? known.zones.get(query.get("zone"))?.building_id ?? known.cameras.get(query.get("camera"))?.building_id, known);
  const asks = question(query, zone);
  const asked = useAsked(async (signal) => {
    const [summary, over] = await Promise.all([
      get("/statistics/summary", { ...asks.place, ...asks.span, timezone: zone }, { signal }),
      get("/statistics/compliance", { ...asks.place, from: asks.span.from, to: asks.span.to, bucket: asks.bucket, timezone: zone }, { signal }),
    ]);
    return { summary, over };
  }, [JSON.stringify([asks.place, asks.name, asks.span.from?.slice(0, 10), asks.bucket, zone])], { on: ["event.reviewed"], every: EVERY_MS });
  return html`
    <div class="reports-head"><${Filters} query=${query} places=${known} asks=${asks} zone=${zone} />
      <${Downloads} asks=${asks} zone=${zone} /></div>
    <${Shown} asked=${asked} loading=${html`<${Loading} tiles=${4} />`}>${({ summary, over }) => html`
      <p class="quiet">${T.reports.asOf(moment(summary.as_of, summary.timezone), summary.timezone)}</p>
      <${Summed} summary=${summary} whole=${over.whole?.[0]} />
      ${summary.period.tracks === 0
        ? html`<${Empty} icon="reports" title=${T.reports.empty} text=${T.reports.emptyText} />`
        : html`<div class="charts">
            <${RateOver} series=${over.series} bucket=${over.bucket} timezone=${over.timezone} />
            <${CountsOver} series=${over.series} bucket=${over.bucket} timezone=${over.timezone} />
            <${Week} table=${summary.hours_of_week} />
            <${Busiest} hours=${summary.busiest_hours} />
            <${Unknowns} totals=${summary.period} />
            <${Compare} places=${known} asks=${asks} zone=${zone} />
          </div>`}
    `}<//>
    <${Weekly} places=${known} building=${query.get("building") ?? ""} />
    <p class="meaning block">${T.reports.note}</p>
  `;
}

function Downloads({ asks, zone }) {
  const path = (format) => address("/statistics/compliance", { ...asks.place, from: asks.span.from, to: asks.span.to, bucket: asks.bucket, timezone: zone, format });
  return html`<${Menu} label=${T.reports.download} icon="download" text=${T.reports.download}>
    ${["csv", "json"].map((format) => html`<a key=${format} class="item" href=${path(format)} download=${`compliance-${asks.name}.${format}`}><${Icon} name="download" />${T.reports[format]}</a>`)}<//>`;
}
