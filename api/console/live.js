// What happens, as it happens: one stream of server-sent events for all pages. Where there is none, pages ask by the clock.

import { address, get } from "./api.js";
import { shared, useEffect, useState } from "./ui.js";

const KINDS = ["event.opened", "event.changed", "event.ended", "event.reviewed", "camera.state_changed", "job.changed", "job.finished"];
const AGAIN_MS = [1000, 2000, 5000, 15000];

// "live", "connecting", or "away" (then pages ask again by themselves).
export const connection = shared("connecting");

const followers = new Set();
let source = null;
let tries = 0;
let timer = null;
let wanted = false;

// Be told: `follow(["event"], (kind, data) => ...) -> stop`. A kind, or all that begin with it: `event` is `event.opened` and more.
export function follow(kinds, act) {
  const follower = { kinds, act };
  followers.add(follower);
  return () => followers.delete(follower);
}

// For what is asked once, and failed: a number that grows when the connection has come back, so that it is asked again.
export function useBack(failed) {
  const [times, setTimes] = useState(0);
  useEffect(() => (failed ? connection.follow((state) => { if (state === "live") setTimes((now) => now + 1); }) : undefined), [failed]);
  return times;
}

export function start() {
  wanted = true;
  open();
}

export function stop() {
  wanted = false;
  shut();
}

// A page that nobody sees holds no connection: browsers allow only six for all pages of a host.
document.addEventListener("visibilitychange", () => {
  if (document.hidden) shut();
  else if (wanted) open();
});

function open() {
  if (source || document.hidden) return;
  clearTimeout(timer);
  source = new EventSource(address("/stream"));
  source.addEventListener("open", () => {
    tries = 0;
    connection.set("live");
  });
  source.addEventListener("error", () => {
    // It ends now and then, and the browser comes back by itself; where it was refused, we do.
    if (source?.readyState !== EventSource.CLOSED) {
      connection.set("connecting");
      return;
    }
    connection.set("away");
    shut();
    timer = setTimeout(renewed, AGAIN_MS[Math.min(tries, AGAIN_MS.length - 1)]);
    tries += 1;
  });
  source.addEventListener("hello", (message) => {
    // The first one, too: a page may have asked before anybody listened. Usually it comes before any page asks.
    if (parsed(message.data)?.resumed !== true) for (const kind of KINDS) tell(kind, null);
  });
  source.addEventListener("trouble", () => connection.set("away"));
  source.addEventListener("mended", () => connection.set("live"));
  for (const kind of KINDS) source.addEventListener(kind, (message) => tell(kind, parsed(message.data)));
}

// The login may have run out: asking anything renews it.
function renewed() {
  if (wanted) get("/me").then(open, open);
}

function shut() {
  clearTimeout(timer);
  source?.close();
  source = null;
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

// `data` is null where something was missed: ask again.
function tell(kind, data) {
  for (const follower of [...followers]) if (follower.kinds.some((one) => kind.startsWith(one))) follower.act(kind, data);
}
