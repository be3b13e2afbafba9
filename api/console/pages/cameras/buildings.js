// Buildings and their zones.

import { post } from "../../api.js";
import { useAsked } from "../../asked.js";
import { Field } from "../../components/field.js";
import { Icon } from "../../components/icon.js";
import { Empty, Shown } from "../../components/states.js";
import { toast, toastProblem } from "../../components/toast.js";
import { percent } from "../../format.js";
import { href } from "../../router.js";
import { T } from "../../texts.js";
import { html, useState } from "../../ui.js";
import { BuildingDialog } from "./building.js";
import { places } from "./data.js";

export function Buildings() {
  const asked = useAsked(places);
  const [open, setOpen] = useState(null); // A building; or "new".
  const done = () => { setOpen(null); asked.again(); };
  return html`<p class="crumbs"><a href=${href("cameras")}>${T.cameras.title}</a></p>
    <div class="page-head"><h1>${T.cameras.buildings}</h1>
      <button type="button" class="button main" onClick=${() => setOpen("new")}><${Icon} name="plus" />${T.places.add}</button></div>
    <${Shown} asked=${asked}>${(homes) => (homes.length === 0
      ? html`<${Empty} icon="overview" title=${T.places.none} text=${T.cameras.noBuildingText} />`
      : html`<ul class="places">${homes.map((one) => html`<${Building} key=${one.id} building=${one} edit=${() => setOpen(one)} again=${asked.again} />`)}</ul>`)}<//>
    ${open && html`<${BuildingDialog} building=${open === "new" ? null : open} close=${() => setOpen(null)} done=${done} />`}`;
}

function Building({ building, edit, again }) {
  const [busy, setBusy] = useState(false);
  const add = async (event) => {
    event.preventDefault();
    const field = event.target.elements.zone;
    if (!field.value.trim()) return;
    setBusy(true);
    try {
      await post(`/buildings/${building.id}/zones`, { name: field.value.trim() });
      toast(T.places.zoneAdded(field.value.trim()));
      field.value = "";
      again();
    } catch (problem) {
      toastProblem(problem);
    }
    setBusy(false);
  };
  return html`<li class="card pad"><div class="row"><h2 class="grow">${building.name}</h2>
      <button type="button" class="button small" onClick=${edit}><${Icon} name="pencil" size=${16} />${T.places.change}<span class="unseen"> ${building.name}</span></button></div>
    <dl class="facts"><dt>${T.places.timezone}</dt><dd>${building.timezone}</dd><dt>${T.places.kept}</dt><dd>${T.format.days(building.retention_days)}</dd>
      ${building.spot_share !== undefined && html`<dt>${T.places.spotChecks}</dt><dd>${building.spot_share ? percent(building.spot_share) : T.places.noSpot}</dd>`}</dl>
    <h3>${T.places.zones}</h3>
    ${building.zones.length === 0 ? html`<p class="quiet">${T.places.noZones}</p>` : html`<ul class="chips">${building.zones.map((zone) => html`<li key=${zone.id}>${zone.name}</li>`)}</ul>`}
    <form class="row above" onSubmit=${add}><${Field} label=${T.places.newZone} name="zone" maxlength="200" /><button class="button" disabled=${busy}>${T.places.addZone}</button></form></li>`;
}
