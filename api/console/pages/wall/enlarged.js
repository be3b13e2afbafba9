// One camera, large: the stream of its pictures with boxes and labels, and all that is known of how it fares.

import { address, get } from "../../api.js";
import { useAsked } from "../../asked.js";
import { CameraState } from "../../components/camera.js";
import { Dialog } from "../../components/dialog.js";
import { Icon } from "../../components/icon.js";
import { decimal } from "../../format.js";
import { href } from "../../router.js";
import { may } from "../../session.js";
import { T } from "../../texts.js";
import { html, useEffect, useRef, useState } from "../../ui.js";

const WIDTH = 960;
const AGAIN_MS = 3000;
const STATUS_MS = 2000;

export function Enlarged({ camera, close, step }) {
  const [broken, setBroken] = useState(false);
  const [turn, setTurn] = useState(0);
  const picture = useRef(null);
  const asked = useAsked((signal) => get(`/cameras/${camera.id}/status`, {}, { signal }), [camera.id], { on: ["camera"], every: STATUS_MS });
  const status = asked.data ?? camera.status;
  // Without an answer the picture on the screen is an old one, and so is what was said of it.
  const lost = asked.error !== null;
  const live = !lost && (status === null || status.state === "live");

  useEffect(() => setBroken(false), [camera.id, live]);
  useEffect(() => {
    const image = picture.current;
    // Taken out of the page, it would go on to load.
    return () => image?.setAttribute("src", "");
  }, [camera.id, live, turn, broken]);
  useEffect(() => {
    if (!broken) return undefined;
    const timer = setTimeout(() => {
      setBroken(false);
      setTurn((n) => n + 1);
    }, AGAIN_MS);
    return () => clearTimeout(timer);
  }, [broken]);

  const keys = (event) => {
    if (!step || event.altKey || event.ctrlKey || event.metaKey) return;
    if (event.key === "ArrowLeft") step(-1);
    if (event.key === "ArrowRight") step(1);
  };
  return html`<${Dialog} title=${camera.name} close=${close} wide onKeyDown=${keys}>
    <div class="screen large-screen">
      ${live && !broken
        ? html`<img key=${`${camera.id} ${turn}`} ref=${picture} src=${address(`/cameras/${camera.id}/preview`, { width: WIDTH })} alt=${T.wall.picture(camera.name)} onError=${() => setBroken(true)} />`
        : html`<p role="status">${live ? T.wall.notYet : lost ? asked.error.message : (status.detail ?? T.wall.none)}</p>`}
    </div>
    <div class="row large-under">
      <div class="grow"><${CameraState} status=${lost ? null : status} long />
        ${!lost && asked.data?.state === "live" && html`<p class="meaning">${T.camera.rates(decimal(status.fps_in), decimal(status.fps_analyzed))}</p>`}
        ${status?.warnings?.map((text) => html`<p key=${text} class="meaning">${text}</p>`)}</div>
      ${step && html`<button type="button" class="button" aria-label=${T.wall.previous} onClick=${() => step(-1)}><${Icon} name="left" /></button>
        <button type="button" class="button" aria-label=${T.wall.next} onClick=${() => step(1)}><${Icon} name="right" /></button>`}
      <a class="button" href=${href("review", { camera: camera.id })}>${T.wall.toEvents}</a>
      ${may("operator") && html`<a class="button" href=${href(`cameras/${camera.id}`)}>${T.wall.toCamera}</a>`}
    </div>
  <//>`;
}
