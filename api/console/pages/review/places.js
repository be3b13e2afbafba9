// Names and time zones of what tracks and events speak of.

import { all } from "../../api.js";

export async function places(signal) {
  const [buildings, cameras] = await Promise.all([all("/buildings", {}, 2000, { signal }), all("/cameras", {}, 2000, { signal })]);
  const zones = (await Promise.all(buildings.map((one) => all(`/buildings/${one.id}/zones`, {}, 200, { signal })))).flat();
  const named = (list) => new Map(list.map((one) => [one.id, one]));
  return { buildings: named(buildings), cameras: named(cameras), zones: named(zones) };
}
