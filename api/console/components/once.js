// A secret that is shown this once: to be copied now.

import { T } from "../texts.js";
import { html, useRef, useState } from "../ui.js";
import { Dialog } from "./dialog.js";
import { Field } from "./field.js";
import { Icon } from "./icon.js";

export function Once({ title, text, label, secret, close }) {
  const root = useRef(null);
  const [copied, setCopied] = useState(null);
  const copy = async () => {
    root.current.querySelector("input").select();
    try {
      await navigator.clipboard.writeText(secret);
      setCopied(T.once.copied);
    } catch {
      // Only pages that came safely may write there; what is marked can still be copied by hand.
      setCopied(T.once.byHand);
    }
  };
  return html`<${Dialog} title=${title} close=${close} actions=${html`
    <button type="button" class="button main" onClick=${copy}><${Icon} name="check" />${T.once.copy}</button>
    <button type="button" class="button" onClick=${close}>${T.once.done}</button>`}>
    <div class="form" ref=${root}><p>${text}</p>
      <${Field} label=${label} value=${secret} readonly spellcheck=${false} autocomplete="off" onFocus=${(event) => event.target.select()} />
      <p class="hint" role="status">${copied ?? T.once.warning}</p></div>
  <//>`;
}
