// The pages: where each is loaded from, who may see it, and which are in the menu, in this order. A page with `styles` has a
// style sheet of its own beside it: pages/<name>.css, or those of the names it gives.

import { may } from "./session.js";

export const PAGES = {
  overview: { load: () => import("./pages/overview.js"), icon: "overview", role: "viewer" },
  wall: { load: () => import("./pages/wall.js"), icon: "wall", role: "viewer" },
  review: { load: () => import("./pages/review.js"), icon: "review", role: "viewer", styles: true },
  reports: { load: () => import("./pages/reports.js"), icon: "reports", role: "viewer", styles: true },
  cameras: { load: () => import("./pages/cameras.js"), icon: "camera", role: "viewer", styles: "upkeep" },
  footage: { load: () => import("./pages/footage.js"), icon: "footage", role: "viewer", styles: ["upkeep", "footage"] },
  photo: { load: () => import("./pages/photo.js"), icon: "photo", role: "viewer", styles: "upkeep" },
  people: { load: () => import("./pages/people.js"), icon: "people", role: "admin", styles: "upkeep" },
  audit: { load: () => import("./pages/audit.js"), icon: "audit", role: "admin", styles: "upkeep" },
  system: { load: () => import("./pages/system.js"), icon: "system", role: "viewer", styles: "upkeep" },
  spot: { load: () => import("./pages/spot.js"), role: "reviewer", styles: true },
  login: { load: () => import("./pages/login.js") },
  link: { load: () => import("./pages/link.js") },
};

export const inMenu = (me) => Object.keys(PAGES).filter((name) => PAGES[name].icon && may(PAGES[name].role, me));

const sheets = new Map();

// The module of a page, when its styles are there, too.
export async function load(name) {
  const { load: module, styles } = PAGES[name];
  const named = styles ? [styles === true ? name : styles].flat() : [];
  const [{ default: Body }] = await Promise.all([module(), ...named.map((one) => sheet(`/console/pages/${one}.css`))]);
  return Body;
}

// A style sheet, once: `await sheet("/console/vendor/uplot.css")`.
export function sheet(address) {
  if (!sheets.has(address)) {
    sheets.set(address, new Promise((resolve, reject) => {
      const link = document.createElement("link");
      link.rel = "stylesheet";
      link.href = address;
      link.addEventListener("load", resolve);
      link.addEventListener("error", () => {
        sheets.delete(address);
        link.remove();
        reject(new Error(address));
      });
      document.head.append(link);
    }));
  }
  return sheets.get(address);
}
