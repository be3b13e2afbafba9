// A job in words.

import { count, decimal, moment, played, span } from "../../format.js";
import { T } from "../../texts.js";
import { html } from "../../ui.js";

const FINAL = ["cancelled", "failed", "done"];
const PILLS = { queued: "away", running: "busy", waiting: "waiting", cancelling: "waiting", cancelled: "away", failed: "bad", done: "good" };

export const isFinal = (job) => FINAL.includes(job.state);

// The name of its first file, and how many more there are.
export const nameOf = (job) => T.footage.andMore(job.files[0]?.name ?? job.id, job.files.length - 1);

export const startOf = (job, places) => (job.footage_start ? T.footage.from(moment(job.footage_start, zoneOf(job, places))) : T.footage.unknownStart);
export const zoneOf = (job, places) => places.buildings.get(job.building_id)?.timezone;

export function placeOf(job, places) {
  const camera = places.cameras.get(job.camera_id)?.name ?? job.camera_id;
  const building = places.buildings.get(job.building_id)?.name;
  return building ? T.footage.inBuilding(camera, building) : camera;
}

export const State = ({ job }) => html`<span class="pill" data-state=${PILLS[job.state] ?? "away"}><span class="pill-text">${T.footage.states[job.state] ?? job.state}</span></span>`;

// How far it is: a bar, and what is behind it in words; children: what can be done. Nothing of a job that has ended.
export function Progress({ job, children }) {
  if (isFinal(job)) return null;
  const known = job.footage_s > 0;
  const words = [
    known ? T.footage.done(played(job.done_s), played(job.footage_s)) : job.state === "queued" ? T.footage.queuedText : T.footage.planning,
    job.state === "running" && job.realtime_factor && T.footage.speed(decimal(job.realtime_factor)),
    job.state === "running" && job.eta_s !== null && job.eta_s !== undefined && T.footage.left(span(job.eta_s)),
    job.state === "running" && known && job.done_s === job.footage_s && T.footage.finishing,
    job.faces > 0 && T.footage.faces(job.faces, count(job.faces)),
  ].filter(Boolean);
  return html`<div class="how-far"><progress max="1" value=${job.progress ?? 0} aria-label=${T.footage.progressOf(nameOf(job))}></progress>
    <div class="row"><p class="number grow">${words.join(" · ")}</p>${children}</div></div>`;
}

// What came of one that is done, in a line.
export function Outcome({ job }) {
  if (job.state !== "done") return null;
  return html`<p class="number">${[
    job.tracks !== null && job.tracks !== undefined && T.footage.passages(job.tracks, count(job.tracks)),
    job.events !== null && job.events !== undefined && T.footage.events(job.events, count(job.events)),
    job.footage_s > 0 && T.footage.long(played(job.footage_s)),
  ].filter(Boolean).join(" · ")}</p>`;
}

// Why it waits, or failed.
export const Reason = ({ job, children }) => (job.error
  ? html`<p class=${job.state === "failed" ? "reason bad" : "reason"}>${job.error}${job.state === "waiting" ? ` ${T.footage.goesOn}` : ""}${children}</p>` : null);
