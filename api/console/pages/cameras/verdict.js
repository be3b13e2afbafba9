// How well a camera sees, in a word.

import { T } from "../../texts.js";
import { html } from "../../ui.js";

const STATES = { good: "good", limited: "waiting", unsuitable: "bad", too_little_seen: "away", unknown: "unknown" };

// undefined: not known yet.
export const Verdict = ({ verdict }) => html`<span class="pill" data-state=${STATES[verdict] ?? "unknown"}><span class="pill-text">
  ${verdict ? T.suitability.verdicts[verdict] : T.suitability.asking}</span></span>`;
