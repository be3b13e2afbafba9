// The latest pictures of the tiles in view: in turn, a few at a time (browsers allow six connections a host), about one a second.

import { get } from "../../api.js";

const EVERY_MS = 1000;
const AFTER_FAILURE_MS = 5000;
const AT_ONCE = 3;
const MOST = 12;
const TURN_MS = 5000;
const WIDTH = 640;

const wanted = new Map(); // camera id -> { show, due, busy, url, stopped }
let running = 0;
let timer = null;

// Pictures of a camera from now on: `show({ url, error })`; the url is taken back when the next comes. Gives what stops it.
export function follow(id, show) {
  const entry = { show, due: 0, busy: false, url: null, stopped: false };
  wanted.set(id, entry);
  turn();
  return () => {
    entry.stopped = true;
    if (wanted.get(id) === entry) wanted.delete(id);
    if (entry.url) URL.revokeObjectURL(entry.url);
  };
}

function turn() {
  clearTimeout(timer);
  timer = null;
  if (wanted.size === 0) return;
  const now = performance.now();
  if (!document.hidden) {
    const due = inTurn(now).filter(([, one]) => !one.busy && one.due <= now).sort(([, one], [, other]) => one.due - other.due);
    for (const [id, one] of due.slice(0, AT_ONCE - running)) fetchOne(id, one);
  }
  timer = setTimeout(turn, 100);
}

// Where more are in view than may run at once, they take turns, and the others keep their last picture.
function inTurn(now) {
  const every = [...wanted];
  if (every.length <= MOST) return every;
  const start = (Math.floor(now / TURN_MS) * MOST) % every.length;
  return [...every, ...every].slice(start, start + MOST);
}

async function fetchOne(id, one) {
  one.busy = true;
  running += 1;
  const began = performance.now();
  try {
    const blob = await get(`/cameras/${encodeURIComponent(id)}/preview.jpg`, { width: WIDTH }, { as: "blob", limit: 8000 });
    if (one.stopped) return;
    const before = one.url;
    one.url = URL.createObjectURL(blob);
    one.show({ url: one.url, error: null, before });
    one.due = began + EVERY_MS;
  } catch (error) {
    one.due = began + AFTER_FAILURE_MS;
    if (!one.stopped) one.show({ url: null, error });
  } finally {
    one.busy = false;
    running -= 1;
  }
}
