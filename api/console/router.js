// Where the person is: `#/review/e12?verdict=pending` is page `review`, rest `["e12"]`, query `verdict=pending`.

import { shared, useShared } from "./ui.js";

const START = "overview";

function read() {
  const [path, query = ""] = location.hash.replace(/^#\/?/, "").split("?", 2);
  const [page, ...rest] = path.split("/").filter(Boolean).map(decoded);
  return { page: page ?? START, rest, query: new URLSearchParams(query) };
}

function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

const route = shared(read());
addEventListener("hashchange", () => route.set(read()));

export const useRoute = () => useShared(route);
export const here = () => route.get();

// The address of a place: `href("review", { verdict: "pending" })`, `href("review/e12")`. What is empty is left out.
export function href(path, query = {}) {
  const words = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined && value !== null && value !== "") words.set(name, value);
  }
  return `#/${path.split("/").map(encodeURIComponent).join("/")}${words.size ? `?${words}` : ""}`;
}

// Go there; `replace` leaves no step for the browser's way back.
export function go(path, query = {}, { replace = false } = {}) {
  const to = href(path, query);
  if (to === location.hash) return;
  if (!replace) {
    location.hash = to;
    return;
  }
  history.replaceState(null, "", to);
  route.set(read());
}

// Change some filters of this page; the others stay. An empty value takes one away.
export function filter(changes, options = { replace: true }) {
  const { page, rest, query } = read();
  go([page, ...rest].join("/"), { ...Object.fromEntries(query), ...changes }, options);
}
