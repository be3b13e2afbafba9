// Accounts: their rights, links that lead in once, and ends of them.

import { patch, post, remove } from "../../api.js";
import { Confirm, Dialog } from "../../components/dialog.js";
import { Field } from "../../components/field.js";
import { Icon } from "../../components/icon.js";
import { Once } from "../../components/once.js";
import { Empty } from "../../components/states.js";
import { Table } from "../../components/table.js";
import { toast, toastProblem } from "../../components/toast.js";
import { moment, since } from "../../format.js";
import { useMe } from "../../session.js";
import { T } from "../../texts.js";
import { html, useState } from "../../ui.js";
import { Rights, rightsText } from "./rights.js";

const HERE = Intl.DateTimeFormat().resolvedOptions().timeZone;

export function Accounts({ users, buildings, again }) {
  const me = useMe();
  const [open, setOpen] = useState(null); // { kind: "edit" | "link" | "disable" | "remove", user, link }
  const close = () => setOpen(null);
  const tell = (text) => { toast(text); close(); again(); };

  const link = async (user) => {
    try {
      setOpen({ kind: "link", user, link: await post(`/users/${user.id}/link`) });
    } catch (problem) {
      toastProblem(problem);
    }
  };
  const enable = (user, enabled) => patch(`/users/${user.id}`, { enabled }, { version: user.version }).then(
    () => tell(enabled ? T.people.isEnabled(user.name) : T.people.isDisabled(user.name)), (problem) => { toastProblem(problem); close(); again(); });
  const drop = (user) => remove(`/users/${user.id}`).then(() => tell(T.people.isRemoved(user.name)), (problem) => { toastProblem(problem); close(); });
  const saved = (user, isNew) => {
    close();
    again();
    if (isNew && !user.has_password) link(user);
    else toast(T.saving.saved);
  };
  const columns = [
    { name: "name", title: T.people.name, head: true, cell: (one) => html`${one.name}${one.id === me.id ? html` <span class="quiet">${T.people.you}</span>` : ""}` },
    { name: "role", title: T.people.role, cell: (one) => T.nav.role(one.role) },
    { name: "buildings", title: T.people.buildings, cell: (one) => rightsText(one, buildings) },
    { name: "state", title: T.cameras.state, cell: (one) => html`<span class="pill" data-state=${one.enabled ? (one.has_password ? "good" : "waiting") : "disabled"}>
      <span class="pill-text">${one.enabled ? (one.has_password ? T.people.active : T.people.invited) : T.people.disabled}</span></span>` },
    { name: "seen", title: T.people.seen, quiet: true, cell: (one) => (one.seen_at ? T.cameras.ago(since(one.seen_at)) : T.cameras.never) },
    { name: "acts", title: T.people.acts, cell: (one) => html`<${Acts} user=${one} own=${one.id === me.id} open=${setOpen} link=${link} enable=${enable} />` },
  ];
  return html`<section class="block first"><div class="row"><h2 class="grow">${T.people.accounts}</h2>
      <button type="button" class="button main" onClick=${() => setOpen({ kind: "edit", user: null })}><${Icon} name="plus" />${T.people.add}</button></div>
    ${users.length === 0
      ? html`<div class="card"><${Empty} icon="people" title=${T.people.none} text=${T.people.noneText} /></div>`
      : html`<div class="card pad"><${Table} caption=${T.people.accounts} columns=${columns} rows=${users} cards rowClass=${(one) => (one.enabled ? "" : "ended")} /></div>`}
    ${open?.kind === "edit" && html`<${Edit} user=${open.user} buildings=${buildings} me=${me} close=${close} saved=${saved} />`}
    ${open?.kind === "link" && html`<${Once} title=${T.people.linkTitle(open.user.name)} text=${T.people.linkText(moment(open.link.expires_at, HERE))} label=${T.people.link} secret=${open.link.link} close=${close} />`}
    ${open?.kind === "disable" && html`<${Confirm} title=${T.people.disable} text=${T.people.disableText(open.user.name)} confirm=${T.people.disable} act=${() => enable(open.user, false)} close=${close} />`}
    ${open?.kind === "remove" && html`<${Confirm} title=${T.people.remove} text=${T.people.removeText(open.user.name)} confirm=${T.people.remove} act=${() => drop(open.user)} close=${close} />`}
  </section>`;
}

function Acts({ user, own, open, link, enable }) {
  return html`<div class="acts"><button type="button" class="button small" onClick=${() => open({ kind: "edit", user })}>${T.places.change}<span class="unseen"> ${user.name}</span></button>
    ${!own && html`<button type="button" class="button small" onClick=${() => link(user)}>${T.people.makeLink}<span class="unseen"> ${T.people.of(user.name)}</span></button>`}
    ${!own && (user.enabled
      ? html`<button type="button" class="button small" onClick=${() => open({ kind: "disable", user })}>${T.people.disable}<span class="unseen"> ${user.name}</span></button>`
      : html`<button type="button" class="button small" onClick=${() => enable(user, true)}>${T.people.enable}<span class="unseen"> ${user.name}</span></button>`)}
    ${!own && html`<button type="button" class="button small danger" onClick=${() => open({ kind: "remove", user })}>${T.people.remove}<span class="unseen"> ${user.name}</span></button>`}</div>`;
}

function Edit({ user, buildings, me, close, saved }) {
  const own = user?.id === me.id;
  const [rights, setRights] = useState({ role: user?.role ?? "viewer", buildings: user ? user.buildings : me.buildings === null ? null : [] });
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState(null);
  const submit = async (event) => {
    event.preventDefault();
    const name = event.target.elements.account.value.trim();
    const changes = { ...(name === user?.name ? {} : { name }), ...(own ? {} : rights) };
    setBusy(true);
    setError(null);
    try {
      saved(user ? await patch(`/users/${user.id}`, changes, { version: user.version }) : await post("/users", changes), !user);
    } catch (problem) {
      setError(problem.status === 412 ? T.people.clash : problem.message);
      setBusy(false);
    }
  };
  return html`<${Dialog} title=${user ? T.people.edit(user.name) : T.people.add} close=${close}>
    <form class="form" onSubmit=${submit} novalidate>
      <${Field} label=${T.people.name} name="account" defaultValue=${user?.name ?? ""} autocomplete="off" autocapitalize="none" spellcheck=${false} maxlength="64" required />
      ${own ? html`<p class="hint">${T.people.ownRights}</p>` : html`<${Rights} rights=${rights} change=${setRights} buildings=${buildings} me=${me} />`}
      <p class="hint">${user ? T.people.ends : T.people.addText}</p>
      ${error && html`<p class="error" role="alert">${error}</p>`}
      <p class="actions"><button class="button main" disabled=${busy}>${user ? T.saving.save : T.people.addAndLink}</button><button type="button" class="button" onClick=${close}>${T.dialog.cancel}</button></p>
    </form><//>`;
}
