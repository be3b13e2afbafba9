// A box to tick, with its words beside it.

import { html, useId } from "../ui.js";

export function Tick({ label, hint, checked, change, ...rest }) {
  const id = useId();
  return html`<div class="tick">
    <label><input type="checkbox" checked=${checked} aria-describedby=${hint ? id : undefined} onChange=${(event) => change(event.target.checked)} ...${rest} />
      <span>${label}</span></label>
    ${hint && html`<p class="hint" id=${id}>${hint}</p>`}
  </div>`;
}
