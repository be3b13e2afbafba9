// Many cameras from a list: first what would happen, then it happens.

import { post } from "../../api.js";
import { Choice, Field } from "../../components/field.js";
import { Icon } from "../../components/icon.js";
import { sentence } from "../../components/sentence.js";
import { Table } from "../../components/table.js";
import { href } from "../../router.js";
import { T } from "../../texts.js";
import { html, useRef, useState } from "../../ui.js";
import { zoneOptions } from "./zones.js";

const LIMIT_MS = 90000;

export function Import() {
  const [timezone, setTimezone] = useState("");
  const [name, setName] = useState("");
  const [busy, setBusy] = useState(false);
  const [found, setFound] = useState({ report: null, problem: null });
  const list = useRef(null);

  const send = async (dry, zone = timezone) => {
    if (!list.current) return;
    setBusy(true);
    try {
      const report = await post("/cameras/import", list.current, { query: { dry_run: dry, timezone: zone }, limit: LIMIT_MS });
      setFound({ report, problem: null });
    } catch (problem) {
      setFound({ report: null, problem });
    }
    setBusy(false);
  };
  const chosen = async (event) => {
    const [file] = event.target.files;
    if (!file) return;
    // Read at once: it may be changed and chosen again. Whatever the system calls it, the file may have any type.
    const content = await file.arrayBuffer();
    event.target.value = "";
    list.current = new Blob([content], { type: "text/csv" });
    setName(file.name);
    send(true);
  };
  const { report, problem } = found;
  const changes = report?.cameras.filter((one) => one.action !== "unchanged").length ?? 0;
  return html`<p class="crumbs"><a href=${href("cameras")}>${T.cameras.title}</a></p><div class="page-head"><h1>${T.list.title}</h1></div>
    <div class="card pad form narrow"><p>${T.list.text}</p>
      <${Field} label=${T.list.file} hint=${T.list.fileHint} type="file" accept=".csv,text/csv" onChange=${chosen} />
      <${Choice} label=${T.list.timezone} hint=${T.list.timezoneHint} value=${timezone} change=${(zone) => { setTimezone(zone); send(true, zone); }} options=${[["", T.list.noTimezone], ...zoneOptions()]} />
      ${busy && html`<p class="hint" role="status">${report ? T.list.applying : T.list.reading}</p>`}</div>
    ${problem && html`<${Mistakes} problem=${problem} />`}
    ${report && html`<section class="block"><h2>${report.applied ? T.list.done(changes) : T.list.would(name)}</h2>
      ${report.made.length > 0 && html`<p>${report.applied ? T.list.made(report.made) : T.list.wouldMake(report.made)}</p>`}
      <div class="card pad above"><${Table} caption=${T.list.title} columns=${columns(report)} rows=${report.cameras} keyOf=${(one) => one.line} cards /></div>
      ${!report.applied && html`<p class="actions"><button type="button" class="button main" disabled=${busy || changes + report.made.length === 0} onClick=${() => send(false)}>
        ${changes + report.made.length === 0 ? T.list.nothing : T.list.apply(changes)}</button></p>`}</section>`}`;
}

const columns = (report) => [
  { name: "line", title: T.list.line, number: true, cell: (one) => one.line },
  { name: "name", title: T.cameras.name, head: true, cell: (one) => (report.applied ? html`<a href=${href(`cameras/${one.camera_id}`)}>${one.name}</a>` : one.name) },
  { name: "action", title: T.list.action, cell: (one) => html`<span class="pill" data-state=${{ new: "good", changed: "waiting" }[one.action] ?? "away"}>
    <span class="pill-text">${one.action === "changed" ? T.list.changed(one.columns) : T.list.actions[one.action]}</span></span>` },
  { name: "url", title: T.cameras.url, cell: (one) => html`<code>${one.url}</code>` },
  ...(report.checked ? [{ name: "check", title: T.check.title, cell: (one) => (one.check ? (one.check.ok ? T.check.good : sentence(one.check.detail)) : T.list.notChecked) }] : []),
];

function Mistakes({ problem }) {
  const lines = problem.details.mistakes;
  if (!lines) return html`<p class="notice bad above" role="alert"><${Icon} name="warning" />${problem.message}</p>`;
  return html`<section class="block" role="alert"><h2>${T.list.mistakes(lines.length)}</h2><div class="card pad"><${Table} caption=${T.list.mistakes(lines.length)} rows=${lines}
    keyOf=${(one) => `${one.line} ${one.message}`} columns=${[
      { name: "line", title: T.list.line, number: true, cell: (one) => one.line || "–" },
      { name: "message", title: T.list.wrong, cell: (one) => sentence(one.message) },
    ]} /></div></section>`;
}
