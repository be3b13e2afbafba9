// Keys for programs: made with rights and an end, shown once, revoked.

import { post, remove } from "../../api.js";
import { Confirm, Dialog } from "../../components/dialog.js";
import { Choice, Field } from "../../components/field.js";
import { Icon } from "../../components/icon.js";
import { Once } from "../../components/once.js";
import { Empty } from "../../components/states.js";
import { Table } from "../../components/table.js";
import { toast, toastProblem } from "../../components/toast.js";
import { date, since } from "../../format.js";
import { useMe } from "../../session.js";
import { T } from "../../texts.js";
import { html, useState } from "../../ui.js";
import { Rights, rightsText } from "./rights.js";

const DAY_MS = 86400000;

const stateOf = (key) => {
  if (key.revoked_at) return ["disabled", T.keys.revoked(date(key.revoked_at))];
  if (key.expires_at && new Date(key.expires_at) <= new Date()) return ["disabled", T.keys.expired(date(key.expires_at))];
  return ["good", key.expires_at ? T.keys.until(date(key.expires_at)) : T.keys.forever];
};

export function Keys({ keys, buildings, again }) {
  const me = useMe();
  const [open, setOpen] = useState(null); // "new", { made }, { revoke }
  const close = () => setOpen(null);
  const revoke = (key) => remove(`/api-keys/${key.id}`).then(() => { toast(T.keys.isRevoked(key.name)); close(); again(); }, (problem) => { toastProblem(problem); close(); });
  const columns = [
    { name: "name", title: T.people.name, head: true, cell: (one) => html`${one.name} <code class="quiet">…${one.hint}</code>` },
    { name: "role", title: T.people.role, cell: (one) => T.nav.role(one.role) },
    { name: "buildings", title: T.people.buildings, cell: (one) => rightsText(one, buildings) },
    { name: "state", title: T.cameras.state, cell: (one) => html`<span class="pill" data-state=${stateOf(one)[0]}><span class="pill-text">${stateOf(one)[1]}</span></span>` },
    { name: "used", title: T.keys.used, quiet: true, cell: (one) => (one.used_at ? T.cameras.ago(since(one.used_at)) : T.cameras.never) },
    { name: "by", title: T.keys.by, quiet: true, cell: (one) => one.created_by },
    { name: "acts", title: T.people.acts, cell: (one) => !one.revoked_at && html`<button type="button" class="button small danger" onClick=${() => setOpen({ revoke: one })}>${T.keys.revoke}<span class="unseen"> ${one.name}</span></button>` },
  ];
  return html`<section class="block"><div class="row"><h2 class="grow">${T.keys.title}</h2>
      <button type="button" class="button" onClick=${() => setOpen("new")}><${Icon} name="key" />${T.keys.add}</button></div>
    ${keys.length === 0
      ? html`<div class="card"><${Empty} icon="key" title=${T.keys.none} text=${T.keys.noneText} /></div>`
      : html`<div class="card pad"><${Table} caption=${T.keys.title} columns=${columns} rows=${keys} cards rowClass=${(one) => (stateOf(one)[0] === "good" ? "" : "ended")} /></div>`}
    ${open === "new" && html`<${NewKey} buildings=${buildings} me=${me} close=${close} made=${(made) => { setOpen({ made }); again(); }} />`}
    ${open?.made && html`<${Once} title=${T.keys.madeTitle(open.made.name)} text=${T.keys.madeText} label=${T.keys.key} secret=${open.made.key} close=${close} />`}
    ${open?.revoke && html`<${Confirm} title=${T.keys.revoke} text=${T.keys.revokeText(open.revoke.name)} confirm=${T.keys.revoke} act=${() => revoke(open.revoke)} close=${close} />`}
  </section>`;
}

function NewKey({ buildings, me, close, made }) {
  const [rights, setRights] = useState({ role: "viewer", buildings: me.buildings === null ? null : [] });
  const [days, setDays] = useState("90");
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState(null);
  const submit = async (event) => {
    event.preventDefault();
    const expires = days ? new Date(Date.now() + Number(days) * DAY_MS).toISOString() : null;
    setBusy(true);
    setError(null);
    try {
      made(await post("/api-keys", { name: event.target.elements.key.value.trim(), ...rights, expires_at: expires }));
    } catch (problem) {
      setError(problem.message);
      setBusy(false);
    }
  };
  return html`<${Dialog} title=${T.keys.add} close=${close}>
    <form class="form" onSubmit=${submit} novalidate>
      <${Field} label=${T.people.name} name="key" hint=${T.keys.nameHint} autocomplete="off" maxlength="64" required />
      <${Rights} rights=${rights} change=${setRights} buildings=${buildings} me=${me} />
      <${Choice} label=${T.keys.expires} value=${days} change=${setDays} options=${Object.entries(T.keys.days).sort(([one], [other]) => (Number(one) || 1e9) - (Number(other) || 1e9))} />
      ${error && html`<p class="error" role="alert">${error}</p>`}
      <p class="actions"><button class="button main" disabled=${busy}>${T.keys.make}</button><button type="button" class="button" onClick=${close}>${T.dialog.cancel}</button></p>
    </form><//>`;
}
