// What was seen: the whole frame, the person up close, their face as time went on, and what the model went by.

import { address, get } from "../../api.js";
import { Icon } from "../../components/icon.js";
import { LabelName } from "../../components/label.js";
import { time } from "../../format.js";
import { useBack } from "../../live.js";
import { T } from "../../texts.js";
import { classes, html, useEffect, useState } from "../../ui.js";
import { usePicture } from "./pictures.js";

const SETTLED_MS = 250;

export function Views({ event, faces, toggle, timezone }) {
  const [heat, setHeat] = useState(false);
  useEffect(() => setHeat(false), [event.id]);
  return html`<div class="desk-views">
    <${Picture} event=${event} view="frame" />
    <div class="close">
      <div>
        <${Picture} event=${event} view="closeup" heat=${heat} />
        ${event.snapshot_url && html`<button type="button" class="button small" aria-pressed=${heat ? "true" : "false"} onClick=${() => setHeat(!heat)}>${T.review.heat}</button>`}
      </div>
      <div class="grow">
        <div class="row"><h2>${T.review.faces}</h2>
          <button type="button" class="plain" aria-expanded=${faces ? "true" : "false"} onClick=${toggle}><${Icon} name=${faces ? "up" : "down"} size=${16} /><span class="unseen">${T.review.toggleFaces}</span></button></div>
        ${faces && html`<${Faces} event=${event} timezone=${timezone} />`}
        ${heat && html`<p class="hint">${T.review.heatText}</p>`}
      </div>
    </div>
  </div>`;
}

function Picture({ event, view, heat = false }) {
  const { url, error } = usePicture(event, view);
  const [whole, setWhole] = useState(null);
  useEffect(() => setWhole(null), [event.id]);
  const warm = useHeat(event, heat);
  const said = warm.error ?? error;
  const name = view === "frame" ? T.review.frame(T.labels[event.type]) : T.review.closeUp;
  const shown = heat && warm.url ? warm.url : url;
  return html`<figure class=${classes("screen", `view-${view}`)}>
    ${shown && !error && html`<img src=${shown} alt=${heat && warm.url ? T.review.heatAlt(T.labels[event.type]) : name} data-event=${event.id} onLoad=${() => setWhole(event.id)} data-whole=${whole === event.id ? "yes" : undefined} />`}
    ${!event.snapshot_url && html`<p>${T.review.noPicture}</p>`}
    ${heat && !warm.url && !warm.error && html`<p class="over" role="status">${T.review.heatWaits}</p>`}
    ${said && html`<p class="over" role="alert">${said.message}</p>`}
  </figure>`;
}

// The heat map is made on request, and takes the classifier a moment.
function useHeat(event, wanted) {
  const [state, setState] = useState({});
  useEffect(() => {
    setState({});
    if (!wanted) return undefined;
    const mine = new AbortController();
    let url = null;
    get(`/events/${event.id}/explanation`, {}, { as: "blob", signal: mine.signal }).then(
      (blob) => {
        url = URL.createObjectURL(blob);
        setState({ url });
      },
      (error) => { if (!mine.signal.aborted) setState({ error }); },
    );
    return () => {
      mine.abort();
      if (url) URL.revokeObjectURL(url);
    };
  }, [event.id, wanted]);
  return state;
}

// Asked for when somebody stays at the event: who leafs through looks at none.
function Faces({ event, timezone }) {
  const [state, setState] = useState({ id: null });
  const back = useBack(Boolean(state.error));
  useEffect(() => {
    const mine = new AbortController();
    const timer = setTimeout(() => {
      get(`/events/${event.id}/faces`, {}, { signal: mine.signal }).then(
        ({ items }) => setState({ id: event.id, items }),
        (error) => { if (!mine.signal.aborted) setState({ id: event.id, error }); },
      );
    }, SETTLED_MS);
    return () => {
      clearTimeout(timer);
      mine.abort();
    };
  }, [event.id, back]);
  if (state.id !== event.id) return html`<div class="faces" aria-hidden="true">${[0, 1, 2].map((n) => html`<div key=${n} class="bone"></div>`)}</div>`;
  if (state.error) return html`<p class="error">${state.error.message}</p>`;
  if (state.items.length === 0) return html`<p class="hint">${T.review.noFaces}</p>`;
  return html`<ol class="faces">${state.items.map((one) => html`<li key=${one.at}>
    <img src=${address(one.url.replace("/api/v1", ""))} alt=${T.review.faceAt(T.labels[one.label], time(one.at, timezone))} width="80" height="80" />
    <span class="meaning" aria-hidden="true"><${LabelName} label=${one.label} /></span></li>`)}</ol>`;
}
