// A building to be added or changed.

import { patch, post } from "../../api.js";
import { Dialog } from "../../components/dialog.js";
import { Choice, Field } from "../../components/field.js";
import { toast } from "../../components/toast.js";
import { T } from "../../texts.js";
import { html, useState } from "../../ui.js";
import { zoneHere, zoneOptions } from "./zones.js";

const DAYS = 30;

// Without `building`: a new one. `done` after it is saved.
export function BuildingDialog({ building = null, close, done }) {
  const [timezone, setTimezone] = useState(building?.timezone ?? zoneHere);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState(null);
  const [share, setShare] = useState(building?.spot_share === undefined ? null : String(Math.round(building.spot_share * 1000) / 10));
  const submit = async (event) => {
    event.preventDefault();
    const { building: name, days } = event.target.elements;
    const body = { name: name.value.trim(), timezone, retention_days: Number(days.value) };
    if (share !== null) body.spot_share = Number(share) / 100;
    setBusy(true);
    setError(null);
    try {
      if (building) await patch(`/buildings/${building.id}`, body, { version: building.version });
      else await post("/buildings", body);
      toast(T.saving.saved);
      done();
    } catch (problem) {
      setError(problem.status === 412 ? T.places.clash : problem.message);
      setBusy(false);
    }
  };
  return html`<${Dialog} title=${building ? T.places.edit(building.name) : T.places.add} close=${close}>
    <form class="form" onSubmit=${submit} novalidate>
      <${Field} label=${T.cameras.name} name="building" defaultValue=${building?.name ?? ""} maxlength="200" required />
      <${Choice} label=${T.places.timezone} hint=${T.places.timezoneHint} value=${timezone} change=${setTimezone} options=${zoneOptions(building?.timezone)} />
      <${Field} label=${T.places.retention} hint=${T.places.retentionHint} name="days" type="number" min="1" max="36500" defaultValue=${String(building?.retention_days ?? DAYS)} />
      ${share !== null && html`<${Field} label=${T.places.spot} hint=${T.places.spotHint} type="number" min="0" max="100" step="0.1" value=${share} onInput=${(event) => setShare(event.target.value)} />`}
      ${error && html`<p class="error" role="alert">${error}</p>`}
      <p class="actions"><button class="button main" disabled=${busy}>${T.saving.save}</button><button type="button" class="button" onClick=${close}>${T.dialog.cancel}</button></p>
    </form><//>`;
}
