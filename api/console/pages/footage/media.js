// Files that lie on the machine already, in its media folder: one goes through folders, and takes files or all of a folder.

import { get } from "../../api.js";
import { useAsked } from "../../asked.js";
import { Dialog } from "../../components/dialog.js";
import { Field } from "../../components/field.js";
import { Icon } from "../../components/icon.js";
import { Empty, Shown } from "../../components/states.js";
import { bytes, moment } from "../../format.js";
import { T } from "../../texts.js";
import { html, useState } from "../../ui.js";

const HERE = Intl.DateTimeFormat().resolvedOptions().timeZone;

export function Media({ close, taken, had }) {
  const [under, setUnder] = useState("");
  const [ticked, setTicked] = useState(new Map());
  const asked = useAsked((signal) => get("/media", { under }, { signal }), [under]);
  const tick = (files, on) => setTicked((now) => {
    const next = new Map(now);
    for (const one of files) {
      if (on) next.set(one.path, one);
      else next.delete(one.path);
    }
    return next;
  });
  return html`<${Dialog} title=${T.footage.media.title} close=${close} actions=${html`
    <button type="button" class="button" onClick=${close}>${T.dialog.cancel}</button>
    <button type="button" class="button main" disabled=${ticked.size === 0} onClick=${() => taken([...ticked.values()])}>${T.footage.media.take(ticked.size)}</button>`}>
    <p class="hint">${T.footage.media.text}</p>
    ${under && html`<nav class="row" aria-label=${T.footage.media.path}><${Steps} under=${under} go=${setUnder} /></nav>`}
    <${Shown} asked=${asked}>${(found) => html`<${Folder} items=${found.items} under=${under} go=${setUnder} ticked=${ticked} tick=${tick} had=${had} />`}<//>
    ${asked.error && asked.data === undefined && html`<${Named} go=${setUnder} />`}
  <//>`;
}

// Where there are too many files to list: whoever knows the folder names it.
function Named({ go }) {
  const open = (event) => {
    event.preventDefault();
    go(event.target.elements.folder.value.trim().replace(/^\/+|\/+$/g, ""));
  };
  return html`<form class="form above" onSubmit=${open}><${Field} label=${T.footage.media.folderName} hint=${T.footage.media.folderHint} name="folder" autocomplete="off" autocapitalize="none" spellcheck=${false} />
    <p class="row"><button class="button">${T.footage.media.open}</button></p></form>`;
}

// Each folder on the way here.
function Steps({ under, go }) {
  const parts = under.split("/");
  const step = (to, text) => html`<button type="button" key=${to} class="plain" onClick=${() => go(to)}>${text}</button>`;
  return html`${step("", T.footage.media.root)}${parts.map((part, n) => html`<span key=${n} aria-hidden="true">/</span>${n === parts.length - 1 ? html`<strong>${part}</strong>` : step(parts.slice(0, n + 1).join("/"), part)}`)}`;
}

function Folder({ items, under, go, ticked, tick, had }) {
  const { folders, files } = sorted(items, under);
  const free = items.filter((one) => !had.includes(one.path));
  if (items.length === 0) return html`<${Empty} icon="folder" title=${T.footage.media.empty} text=${T.footage.media.emptyText} />`;
  const all = free.length > 0 && free.every((one) => ticked.has(one.path));
  return html`<div class="media">
    <label class="media-all"><input type="checkbox" checked=${all} disabled=${free.length === 0} onChange=${(event) => tick(free, event.target.checked)} />${T.footage.media.all}</label>
    <ul>${[...folders].map(([name, inside]) => html`<li key=${`${name}/`}><button type="button" class="plain" onClick=${() => go(under ? `${under}/${name}` : name)}><${Icon} name="folder" />${T.footage.media.folder(name, inside.length)}</button></li>`)}
      ${files.map((one) => html`<li key=${one.path}><label><input type="checkbox" checked=${ticked.has(one.path) || had.includes(one.path)} disabled=${had.includes(one.path)} onChange=${(event) => tick([one], event.target.checked)} />
        <span class="media-name">${one.name}</span> <span class="quiet number">${bytes(one.bytes)}, ${moment(one.modified_at, HERE)}</span></label></li>`)}</ul></div>`;
}

// What lies in a folder itself, and what in folders below it.
function sorted(items, under) {
  const folders = new Map();
  const files = [];
  for (const one of items) {
    const inside = under ? one.path.slice(under.length + 1) : one.path;
    const [first, ...rest] = inside.split("/");
    if (rest.length === 0) files.push({ ...one, name: first });
    else folders.set(first, [...(folders.get(first) ?? []), one]);
  }
  return { folders, files };
}
