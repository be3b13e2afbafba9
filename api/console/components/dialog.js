// A dialog over the page. The browser keeps the focus inside and gives it back; Escape and a click beside it close it.

import { T } from "../texts.js";
import { classes, html, useEffect, useId, useRef } from "../ui.js";
import { Icon } from "./icon.js";

// Shown as long as it is drawn: `${open && html`<${Dialog} title=... close=${() => setOpen(false)}>...<//>`}`.
// `wide` for pictures; `actions` stand at its foot.
export function Dialog({ title, close, wide = false, actions, onKeyDown, children }) {
  const root = useRef(null);
  const name = useId();
  useEffect(() => {
    const before = document.activeElement;
    root.current.showModal();
    return () => before?.focus?.();
  }, []);
  const beside = (event) => { if (event.target === root.current) close(); };
  return html`<dialog class=${classes("dialog", wide && "wide")} ref=${root} aria-labelledby=${name}
    onCancel=${(event) => { event.preventDefault(); close(); }} onPointerDown=${beside} onKeyDown=${onKeyDown}>
    <div class="dialog-body">
      <header><h2 id=${name}>${title}</h2>
        <button type="button" class="plain" aria-label=${T.dialog.close} onClick=${close}><${Icon} name="close" /></button></header>
      <div class="dialog-content">${children}</div>
      ${actions && html`<footer class="actions">${actions}</footer>`}
    </div>
  </dialog>`;
}

// A question before something that can't be taken back. `leave`: what the button says that leaves it alone.
export function Confirm({ title, text, confirm, leave = T.dialog.cancel, act, close, busy = false }) {
  return html`<${Dialog} title=${title} close=${close} actions=${html`
    <button type="button" class="button" onClick=${close}>${leave}</button>
    <button type="button" class="button danger" disabled=${busy} onClick=${act}>${confirm}</button>`}>
    <p>${text}</p>
  <//>`;
}
