// What a camera shows and how it fares now, and a look at its stream.

import { get } from "../../api.js";
import { useAsked } from "../../asked.js";
import { CameraState } from "../../components/camera.js";
import { Icon } from "../../components/icon.js";
import { sentence } from "../../components/sentence.js";
import { Shown } from "../../components/states.js";
import { count, since } from "../../format.js";
import { href } from "../../router.js";
import { may } from "../../session.js";
import { T } from "../../texts.js";
import { html, useState } from "../../ui.js";
import { Check, Still, look, useStill } from "./check.js";

const EVERY_MS = 3000;

export function Now({ camera }) {
  const asked = useAsked((signal) => get(`/cameras/${camera.id}/status`, {}, { signal }), [camera.id], { on: ["camera"], every: EVERY_MS });
  return html`<div class="split">
    <div class="stack">
      <section class="card pad"><h2>${T.cameras.now}</h2><${Shown} asked=${asked}>${(status) => html`<${Status} status=${status} id=${camera.id} />`}<//></section>
      ${may("operator") && !camera.archived_at && html`<${Stream} camera=${camera} />`}
    </div>
    ${!camera.archived_at && html`<${Picture} camera=${camera} />`}
  </div>`;
}

function Status({ status, id }) {
  return html`<p><${CameraState} status=${status} long /></p>
    ${status.detail && html`<p>${sentence(status.detail)}</p>`}
    ${status.warnings.map((text) => html`<p key=${text} class="warned"><${Icon} name="warning" size=${16} />${sentence(text)}</p>`)}
    <dl class="facts">
      <dt>${T.cameras.rates}</dt><dd>${T.camera.rates(status.fps_in.toFixed(1), status.fps_analyzed.toFixed(1))}</dd>
      <dt>${T.cameras.last}</dt><dd>${status.last_frame_at ? T.cameras.ago(since(status.last_frame_at)) : T.cameras.never}</dd>
      ${status.dropped > 0 && html`<dt>${T.cameras.lost}</dt><dd>${T.cameras.lostLooks(count(status.dropped))}</dd>`}
      ${status.reconnects > 0 && html`<dt>${T.cameras.reconnects}</dt><dd>${T.cameras.times(status.reconnects)}</dd>`}
    </dl>
    <p class="actions"><a class="button small" href=${href(`wall/${id}`)}>${T.nav.wall}</a></p>`;
}

function Stream({ camera }) {
  const [check, setCheck] = useState(null);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState(null);
  const test = async () => {
    setBusy(true);
    setError(null);
    try {
      setCheck(await look(camera.id));
    } catch (problem) {
      setError(problem.message);
    }
    setBusy(false);
  };
  return html`<section class="card pad"><h2>${T.check.title}</h2>
    <p class="address"><code>${camera.url}</code></p>
    ${check && !busy && html`<${Check} check=${check} />`}
    ${error && html`<p class="error" role="alert">${error}</p>`}
    ${busy && html`<p class="hint" role="status">${T.check.wait}</p>`}
    <p class="actions"><button type="button" class="button" disabled=${busy} onClick=${test}><${Icon} name="again" />${busy ? T.check.busy : T.check.start}</button></p></section>`;
}

// The picture itself is for whoever sets the camera up; others see it with people pixelated.
function Picture({ camera }) {
  const operator = may("operator");
  const still = useStill(operator ? `/cameras/${camera.id}/still` : `/cameras/${camera.id}/preview.jpg`, operator ? {} : { width: 960 });
  return html`<figure class="still-figure"><${Still} still=${still} alt=${T.cameras.stillOf(camera.name)} />
    <figcaption class="row"><span class="meaning grow">${operator ? T.cameras.stillShown : T.wall.pixelated}</span>
      <button type="button" class="button small" onClick=${still.again}><${Icon} name="again" size=${16} />${T.cameras.newStill}</button></figcaption></figure>`;
}
