// Pictures of events: fetched ahead and kept in memory, a few at a time; each look at one is told to the server when it is
// shown, and where that can't be noted the picture is not shown.

import { Problem, address, get } from "../../api.js";
import { T } from "../../texts.js";
import { useEffect, useState } from "../../ui.js";

const MOST = 24;
const kept = new Map(); // By event, its picture's address and view: a promise of { url, tag }.

addEventListener("hashchange", () => { if (!location.hash.startsWith("#/review")) forget(kept.size); });

const nameOf = (event, view) => `${event.id} ${view}`;

function forget(number) {
  for (const [name, promise] of [...kept].slice(0, number)) {
    kept.delete(name);
    promise.then(({ url }) => URL.revokeObjectURL(url), () => {});
  }
}

// A login that ran out is renewed by asking anything.
async function fetched(path, query, tag, alone = false) {
  let answer;
  try {
    answer = await fetch(address(path, query), { cache: "no-store", credentials: "same-origin", headers: tag ? { "If-None-Match": tag } : {} });
  } catch {
    throw new Problem(0, "unreachable", T.problems.unreachable);
  }
  if (answer.status === 401 && !alone) {
    await get("/me");
    return fetched(path, query, tag, true);
  }
  if (answer.ok || answer.status === 304) return answer;
  const details = await answer.json().catch(() => ({}));
  throw new Problem(answer.status, "picture", details.detail ?? T.problems.status(answer.status), details);
}

function taken(event, view, ahead, tag) {
  const name = nameOf(event, view);
  const promise = fetched(`/events/${event.id}/snapshot`, { view, prefetch: ahead ? "true" : null }, tag)
    .then(async (answer) => ({ url: URL.createObjectURL(await answer.blob()), tag: answer.headers.get("ETag"), ahead }));
  kept.set(name, promise);
  promise.catch(() => { if (kept.get(name) === promise) kept.delete(name); });
  forget(kept.size - MOST);
  return promise;
}

// Have an event's pictures before they are wanted.
export function ahead(event) {
  for (const view of ["closeup", "frame"]) {
    if (event?.snapshot_url && !kept.has(nameOf(event, view))) taken(event, view, true).catch(() => {});
  }
}

// Shown: { url, error }. One that was fetched ahead is there at once.
export function usePicture(event, view, wanted = true) {
  const [shown, setShown] = useState({ name: null });
  const name = event && nameOf(event, view);
  useEffect(() => {
    if (!event?.snapshot_url || !wanted) return undefined;
    let gone = false;
    const show = (found) => { if (!gone) setShown({ name, ...found }); };
    look(event, view, show).catch((error) => show({ error }));
    return () => { gone = true; };
  }, [name, event?.snapshot_url, event?.state, wanted]);
  return shown.name === name ? shown : { url: null, error: null };
}

async function look(event, view, show) {
  const had = kept.get(nameOf(event, view));
  const found = await (had ?? taken(event, view, false));
  show({ url: found.url });
  if (!had) return;
  // It was here already: that it is seen now is noted by asking again, and a better one comes with the answer.
  const answer = await fetched(`/events/${event.id}/snapshot`, { view }, found.tag);
  if (answer.status === 304) return;
  const better = { url: URL.createObjectURL(await answer.blob()), tag: answer.headers.get("ETag") };
  kept.set(nameOf(event, view), Promise.resolve(better));
  show({ url: better.url });
  URL.revokeObjectURL(found.url);
}
