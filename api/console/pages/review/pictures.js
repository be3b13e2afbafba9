// Pictures of events: fetched ahead and kept in memory, a few at a time; each look at one is told to the server when it is
// shown, and where that can't be noted the picture is not shown.

import { Problem, address, get } from "../../api.js";
import { useBack } from "../../live.js";
import { T } from "../../texts.js";
import { useEffect, useState } from "../../ui.js";

const MOST = 24;
const kept = new Map(); // By event and view: a promise of { blob, tag }.

// Nothing stays in memory when somebody goes elsewhere.
addEventListener("hashchange", () => { if (!location.hash.startsWith("#/review")) kept.clear(); });

const nameOf = (event, view) => `${event.id} ${view}`;

function keep(name, promise) {
  kept.delete(name);
  kept.set(name, promise);
  for (const old of [...kept.keys()].slice(0, Math.max(0, kept.size - MOST))) kept.delete(old);
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

function taken(event, view, early) {
  const name = nameOf(event, view);
  const promise = fetched(`/events/${event.id}/snapshot`, { view, prefetch: early ? "true" : null })
    .then(async (answer) => ({ blob: await answer.blob(), tag: answer.headers.get("ETag") }));
  keep(name, promise);
  promise.catch(() => { if (kept.get(name) === promise) kept.delete(name); });
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
  const back = useBack(Boolean(shown.error));
  useEffect(() => {
    if (!event?.snapshot_url || !wanted) return undefined;
    const urls = [];
    let gone = false;
    const show = (blob, error = null) => {
      if (gone) return;
      if (blob) urls.push(URL.createObjectURL(blob));
      setShown({ name, url: blob && urls.at(-1), error });
    };
    look(event, view, show).catch((error) => show(null, error));
    return () => {
      gone = true;
      for (const url of urls) URL.revokeObjectURL(url);
    };
  }, [name, event?.snapshot_url, event?.state, wanted, back]);
  return shown.name === name ? shown : { url: null, error: null };
}

async function look(event, view, show) {
  const name = nameOf(event, view);
  const had = kept.get(name);
  const found = await (had ?? taken(event, view, false));
  show(found.blob);
  if (!had) return;
  // It was here already: that it is seen now is noted by asking again, and a better one comes with the answer.
  const answer = await fetched(`/events/${event.id}/snapshot`, { view }, found.tag);
  if (answer.status === 304) return;
  const better = { blob: await answer.blob(), tag: answer.headers.get("ETag") };
  keep(name, Promise.resolve(better));
  show(better.blob);
}
