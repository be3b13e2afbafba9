// Short messages: what was done, with a way to take it back. They stay while they are pointed at, and go by themselves.

import { T } from "../texts.js";
import { html, shared, useEffect, useShared, useState } from "../ui.js";
import { Icon } from "./icon.js";

const STAY_MS = 6000;
const MOST = 3;
const messages = shared([]);
let last = 0;

// `toast("Dismissed.", { action: "Undo", act: () => ... })`; `kind: "bad"` for what failed. Gives what takes it away.
export function toast(text, { action = null, act = null, kind = "good", stay = STAY_MS } = {}) {
  const id = (last += 1);
  messages.set([...messages.get().slice(1 - MOST), { id, text, action, act, kind, stay }]);
  return () => drop(id);
}

export const toastProblem = (error) => toast(error.message, { kind: "bad", stay: 2 * STAY_MS });

const drop = (id) => messages.set(messages.get().filter((one) => one.id !== id));

export function Toasts() {
  const list = useShared(messages);
  return html`<section class="toasts" aria-label=${T.toast.label} aria-live="polite">
    ${list.map((one) => html`<${Toast} key=${one.id} ...${one} />`)}
  </section>`;
}

function Toast({ id, text, action, act, kind, stay }) {
  const [held, setHeld] = useState(false);
  useEffect(() => {
    if (held) return undefined;
    const timer = setTimeout(() => drop(id), stay);
    return () => clearTimeout(timer);
  }, [held]);
  return html`<div class="toast" data-kind=${kind} onPointerEnter=${() => setHeld(true)} onPointerLeave=${() => setHeld(false)}
    onFocusIn=${() => setHeld(true)} onFocusOut=${() => setHeld(false)}>
    <p>${text}</p>
    ${action && html`<button type="button" class="plain" onClick=${() => { drop(id); act(); }}>${action}</button>`}
    <button type="button" class="plain" aria-label=${T.toast.dismiss} onClick=${() => drop(id)}><${Icon} name="close" size=${16} /></button>
  </div>`;
}
