// All cameras: where they are, how they fare and why, and how well they see.

import { address } from "../../api.js";
import { useAsked } from "../../asked.js";
import { CameraState, isDown } from "../../components/camera.js";
import { Choice } from "../../components/field.js";
import { Icon } from "../../components/icon.js";
import { sentence } from "../../components/sentence.js";
import { Empty, Loading, Shown } from "../../components/states.js";
import { Table } from "../../components/table.js";
import { filter, href } from "../../router.js";
import { may } from "../../session.js";
import { T } from "../../texts.js";
import { html } from "../../ui.js";
import { cameras, useVerdicts } from "./data.js";
import { Verdict } from "./verdict.js";

const EVERY_MS = 10000;

export function List({ route }) {
  const asked = useAsked(cameras, [], { on: ["camera"], every: EVERY_MS });
  return html`<div class="page-head"><h1>${T.cameras.title}</h1>
      ${may("operator") && html`
        <a class="button" href=${href("cameras/buildings")}>${T.cameras.buildings}</a>
        <a class="button" href=${href("cameras/import")}><${Icon} name="upload" />${T.cameras.import}</a>
        <a class="button" href=${address("/cameras/export")} download><${Icon} name="download" />${T.cameras.export}</a>
        <a class="button main" href=${href("cameras/new")}><${Icon} name="plus" />${T.cameras.add}</a>`}
    </div>
    <${Shown} asked=${asked} loading=${html`<${Loading} lines=${6} />`}>${(data) => html`<${Listed} ...${data} route=${route} />`}<//>`;
}

const SHOWN = {
  "": () => true,
  down: (one) => isDown(one.status),
  warned: (one) => one.warned,
  off: (one) => !one.enabled,
};

function Listed({ cameras: list, homes, route }) {
  const verdicts = useVerdicts(list.map((one) => one.id));
  if (list.length === 0) {
    return html`<${Empty} icon="camera" title=${T.cameras.none} text=${T.cameras.noneText}>
      ${may("operator") && html`<a class="button main" href=${href("cameras/new")}>${T.cameras.add}</a>`}<//>`;
  }
  const building = route.query.get("building") ?? "";
  const zone = route.query.get("zone") ?? "";
  const show = route.query.get("show") ?? "";
  const zones = homes.find((one) => one.id === building)?.zones ?? [];
  const shown = list.filter((one) => (!building || one.building_id === building) && (!zone || one.zone_id === zone) && (SHOWN[show] ?? SHOWN[""])(one));
  const columns = [
    { name: "name", title: T.cameras.name, head: true, cell: (one) => html`<a href=${href(`cameras/${one.id}`)}>${one.name}</a>` },
    { name: "place", title: T.cameras.place, cell: (one) => (one.zone ? T.cameras.inZone(one.building, one.zone) : one.building) },
    { name: "state", title: T.cameras.state, cell: (one) => html`<${CameraState} status=${one.status} long=${isDown(one.status)} />
      ${one.status?.detail && html`<p class="meaning">${sentence(one.status.detail)}</p>`}` },
    { name: "verdict", title: T.cameras.verdict, cell: (one) => html`<${Verdict} verdict=${verdicts[one.id]} />` },
    { name: "counts", title: T.cameras.counts, quiet: true, cell: (one) => (one.counts ? T.cameras.counted : T.cameras.notCounted) },
  ];
  return html`
    ${list.length > 1 && html`<div class="filters wall-filters">
      ${homes.length > 1 && html`<${Choice} label=${T.cameras.building} value=${building} change=${(value) => filter({ building: value, zone: "" })}
        options=${[["", T.wall.all], ...homes.map((one) => [one.id, one.name])]} />`}
      ${zones.length > 0 && html`<${Choice} label=${T.cameras.zone} value=${zone} change=${(value) => filter({ zone: value })}
        options=${[["", T.cameras.allZones], ...zones.map((one) => [one.id, one.name])]} />`}
      <${Choice} label=${T.wall.only} value=${show} change=${(value) => filter({ show: value })} options=${Object.entries(T.cameras.shown)} />
      <p class="quiet" role="status">${T.wall.counted(shown.length, list.length)}</p>
    </div>`}
    ${shown.length === 0
      ? html`<${Empty} icon="calm" title=${T.wall.noneMatch} text=${T.cameras.noneMatchText}>
          <button type="button" class="button" onClick=${() => filter({ building: "", zone: "", show: "" })}>${T.wall.showAll}</button><//>`
      : html`<div class="card pad"><${Table} caption=${T.cameras.title} columns=${columns} rows=${shown} cards /></div>`}`;
}
