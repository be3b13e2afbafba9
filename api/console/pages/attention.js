// What needs somebody: cameras without picture and why, events and spot checks that wait, jobs, the system's own troubles.

import { Icon } from "../components/icon.js";
import { stateText } from "../components/camera.js";
import { percent, since } from "../format.js";
import { href } from "../router.js";
import { may } from "../session.js";
import { T } from "../texts.js";
import { html } from "../ui.js";

const MOST = 5;

// `troubles`: only those of the system, and nothing where there are none.
export function Attention({ data, troubles = false }) {
  const lines = troubles ? system(data) : [...cameras(data), ...waiting(data), ...failed(data), ...system(data)];
  if (troubles && lines.length === 0) return null;
  return html`<section class="block"><h2>${T.overview.attention}</h2>
    <ul class="card attention">
      ${lines.length === 0 && html`<${Line} kind="good" icon="calm" title=${T.overview.calm} below=${T.overview.calmText} />`}
      ${lines}
      ${!troubles && running(data)}
    </ul></section>`;
}

function Line({ kind = "", icon = "warning", title, below, children }) {
  return html`<li><span class=${`mark ${kind}`}><${Icon} name=${icon} /></span>
    <div class="what"><p>${title}</p>${below && html`<div class="meaning">${below}</div>`}</div>${children}</li>`;
}

function cameras({ cameras: { down, warned } }) {
  const lines = [];
  if (down.length) {
    lines.push(html`<${Line} key="down" kind="bad" icon="camera" title=${T.overview.camerasDown(down.length)} below=${html`<${Named} cameras=${down} say=${(one) =>
      T.camera.stateSince(stateText(one), since(one.since))} />`}>
      <a class="button small" href=${href("wall", { show: "down" })}>${T.overview.toWall}</a><//>`);
  }
  if (warned.length) {
    lines.push(html`<${Line} key="warned" icon="eye" title=${T.overview.camerasWarned(warned.length)} below=${html`<${Named} cameras=${warned} say=${(one) => one.detail} />`}>
      <a class="button small" href=${href("cameras")}>${T.overview.toCameras}</a><//>`);
  }
  return lines;
}

function Named({ cameras: list, say }) {
  return html`<ul>${list.slice(0, MOST).map((one) => html`<li key=${one.id}><a href=${href(`wall/${one.id}`)}>${one.name}</a> · ${say(one)}</li>`)}
    ${list.length > MOST && html`<li>${T.overview.moreCameras(list.length - MOST)}</li>`}</ul>`;
}

function waiting({ events_pending: pending, spot_checks: spot }) {
  const lines = [];
  if (pending.count) {
    lines.push(html`<${Line} key="pending" icon="review" title=${T.overview.pending(pending.count)} below=${T.overview.oldest(since(pending.oldest_started_at))}>
      <a class=${`button small ${may("reviewer") ? "main" : ""}`} href=${href("review", { verdict: "pending" })}>${T.overview.toReview}</a><//>`);
  }
  if (spot.waiting) {
    lines.push(html`<${Line} key="spot" icon="search" title=${T.overview.spot(spot.waiting)}>
      <a class="button small" href=${href("review/spot")}>${T.overview.toSpot}</a><//>`);
  }
  return lines;
}

function failed({ jobs }) {
  const number = jobs.filter((one) => one.state === "failed").length;
  return number > 0 ? [html`<${Line} key="failed" kind="bad" icon="warning" title=${T.overview.jobsFailed(number)}>
    <a class="button small" href=${href("footage", { state: "failed" })}>${T.overview.toFootage}</a><//>`] : [];
}

// Footage that is being analysed: nobody is needed for that, but it is good to know.
function running({ jobs }) {
  const list = jobs.filter((one) => !["failed", "done", "cancelled"].includes(one.state));
  return [
    ...list.slice(0, MOST).map((one) => html`<${Line} key=${one.id} kind=${one.state === "waiting" ? "" : "good"} icon="footage"
      title=${T.overview.job(one.name, T.footage.states[one.state] ?? one.state, one.progress > 0 && percent(one.progress, 0))}>
      <a class="button small" href=${href(`footage/${one.id}`)}>${T.overview.toJob}<span class="unseen"> ${one.id}</span></a><//>`),
    list.length > MOST && html`<${Line} key="jobs" kind="good" icon="footage" title=${T.overview.moreJobs(list.length - MOST)}>
      <a class="button small" href=${href("footage")}>${T.overview.toFootage}</a><//>`,
  ];
}

function system({ trouble, cameras: { known } }) {
  const lines = trouble.map((text) => html`<${Line} key=${text} kind="bad" icon="system" title=${text} />`);
  if (!known) lines.push(html`<${Line} key="known" kind="bad" icon="camera" title=${T.overview.camerasUnknown} />`);
  return lines;
}
