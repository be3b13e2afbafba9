// One job: how far it is, or what came of it.

import { get, onceKey, post } from "../../api.js";
import { useAsked } from "../../asked.js";
import { Confirm } from "../../components/dialog.js";
import { Icon } from "../../components/icon.js";
import { Shown } from "../../components/states.js";
import { Table } from "../../components/table.js";
import { toast, toastProblem } from "../../components/toast.js";
import { bytes, decimal, exact, moment, percent, played, span } from "../../format.js";
import { go, href } from "../../router.js";
import { may } from "../../session.js";
import { T } from "../../texts.js";
import { html, useState } from "../../ui.js";
import { Cancel } from "./list.js";
import { Results } from "./results.js";
import { Progress, Reason, State, isFinal, nameOf, placeOf, zoneOf } from "./words.js";

const RUNNING_MS = 3000;
const IDLE_MS = 60000;
const LIMIT_MS = 60000; // To submit thousands of files.

export function One({ id, known }) {
  const [busy, setBusy] = useState(true);
  const asked = useAsked(async (signal) => {
    const job = await get(`/jobs/${encodeURIComponent(id)}`, {}, { signal });
    setBusy(!isFinal(job));
    const other = job.replaced_by && (await get(`/jobs/${job.replaced_by}`, {}, { signal }).catch(() => null));
    return { job, other };
  }, [id], { on: ["job"], every: busy ? RUNNING_MS : IDLE_MS });
  return html`<p class="crumbs"><a href=${href("footage")}>${T.footage.all}</a></p>
    <div class="page-head"><h1>${asked.data ? nameOf(asked.data.job) : T.footage.title}</h1>${asked.data && html`<${State} job=${asked.data.job} />`}</div>
    <${Shown} asked=${asked}>${(found) => html`<${Shown} asked=${known}>${(places) => html`<${Body} ...${found} places=${places} again=${asked.again} />`}<//>`}<//>`;
}

function Body({ job, other, places, again }) {
  return html`
    <${Replaced} job=${job} other=${other} />
    ${!isFinal(job) || job.error ? html`<section class="card pad job"><${Reason} job=${job} /><${Progress} job=${job}><${Cancel} job=${job} done=${again} /><//></section>` : null}
    ${job.state === "done" && html`<${Results} job=${job} facts=${other ?? job} />`}
    <${NotDecoded} job=${job} />
    <section class="block"><h2>${T.footage.facts}</h2><div class="card pad job-facts"><${Facts} job=${job} places=${places} /></div></section>
    <${Files} job=${job} zone=${zoneOf(job, places)} />
    <${Again} job=${job} />`;
}

// Another job has the facts of this one: an earlier one of the same footage, or a later one that analysed it anew.
function Replaced({ job, other }) {
  if (!other) return null;
  const known = other.created_at <= job.created_at;
  return html`<p class="notice"><span class="grow">${known ? T.footage.known : T.footage.replaced}</span> <a href=${href(`footage/${other.id}`)}>${known ? T.footage.earlier : T.footage.newer}</a></p>`;
}

function Facts({ job, places }) {
  const zone = zoneOf(job, places);
  const zoneName = job.zone_id && places.zones.get(job.zone_id)?.name;
  const ended = job.started_at && job.ended_at ? T.footage.took(exact(job.ended_at, zone), span((Date.parse(job.ended_at) - Date.parse(job.started_at)) / 1000)) : exact(job.ended_at, zone);
  const facts = [
    [T.footage.place, [placeOf(job, places), zoneName].filter(Boolean).join(", ")],
    [T.footage.began_at, exact(job.footage_start, zone)],
    [T.footage.length, job.footage_s > 0 ? played(job.footage_s) : T.footage.unknownLength],
    [T.footage.by, job.created_by],
    [T.footage.submittedAt, exact(job.created_at, zone)],
    job.started_at && [T.footage.startedAt, exact(job.started_at, zone)],
    job.ended_at && [T.footage.endedAt, ended],
    job.files.length === 1 && job.files[0].whole && [T.footage.whole, job.files[0].whole],
    [T.footage.fps, decimal(job.fps, Number.isInteger(job.fps) ? 0 : 2)],
    job.model && [T.footage.model, `${job.model.name}, ${job.model.backend}`],
    [T.footage.job, html`<code>${job.id}</code>`],
  ];
  return html`<dl class="facts">${facts.filter(Boolean).map(([name, value]) => html`<dt key=${name}>${name}</dt><dd>${value}</dd>`)}</dl>`;
}

function NotDecoded({ job }) {
  if (job.not_decoded.length === 0) return null;
  const lines = job.files.flatMap((file) => file.not_decoded.map((text) => (job.files.length > 1 ? T.footage.notDecodedFile(file.name, text) : text)));
  return html`<section class="block"><h2>${T.footage.notDecodedTitle}</h2><ul class="card pad lines">${lines.map((text, n) => html`<li key=${n}>${text}</li>`)}</ul></section>`;
}

function Files({ job, zone }) {
  if (job.files.length < 2) return null;
  const columns = [
    { name: "name", title: T.footage.file, head: true, cell: (one) => one.name },
    { name: "start", title: T.footage.began_at, cell: (one) => moment(one.footage_start, zone) },
    { name: "length", title: T.footage.length, number: true, cell: (one) => played(one.duration_s) },
    { name: "size", title: T.footage.size, number: true, quiet: true, cell: (one) => bytes(one.bytes) },
    { name: "done", title: T.footage.doneHead, number: true, cell: (one) => (one.duration_s ? percent(one.done_s / one.duration_s, 0) : "") },
    ...(job.files.some((one) => one.whole) ? [{ name: "whole", title: T.footage.whole, quiet: true, cell: (one) => one.whole ?? "" }] : []),
  ];
  return html`<section class="block"><h2>${T.footage.files}</h2><div class="card pad"><${Table} caption=${T.footage.files} columns=${columns} rows=${job.files} keyOf=${(one) => one.number} cards /></div></section>`;
}

// The same footage anew, as long as it is still where it may be named.
function Again({ job }) {
  const [open, setOpen] = useState(false);
  const [busy, setBusy] = useState(false);
  if (!may("operator") || !isFinal(job)) return null;
  const there = job.files.every((one) => one.path);
  const sent = job.files.some((one) => one.upload_id);
  const submit = async () => {
    setBusy(true);
    try {
      const body = {
        camera_id: job.camera_id, building_id: job.building_id, zone_id: job.zone_id, fps: job.fps, annotate: job.annotate, fresh: true,
        // When they began is known, or said as it was before.
        footage_start: job.given_start, name_pattern: job.name_pattern,
        files: job.files.map((one) => ({ path: one.path, footage_start: one.footage_start })),
      };
      const made = await post("/jobs", body, { key: onceKey(), limit: LIMIT_MS });
      toast(T.footage.againSubmitted);
      go(`footage/${made.id}`);
    } catch (problem) {
      toastProblem(problem);
    }
    setBusy(false);
    setOpen(false);
  };
  return html`<section class="block">${there
    ? html`<button type="button" class="button" onClick=${() => setOpen(true)}><${Icon} name="again" />${T.footage.again}</button>`
    : html`<p class="meaning">${sent ? T.footage.againGone : T.footage.againElsewhere}</p>`}
    ${open && html`<${Confirm} title=${T.footage.again} text=${T.footage.againText} confirm=${T.footage.again} act=${submit} close=${() => setOpen(false)} busy=${busy} />`}</section>`;
}
