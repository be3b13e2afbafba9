// A camera's settings: only what was changed is sent, for the version that was read.

import { Choice, Field } from "../../components/field.js";
import { Tick } from "../../components/tick.js";
import { T } from "../../texts.js";
import { classes, html, useRef, useState } from "../../ui.js";
import { changesOf, draftOf, rebased } from "./draft.js";
import { Hours, hoursMistake } from "./hours.js";
import { SavingState, useSaving } from "./saving.js";

const BREACHES = ["without_mask", "incorrect_mask"];

export function Settings({ camera, homes, credentials, put }) {
  const [draft, setDraft] = useState(draftOf(camera));
  const [mistake, setMistake] = useState(null);
  const typed = useRef(draft);
  typed.current = draft;
  const saving = useSaving(camera, (now) => {
    setDraft(rebased(typed.current, camera, now));
    put(now);
  });
  const set = (changes) => setDraft((now) => ({ ...now, ...changes }));
  const text = (name) => ({ name, value: draft[name], onInput: (event) => set({ [name]: event.target.value }) });
  const changes = changesOf(camera, draft);
  const changed = Object.keys(changes).length > 0;
  const home = homes.find((one) => one.id === draft.building_id);

  const submit = async (event) => {
    event?.preventDefault();
    const wrong = draft.labels.length === 0 ? T.settings.noLabel : hoursMistake(draft.hours);
    setMistake(wrong);
    if (wrong) return;
    const now = await saving.send(changes);
    if (now) setDraft(draftOf(now));
  };
  const ticked = (label, on) => set({ labels: BREACHES.filter((one) => (one === label ? on : draft.labels.includes(one))) });

  return html`<form class="settings" onSubmit=${submit} novalidate>
    <fieldset class="card pad form"><legend>${T.settings.what}</legend>
      <${Field} label=${T.cameras.name} maxlength="200" ...${text("name")} />
      <div class="pair">
        <${Choice} label=${T.cameras.building} value=${draft.building_id} change=${(value) => set({ building_id: value, zone_id: "" })} options=${homes.map((one) => [one.id, one.name])} />
        <${Choice} label=${T.cameras.zone} value=${draft.zone_id} change=${(value) => set({ zone_id: value })} options=${[["", T.cameras.noZone], ...(home?.zones ?? []).map((one) => [one.id, one.name])]} />
      </div>
      <${Tick} label=${T.settings.enabled} hint=${T.settings.enabledHint} checked=${draft.enabled} change=${(on) => set({ enabled: on })} />
      <${Tick} label=${T.settings.counts} hint=${T.settings.countsHint} checked=${draft.counts} change=${(on) => set({ counts: on })} />
    </fieldset>
    <fieldset class="card pad form"><legend>${T.settings.stream}</legend>
      <${Field} label=${T.cameras.url} hint=${T.settings.urlHint} autocomplete="off" autocapitalize="none" spellcheck=${false} ...${text("url")} />
      <${Field} label=${T.cameras.substream} hint=${T.cameras.substreamHint} autocomplete="off" autocapitalize="none" spellcheck=${false} ...${text("substream_url")} />
      <div class="pair">
        <${Choice} label=${T.cameras.credential} value=${draft.credential} change=${(value) => set({ credential: value })} options=${[["", T.cameras.noCredential], ...credentials.map((one) => [one.name, one.name])]} />
        <${Choice} label=${T.settings.transport} value=${draft.transport} change=${(value) => set({ transport: value })} options=${Object.entries(T.settings.transports)} />
      </div>
    </fieldset>
    <fieldset class="card pad form"><legend>${T.settings.policy}</legend>
      <p class="hint">${T.settings.policyHint}</p>
      ${BREACHES.map((label) => html`<${Tick} key=${label} label=${T.labels[label]} checked=${draft.labels.includes(label)} change=${(on) => ticked(label, on)} />`)}
      <${Field} label=${T.settings.dwell} hint=${T.settings.dwellHint} type="number" min="0" max="3600" step="0.1" ...${text("dwell_s")} />
      <${Hours} hours=${draft.hours} change=${(hours) => set({ hours })} timezone=${home?.timezone} />
    </fieldset>
    <fieldset class="card pad form"><legend>${T.settings.looking}</legend>
      <div class="pair">
        <${Field} label=${T.settings.fps} hint=${T.settings.fpsHint} type="number" min="0.01" max="120" step="any" ...${text("analyze_fps")} />
        <${Field} label=${T.settings.face} hint=${T.settings.faceHint} type="number" min="8" max="1000" step="1" ...${text("min_face_px")} />
        <${Field} label=${T.settings.detection} hint=${T.settings.thresholdHint("0.1", "0.95")} type="number" min="0.1" max="0.95" step="0.01" ...${text("detection")} />
        <${Field} label=${T.settings.confidence} hint=${T.settings.thresholdHint("0.4", "0.99")} type="number" min="0.4" max="0.99" step="0.01" ...${text("confidence")} />
      </div>
    </fieldset>
    <div class=${classes("save card", (changed || saving.busy || saving.clash) && "changed")}>
      <${SavingState} saving=${saving} again=${() => submit()} theirs=${() => { setDraft(draftOf(camera)); saving.forget(); }} />
      ${mistake && html`<p class="error" role="alert">${mistake}</p>`}
      <p class="row"><span class="quiet grow" role="status">${changed ? T.saving.unsaved : T.saving.nothing}</span>
        <button type="button" class="button" disabled=${!changed || saving.busy} onClick=${() => { setDraft(draftOf(camera)); saving.forget(); setMistake(null); }}>${T.saving.discard}</button>
        <button class="button main" disabled=${!changed || saving.busy}>${T.saving.save}</button></p>
    </div>
  </form>`;
}
