// What a page shows when it has nothing to show: it loads, it is empty, it failed, it is not yours.

import { href } from "../router.js";
import { T } from "../texts.js";
import { html } from "../ui.js";
import { Icon } from "./icon.js";

// Grey lines where content will be; `lines` of them, or `tiles`.
export function Loading({ lines = 3, tiles = 0 }) {
  return html`<div class="loading" role="status">
    <span class="unseen">${T.states.loading}</span>
    ${tiles > 0
      ? html`<div class="tiles" aria-hidden="true">${Array.from({ length: tiles }, (_, n) => html`<div key=${n} class="bone tile-bone"></div>`)}</div>`
      : Array.from({ length: lines }, (_, n) => html`<div key=${n} class="bone" aria-hidden="true"></div>`)}
  </div>`;
}

// Nothing is there: what that means, and what one can do (children: a button or link). `whole`: it is all of the page.
export function Empty({ icon = "calm", title, text, whole = false, children }) {
  return html`<div class="empty"><${Icon} name=${icon} size=${32} /><${whole ? "h1" : "h2"}>${title}<//>${text && html`<p>${text}</p>`}
    ${children && html`<p class="actions">${children}</p>`}</div>`;
}

// It did not work: why, in the problem's own sentence, and a way to try again.
export function Failed({ error, again, title = T.states.failed, whole = false }) {
  return html`<div class="failed" role="alert"><${Icon} name="warning" size=${28} /><div><${whole ? "h1" : "h2"}>${title}<//><p>${error.message}</p>
    ${again && html`<p class="actions"><button type="button" class="button" onClick=${again}>${T.states.again}</button></p>`}</div></div>`;
}

// Above what is still shown from before: it could not be asked again.
export function Stale({ error, again }) {
  return html`<div class="notice" role="status"><${Icon} name="warning" /><p>${error.message} ${T.states.stale}</p>
    <button type="button" class="button small" onClick=${again}>${T.states.again}</button></div>`;
}

// All of it for `useAsked`: children are a function of the data.
export function Shown({ asked, children, loading }) {
  const { data, error, again } = asked;
  if (data === undefined) return error ? html`<${Failed} error=${error} again=${again} />` : (loading ?? html`<${Loading} />`);
  return html`${error && html`<${Stale} error=${error} again=${again} />`}${children(data)}`;
}

export const Unknown = () => html`<${Empty} whole icon="help" title=${T.states.unknown} text=${T.states.unknownText}>
  <a class="button" href=${href("overview")}>${T.states.toOverview}</a><//>`;

export const NotAllowed = ({ role }) => html`<${Empty} whole icon="help" title=${T.states.notAllowed} text=${T.states.notAllowedText(role)}>
  <a class="button" href=${href("overview")}>${T.states.toOverview}</a><//>`;

export const Broken = () => html`<div class="failed" role="alert"><${Icon} name="warning" size=${28} /><div>
  <h1>${T.states.broken}</h1><p>${T.states.brokenText}</p>
  <p class="actions"><button type="button" class="button" onClick=${() => location.reload()}>${T.states.reload}</button></p></div></div>`;
