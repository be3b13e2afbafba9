// A button that opens a small panel: links, choices. Escape, a click outside, or going elsewhere closes it.

import { classes, html, useEffect, useId, useRef, useState } from "../ui.js";
import { Icon } from "./icon.js";

// `label` for who can't see the icon; `text` beside it where it is to be seen; `up`: the panel opens upwards on phones.
export function Menu({ label, icon, text, up = false, className = "", children }) {
  const [open, setOpen] = useState(false);
  const root = useRef(null);
  const button = useRef(null);
  const id = useId();

  useEffect(() => {
    if (!open) return undefined;
    const outside = (event) => { if (!root.current?.contains(event.target)) setOpen(false); };
    const gone = () => setOpen(false);
    document.addEventListener("pointerdown", outside);
    document.addEventListener("focusin", outside);
    addEventListener("hashchange", gone);
    return () => {
      document.removeEventListener("pointerdown", outside);
      document.removeEventListener("focusin", outside);
      removeEventListener("hashchange", gone);
    };
  }, [open]);

  const key = (event) => {
    if (!open || event.key !== "Escape") return;
    event.stopPropagation();
    setOpen(false);
    button.current?.focus();
  };
  return html`<div class=${classes("menu", up && "up", className)} ref=${root} onKeyDown=${key}>
    <button type="button" class="menu-button" ref=${button} aria-expanded=${open ? "true" : "false"} aria-controls=${id}
      aria-label=${text ? undefined : label} title=${text ? undefined : label} onClick=${() => setOpen(!open)}>
      <${Icon} name=${icon} />${text && html`<span>${text}</span>`}
    </button>
    <div class="panel" id=${id} hidden=${!open}>${children}</div>
  </div>`;
}

export function MenuButton({ icon, onClick, children }) {
  return html`<button type="button" class="item" onClick=${onClick}>${icon && html`<${Icon} name=${icon} />`}${children}</button>`;
}
