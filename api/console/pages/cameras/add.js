// A new camera: its name, place and address; then what a look at it found.

import { all, onceKey, post } from "../../api.js";
import { useAsked } from "../../asked.js";
import { Choice, Field } from "../../components/field.js";
import { Empty, Shown } from "../../components/states.js";
import { href } from "../../router.js";
import { T } from "../../texts.js";
import { html, useRef, useState } from "../../ui.js";
import { Check, Still, useStill } from "./check.js";
import { BuildingDialog } from "./building.js";
import { places } from "./data.js";

const LIMIT_MS = 30000;

export function Add() {
  const asked = useAsked(async (signal) => {
    const [homes, credentials] = await Promise.all([places(signal), all("/credentials", {}, 2000, { signal })]);
    return { homes, credentials };
  });
  const [made, setMade] = useState(null);
  return html`<div class="page-head"><h1>${made ? made.name : T.cameras.add}</h1><a href=${href("cameras")}>${T.cameras.all}</a></div>
    ${made
      ? html`<${Made} camera=${made} another=${() => setMade(null)} />`
      : html`<${Shown} asked=${asked}>${(data) => html`<${Form} ...${data} again=${asked.again} made=${setMade} />`}<//>`}`;
}

function Form({ homes, credentials, again, made }) {
  const [building, setBuilding] = useState(homes[0]?.id ?? "");
  const [zone, setZone] = useState("");
  const [credential, setCredential] = useState("");
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState(null);
  const [opened, setOpened] = useState(false);
  const key = useRef(onceKey());
  if (homes.length === 0) {
    return html`<${Empty} icon="camera" title=${T.cameras.noBuilding} text=${T.cameras.noBuildingText}>
        <button type="button" class="button main" onClick=${() => setOpened(true)}>${T.places.add}</button><//>
      ${opened && html`<${BuildingDialog} close=${() => setOpened(false)} done=${() => { setOpened(false); again(); }} />`}`;
  }
  const home = homes.find((one) => one.id === building) ?? homes[0];
  const submit = async (event) => {
    event.preventDefault();
    const { camera, url, substream } = event.target.elements;
    if (!camera.value.trim() || !url.value.trim()) {
      setError(T.cameras.fill);
      return;
    }
    setBusy(true);
    setError(null);
    const body = { name: camera.value.trim(), building_id: home.id, zone_id: zone || null, url: url.value.trim(), substream_url: substream.value.trim() || null, credential: credential || null };
    try {
      made(await post("/cameras", body, { key: key.current, limit: LIMIT_MS }));
    } catch (problem) {
      // Other words make another request.
      key.current = onceKey();
      setError(problem.message);
      setBusy(false);
    }
  };
  return html`<form class="form card pad narrow" onSubmit=${submit} novalidate>
    <${Field} label=${T.cameras.name} name="camera" placeholder=${T.cameras.nameExample} maxlength="200" required />
    <div class="pair">
      <${Choice} label=${T.cameras.building} value=${home.id} change=${(value) => { setBuilding(value); setZone(""); }} options=${homes.map((one) => [one.id, one.name])} />
      <${Choice} label=${T.cameras.zone} value=${zone} change=${setZone} options=${[["", T.cameras.noZone], ...home.zones.map((one) => [one.id, one.name])]} />
    </div>
    <${Field} label=${T.cameras.url} name="url" hint=${T.cameras.urlHint} placeholder=${T.cameras.urlExample} autocomplete="off" autocapitalize="none" spellcheck=${false} required />
    <details><summary>${T.cameras.more}</summary><div class="form inner">
      <${Choice} label=${T.cameras.credential} value=${credential} change=${setCredential} hint=${T.cameras.credentialHint}
        options=${[["", T.cameras.noCredential], ...credentials.map((one) => [one.name, one.name])]} />
      <${Field} label=${T.cameras.substream} name="substream" hint=${T.cameras.substreamHint} autocomplete="off" autocapitalize="none" spellcheck=${false} />
    </div></details>
    ${error && html`<p class="error" role="alert">${error}</p>`}
    <p class="actions"><button class="button main" disabled=${busy}>${busy ? T.check.busy : T.cameras.addAndCheck}</button></p>
    ${busy && html`<p class="hint" role="status">${T.check.wait}</p>`}
  </form>`;
}

function Made({ camera, another }) {
  return html`<div class="split">
    <section class="card pad"><h2>${T.cameras.registered}</h2>
      ${camera.check ? html`<${Check} check=${camera.check} />` : html`<p>${T.check.nobody}</p>`}
      <p class="actions">
        ${camera.check?.ok && html`<a class="button main" href=${href(`cameras/${camera.id}/regions`)}>${T.cameras.toRegions}</a>`}
        <a class=${camera.check?.ok ? "button" : "button main"} href=${href(`cameras/${camera.id}/settings`)}>${T.cameras.toSettings}</a>
        <button type="button" class="button" onClick=${another}>${T.cameras.another}</button>
      </p></section>
    ${camera.check?.ok && html`<${Picture} camera=${camera} />`}
  </div>`;
}

function Picture({ camera }) {
  const still = useStill(`/cameras/${camera.id}/still`);
  return html`<${Still} still=${still} alt=${T.cameras.stillOf(camera.name)} />`;
}
