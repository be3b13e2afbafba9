// Where in the picture people are looked for: parts to watch, parts to ignore; drawn, or typed as numbers.

import { Choice, Field } from "../../components/field.js";
import { Icon } from "../../components/icon.js";
import { Failed, Loading } from "../../components/states.js";
import { T } from "../../texts.js";
import { classes, html, useReducer } from "../../ui.js";
import { Canvas } from "./canvas.js";
import { useStill } from "./check.js";
import { LEAST, act, at, started } from "./drawing.js";
import { SavingState, useSaving } from "./saving.js";

const plain = (regions) => regions.map(({ mode, points }) => ({ mode, points }));

export function Regions({ camera, put }) {
  const still = useStill(`/cameras/${camera.id}/still`);
  const [state, dispatch] = useReducer(act, plain(camera.regions), started);
  const saving = useSaving(camera, put);
  const say = (...given) => dispatch(given);
  const changed = JSON.stringify(state.regions) !== JSON.stringify(plain(camera.regions));
  const submit = () => saving.send({ regions: state.regions });
  const discard = () => { say("reset", plain(camera.regions)); saving.forget(); };
  return html`<p class="lead">${T.regions.text}</p>
    <div class="row tools">
      <button type="button" class="button" aria-pressed=${state.open?.mode === "watch" ? "true" : "false"} onClick=${() => say("start", "watch")}><${Icon} name="eye" />${T.regions.watch}</button>
      <button type="button" class="button" aria-pressed=${state.open?.mode === "ignore" ? "true" : "false"} onClick=${() => say("start", "ignore")}><${Icon} name="close" />${T.regions.ignore}</button>
      ${state.open && html`<button type="button" class="button main" disabled=${state.open.points.length < LEAST} onClick=${() => say("close")}>${T.regions.close}</button>`}
      <span class="grow"></span>
      <button type="button" class="button" disabled=${state.past.length === 0} onClick=${() => say("undo")}><${Icon} name="undo" />${T.regions.undo}</button>
      <button type="button" class="button" disabled=${!state.chosen} onClick=${() => say("remove")}><${Icon} name="trash" />${state.chosen && state.chosen[1] !== null ? T.regions.removePoint : T.regions.remove}</button>
    </div>
    <p class="hint" role="status">${state.open ? T.regions.drawing(state.open.points.length) : T.regions.hint}</p>
    ${still.url ? html`<${Canvas} url=${still.url} alt=${T.cameras.stillOf(camera.name)} state=${state} say=${say} />` : still.error
      ? html`<${Failed} error=${still.error} again=${still.again} title=${T.regions.noStill} />` : html`<${Loading} tiles=${1} />`}
    <div class="save card">
      <${SavingState} saving=${saving} again=${submit} theirs=${discard} />
      <p class="row"><span class="quiet grow" role="status">${state.open ? T.regions.unfinished : changed ? T.saving.unsaved : T.saving.nothing}</span>
        <button type="button" class="button" disabled=${!changed || saving.busy} onClick=${discard}>${T.saving.discard}</button>
        <button type="button" class="button main" disabled=${!changed || saving.busy || Boolean(state.open)} onClick=${submit}>${T.regions.save}</button></p>
    </div>
    <section class="block"><h2>${T.regions.list}</h2>
      ${state.regions.length === 0 ? html`<p class="quiet">${T.regions.none}</p>` : state.regions.map((region, n) => html`<${Numbers} key=${n} region=${region} n=${n} chosen=${state.chosen?.[0] === n} say=${say} />`)}
      <p class="actions"><button type="button" class="button small" onClick=${() => { say("start", "watch"); for (const [x, y] of [[0.25, 0.25], [0.75, 0.25], [0.75, 0.75], [0.25, 0.75]]) say("add", [x, y]); say("close"); }}>
        <${Icon} name="plus" size=${16} />${T.regions.typed}</button></p>
    </section>`;
}

// The same without a mouse: corners in percent of the picture's width and height.
function Numbers({ region, n, chosen, say }) {
  const share = (event) => Number(event.target.value) / 100;
  const shown = (value) => String(Math.round(value * 1000) / 10);
  return html`<details class=${classes("card pad numbers", chosen && "chosen")} open=${chosen}><summary>${T.regions.named(n + 1, T.regions.modes[region.mode], region.points.length)}</summary>
    <div class="form inner">
      <${Choice} label=${T.regions.mode} value=${region.mode} change=${(mode) => say("mode", n, mode)} options=${Object.entries(T.regions.modes)} />
      <ol class="points">${region.points.map(([x, y], place) => html`<li key=${place} class="row">
        <${Field} label=${T.regions.x(place + 1)} type="number" min="0" max="100" step="0.1" value=${shown(x)} onChange=${(event) => say("place", [n, place], at(share(event), y))} />
        <${Field} label=${T.regions.y(place + 1)} type="number" min="0" max="100" step="0.1" value=${shown(y)} onChange=${(event) => say("place", [n, place], at(x, share(event)))} />
        <button type="button" class="plain" aria-label=${T.regions.removeCorner(place + 1)} disabled=${region.points.length <= LEAST} onClick=${() => say("remove", [n, place])}><${Icon} name="trash" /></button>
      </li>`)}</ol>
      <p class="actions"><button type="button" class="button small" onClick=${() => say("insert", n)}>${T.regions.addPoint}</button>
        <button type="button" class="button small danger" onClick=${() => say("remove", [n, null])}>${T.regions.removeNamed(n + 1)}</button></p>
    </div></details>`;
}
