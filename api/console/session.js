// Who looks at the console, and what they may.

import { ask, get, post, useToken, whenLost } from "./api.js";
import { go, here } from "./router.js";
import { shared, useShared } from "./ui.js";

const RANKS = ["viewer", "reviewer", "operator", "admin"];
export const OPEN = new Set(["login", "link"]);

// undefined: not known yet; null: nobody.
const me = shared(undefined);

export const useMe = () => useShared(me);
export const may = (role, who = me.get()) => Boolean(who) && RANKS.indexOf(who.role) >= RANKS.indexOf(role);

whenLost(() => {
  me.set(null);
  toLogin();
});

export async function findOut() {
  try {
    const found = await get("/me", {}, { alone: false });
    useToken(found.csrf_token);
    me.set(found);
  } catch (error) {
    if (error.status !== 401) throw error;
    me.set(null);
    toLogin();
  }
}

export async function logIn(name, password) {
  await ask("POST", "/auth/token", { body: { name, password, cookie: true }, alone: true });
  await findOut();
}

export async function openLink(token, password) {
  await ask("POST", "/auth/link", { body: { token, password, cookie: true }, alone: true });
  await findOut();
}

export async function logOut() {
  await post("/auth/logout");
  useToken(null);
  // First: who logs out does not want to come back to where they were.
  go("login");
  me.set(null);
}

export function toLogin() {
  const { page, rest } = here();
  if (OPEN.has(page)) return;
  go("login", { to: [page, ...rest].join("/") === "overview" ? "" : location.hash.slice(2) }, { replace: true });
}
