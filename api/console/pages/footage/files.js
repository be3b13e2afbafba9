// Where files are dropped or chosen, and how far each is.

import { Icon } from "../../components/icon.js";
import { toast } from "../../components/toast.js";
import { bytes, percent } from "../../format.js";
import { T } from "../../texts.js";
import { classes, html, useRef, useState } from "../../ui.js";
import { add, addMedia, again, chosen, drop } from "./chosen.js";
import { Media } from "./media.js";

// As the server's list of what counts as footage in a folder.
const KINDS = "mp4 m4v mov 3gp 3g2 f4v mkv webm avi flv wmv asf ogv mxf ts mts m2ts m2t mpg mpeg m2v vob dav dv mjpg mjpeg ivf obu h264 264 avc h265 265 hevc".split(" ");
const TYPES = ["video/*", ...KINDS.map((one) => `.${one}`)].join(",");
const FOOTAGE = new RegExp(`^[^.].*\\.(${KINDS.join("|")})$`, "is");

export function Files({ files }) {
  const [over, setOver] = useState(false);
  const [open, setOpen] = useState(false);
  const choose = useRef(null);
  const dropped = (event) => {
    event.preventDefault();
    setOver(false);
    // Its items are gone after this turn: first the entries, then what is in them.
    const entries = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
    if (entries.some((one) => one.isDirectory)) inside(entries).then(add);
    else add(named(event.dataTransfer.files));
  };
  const some = files.length > 0;
  return html`<div class=${classes("drop card", over && "over", some && "small")} onDragOver=${(event) => { event.preventDefault(); setOver(true); }} onDragLeave=${() => setOver(false)} onDrop=${dropped}>
      ${!some && html`<${Icon} name="footage" size=${36} /><p>${T.footage.drop}</p>`}
      <p class="row">
        <button type="button" class=${classes("button", !some && "main")} onClick=${() => choose.current.click()}><${Icon} name="upload" />${some ? T.footage.more : T.footage.choose}</button>
        <button type="button" class="button" onClick=${() => setOpen(true)}><${Icon} name="folder" />${T.footage.fromMedia}</button>
      </p>
      <input type="file" multiple hidden ref=${choose} accept=${TYPES} aria-label=${T.footage.choose} onChange=${(event) => { add(named(event.target.files)); event.target.value = ""; }} />
    </div>
    ${some && html`<div><p class="meaning">${T.footage.chosen(files.length, bytes(files.reduce((sum, one) => sum + one.bytes, 0)))}</p>
      <ol class="sends">${files.map((one) => html`<${File} key=${one.id} one=${one} />`)}</ol></div>`}
    ${open && html`<${Media} close=${() => setOpen(false)} taken=${(found) => { addMedia(found); setOpen(false); }} had=${chosen.get().map((one) => one.path)} />`}`;
}

const named = (files) => [...files].map((file) => ({ file, name: file.name }));

// The files that were dropped, and the footage in folders that were, named as in there.
async function inside(entries) {
  const found = [];
  for (const entry of entries) {
    try {
      if (entry.isFile) found.push({ file: await new Promise((resolve, reject) => { entry.file(resolve, reject); }), name: entry.fullPath.replace(/^\/+/, "") });
      else found.push(...(await inside((await listed(entry)).filter((one) => (one.isDirectory ? !one.name.startsWith(".") : FOOTAGE.test(one.name))))));
    } catch {
      toast(T.footage.unread(entry.name), { kind: "bad" });
    }
  }
  return found;
}

// It is given in parts, until one is empty.
async function listed(folder) {
  const reader = folder.createReader();
  const found = [];
  for (;;) {
    const part = await new Promise((resolve, reject) => { reader.readEntries(resolve, reject); });
    if (part.length === 0) return found;
    found.push(...part);
  }
}

function stateOf(one) {
  if (one.path) return T.footage.onMachine;
  if (one.state === "waits") return T.footage.waits;
  if (one.state === "sending") return T.footage.sending(percent(one.bytes ? one.sent / one.bytes : 1, 0));
  return one.error ?? T.footage[one.state];
}

function File({ one }) {
  const moving = ["hashing", "sending", "checking"].includes(one.state);
  const failed = one.state === "failed";
  return html`<li>
    <div class="send-name"><strong>${one.name}</strong> <span class="quiet">${bytes(one.bytes)}</span></div>
    <div class="send-acts">
      ${failed && html`<button type="button" class="button small" onClick=${() => again(one.id)}>${T.states.again}<span class="unseen"> ${one.name}</span></button>`}
      <button type="button" class="plain" onClick=${() => drop(one.id)} title=${T.footage.remove}><${Icon} name="close" size=${16} /><span class="unseen">${T.footage.remove} ${one.name}</span></button></div>
    <p class=${failed ? "error" : "hint"} role=${failed ? "alert" : undefined}>${stateOf(one)}</p>
    ${moving && html`<progress max="1" value=${one.bytes ? one.sent / one.bytes : 0} aria-label=${T.footage.sendingOf(one.name)}></progress>`}
  </li>`;
}
