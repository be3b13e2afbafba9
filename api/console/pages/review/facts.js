// What is known of an event, in words; and what people have said of it.

import { get } from "../../api.js";
import { LabelName } from "../../components/label.js";
import { exact, moment, percent, span, time } from "../../format.js";
import { href } from "../../router.js";
import { T } from "../../texts.js";
import { html, useEffect, useState } from "../../ui.js";

export const cameraOf = (event, places) => places.cameras.get(event.camera_id)?.name ?? event.camera_id;
export const zoneOf = (event, places) => places.buildings.get(event.building_id)?.timezone ?? "UTC";
export const lasted = (event) => span((new Date(event.ended_at) - new Date(event.started_at)) / 1000);

// The whole event in a sentence, to be read out.
export const inWords = (event, places) => T.review.words(T.labels[event.type], cameraOf(event, places), moment(event.started_at, zoneOf(event, places)));

// What was said, in words: "Dismissed: wrong label, with mask".
export function saidWords({ verdict, reason, label }) {
  const what = [reason && T.review.reasons[reason], label && T.labels[label]].filter(Boolean).join(", ");
  return what ? T.review.saidMore(T.review.verdicts[verdict], what) : T.review.verdicts[verdict];
}

export function Facts({ event, places }) {
  const timezone = zoneOf(event, places);
  const camera = places.cameras.get(event.camera_id);
  const lines = [
    [T.review.type, html`<${LabelName} label=${event.type} />${event.type !== event.machine_type && html` <span class="hint">${T.review.machine(T.labels[event.machine_type])}</span>`}`],
    [T.review.camera, camera ? html`<a href=${href(`cameras/${event.camera_id}`)}>${camera.name}</a>` : event.camera_id],
    [T.review.building, places.buildings.get(event.building_id)?.name ?? event.building_id],
    [T.review.zone, event.zone_id && (places.zones.get(event.zone_id)?.name ?? event.zone_id)],
    [T.review.when, html`<time datetime=${event.started_at} title=${exact(event.started_at, timezone)}>${T.review.at(moment(event.started_at, timezone), time(event.started_at, timezone))}</time>`],
    [T.review.long, event.state === "ongoing" ? T.review.ongoing(lasted(event)) : lasted(event)],
    [T.review.corrected, event.corrected_at ? T.review.correctedAt(time(event.corrected_at, timezone)) : T.review.notCorrected],
    [T.review.confidence, percent(event.confidence, 0)],
    [T.review.footage, event.job_id && html`<a href=${href(`footage/${event.job_id}`)}>${event.job_id}</a>`],
  ];
  return html`<section class="card pad"><h2 class="unseen">${T.review.facts}</h2>
    <dl class="facts">${lines.filter(([, value]) => value).map(([name, value]) => html`<dt key=${name}>${name}</dt><dd>${value}</dd>`)}</dl>
    <${History} event=${event} timezone=${timezone} /></section>`;
}

// Only asked for where something was said, and when it is opened.
function History({ event, timezone }) {
  const [open, setOpen] = useState(false);
  const [state, setState] = useState({});
  const version = event.review.version;
  useEffect(() => {
    setState({});
    if (!open || event.saying) return undefined;
    const mine = new AbortController();
    get(`/events/${event.id}/history`, {}, { signal: mine.signal }).then(
      ({ items }) => setState({ items }),
      (error) => { if (!mine.signal.aborted) setState({ error }); },
    );
    return () => mine.abort();
  }, [event.id, version, open, Boolean(event.saying)]);
  return html`<details class="history" open=${open} onToggle=${(change) => setOpen(change.target.open)}><summary>${T.review.history}</summary>
    ${state.error && html`<p class="error">${state.error.message}</p>`}
    ${state.items?.length === 0 && html`<p class="hint">${T.review.nothingSaid}</p>`}
    ${state.items && html`<ol>${state.items.map((one) => html`<li key=${one.version}>
      <p class=${one.undone_at ? "undone" : ""}>${saidWords(one)}</p>
      <p class="hint">${T.review.by(one.by, moment(one.at, timezone))}${one.undone_at && ` ${T.review.undoneBy(one.undone_by, moment(one.undone_at, timezone))}`}</p>
      ${one.note && html`<p class="said">${one.note}</p>`}</li>`)}</ol>`}
  </details>`;
}
