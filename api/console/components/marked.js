// A picture with boxes and labels over it, drawn by the browser; nothing of it is in the file.

import { T } from "../texts.js";
import { html, useEffect, useRef, useState } from "../ui.js";

// `faces` as the API gives them, in pixels of a picture that is `width` by `height`; children: the picture or video itself.
export function Marked({ width, height, faces, children }) {
  const root = useRef(null);
  const [scale, setScale] = useState(1);
  useEffect(() => {
    // Letters and lines are as large on a phone as on a desk, whatever the picture measures.
    const measure = () => setScale(width / Math.max(1, root.current?.clientWidth ?? 1));
    const watching = new ResizeObserver(measure);
    watching.observe(root.current);
    measure();
    return () => watching.disconnect();
  }, [width]);
  return html`<div class="marked" ref=${root}>${children}
    <svg viewBox=${`0 0 ${width} ${height}`} aria-hidden="true" focusable="false">
      ${faces.map((face, n) => html`<${Box} key=${n} face=${face} number=${n + 1} scale=${scale} most=${width} />`)}
    </svg></div>`;
}

function Box({ face, number, scale, most }) {
  const [x, y, width, height] = face.box;
  const text = `${number} ${T.labels[face.label] ?? face.label}`;
  const tall = 20 * scale;
  const long = (text.length * 8.2 + 12) * scale;
  const above = y >= tall;
  const left = Math.max(0, Math.min(x, most - long));
  return html`<g data-label=${face.label}>
    <rect class="face" x=${x} y=${y} width=${width} height=${height} />
    <rect class="plate" x=${left} y=${above ? y - tall : y + height} width=${long} height=${tall} />
    <text x=${left + 6 * scale} y=${(above ? y - tall : y + height) + 14.5 * scale} font-size=${13 * scale}>${text}</text>
  </g>`;
}
