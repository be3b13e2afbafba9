// Footage to be analysed: the files, whose they are, when they began.

import { onceKey, post } from "../../api.js";
import { Choice, Field } from "../../components/field.js";
import { Empty } from "../../components/states.js";
import { Tick } from "../../components/tick.js";
import { toast } from "../../components/toast.js";
import { href } from "../../router.js";
import { T } from "../../texts.js";
import { html, useRef, useShared, useState } from "../../ui.js";
import { instant } from "../../when.js";
import { chosen, given, ready } from "./chosen.js";
import { Files } from "./files.js";

const LIMIT_MS = 60000;
const WAYS = ["files", "given", "name"];
const STRAIGHT = { camera: "", building: "", zone: "", way: "files", start: "", pattern: "", fps: "", annotate: false, fresh: false };

export function Form({ places }) {
  const files = useShared(chosen);
  const cameras = [...places.cameras.values()].sort((one, other) => one.name.localeCompare(other.name));
  const [said, setSaid] = useState({ ...STRAIGHT, camera: cameras.length === 1 ? cameras[0].id : "" });
  const [error, setError] = useState(null);
  const [busy, setBusy] = useState(false);
  const sent = useRef({}); // { body, key }: what nobody answered is the same job when it is sent again.
  if (cameras.length === 0) {
    return html`<div class="card"><${Empty} icon="camera" title=${T.footage.noCamera} text=${T.footage.noCameraText}><a class="button main" href=${href("cameras/new")}>${T.footage.addCamera}</a><//></div>`;
  }
  const zone = places.buildings.get(said.building || places.cameras.get(said.camera)?.building_id)?.timezone;
  const say = (changes) => {
    setSaid({ ...said, ...changes });
    setError(null);
  };
  const submit = async (event) => {
    event.preventDefault();
    const wrong = mistake(said);
    setError(wrong);
    if (wrong) return;
    setBusy(true);
    try {
      const body = JSON.stringify(bodyOf(said, files, zone));
      if (sent.current.body !== body) sent.current = { body, key: onceKey() };
      await post("/jobs", JSON.parse(body), { key: sent.current.key, limit: LIMIT_MS });
      given(files);
      sent.current = {};
      setSaid({ ...STRAIGHT, camera: said.camera });
      toast(T.footage.submitted);
    } catch (problem) {
      setError(problem.status === 413 ? T.footage.tooMany : problem.message);
    }
    setBusy(false);
  };
  const failed = files.some((one) => one.state === "failed");
  const waits = failed ? T.footage.someFailed : files.every(ready) ? null : T.footage.stillSending;
  return html`<form class="form footage-form" onSubmit=${submit} novalidate>
    <${Files} files=${files} />
    ${files.length > 0 && html`<div class="form card pad">
      <div class="pair">
        <${Choice} label=${T.footage.camera} hint=${T.footage.cameraHint} value=${said.camera} change=${(camera) => say({ camera, building: "", zone: "" })}
          options=${[...(said.camera ? [] : [["", T.footage.chooseCamera]]), ...cameras.map((one) => [one.id, T.footage.inBuilding(one.name, places.buildings.get(one.building_id)?.name ?? "")])]} />
        <${Began} said=${said} say=${say} number=${files.length} zone=${zone} />
      </div>
      <details><summary>${T.footage.options}</summary><div class="form inner">
        <${Where} said=${said} say=${say} places=${places} />
        <div class="pair"><${Field} label=${T.footage.fps} hint=${T.footage.fpsHint} type="number" min="0.01" max="120" step="any" inputmode="decimal" value=${said.fps} onInput=${(event) => say({ fps: event.target.value })} /><div></div></div>
        <${Tick} label=${T.footage.annotate} hint=${T.footage.annotateHint} checked=${said.annotate} change=${(annotate) => say({ annotate })} />
        <${Tick} label=${T.footage.fresh} hint=${T.footage.freshHint} checked=${said.fresh} change=${(fresh) => say({ fresh })} />
      </div></details>
      ${error && html`<p class="error" role="alert">${error}</p>`}
      <p class="row"><button class="button main" disabled=${busy || Boolean(waits)}>${busy ? T.footage.submitting : T.footage.analyse}</button>
        ${waits && html`<span class="hint">${waits}</span>`}</p>
    </div>`}
  </form>`;
}

// The camera may have been elsewhere when it took the footage.
function Where({ said, say, places }) {
  const now = places.cameras.get(said.camera)?.building_id;
  const named = (list) => list.sort((one, other) => one.name.localeCompare(other.name)).map((one) => [one.id, one.name]);
  const others = named([...places.buildings.values()].filter((one) => one.id !== now));
  const zones = named([...places.zones.values()].filter((one) => one.building_id === (said.building || now)));
  if (!now || others.length + zones.length === 0) return null;
  return html`<div class="pair">
    <${Choice} label=${T.footage.building} hint=${T.footage.buildingHint} value=${said.building} change=${(building) => say({ building, zone: "" })} options=${[["", T.footage.whereNow], ...others]} />
    <${Choice} label=${T.footage.zone} value=${said.zone} change=${(one) => say({ zone: one })} options=${[["", said.building ? T.footage.noZone : T.footage.whereNow], ...zones]} /></div>`;
}

function Began({ said, say, number, zone = T.footage.theBuilding }) {
  return html`<div class="form"><${Choice} label=${T.footage.began} hint=${said.way === "files" ? T.footage.filesHint : null} value=${said.way} change=${(way) => say({ way })} options=${WAYS.map((one) => [one, T.footage.begins[one]])} />
    ${said.way === "given" && html`<${Field} label=${T.footage.start(zone)} hint=${T.footage.startHint(number)} type="datetime-local" step="1" value=${said.start} onInput=${(event) => say({ start: event.target.value })} />`}
    ${said.way === "name" && html`<${Field} label=${T.footage.pattern} hint=${T.footage.patternHint(zone)} placeholder=${T.footage.patternExample} value=${said.pattern}
      autocomplete="off" autocapitalize="none" spellcheck=${false} onInput=${(event) => say({ pattern: event.target.value })} />`}</div>`;
}

function mistake(said) {
  if (!said.camera) return T.footage.needCamera;
  if (said.way === "given" && !instant(said.start, "UTC")) return T.footage.needStart;
  if (said.way === "name" && !said.pattern.trim()) return T.footage.needPattern;
  if (said.fps !== "" && !(Number(said.fps) >= 0.01 && Number(said.fps) <= 120)) return T.footage.needFps;
  return null;
}

function bodyOf(said, files, zone) {
  return {
    camera_id: said.camera,
    ...(said.building && { building_id: said.building }),
    ...(said.zone && { zone_id: said.zone }),
    ...(said.way === "given" && { footage_start: instant(said.start, zone) }),
    ...(said.way === "name" && { name_pattern: said.pattern.trim() }),
    ...(said.fps !== "" && { fps: Number(said.fps) }),
    annotate: said.annotate,
    fresh: said.fresh,
    files: files.map((one) => (one.path ? { path: one.path } : { upload_id: one.upload })),
  };
}
