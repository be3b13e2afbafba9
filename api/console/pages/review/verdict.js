// Buttons for what is said of an event, each with its key.

import { Icon } from "../../components/icon.js";
import { LabelName } from "../../components/label.js";
import { T } from "../../texts.js";
import { classes, html, useEffect, useRef, useShared } from "../../ui.js";
import { saidWords } from "./facts.js";
import { REASONS, TYPES, keysOn, labelsBut } from "./keys.js";

export function Key({ children }) {
  return useShared(keysOn) ? html`<kbd aria-hidden="true">${children}</kbd>` : null;
}

export function Verdict({ event, step, type, acts, judges, ends: [first, last], canUndo, children }) {
  const said = event.review.verdict !== "pending";
  return html`<section class="card verdict"><h2 class="unseen">${T.review.verdict}</h2>
    ${said && html`<p class="given" data-verdict=${event.review.verdict}>
      <strong>${saidWords(event.review)}</strong> ${event.review.by && html`<span class="hint">${T.review.said(event.review.by)}</span>`}</p>`}
    ${judges && (step ? html`<${Choices} key=${step} event=${event} step=${step} acts=${acts} />` : html`
      <fieldset class="types"><legend class="unseen">${T.review.confirmAs}</legend>
        ${TYPES.map((one, n) => html`<button key=${one} type="button" class="button small" aria-pressed=${one === (type ?? event.type) ? "true" : "false"} onClick=${() => acts.type(one)}>
          <${LabelName} label=${one} /><${Key}>${n + 1}<//></button>`)}</fieldset>
      <div class="verbs">
        <button type="button" class="button main" onClick=${acts.confirm}><${Icon} name="check" />${T.review.confirm}<${Key}>c<//></button>
        <button type="button" class="button danger" onClick=${acts.dismiss}><${Icon} name="close" />${T.review.dismiss}<${Key}>d<//></button>
      </div>
      ${children}`)}
    ${!judges && html`<p class="hint">${T.review.onlyLooks}</p>`}
    <div class="verbs steps">
      <button type="button" class="button" disabled=${first} onClick=${acts.previous}>${T.review.previous}<${Key}>k<//></button>
      ${judges && html`<button type="button" class="button" disabled=${!canUndo && !said} onClick=${acts.undo}><${Icon} name="undo" />${T.review.undo}<${Key}>u<//></button>`}
      <button type="button" class="button" disabled=${last} onClick=${acts.next}>${T.review.next}<${Key}>j<//></button>
    </div>
  </section>`;
}

// Why it is dismissed; and what the person wears, where the label is wrong. `event` null: of many.
export function Choices({ event, step, acts }) {
  const root = useRef(null);
  useEffect(() => { root.current?.querySelector("button")?.focus(); }, []);
  const labels = event ? labelsBut(event.machine_type) : Object.keys(T.labels);
  return html`<div class="choices" role="group" aria-label=${step === "reason" ? T.review.why : T.review.whatLabel} ref=${root}>
    <p>${step === "reason" ? T.review.why : T.review.whatLabel}</p>
    ${step === "reason"
      ? REASONS.map((one, n) => html`<button key=${one} type="button" class="button" onClick=${() => acts.reason(one)}><${Key}>${n + 1}<//>${T.review.reasons[one]}</button>`)
      : labels.map((one, n) => html`<button key=${one} type="button" class="button" onClick=${() => acts.label(one)}><${Key}>${n + 1}<//><${LabelName} label=${one} /></button>`)}
    <button type="button" class=${classes("button", "small")} onClick=${acts.back}>${T.review.back}<${Key}>${T.review.escape}<//></button>
  </div>`;
}
