// How a camera fares, in words.

import { since } from "../format.js";
import { T } from "../texts.js";
import { html } from "../ui.js";

// "Trying again: wrong user name or password"
export function stateText(status) {
  const state = T.camera.states[status?.state] ?? T.camera.states.unknown;
  return status?.reason ? `${state}: ${T.camera.reasons[status.reason] ?? status.reason.replaceAll("_", " ")}` : state;
}

// `status` as the API gives it; null: not known. With `long`, also since when.
export function CameraState({ status, long = false }) {
  return html`<span class="pill" data-state=${status?.state ?? "unknown"}><span class="pill-text">
    ${long && status?.since ? T.camera.stateSince(stateText(status), since(status.since)) : stateText(status)}</span></span>`;
}

export const isDown = (status) => Boolean(status) && !["live", "disabled"].includes(status.state);
