// A camera on the wall: its latest picture while the tile is in view, and how it fares.

import { CameraState, isDown } from "../../components/camera.js";
import { T } from "../../texts.js";
import { classes, html, useEffect, useRef, useState } from "../../ui.js";
import { follow } from "./pictures.js";

export function Tile({ camera, paused, open }) {
  const root = useRef(null);
  const [seen, setSeen] = useState(false);
  const [picture, setPicture] = useState({ url: null, error: null });
  const on = camera.status === null || camera.status.state === "live";

  useEffect(() => {
    const watcher = new IntersectionObserver(([entry]) => setSeen(entry.isIntersecting), { rootMargin: "80px" });
    watcher.observe(root.current);
    return () => watcher.disconnect();
  }, []);

  useEffect(() => {
    if (!seen || paused || !on) return undefined;
    const stop = follow(camera.id, setPicture);
    return () => {
      stop();
      setPicture({ url: null, error: null });
    };
  }, [seen, paused, on, camera.id]);

  // The one before is given back when the next is on the screen: nothing flickers.
  const loaded = () => { if (picture.before) URL.revokeObjectURL(picture.before); };
  return html`<button type="button" class="card tile" ref=${root} onClick=${open}>
    <span class="unseen">${T.wall.enlarge}</span>
    <span class=${classes("screen", isDown(camera.status) && "dim")}>
      ${picture.url
        ? html`<img src=${picture.url} alt="" onLoad=${loaded} />`
        : html`<span>${why(camera, picture)}</span>`}
    </span>
    <span class="under"><strong>${camera.name}</strong><span class="meaning">${camera.building}</span><${CameraState} status=${camera.status} /></span>
  </button>`;
}

function why({ status }, { error }) {
  if (status?.state === "disabled") return T.wall.off;
  if (status && status.state !== "live") return T.wall.none;
  return error ? error.message : T.wall.waiting;
}
