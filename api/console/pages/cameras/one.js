// One camera: what it shows, its regions, its settings, how well it sees.

import { post, remove } from "../../api.js";
import { useAsked } from "../../asked.js";
import { Confirm } from "../../components/dialog.js";
import { Icon } from "../../components/icon.js";
import { Shown } from "../../components/states.js";
import { toast, toastProblem } from "../../components/toast.js";
import { date } from "../../format.js";
import { go, href } from "../../router.js";
import { may } from "../../session.js";
import { T } from "../../texts.js";
import { html, useState } from "../../ui.js";
import { camera as asked, named } from "./data.js";
import { Now } from "./now.js";
import { Regions } from "./regions.js";
import { Settings } from "./settings.js";
import { Suitability } from "./suitability.js";

const PARTS = { "": Now, regions: Regions, settings: Settings, suitability: Suitability };
const FOR_OPERATORS = new Set(["regions", "settings"]);

export function One({ id, part }) {
  const found = useAsked((signal) => asked(id, signal), [id]);
  return html`<${Shown} asked=${found}>${(data) => html`<${Camera} ...${data} part=${part} put=${(camera) => found.put({ ...data, camera })} />`}<//>
    ${found.data === undefined && html`<h1 class="unseen">${T.cameras.title}</h1>`}`;
}

function Camera({ camera, homes, credentials, part, put }) {
  const [asking, setAsking] = useState(false);
  const operator = may("operator");
  const parts = Object.keys(PARTS).filter((name) => operator || !FOR_OPERATORS.has(name));
  const name = parts.includes(part) ? part : "";
  const Part = PARTS[name];
  const { building, zone } = named(camera, homes);

  const restore = async () => {
    try {
      put(await post(`/cameras/${camera.id}/restore`));
      toast(T.cameras.restored(camera.name));
    } catch (problem) {
      toastProblem(problem);
    }
  };
  const archive = async () => {
    setAsking(false);
    try {
      await remove(`/cameras/${camera.id}`);
      toast(T.cameras.archived(camera.name), { action: T.cameras.restore, act: () => post(`/cameras/${camera.id}/restore`).then(() => go(`cameras/${camera.id}`), toastProblem), stay: 15000 });
      go("cameras");
    } catch (problem) {
      toastProblem(problem);
    }
  };
  return html`
    <p class="crumbs"><a href=${href("cameras")}>${T.cameras.title}</a></p>
    <div class="page-head"><div class="grow"><h1>${camera.name}</h1><p class="quiet">${zone ? T.cameras.inZone(building, zone) : building}</p></div>
      ${operator && !camera.archived_at && html`<button type="button" class="button danger" onClick=${() => setAsking(true)}><${Icon} name="trash" />${T.cameras.archive}</button>`}</div>
    ${camera.archived_at && html`<div class="notice"><${Icon} name="warning" /><p>${T.cameras.isArchived(date(camera.archived_at))}</p>
      ${operator && html`<button type="button" class="button small" onClick=${restore}>${T.cameras.restore}</button>`}</div>`}
    ${camera.trouble && html`<div class="notice bad"><${Icon} name="warning" /><p>${camera.trouble}</p></div>`}
    <nav class="tabs" aria-label=${T.cameras.parts}><ul>${parts.map((one) => html`<li key=${one}>
      <a href=${href(one ? `cameras/${camera.id}/${one}` : `cameras/${camera.id}`)} aria-current=${one === name ? "page" : undefined}>${T.cameras.partNames[one || "now"]}</a></li>`)}</ul></nav>
    <${Part} key=${name} camera=${camera} homes=${homes} credentials=${credentials} put=${put} />
    ${asking && html`<${Confirm} title=${T.cameras.archive} text=${T.cameras.archiveText(camera.name)} confirm=${T.cameras.archive} act=${archive} close=${() => setAsking(false)} />`}`;
}
