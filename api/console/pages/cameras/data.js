// What the pages of cameras ask for.

import { all, get, patch } from "../../api.js";
import { may } from "../../session.js";
import { useEffect, useState } from "../../ui.js";

const AT_ONCE = 3;
const byName = (one, other) => one.name.localeCompare(other.name);

// Buildings by name, each with its zones.
export async function places(signal) {
  const buildings = (await all("/buildings", {}, 2000, { signal })).filter((one) => !one.archived_at).sort(byName);
  return Promise.all(buildings.map(async (one) => ({ ...one, zones: (await all(`/buildings/${one.id}/zones`, {}, 2000, { signal })).sort(byName) })));
}

// All cameras, with where they are and how they fare. The overview knows all that do not fare well: no need to ask each.
export async function cameras(signal) {
  const [list, homes, overview] = await Promise.all([all("/cameras", {}, 2000, { signal }), places(signal), get("/overview", {}, { signal })]);
  const { known, down, warned } = overview.cameras;
  const said = new Map([...warned, ...down].map((one) => [one.id, one]));
  const warnings = new Set(warned.map((one) => one.id));
  const statusOf = (one) => {
    if (!one.enabled) return { state: "disabled" };
    return known ? (said.get(one.id) ?? { state: "live" }) : null;
  };
  return { homes, cameras: list.map((one) => ({ ...one, status: statusOf(one), warned: warnings.has(one.id), ...named(one, homes) })).sort(byPlace) };
}

export function named(camera, homes) {
  const home = homes.find((one) => one.id === camera.building_id);
  return { building: home?.name ?? "", zone: home?.zones.find((one) => one.id === camera.zone_id)?.name ?? "" };
}

const byPlace = (one, other) => one.building.localeCompare(other.building) || byName(one, other);

// What one camera's page shows.
export async function camera(id, signal) {
  const [found, homes, credentials] = await Promise.all([
    get(`/cameras/${encodeURIComponent(id)}`, {}, { signal }), places(signal), may("operator") ? all("/credentials", {}, 2000, { signal }) : [],
  ]);
  return { camera: found, homes, credentials };
}

// What is said about how well each camera sees, a few at a time: { id: verdict }.
export function useVerdicts(ids) {
  const [verdicts, setVerdicts] = useState({});
  useEffect(() => {
    const stop = new AbortController();
    const left = [...ids];
    const next = async () => {
      for (let id = left.shift(); id && !stop.signal.aborted; id = left.shift()) {
        const verdict = await get(`/cameras/${id}/suitability`, {}, { signal: stop.signal }).then((found) => found.verdict, () => "unknown");
        if (!stop.signal.aborted) setVerdicts((now) => ({ ...now, [id]: verdict }));
      }
    };
    for (let n = 0; n < AT_ONCE; n += 1) next();
    return () => stop.abort();
  }, [ids.join()]);
  return verdicts;
}

// Save changes of a camera as it was read. Gives { camera } or, where somebody was faster, { camera, clash: { who, at, fields } }
// with the camera as it is now; throws other problems.
export async function save(camera, changes) {
  try {
    return { camera: await patch(`/cameras/${camera.id}`, changes, { version: camera.version }) };
  } catch (problem) {
    if (problem.status !== 412) throw problem;
    const now = await get(`/cameras/${camera.id}`);
    return { camera: now, clash: { ...(await whoChanged(camera.id)), fields: differing(camera, now) } };
  }
}

const QUIET = new Set(["version", "trouble", "created_at"]);
const differing = (one, other) => Object.keys(other).filter((name) => !QUIET.has(name) && JSON.stringify(one[name]) !== JSON.stringify(other[name]));

async function whoChanged(id) {
  if (!may("admin")) return { who: null, at: null };
  try {
    const { items } = await get("/audit", { object_type: "camera", object_id: id, action: "camera.changed", limit: 1 });
    return { who: items[0]?.caller_name ?? null, at: items[0]?.at ?? null };
  } catch {
    return { who: null, at: null };
  }
}
