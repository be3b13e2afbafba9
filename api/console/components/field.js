// Fields of forms: a label that is seen, a hint, and what is wrong, all read out with the field.

import { html, useId } from "../ui.js";

// Any other property goes to the input: type, value, onInput, autocomplete, required... `error`: a sentence, or nothing.
export function Field({ label, hint, error, as = "input", children, ...rest }) {
  const id = useId();
  const said = [hint && `${id}-hint`, error && `${id}-error`].filter(Boolean).join(" ");
  return html`<div class="field">
    <label for=${id}>${label}</label>
    <${as} id=${id} aria-describedby=${said || undefined} aria-invalid=${error ? "true" : undefined} ...${rest}>${children}<//>
    ${hint && html`<p class="hint" id=${`${id}-hint`}>${hint}</p>`}
    ${error && html`<p class="error" id=${`${id}-error`}>${error}</p>`}
  </div>`;
}

// options: [[value, text], ...]; `change` gets the value.
export function Choice({ label, options, value, change, ...rest }) {
  return html`<${Field} label=${label} as="select" value=${value} onChange=${(event) => change(event.target.value)} ...${rest}>
    ${options.map(([one, text]) => html`<option key=${one} value=${one} selected=${one === value}>${text}</option>`)}
  <//>`;
}
