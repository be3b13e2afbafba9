// How well a camera sees faces: a verdict, what to do, and how large a face must be in its picture.

import { get, post } from "../../api.js";
import { useAsked } from "../../asked.js";
import { Choice } from "../../components/field.js";
import { Icon } from "../../components/icon.js";
import { sentence } from "../../components/sentence.js";
import { Shown } from "../../components/states.js";
import { Table } from "../../components/table.js";
import { toast, toastProblem } from "../../components/toast.js";
import { count, decimal, percent } from "../../format.js";
import { may } from "../../session.js";
import { T } from "../../texts.js";
import { html, useState } from "../../ui.js";
import { Still, useStill } from "./check.js";
import { Verdict } from "./verdict.js";

const EVERY_MS = 60000;

export function Suitability({ camera }) {
  const [hours, setHours] = useState("24");
  const asked = useAsked((signal) => get(`/cameras/${camera.id}/suitability`, { hours }, { signal }), [camera.id, hours], { every: EVERY_MS });
  const still = useStill(`/cameras/${camera.id}/suitability/still`, { hours });
  const accept = () => post(`/cameras/${camera.id}/suitability/accept`).then(() => { toast(T.suitability.accepted); asked.again(); }, toastProblem);
  return html`<div class="filters"><${Choice} label=${T.suitability.period} value=${hours} change=${setHours} options=${Object.entries(T.suitability.periods)} /></div>
    <div class="split above">
      <section class="card pad"><h2>${T.suitability.title}</h2><${Shown} asked=${asked}>${(found) => html`
        <p><${Verdict} verdict=${found.verdict} /></p>
        ${found.warnings.map((text) => html`<p key=${text} class="warned"><${Icon} name="warning" size=${16} />${sentence(text)}</p>`)}
        ${found.warnings.length > 0 && may("operator") && html`<p><button type="button" class="button small" onClick=${accept}>${T.suitability.accept}</button></p>`}
        <ul class="sentences">${found.sentences.map((text) => html`<li key=${text}>${sentence(text)}</li>`)}</ul>
        <p class="meaning">${T.suitability.rests(count(found.passages), count(found.faces), count(found.samples))}</p>`}<//></section>
      <figure class="still-figure"><${Still} still=${still} alt=${T.suitability.stillOf(camera.name)} />
        <figcaption class="meaning">${T.suitability.stillText(camera.min_face_px)}</figcaption></figure>
    </div>
    ${asked.data && html`<${Figures} found=${asked.data} />`}`;
}

function Figures({ found }) {
  const rows = ["largest", "widths", "sharpness", "brightness", "turn"].filter((name) => found[name]).map((name) => ({ id: name, ...found[name] }));
  const reasons = Object.entries(found.unknown).filter(([, share]) => share > 0);
  if (rows.length === 0) return null;
  const digits = (row) => (["largest", "widths"].includes(row.id) ? 0 : 2);
  const columns = [
    { name: "what", title: T.suitability.measure, head: true, cell: (row) => T.suitability.measures[row.id] },
    ...["p10", "p50", "p90"].map((name) => ({ name, title: T.suitability.quantiles[name], number: true, cell: (row) => decimal(row[name], digits(row)) })),
  ];
  return html`<section class="block"><h2>${T.suitability.figures}</h2><div class="card pad">
    <${Table} caption=${T.suitability.figures} columns=${columns} rows=${rows} />
    ${reasons.length > 0 && html`<h3 class="above">${T.suitability.unknown}</h3><dl class="facts">${reasons.map(([name, share]) => html`<dt key=${name}>${T.reasons[name] ?? name}</dt><dd key=${`${name} share`}>${percent(share)}</dd>`)}</dl>`}
  </div></section>`;
}
