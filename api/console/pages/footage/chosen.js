// The files that were chosen, in the order of their names, folders included. Those of this computer are sent at once, one after the other; they
// outlive the page, so that one can look elsewhere meanwhile.

import { remove } from "../../api.js";
import { shared } from "../../ui.js";
import { send } from "./sending.js";

// Each: { id, name, bytes, path } of the media folder, or { id, name, bytes, file, state, sent, error, upload }, where `state` is
// "waits", "hashing", "sending", "checking", "sent" or "failed". Names hold the folders: recorders number files anew each day.
export const chosen = shared([]);

const order = new Intl.Collator(undefined, { numeric: true });
let last = 0;
let busy = null; // { id, stop } of the one that is being sent.

export const ready = (one) => Boolean(one.path) || one.state === "sent";

// found: [{ file, name }, ...]
export function add(found) {
  const had = chosen.get();
  const fresh = found.map(({ file, name }) => ({ id: (last += 1), name, bytes: file.size, file, state: "waits", sent: 0, error: null }))
    .filter((one) => !had.some((other) => other.file && other.name === one.name && other.bytes === one.bytes && other.file.lastModified === one.file.lastModified));
  put([...had, ...fresh]);
  next();
}

export function addMedia(files) {
  const had = chosen.get();
  put([...had, ...files.filter(({ path }) => !had.some((one) => one.path === path)).map(({ path, bytes }) => ({ id: (last += 1), name: path, bytes, path }))]);
}

// Take one back, wherever it is.
export function drop(id) {
  const found = chosen.get().find((one) => one.id === id);
  chosen.set(chosen.get().filter((one) => one.id !== id));
  if (busy?.id === id) busy.stop.abort();
  forget(found);
}

export function again(id) {
  change(id, { state: "waits", sent: 0, error: null });
  next();
}

// They belong to a job now.
export function given(files) {
  const ids = files.map((one) => one.id);
  chosen.set(chosen.get().filter((one) => !ids.includes(one.id)));
}

// Nobody waits for it: uploads without a job are removed by themselves.
function forget(one) {
  if (one?.upload) remove(`/uploads/${one.upload}`).catch(() => {});
}

const put = (list) => chosen.set([...list].sort((one, other) => byName(one.name, other.name) || one.id - other.id));

// Part by part: all of a folder before what is in the next one.
function byName(one, other) {
  const [parts, others] = [one.split("/"), other.split("/")];
  for (const [n, part] of parts.entries()) {
    const differ = order.compare(part, others[n] ?? "");
    if (differ !== 0) return differ;
  }
  return parts.length - others.length;
}

const change = (id, changes) => chosen.set(chosen.get().map((one) => (one.id === id ? { ...one, ...changes } : one)));

async function next() {
  if (busy) return;
  const one = chosen.get().find(({ state }) => state === "waits");
  if (!one) return;
  const stop = new AbortController();
  busy = { id: one.id, stop };
  try {
    const upload = await send(one, (state, sent) => change(one.id, { state, sent }), stop.signal);
    // Taken back at the last moment: nobody knows of it any more.
    if (stop.signal.aborted) forget({ upload: upload.id });
    else change(one.id, { state: "sent", sent: one.bytes, upload: upload.id });
  } catch (error) {
    if (!stop.signal.aborted) change(one.id, { state: "failed", error: error.message });
  }
  busy = null;
  next();
}

// What is half sent is lost with the page.
addEventListener("beforeunload", (event) => {
  if (busy) event.preventDefault();
});
