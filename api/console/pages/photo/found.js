// What was found in a picture, in words.

import { LabelName } from "../../components/label.js";
import { percent } from "../../format.js";
import { T } from "../../texts.js";
import { html } from "../../ui.js";

export function Found({ found }) {
  const { faces } = found;
  return html`<p role="status"><strong>${faces.length === 0 ? T.photo.nobody : T.photo.faces(faces.length)}</strong></p>
    ${faces.length === 0 && html`<p class="meaning">${T.photo.nobodyText}</p>`}
    <ol class="faces">${faces.map((face, n) => html`<li key=${n}><${LabelName} label=${face.label} />
      <span class="meaning">${face.label === "unknown" && face.unknown_reason
        ? T.photo.unknown(T.reasons[face.unknown_reason] ?? face.unknown_reason)
        : T.photo.sure(percent(face.confidence, 0))} · ${T.photo.size(face.box[2], face.box[3])}</span></li>`)}</ol>`;
}
