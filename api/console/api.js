// Questions to the API, and its problems as sentences.

import { T } from "./texts.js";

const ROOT = "/api/v1";
const LIMIT_MS = 15000;

let token = null; // Against forged requests of other pages; known since `/me`.
let onLost = () => {};
let refreshing = null;

export const useToken = (next) => { token = next; };
export const csrf = () => token; // For what is not sent by `ask`.
export const whenLost = (act) => { onLost = act; };

// What went wrong. `message` is a sentence for the person, `kind` the problem's type without its path, `status` 0 where
// there was no answer at all.
export class Problem extends Error {
  constructor(status, kind, message, details = {}) {
    super(message);
    this.name = "Problem";
    this.status = status;
    this.kind = kind;
    this.details = details;
  }
}

export const get = (path, query = {}, options = {}) => ask("GET", path, { ...options, query });
export const post = (path, body, options = {}) => ask("POST", path, { ...options, body });
export const put = (path, body, options = {}) => ask("PUT", path, { ...options, body });
export const patch = (path, body, options = {}) => ask("PATCH", path, { ...options, body });
export const remove = (path, options = {}) => ask("DELETE", path, options);
export const address = (path, query = {}) => `${ROOT}${path}${inQuery(query)}`;

// Ask. Options: `query`; `body` (JSON, or a Blob or FormData as it is); `version` (of what is changed, for If-Match);
// `key` (of a POST that may be sent twice, see `onceKey`); `signal`; `limit` in ms; `as` = "json", "text", "blob", "answer".
export async function ask(method, path, options = {}) {
  const answer = await fetched(method, path, options);
  if (answer.status === 401 && !options.alone && (await refreshed())) return given(await fetched(method, path, options), options);
  return given(answer, options);
}

// All items of a list, page after page: `for await (const item of every("/cameras"))`; at most `most`.
export async function* every(path, query = {}, most = 2000, options = {}) {
  let cursor = null;
  let left = most;
  do {
    const page = await get(path, { limit: Math.min(200, left), ...query, cursor }, options);
    yield* page.items;
    left -= page.items.length;
    cursor = page.next_cursor;
  } while (cursor && left > 0);
}

export async function all(path, query = {}, most = 2000, options = {}) {
  const items = [];
  for await (const item of every(path, query, most, options)) items.push(item);
  return items;
}

// For `key`: the same request sent again does nothing again.
export function onceKey() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

function inQuery(query) {
  const words = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined && value !== null && value !== "") words.set(name, value);
  }
  return words.size ? `?${words}` : "";
}

async function fetched(method, path, { query = {}, body, version, key, signal, limit = LIMIT_MS }) {
  const headers = {};
  const raw = body instanceof Blob || body instanceof FormData;
  if (body !== undefined && !raw) headers["Content-Type"] = "application/json";
  if (method !== "GET" && token) headers["X-CSRF-Token"] = token;
  if (version !== undefined) headers["If-Match"] = `"${version}"`;
  if (key) headers["Idempotency-Key"] = key;
  const limits = [AbortSignal.timeout(limit), ...(signal ? [signal] : [])];
  try {
    return await fetch(address(path, query), {
      method,
      headers,
      body: body === undefined || raw ? body : JSON.stringify(body),
      signal: AbortSignal.any(limits),
      credentials: "same-origin",
      cache: "no-store",
    });
  } catch (error) {
    if (signal?.aborted) throw error; // Nobody wants to know any more.
    if (error.name === "TimeoutError") throw new Problem(0, "timeout", T.problems.timeout);
    throw new Problem(0, "unreachable", T.problems.unreachable);
  }
}

async function given(answer, { as = "json", alone = false }) {
  if (!answer.ok) {
    const problem = await problemOf(answer);
    if (answer.status === 401 && !alone) onLost();
    throw problem;
  }
  if (as === "answer") return answer;
  if (as === "blob") return answer.blob();
  if (as === "text") return answer.text();
  return answer.status === 204 ? null : answer.json();
}

async function problemOf(answer) {
  let details = {};
  try {
    details = await answer.json();
  } catch {
    // Not of our making: a proxy's page, say.
  }
  return problemFrom(answer.status, details);
}

// From a problem's details; null or {} where the answer had none.
export function problemFrom(status, details) {
  const kind = (details?.type ?? "").split("/").pop() || `http-${status}`;
  return new Problem(status, kind, sentence(details ?? {}, status), details ?? {});
}

function sentence(details, status) {
  const said = details.detail || details.title;
  if (!said) return T.problems.status(status);
  const text = said[0].toUpperCase() + said.slice(1);
  return /[.!?]$/.test(text) ? text : `${text}.`;
}

// One for all who were turned away at the same time.
function refreshed() {
  refreshing ??= ask("POST", "/auth/refresh", { alone: true }).then(
    (told) => {
      if (told?.csrf_token) token = told.csrf_token;
      return true;
    },
    () => false,
  ).finally(() => { refreshing = null; });
  return refreshing;
}
