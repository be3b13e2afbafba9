// Try a photo: who wears what in a picture that is dropped, chosen, pasted or seen by a webcam; nothing of it is stored.

import { post } from "../api.js";
import { Icon } from "../components/icon.js";
import { LabelHelp } from "../components/label.js";
import { Marked } from "../components/marked.js";
import { T } from "../texts.js";
import { classes, html, useEffect, useRef, useState } from "../ui.js";
import { Found } from "./photo/found.js";
import { Webcam } from "./photo/webcam.js";

const MOST_BYTES = 20_000_000;
const LIMIT_MS = 45000;
const TYPES = ["image/jpeg", "image/png", "image/webp", "image/bmp", "image/gif", "image/tiff"];

export const analyze = (blob, signal) => post("/analyze", blob, { limit: LIMIT_MS, signal });

export default function Photo() {
  const [camera, setCamera] = useState(false);
  const [picture, setPicture] = useState(null);
  const [over, setOver] = useState(false);
  const choose = useRef(null);

  const take = (file) => {
    if (!file) return;
    setCamera(false);
    setPicture(file);
  };
  useEffect(() => {
    const paste = (event) => take([...(event.clipboardData?.files ?? [])][0]);
    document.addEventListener("paste", paste);
    return () => document.removeEventListener("paste", paste);
  }, []);
  const drop = (event) => {
    event.preventDefault();
    setOver(false);
    take(event.dataTransfer.files[0]);
  };
  return html`<div class="page-head"><h1>${T.nav.photo}</h1></div>
    <p class="lead">${T.photo.text}</p>
    <div class=${classes("drop card", over && "over", (picture || camera) && "small")} onDragOver=${(event) => { event.preventDefault(); setOver(true); }} onDragLeave=${() => setOver(false)} onDrop=${drop}>
      ${!picture && !camera && html`<${Icon} name="photo" size=${36} /><p>${T.photo.drop}</p>`}
      <p class="row">
        <button type="button" class=${classes("button", !camera && "main")} onClick=${() => choose.current.click()}><${Icon} name="upload" />${picture ? T.photo.another : T.photo.choose}</button>
        <button type="button" class="button" aria-pressed=${camera ? "true" : "false"} onClick=${() => { setPicture(null); setCamera(!camera); }}><${Icon} name="camera" />${camera ? T.photo.off : T.photo.webcam}</button>
      </p>
      <input type="file" hidden ref=${choose} accept=${TYPES.join()} aria-label=${T.photo.choose} onChange=${(event) => { take(event.target.files[0]); event.target.value = ""; }} />
    </div>
    ${camera && html`<${Webcam} analyze=${analyze} stop=${() => setCamera(false)} />`}
    ${picture && html`<${Sent} key=${`${picture.name} ${picture.size} ${picture.lastModified}`} picture=${picture} />`}
    <div class="above"><${LabelHelp} /></div>`;
}

function Sent({ picture }) {
  const [found, setFound] = useState(null);
  const [error, setError] = useState(null);
  const [url, setUrl] = useState(null);
  const [unseen, setUnseen] = useState(false);
  const [turn, setTurn] = useState(0);
  useEffect(() => {
    const made = URL.createObjectURL(picture);
    setUrl(made);
    return () => URL.revokeObjectURL(made);
  }, []);
  useEffect(() => {
    const stop = new AbortController();
    setError(null);
    setFound(null);
    if (picture.size > MOST_BYTES) setError(T.photo.large);
    else if (!TYPES.includes(picture.type)) setError(T.photo.kind);
    else analyze(picture, stop.signal).then(setFound, (problem) => { if (!stop.signal.aborted) setError(problem.message); });
    return () => stop.abort();
  }, [turn]);
  const image = url && !unseen && html`<img src=${url} alt=${T.photo.yours} onError=${() => setUnseen(true)} />`;
  return html`<div class="split above">
    <div>${unseen
      ? html`<p class="notice">${T.photo.unseen}</p>`
      : html`<${Marked} width=${found?.width ?? 16} height=${found?.height ?? 9} faces=${found?.faces ?? []}>${image}<//>`}</div>
    <section class="card pad" aria-busy=${found || error ? "false" : "true"}><h2>${T.photo.result}</h2>
      ${error && html`<div role="alert"><p class="error">${error}</p><p class="actions"><button type="button" class="button small" onClick=${() => setTurn(turn + 1)}>${T.states.again}</button></p></div>`}
      ${!error && !found && html`<p role="status">${T.photo.looking}</p>`}
      ${found && html`<${Found} found=${found} />`}
      <p class="meaning">${T.photo.kept}</p></section>
  </div>`;
}
