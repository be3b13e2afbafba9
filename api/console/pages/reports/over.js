// The rate and the counts, bucket after bucket.

import UPlot from "uplot";

import { LabelName } from "../../components/label.js";
import { Table } from "../../components/table.js";
import { between, clock, count, date, day, percent } from "../../format.js";
import { T } from "../../texts.js";
import { html } from "../../ui.js";
import { Chart, axes, colourOf } from "./chart.js";

const LABELS = ["with_mask", "incorrect_mask", "without_mask", "unknown"];

// How a bucket's beginning is written: for axes shortly, for tables fully.
const shortly = (bucket, zone) => (iso) => (bucket === "hour" ? clock(iso, zone) : bucket === "month" ? date(iso, zone).replace(/^\d+ /, "") : day(iso, zone).replace(/^\w+,? /, ""));
export const fully = (bucket, zone) => (iso) => (bucket === "hour" ? `${day(iso, zone)}, ${clock(iso, zone)}` : bucket === "month" ? date(iso, zone).replace(/^\d+ /, "") : day(iso, zone));

// Buckets stand side by side, numbered: an hour that the clock skips leaves no hole.
function x(series, bucket, timezone) {
  const word = shortly(bucket, timezone);
  return (split) => (Number.isInteger(split) && series[split] ? word(series[split].from) : "");
}

const common = (last) => ({
  legend: { show: false },
  cursor: { show: false },
  scales: { x: { time: false, range: [-0.5, last + 0.5] } },
  padding: [12, 8, 0, 0],
});

export function RateOver({ series, bucket, timezone }) {
  const xs = series.map((_, at) => at);
  const data = [xs, series.map((one) => one.interval?.[1] ?? null), series.map((one) => one.interval?.[0] ?? null), series.map((one) => one.compliance_rate)];
  const options = () => {
    const line = colourOf("--with_mask");
    const dots = { show: series.length < 70, size: 6, fill: line, stroke: line };
    const edge = { stroke: "transparent", points: { show: false }, width: 0 };
    const made = common(xs.length - 1);
    // One bucket alone has no width for a band: its interval is drawn as a bar.
    const alone = (chart) => {
      const { ctx } = chart;
      ctx.save();
      ctx.strokeStyle = colourOf("--with_mask", 0.4);
      ctx.lineWidth = 6 * devicePixelRatio;
      series.forEach((one, at) => {
        if (!one.interval || series[at - 1]?.interval || series[at + 1]?.interval) return;
        const [low, high] = one.interval.map((share) => chart.valToPos(share, "y", true));
        ctx.beginPath();
        ctx.moveTo(chart.valToPos(at, "x", true), low);
        ctx.lineTo(chart.valToPos(at, "x", true), high);
        ctx.stroke();
      });
      ctx.restore();
    };
    return {
      ...made,
      // From the quarter below the lowest on: with 95 % there is something to be seen, too.
      scales: { ...made.scales, y: { range: [Math.min(0.75, ...series.filter((one) => one.interval).map((one) => Math.floor(4 * one.interval[0]) / 4)), 1] } },
      axes: axes(x(series, bucket, timezone), (share) => percent(share, 0)),
      bands: [{ series: [1, 2], fill: colourOf("--with_mask", 0.22) }],
      series: [{}, edge, edge, { stroke: line, width: 2, points: dots }],
      hooks: { draw: [alone] },
    };
  };
  const columns = [
    ...when(bucket, timezone),
    { name: "rate", title: T.reports.rate, number: true, cell: (row) => percent(row.compliance_rate) },
    { name: "interval", title: T.reports.interval, number: true, cell: (row) => between(row.interval) },
  ];
  return html`<section class="card pad wide-chart"><h2>${T.reports.rateOver}</h2><p class="meaning">${T.reports.rateText}</p>
    <${Chart} options=${options} data=${data} deps=${[data, bucket]} label=${T.reports.chart(T.reports.rateOver)} />
    <${AsTable} name=${T.reports.rateOver} columns=${columns} rows=${series} /></section>`;
}

export function CountsOver({ series, bucket, timezone }) {
  const xs = series.map((_, at) => at);
  let below = xs.map(() => 0);
  const stacks = LABELS.map((label) => (below = below.map((sum, at) => sum + series[at][label])));
  // The tallest first, so that the others stand before it.
  const data = [xs, ...[...stacks].reverse()];
  const options = () => {
    const made = common(xs.length - 1);
    const top = Math.max(1, ...stacks.at(-1));
    return {
      ...made,
      scales: { ...made.scales, y: { range: [0, top * 1.05] } },
      axes: axes(x(series, bucket, timezone), (number) => (Number.isInteger(number) ? count(number) : "")),
      series: [{}, ...[...LABELS].reverse().map((label) => ({ fill: colourOf(`--${label}`), stroke: colourOf(`--${label}`), width: 0, points: { show: false }, paths: UPlot.paths.bars({ size: [0.7, 48] }) }))],
    };
  };
  const columns = [...when(bucket, timezone), ...LABELS.map((label) => ({ name: label, title: T.labels[label], number: true, cell: (row) => count(row[label]) })),
    { name: "tracks", title: T.reports.passages, number: true, cell: (row) => count(row.tracks) }];
  return html`<section class="card pad wide-chart"><h2>${T.reports.countsOver}</h2>
    <ul class="row legend">${LABELS.map((label) => html`<li key=${label}><${LabelName} label=${label} /></li>`)}</ul>
    <${Chart} options=${options} data=${data} deps=${[data, bucket]} label=${T.reports.chart(T.reports.countsOver)} />
    <${AsTable} name=${T.reports.countsOver} columns=${columns} rows=${series} /></section>`;
}

const when = (bucket, timezone) => [{ name: "time", title: T.reports.time, head: true, cell: (row) => fully(bucket, timezone)(row.from) }];

export function AsTable({ name, columns, rows }) {
  return html`<details class="as-table"><summary>${T.reports.table}<span class="unseen">: ${name}</span></summary>
    <${Table} caption=${name} columns=${columns} rows=${rows} keyOf=${(row) => row.from} /></details>`;
}
