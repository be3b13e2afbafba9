// A camera's settings as they stand in fields, and what of them is to be sent.

export const draftOf = (camera) => ({
  name: camera.name,
  building_id: camera.building_id,
  zone_id: camera.zone_id ?? "",
  url: camera.url,
  substream_url: camera.substream_url ?? "",
  credential: camera.credential ?? "",
  transport: camera.transport,
  enabled: camera.enabled,
  counts: camera.counts,
  analyze_fps: String(camera.analyze_fps),
  min_face_px: String(camera.min_face_px),
  labels: camera.policy.labels,
  dwell_s: String(camera.policy.dwell_s),
  hours: camera.policy.hours,
  detection: camera.thresholds.detection === null ? "" : String(camera.thresholds.detection),
  confidence: camera.thresholds.confidence === null ? "" : String(camera.thresholds.confidence),
});

const number = (text) => (text.trim() === "" ? null : Number(text));

const bodyOf = (draft) => ({
  name: draft.name.trim(),
  building_id: draft.building_id,
  zone_id: draft.zone_id || null,
  url: draft.url.trim(),
  substream_url: draft.substream_url.trim() || null,
  credential: draft.credential || null,
  transport: draft.transport,
  enabled: draft.enabled,
  counts: draft.counts,
  analyze_fps: number(draft.analyze_fps),
  min_face_px: number(draft.min_face_px),
  policy: { labels: draft.labels, dwell_s: number(draft.dwell_s), hours: draft.hours },
  thresholds: { detection: number(draft.detection), confidence: number(draft.confidence) },
});

const same = (one, other) => JSON.stringify(one) === JSON.stringify(other);
const differing = (now, before) => Object.fromEntries(Object.entries(now).filter(([name, value]) => !same(value, before[name])));

// What differs from the camera as it was read; parts of policy and thresholds by themselves, so that others' stay.
export function changesOf(camera, draft) {
  const before = bodyOf(draftOf(camera));
  const changes = differing(bodyOf(draft), before);
  for (const part of ["policy", "thresholds"]) if (changes[part]) changes[part] = differing(changes[part], before[part]);
  return changes;
}

// What somebody typed, on top of the camera as others have changed it meanwhile.
export function rebased(draft, from, onto) {
  return { ...draftOf(onto), ...differing(draft, draftOf(from)) };
}
