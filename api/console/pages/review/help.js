// Which key does what, and a switch for those whom single keys disturb.

import { Dialog } from "../../components/dialog.js";
import { T } from "../../texts.js";
import { html, useShared } from "../../ui.js";
import { keysOn, turnKeys } from "./keys.js";

export function Help({ close, sheet = false }) {
  const on = useShared(keysOn);
  const lines = sheet ? T.review.help.sheetKeys : T.review.help.keys;
  return html`<${Dialog} title=${T.review.help.title} close=${close}>
    <dl class="key-list">${lines.map(([key, text]) => html`<dt key=${key}><kbd>${key}</kbd></dt><dd>${text}</dd>`)}</dl>
    <p class="hint">${T.review.help.text}</p>
    <p><label class="row"><input type="checkbox" checked=${on} onChange=${(event) => turnKeys(event.target.checked)} />${T.review.help.use}</label></p>
  <//>`;
}
