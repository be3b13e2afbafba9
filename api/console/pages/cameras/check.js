// What came of connecting to a camera: the figures of its stream and its picture, or why there is none and what to do.

import { get, post } from "../../api.js";
import { decimal } from "../../format.js";
import { Icon } from "../../components/icon.js";
import { sentence } from "../../components/sentence.js";
import { T } from "../../texts.js";
import { html, useEffect, useState } from "../../ui.js";

const LIMIT_MS = 20000;

// A camera that shows nothing is an answer here, not a failure.
export async function look(id) {
  try {
    return await post(`/cameras/${id}/test`, undefined, { limit: LIMIT_MS });
  } catch (problem) {
    if (problem.status !== 422) throw problem;
    return { ok: false, reason: problem.details.reason, detail: problem.message, substream: null };
  }
}

export function Check({ check }) {
  if (!check.ok) {
    const reason = T.camera.reasons[check.reason];
    return html`<div class="notice bad" role="status"><${Icon} name="warning" />
      <div class="grow"><p><strong>${reason ? T.check.noPicture(reason) : T.check.none}</strong></p>
      ${check.detail && html`<p class="meaning">${sentence(check.detail)}</p>`}
      ${T.check.todo[check.reason] && html`<p>${T.check.todo[check.reason]}</p>`}</div></div>`;
  }
  return html`<div role="status"><p class="row good-line"><${Icon} name="check" /><strong>${T.check.good}</strong></p>
    <${Figures} stream=${check} />
    ${check.substream && html`<h3>${T.check.substream}</h3>${check.substream.ok ? html`<${Figures} stream=${check.substream} />` : html`<p>${sentence(check.substream.detail)}</p>`}`}
  </div>`;
}

const CODECS = { h264: "H.264", hevc: "H.265", h265: "H.265", mjpeg: "Motion JPEG", mpeg4: "MPEG-4", vp9: "VP9", av1: "AV1" };

function Figures({ stream }) {
  const lines = [
    [T.check.codec, CODECS[stream.codec] ?? stream.codec],
    [T.check.size, stream.width && T.check.pixels(stream.width, stream.height)],
    [T.check.fps, stream.fps && decimal(stream.fps)],
    [T.check.first, stream.first_frame_s !== null && T.format.seconds(decimal(stream.first_frame_s))],
    [T.check.clock, T.check.clocks[stream.clock] ?? stream.clock],
  ].filter(([, value]) => value);
  return html`<dl class="facts">${lines.map(([name, value]) => html`<dt key=${name}>${name}</dt><dd key=${`${name} value`}>${value}</dd>`)}</dl>`;
}

// The still picture of a camera as an address for <img>: { url, width, height, error, again }.
export function useStill(path, query = {}) {
  const [found, setFound] = useState({ url: null, error: null });
  const [turn, setTurn] = useState(0);
  useEffect(() => {
    const stop = new AbortController();
    let url = null;
    setFound({ url: null, error: null });
    get(path, query, { as: "blob", signal: stop.signal, limit: LIMIT_MS }).then(
      (blob) => {
        if (stop.signal.aborted) return;
        url = URL.createObjectURL(blob);
        setFound({ url, error: null });
      },
      (error) => { if (!stop.signal.aborted) setFound({ url: null, error }); },
    );
    return () => {
      stop.abort();
      if (url) URL.revokeObjectURL(url);
    };
  }, [path, JSON.stringify(query), turn]);
  return { ...found, again: () => setTurn((now) => now + 1) };
}

export function Still({ still, alt }) {
  return html`<div class="screen still">${still.url
    ? html`<img src=${still.url} alt=${alt} />`
    : html`<p role="status">${still.error ? still.error.message : T.wall.waiting}</p>`}</div>`;
}
