// The webcam of whoever looks at the console: one look, or one every second as long as it is wanted.

import { Icon } from "../../components/icon.js";
import { Marked } from "../../components/marked.js";
import { T } from "../../texts.js";
import { html, useEffect, useRef, useState } from "../../ui.js";
import { Found } from "./found.js";

const PAUSE_MS = 1000;
const WIDTH = 1280;
const QUALITY = 0.9;

export function Webcam({ analyze, stop }) {
  const video = useRef(null);
  const asking = useRef(new AbortController());
  const [ready, setReady] = useState(false);
  const [error, setError] = useState(null);
  const [found, setFound] = useState(null);
  const [busy, setBusy] = useState(false);
  const [again, setAgain] = useState(false);

  useEffect(() => {
    let stream = null;
    let gone = false;
    // Without a safe connection browsers have no cameras.
    const wanted = navigator.mediaDevices?.getUserMedia({ video: { width: { ideal: WIDTH } }, audio: false }) ?? Promise.reject(new DOMException("", "NotSupportedError"));
    wanted.then(
      (given) => {
        stream = given;
        if (gone) end(stream);
        else video.current.srcObject = stream;
      },
      (problem) => setError(T.photo.webcamProblems[problem.name] ?? T.photo.webcamProblems.other),
    );
    return () => {
      gone = true;
      asking.current.abort();
      if (stream) end(stream);
    };
  }, []);

  const look = async () => {
    setBusy(true);
    try {
      const blob = await still(video.current);
      const result = await analyze(blob, asking.current.signal);
      setFound(result);
      setError(null);
    } catch (problem) {
      if (asking.current.signal.aborted) return;
      setError(problem.message);
      setAgain(false);
    }
    setBusy(false);
  };
  useEffect(() => {
    if (!again || busy || !ready) return undefined;
    const timer = setTimeout(look, found ? PAUSE_MS : 0);
    return () => clearTimeout(timer);
  }, [again, busy, ready]);

  const size = found ?? { width: 16, height: 9, faces: [] };
  return html`<div class="split above">
    <${Marked} width=${size.width} height=${size.height} faces=${size.faces}>
      <video ref=${video} autoplay playsinline muted aria-label=${T.photo.view} onLoadedData=${() => setReady(true)}></video><//>
    <section class="card pad"><h2>${T.photo.result}</h2>
      ${error && html`<p class="error" role="alert">${error}</p>`}
      ${!error && !ready && html`<p role="status">${T.photo.starting}</p>`}
      ${ready && html`<p class="actions">
        <button type="button" class="button main" disabled=${busy || again} onClick=${look}>${T.photo.once}</button>
        <button type="button" class="button" aria-pressed=${again ? "true" : "false"} onClick=${() => setAgain(!again)}><${Icon} name="again" />${again ? T.photo.pause : T.photo.every}</button></p>`}
      ${found && html`<${Found} found=${found} />`}
      <p class="meaning">${T.photo.kept}</p>
      <p><button type="button" class="button small" onClick=${stop}>${T.photo.off}</button></p></section>
  </div>`;
}

const end = (stream) => { for (const track of stream.getTracks()) track.stop(); };

function still(video) {
  const canvas = document.createElement("canvas");
  canvas.width = video.videoWidth;
  canvas.height = video.videoHeight;
  canvas.getContext("2d").drawImage(video, 0, 0);
  return new Promise((resolve, reject) => {
    canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error(T.photo.noStill))), "image/jpeg", QUALITY);
  });
}
