// What the cameras see now: a tile each, as far as they are in view; one click shows one of them large and live.

import { all, get } from "../api.js";
import { useAsked } from "../asked.js";
import { isDown } from "../components/camera.js";
import { Choice } from "../components/field.js";
import { Empty, Loading, Shown } from "../components/states.js";
import { filter, go, href } from "../router.js";
import { T } from "../texts.js";
import { html } from "../ui.js";
import { Enlarged } from "./wall/enlarged.js";
import { Tile } from "./wall/tile.js";

const EVERY_MS = 10000;

// The overview knows all that do not fare well: no need to ask each.
async function cameras(signal) {
  const [list, buildings, overview] = await Promise.all([
    all("/cameras", {}, 2000, { signal }), all("/buildings", {}, 2000, { signal }), get("/overview", {}, { signal }),
  ]);
  const names = new Map(buildings.map((one) => [one.id, one.name]));
  const { known, down, warned } = overview.cameras;
  const said = new Map([...down, ...warned].map((one) => [one.id, one]));
  const statusOf = (camera) => {
    if (!camera.enabled) return { state: "disabled" };
    return known ? (said.get(camera.id) ?? { state: "live" }) : null;
  };
  return {
    buildings,
    cameras: list
      .filter((one) => !one.archived_at)
      .map((one) => ({ ...one, status: statusOf(one), building: names.get(one.building_id) ?? "" }))
      .sort((one, other) => one.building.localeCompare(other.building) || one.name.localeCompare(other.name)),
  };
}

export default function Wall({ route }) {
  const asked = useAsked(cameras, [], { on: ["camera"], every: EVERY_MS });
  return html`<div class="page-head"><h1>${T.wall.title}</h1><p class="quiet">${T.wall.pixelated}</p></div>
    <${Shown} asked=${asked} loading=${html`<${Loading} tiles=${6} />`}>${(data) => html`<${Tiles} ...${data} route=${route} />`}<//>`;
}

function Tiles({ cameras: list, buildings, route }) {
  if (list.length === 0) {
    return html`<${Empty} icon="wall" title=${T.wall.empty} text=${T.wall.emptyText}><a class="button" href=${href("cameras")}>${T.nav.cameras}</a><//>`;
  }
  const building = route.query.get("building") ?? "";
  const show = route.query.get("show") ?? "";
  const shown = list.filter((one) => (!building || one.building_id === building) && (show !== "down" || isDown(one.status)));
  const large = list.find((one) => one.id === route.rest[0]);
  const query = Object.fromEntries(route.query);
  const open = (camera) => go(camera ? `wall/${camera.id}` : "wall", query, { replace: Boolean(large) });
  const step = (by) => {
    const ring = shown.length ? shown : list;
    open(ring[(ring.indexOf(large) + by + ring.length) % ring.length]);
  };
  return html`
    ${list.length > 1 && html`<div class="filters wall-filters">
      ${buildings.length > 1 && html`<${Choice} label=${T.wall.filter} value=${building} change=${(value) => filter({ building: value })}
        options=${[["", T.wall.all], ...buildings.map((one) => [one.id, one.name])]} />`}
      <${Choice} label=${T.wall.only} value=${show} change=${(value) => filter({ show: value })} options=${[["", T.wall.every], ["down", T.wall.down]]} />
      <p class="quiet" role="status">${T.wall.counted(shown.length, list.length)}</p>
    </div>`}
    ${shown.length === 0 && html`<${Empty} icon="calm" title=${T.wall.noneMatch} text=${T.wall.noneMatchText}>
      <button type="button" class="button" onClick=${() => filter({ show: "", building: "" })}>${T.wall.showAll}</button><//>`}
    <ul class="tiles">${shown.map((camera) => html`<li key=${camera.id}><${Tile} camera=${camera} paused=${Boolean(large)} open=${() => open(camera)} /></li>`)}</ul>
    ${large && html`<${Enlarged} camera=${large} close=${() => open(null)} step=${list.length > 1 ? step : null} />`}
  `;
}
