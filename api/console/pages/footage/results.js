// What came of a job that is done: its figures, its events, its report, its video.

import { address, get } from "../../api.js";
import { useAsked } from "../../asked.js";
import { Icon } from "../../components/icon.js";
import { LabelHelp, LabelName } from "../../components/label.js";
import { Rate } from "../../components/rate.js";
import { Shown } from "../../components/states.js";
import { count } from "../../format.js";
import { href } from "../../router.js";
import { may } from "../../session.js";
import { T } from "../../texts.js";
import { html } from "../../ui.js";

const LABELS = ["with_mask", "incorrect_mask", "without_mask", "unknown"];
const LIMIT_MS = 60000;
const Z = 1.959964; // 95 %
const kept = new Map(); // What was read of reports, which are long: they stay as they are.

// All files together. Of several there are several reports.
async function totals(job, signal) {
  const key = `${job.id} ${job.replaced_by}`;
  if (!kept.has(key)) {
    const report = await get(`/jobs/${job.id}/report`, {}, { signal, limit: LIMIT_MS });
    kept.set(key, report.reports ? summed(report.reports.map((one) => one.statistics)) : report.statistics);
  }
  return kept.get(key);
}

function summed(list) {
  const sum = Object.fromEntries(["tracks", ...LABELS].map((name) => [name, list.reduce((all, one) => all + one[name], 0)]));
  const judged = sum.tracks - sum.unknown;
  const rate = judged ? sum.with_mask / judged : null;
  return { ...sum, compliance_rate: rate, interval: judged ? wilson(rate, judged) : null };
}

// Wilson's interval of a share, as the report's own.
function wilson(rate, number) {
  const middle = (rate + (Z * Z) / (2 * number)) / (1 + (Z * Z) / number);
  const half = (Z / (1 + (Z * Z) / number)) * Math.sqrt((rate * (1 - rate)) / number + (Z * Z) / (4 * number * number));
  return [Math.max(0, middle - half), Math.min(1, middle + half)];
}

// `facts`: the job that has them, most often the same.
export function Results({ job, facts }) {
  const asked = useAsked((signal) => totals(job, signal), [job.id, job.replaced_by]);
  return html`<section class="block first"><h2 class="unseen">${T.footage.results}</h2>
    <${Shown} asked=${asked}>${(found) => html`<div class="today">
      <div class="card pad"><h3>${T.reports.rate}</h3><${Rate} rate=${found.compliance_rate} interval=${found.interval} meaning=${T.overview.meaning} large /></div>
      <div class="card pad"><h3>${T.footage.labels}</h3><dl class="counts">
        ${LABELS.map((name) => html`<dt key=${name}><${LabelName} label=${name} /></dt><dd>${count(found[name])}</dd>`)}
        <dt class="sum">${T.overview.passages}</dt><dd class="sum">${count(found.tracks)}</dd>
        <dt>${T.overview.events}</dt><dd>${count(facts.events)}</dd><dt>${T.footage.seen}</dt><dd>${count(facts.faces)}</dd></dl></div>
      <div class="card pad"><h3>${T.footage.report}</h3><${Leads} job=${job} facts=${facts} /></div></div>`}<//>
    <${Videos} job=${job} />
    <div class="above"><${LabelHelp} /></div></section>`;
}

function Leads({ job, facts }) {
  const report = (format) => address(`/jobs/${job.id}/report`, { format });
  const links = [["json", "", `${job.id}.json`], ["csv", "csv", `${job.id}.csv`], ["zip", "zip", `${job.id}.zip`]];
  return html`<div class="leads">
    ${facts.events > 0
      ? html`<a class=${`button ${may("reviewer") ? "main" : ""}`} href=${href("review", { job: facts.id, verdict: "all" })}><${Icon} name="review" />${T.footage.toReview(facts.events)}</a>`
      : html`<p class="quiet">${T.footage.noEvents}</p>`}
    ${links.map(([name, format, file]) => html`<a key=${name} class="button" href=${report(format)} download=${file}><${Icon} name="download" />${T.footage[name]}</a>`)}</div>`;
}

// Not loaded before somebody wants to see it: it shows people as they were, and who looks is noted.
function Videos({ job }) {
  const files = job.files.filter((one) => one.annotated);
  if (files.length === 0) return null;
  return html`<div class="block"><h2>${T.footage.video}</h2><p class="meaning">${T.footage.videoText}</p>
    <div class="videos">${files.map((one) => html`<figure key=${one.number}>
      <video controls muted playsinline preload="none" src=${address(`/jobs/${job.id}/files/${one.number}/video`)} aria-label=${T.footage.videoOf(one.name)}></video>
      ${job.files.length > 1 && html`<figcaption class="meaning">${one.name}</figcaption>`}</figure>`)}</div></div>`;
}
