// What was said and could not be done: somebody else was first, or the server was away. It stays here until it is settled.

import { toastProblem } from "../../components/toast.js";
import { Icon } from "../../components/icon.js";
import { T } from "../../texts.js";
import { html } from "../../ui.js";
import { inWords, saidWords } from "./facts.js";

export function Troubles({ queue, places, show }) {
  return html`<div class="troubles" aria-live="polite">${queue.troubles.map(({ id, event, said, error }) => {
    const first = error.kind === "version-mismatch" || error.kind === "conflict";
    const again = () => {
      queue.drop(id);
      queue.judge(event, said).catch(toastProblem);
    };
    const others = event.review.verdict === "pending" ? T.review.othersUndid : T.review.others(event.review.by ?? T.review.somebody, saidWords(event.review));
    return html`<div class="notice" key=${id}><${Icon} name="warning" />
      <p>${inWords(event, places)}. ${first ? others : error.message} ${T.review.yours(saidWords(said))}
        ${first && event.review.note && html`<span class="said">${event.review.note}</span>`}</p>
      <span class="row">
        <button type="button" class="button small" onClick=${() => queue.drop(id)}>${first ? T.review.leave : T.review.letGo}</button>
        <button type="button" class="button small" onClick=${again}>${first ? T.review.allTheSame : T.states.again}</button>
        <button type="button" class="button small" onClick=${() => show(id)}>${T.review.look}</button></span></div>`;
  })}</div>`;
}
