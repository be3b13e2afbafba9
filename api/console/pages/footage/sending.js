// Sends one file, and tells how much of it is there. Only XMLHttpRequest knows that.

import { Problem, address, csrf, get, problemFrom } from "../../api.js";
import { T } from "../../texts.js";

const MOST_HASHED_BYTES = 256 * 1024 * 1024; // It is read into memory whole for this.
const STALLED_MS = 60000;
const CHECKED_MS = 600000; // Once all is sent: then the server puts it where no power cut harms it.
const LONGEST_NAME = 400;

// Gives the upload as the API does. `name` holds the folders, too, as of files in the media folder: they may say when it began.
// `tell("hashing" | "sending" | "checking", bytes)`; `signal` takes it back.
export async function send({ file, name }, tell, signal) {
  tell("hashing", 0);
  const sha256 = await digest(file);
  // The login may have run out meanwhile: asking anything renews it.
  await get("/me", {}, { signal });
  const upload = await sent(file, { name: name.length > LONGEST_NAME ? file.name : name, sha256 }, tell, signal);
  if (sha256 && upload.sha256 !== sha256) throw new Problem(0, "differs", T.footage.differs);
  return upload;
}

// Null where the browser does not reckon it, or the file is large: then the server's own has to do.
async function digest(file) {
  if (!crypto.subtle || file.size > MOST_HASHED_BYTES) return null;
  let content;
  try {
    content = await file.arrayBuffer();
  } catch {
    throw new Problem(0, "unreadable", T.footage.unreadable);
  }
  return [...new Uint8Array(await crypto.subtle.digest("SHA-256", content))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

function sent(file, query, tell, signal) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    let timer = null;
    const end = (act, value) => {
      clearTimeout(timer);
      signal.removeEventListener("abort", stop);
      act(value);
    };
    const stop = () => {
      request.abort();
      end(reject, new DOMException("taken back", "AbortError"));
    };
    const alive = (loaded) => {
      const all = loaded >= file.size;
      clearTimeout(timer);
      timer = setTimeout(() => {
        request.abort();
        end(reject, new Problem(0, "timeout", all ? T.footage.unanswered : T.footage.stalled));
      }, all ? CHECKED_MS : STALLED_MS);
    };
    request.open("POST", address("/uploads", query));
    request.setRequestHeader("Content-Type", "application/octet-stream");
    if (csrf()) request.setRequestHeader("X-CSRF-Token", csrf());
    request.upload.addEventListener("progress", (event) => {
      alive(event.loaded);
      tell(event.loaded < file.size ? "sending" : "checking", event.loaded);
    });
    request.addEventListener("load", () => {
      const said = parsed(request.responseText);
      if (request.status >= 200 && request.status < 300 && said) end(resolve, said);
      else end(reject, problemFrom(request.status, said));
    });
    request.addEventListener("error", () => end(reject, new Problem(0, "unreachable", T.footage.unreachable)));
    if (signal.aborted) {
      stop();
      return;
    }
    signal.addEventListener("abort", stop);
    alive(0);
    tell("sending", 0);
    request.send(file);
  });
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null; // A proxy's page, say.
  }
}
