// A table that scrolls sideways by itself where the screen is narrow; on phones rows may become cards (`cards`).

import { T } from "../texts.js";
import { classes, html } from "../ui.js";

// columns: [{ name, title, cell: (row) => what is shown, number: bool, head: bool (names the row), quiet: bool }].
// `caption` is read out and not seen, unless `shown`. `more`: asks for the next page; `busy` while it does.
export function Table({ caption, shown = false, columns, rows, keyOf = (row) => row.id, cards = false, more = null, busy = false, rowClass = () => "" }) {
  return html`<div class="scroll" tabindex="0" role="region" aria-label=${T.table.scroll(caption)}>
    <table class=${classes("table", cards && "cards")}>
      <caption class=${shown ? "" : "unseen"}>${caption}</caption>
      <thead><tr>${columns.map((one) => html`<th key=${one.name} scope="col" class=${one.number ? "number" : ""}>${one.title}</th>`)}</tr></thead>
      <tbody>${rows.map((row) => html`<tr key=${keyOf(row)} class=${rowClass(row)}>
        ${columns.map((one) => one.head
          ? html`<th key=${one.name} scope="row">${one.cell(row)}</th>`
          : html`<td key=${one.name} class=${classes(one.number && "number", one.quiet && "quiet")} data-title=${one.title}>${one.cell(row)}</td>`)}
      </tr>`)}</tbody>
    </table>
    ${rows.length === 0 && html`<p class="none">${T.table.none}</p>`}
  </div>
  ${more && html`<p class="actions"><button type="button" class="button" disabled=${busy} onClick=${more}>${T.table.more}</button></p>`}`;
}
