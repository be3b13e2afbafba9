// The picture with its regions over it, drawn with the mouse or a finger.

import { T } from "../../texts.js";
import { classes, html, useEffect, useRef, useState } from "../../ui.js";
import { at } from "./drawing.js";

const path = (points, size) => points.map(([x, y]) => `${x * size.width},${y * size.height}`).join(" ");

// `say(name, ...)`: see ACTS of drawing.js.
export function Canvas({ url, alt, state, say }) {
  const root = useRef(null);
  const dragged = useRef(null);
  const [size, setSize] = useState({ width: 16, height: 9 });
  const [scale, setScale] = useState(1);
  useEffect(() => {
    const measure = () => setScale(size.width / Math.max(1, root.current?.clientWidth ?? 1));
    const watching = new ResizeObserver(measure);
    watching.observe(root.current);
    measure();
    return () => watching.disconnect();
  }, [size]);

  const point = (event) => {
    const box = root.current.getBoundingClientRect();
    return at((event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height);
  };
  const down = (event) => {
    if (event.button !== 0) return;
    if (state.open) {
      event.preventDefault();
      root.current.focus({ preventScroll: true });
      say("add", point(event));
      return;
    }
    const { region, place } = event.target.dataset;
    if (region === undefined) {
      say("choose", null);
      return;
    }
    root.current.focus({ preventScroll: true });
    if (place === undefined) {
      say("choose", [Number(region), null]);
      return;
    }
    event.preventDefault();
    dragged.current = [Number(region), Number(place)];
    root.current.setPointerCapture(event.pointerId);
    say("grab", dragged.current);
  };
  const move = (event) => { if (dragged.current) say("move", dragged.current, point(event)); };
  const up = () => { dragged.current = null; };
  const key = (event) => {
    const acts = { Enter: "close", Escape: "cancel", Delete: "remove", Backspace: "remove" };
    if ((event.ctrlKey || event.metaKey) && event.key === "z") say("undo");
    else if (acts[event.key]) say(acts[event.key]);
    else return;
    event.preventDefault();
  };
  return html`<div class=${classes("canvas", state.open && "drawing")} ref=${root} style=${{ "--ratio": size.width / size.height }} tabindex="0" role="group" aria-label=${T.regions.canvas}
      onPointerDown=${down} onPointerMove=${move} onPointerUp=${up} onPointerCancel=${up} onDblClick=${() => say("close")} onKeyDown=${key}>
    <img src=${url} alt=${alt} draggable=${false} onLoad=${(event) => setSize({ width: event.target.naturalWidth, height: event.target.naturalHeight })} />
    <svg viewBox=${`0 0 ${size.width} ${size.height}`} aria-hidden="true" focusable="false">
      ${state.regions.map((region, n) => html`<g key=${n} class=${classes("region", state.chosen?.[0] === n && "chosen")} data-mode=${region.mode}>
        <polygon points=${path(region.points, size)} data-region=${n} />
        ${region.points.map(([x, y], place) => html`<circle key=${place} class=${state.chosen?.[0] === n && state.chosen[1] === place ? "chosen" : ""}
          cx=${x * size.width} cy=${y * size.height} r=${7 * scale} data-region=${n} data-place=${place} />`)}
      </g>`)}
      ${state.open && html`<g class="region open" data-mode=${state.open.mode}><polyline points=${path(state.open.points, size)} />
        ${state.open.points.map(([x, y], place) => html`<circle key=${place} cx=${x * size.width} cy=${y * size.height} r=${(place === 0 ? 9 : 6) * scale} />`)}</g>`}
    </svg>
  </div>`;
}
