// Asks for the state twice a second and shows it. Everything from outside goes in as text, never as HTML.

const EVERY_MS = 500;
const LIMIT_MS = 4000;
const AGAIN_MS = 2000;

const STATES = {
  connecting: "Connecting", live: "Live", stalled: "No pictures", backing_off: "Trying again", disabled: "Off",
};
const LABELS = {
  with_mask: "With mask", without_mask: "Without mask", incorrect_mask: "Worn incorrectly", unknown: "Can’t tell yet",
};
const NUMBERS = ["tracks", "with_mask", "incorrect_mask", "without_mask", "unknown", "events", "in_view"];

const $ = (id) => document.getElementById(id);

let over = false;
let paused = false;
let streaming = true;

function write(element, text) {
  if (element.textContent !== String(text)) element.textContent = text;
}

function tell(element, text) {
  write(element, text);
  element.hidden = !text;
}

function clock(seconds) {
  const whole = Math.floor(seconds);
  const part = (value) => String(value).padStart(2, "0");
  const short = `${part(Math.floor(whole / 60) % 60)}:${part(whole % 60)}`;
  return whole < 3600 ? short : `${Math.floor(whole / 3600)}:${short}`;
}

function showConnection(state) {
  $("connection").dataset.state = state.over ? "over" : state.state;
  write($("connection"), state.over ? "Ended" : STATES[state.state] ?? state.state);
  // Without the seconds that are left: a screen reader would read them all.
  const away = !state.over && state.state !== "live" && state.state !== "connecting";
  const again = state.state === "backing_off" ? " It is tried again until it works." : "";
  tell($("trouble"), away && state.detail ? state.detail + again : "");
}

function showPicture({ source, state, picture, viewers, over: ended }) {
  write($("source"), source);
  const facts = [];
  if (picture.width) facts.push(`${picture.width} × ${picture.height}`);
  if (!ended && state === "live" && picture.width) {
    facts.push(`${picture.fps_in.toFixed(0)} pictures/s, ${picture.fps_looked_at.toFixed(1)} looked at`);
    if (picture.delay_ms !== null) facts.push(`${picture.delay_ms} ms from ${picture.clock === "rtcp" ? "camera" : "arrival"} to page`);
    if (viewers > 1) facts.push(`${viewers} viewers`);
  }
  write($("facts"), facts.join(" · "));
}

function showRecording(recording) {
  if (!recording) return;
  const missing = recording.left_out ? `, ${recording.left_out} left out: this machine is too slow for all` : "";
  tell($("recording"), recording.trouble ? `Not recorded: ${recording.trouble}` : `Recording to ${recording.name}${missing}`);
}

function showTotals({ totals, running_s: running }) {
  for (const name of NUMBERS) write($(name), totals[name]);
  write($("running"), ` · ${clock(running)}`);
  const rate = totals.compliance_rate;
  write($("rate"), rate === null ? "–" : `${(100 * rate).toFixed(1)} %`);
  const [low, high] = totals.interval ?? [0, 0];
  const between = `95 % interval: ${(100 * low).toFixed(0)} to ${(100 * high).toFixed(0)} %`;
  write($("interval"), totals.interval ? between : "nobody was judged yet");
  $("interval-bar").style.setProperty("--low", `${100 * low}%`);
  $("interval-bar").style.setProperty("--wide", `${100 * (high - low)}%`);
  $("interval-mark").style.setProperty("--at", `${100 * (rate ?? 0)}%`);
  $("interval-mark").hidden = rate === null;
}

function showEvents(events) {
  $("no-events").hidden = events.length > 0;
  const list = $("latest");
  while (list.children.length > events.length) list.lastElementChild.remove();
  events.forEach((event, place) => {
    let line = list.children[place];
    if (!line) {
      line = document.createElement("li");
      line.append(document.createElement("strong"), document.createElement("p"));
      line.lastElementChild.className = "meaning";
      list.append(line);
    }
    line.dataset.type = event.type;
    const [title, meaning] = line.children;
    write(title, `${LABELS[event.type] ?? event.type} · ${event.track_id}`);
    const lasted = Math.max(0, event.ended_s - event.started_s).toFixed(0);
    const now = event.corrected ? "corrected" : event.ongoing ? "in view" : "gone";
    write(meaning, `at ${clock(event.started_s)}, for ${lasted} s, ${now}`);
  });
}

function showPresent(present) {
  $("nobody").hidden = present.length > 0;
  const list = $("present");
  while (list.children.length > present.length) list.lastElementChild.remove();
  present.forEach((person, place) => {
    const line = list.children[place] ?? list.appendChild(document.createElement("li"));
    line.dataset.label = person.label;
    const reason = person.unknown_reason ? ` (${person.unknown_reason.replaceAll("_", " ")})` : "";
    const event = person.event ? (person.corrected ? ", event, corrected" : ", event") : "";
    write(line, `${person.id} ${LABELS[person.label] ?? person.label}${reason}${event}`);
  });
}

function restream() {
  if (paused || over) return;
  streaming = true;
  $("picture").src = `/stream?${Date.now()}`;
}

$("picture").addEventListener("error", () => {
  if (!streaming) return;
  streaming = false;
  setTimeout(restream, AGAIN_MS);
});

$("pause").hidden = false;
$("pause").addEventListener("click", () => {
  paused = !paused;
  $("pause").setAttribute("aria-pressed", String(paused));
  write($("pause"), paused ? "Show picture" : "Pause picture");
  if (paused) {
    // The last picture stays on the page; the connection does not.
    const image = $("picture");
    const canvas = document.createElement("canvas");
    canvas.width = image.naturalWidth || 1;
    canvas.height = image.naturalHeight || 1;
    canvas.getContext("2d").drawImage(image, 0, 0);
    canvas.id = "still";
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", "The picture, paused");
    streaming = false;
    image.after(canvas);
    image.hidden = true;
    image.removeAttribute("src");
  } else {
    $("still")?.remove();
    $("picture").hidden = false;
    restream();
  }
});

async function turn() {
  try {
    const answer = await fetch("/state", { signal: AbortSignal.timeout(LIMIT_MS), cache: "no-store" });
    if (!answer.ok) throw new Error(answer.statusText);
    const state = await answer.json();
    over = state.over;
    showConnection(state);
    showPicture(state);
    showRecording(state.recording);
    showTotals(state);
    showEvents(state.latest);
    showPresent(state.present);
    if (!streaming && !paused && !over && state.viewers >= state.most_viewers) {
      tell($("trouble"), `${state.most_viewers} viewers are there already: the picture comes when one of them leaves.`);
    }
  } catch {
    if (!over) {
      $("connection").dataset.state = "lost";
      write($("connection"), "Not running");
      tell($("trouble"), "Maskwatch has ended, or can’t be reached from here.");
    }
  }
  if (!over) setTimeout(turn, EVERY_MS);
}

turn();
