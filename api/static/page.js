// Asks for the state once a second and shows it. Everything from outside goes in as text, never as HTML.

const EVERY_MS = 1000;
const LIMIT_MS = 4000;

const STATES = {
  connecting: "Connecting", live: "Live", stalled: "No pictures", backing_off: "Trying again", disabled: "Off",
};
const REASONS = {
  wrong_password: "wrong user name or password", not_found: "nothing at this address", refused: "connection refused",
  no_route: "host can’t be reached", timeout: "no answer", unsupported_codec: "video format not supported",
  frozen: "the picture stands still", no_keyframes: "stream without key frames",
  not_allowed: "in a network that is not allowed",
};
const TYPES = { without_mask: "Without mask", incorrect_mask: "Worn incorrectly" };
const NUMBERS = ["tracks", "with_mask", "incorrect_mask", "without_mask", "unknown", "events", "open_tracks"];

const $ = (id) => document.getElementById(id);
const plain = (word) => word.replaceAll("_", " ");

function write(element, text) {
  if (element.textContent !== String(text)) element.textContent = text;
}

function made(tag, className = "") {
  const element = document.createElement(tag);
  element.className = className;
  return element;
}

function percent(share) {
  return share === null ? "–" : `${(100 * share).toFixed(1)} %`;
}

function between(interval) {
  return interval === null ? "–" : `${(100 * interval[0]).toFixed(0)} to ${(100 * interval[1]).toFixed(0)} %`;
}

const clocks = new Map();

function clock(timezone) {
  if (!clocks.has(timezone)) {
    const form = { weekday: "short", day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", second: "2-digit" };
    let format;
    try {
      format = new Intl.DateTimeFormat("en-GB", { ...form, timeZone: timezone });
    } catch {
      format = new Intl.DateTimeFormat("en-GB", { ...form, timeZone: "UTC", timeZoneName: "short" });
    }
    clocks.set(timezone, format);
  }
  return clocks.get(timezone);
}

function age(from, to) {
  const seconds = Math.max(0, (Date.parse(to) - Date.parse(from)) / 1000);
  if (seconds < 60) return `${seconds.toFixed(0)} s`;
  if (seconds < 3600) return `${(seconds / 60).toFixed(0)} min`;
  if (seconds < 172800) return `${(seconds / 3600).toFixed(0)} h`;
  return `${(seconds / 86400).toFixed(0)} days`;
}

// Elements stay while their key stays, so that nothing flickers and a selection survives.
function keep(list, items, key, make, update) {
  const known = new Map([...list.children].map((element) => [element.dataset.key, element]));
  let place = list.firstElementChild;
  for (const item of items) {
    const name = key(item);
    let element = known.get(name);
    if (element) known.delete(name);
    else {
      element = make();
      element.dataset.key = name;
    }
    update(element, item);
    if (element === place) place = place.nextElementSibling;
    else list.insertBefore(element, place);
  }
  for (const element of known.values()) {
    forget(element);
    element.remove();
  }
}

function showToday(state) {
  const { today } = state;
  write($("rate"), percent(today.compliance_rate));
  write($("interval"), today.interval ? `95 % interval: ${between(today.interval)}` : "nobody was judged yet");
  for (const name of NUMBERS) write($(name), today[name]);
  const [low, high] = today.interval ?? [0, 0];
  $("interval-bar").style.setProperty("--low", `${100 * low}%`);
  $("interval-bar").style.setProperty("--wide", `${100 * (high - low)}%`);
  $("interval-mark").style.setProperty("--at", `${100 * (today.compliance_rate ?? 0)}%`);
  $("interval-mark").hidden = today.compliance_rate === null;
  $("buildings").hidden = state.buildings.length < 2;
  const row = () => {
    const line = made("tr");
    for (let column = 0; column < 8; column += 1) line.append(made("td"));
    return line;
  };
  keep($("buildings").querySelector("tbody"), state.buildings, (building) => building.name, row, (line, building) => {
    const { numbers } = building;
    const cells = [
      building.name, percent(numbers.compliance_rate), between(numbers.interval), numbers.tracks,
      numbers.with_mask, numbers.incorrect_mask, numbers.without_mask, numbers.unknown,
    ];
    cells.forEach((cell, column) => write(line.children[column], cell));
  });
}

function showCameras(state) {
  $("no-cameras").hidden = state.cameras.length > 0;
  const several = new Set(state.cameras.map((camera) => camera.building)).size > 1;
  const card = () => {
    const line = made("li");
    line.append(made("strong"), made("span", "pill"), made("p", "meaning"));
    return line;
  };
  keep($("cameras"), state.cameras, (camera) => camera.id, card, (line, camera) => {
    const [name, pill, meaning] = line.children;
    const { status } = camera;
    write(name, several ? `${camera.name} · ${camera.building}` : camera.name);
    pill.dataset.state = status?.state ?? "unknown";
    const reason = status?.reason ? `: ${REASONS[status.reason] ?? plain(status.reason)}` : "";
    write(pill, status ? `${STATES[status.state] ?? plain(status.state)}${reason}` : "Not known");
    pill.title = status?.detail ?? "";
    const facts = [];
    if (status?.state === "live") facts.push(`${status.fps_analyzed.toFixed(1)} looks a second`);
    if (status && status.state !== "live" && status.state !== "disabled") {
      facts.push(status.last_frame_at ? `last picture ${age(status.last_frame_at, state.as_of)} ago` : "no picture yet");
    }
    if (status?.dropped) facts.push(`${status.dropped} ${status.dropped === 1 ? "sample" : "samples"} lost`);
    facts.push(...(status?.warnings ?? []));
    write(meaning, facts.join(", "));
  });
}

function forget(element) {
  const image = element.querySelector?.("img");
  if (image?.src.startsWith("blob:")) URL.revokeObjectURL(image.src);
}

async function load(image, picture) {
  if (image.dataset.version === picture.version) return;
  image.dataset.version = picture.version;
  try {
    const answer = await fetch(picture.url, { signal: AbortSignal.timeout(LIMIT_MS) });
    if (!answer.ok) throw new Error(answer.statusText);
    const source = URL.createObjectURL(await answer.blob());
    if (image.dataset.version !== picture.version || !image.isConnected) {
      URL.revokeObjectURL(source);
      return;
    }
    if (image.src.startsWith("blob:")) URL.revokeObjectURL(image.src);
    image.src = source;
  } catch {
    // It was replaced meanwhile, or the connection is gone: the next round tries again.
    if (image.dataset.version === picture.version) delete image.dataset.version;
  }
}

function showPictures(state) {
  $("no-pictures").hidden = state.pictures.length > 0;
  const card = () => {
    const line = made("li");
    const link = made("a");
    const text = made("div");
    link.target = "_blank";
    link.append(made("img"));
    text.append(made("strong"), made("p", "meaning"), made("p", "meaning"));
    line.append(link, text);
    return line;
  };
  const updates = [];
  keep($("pictures"), state.pictures, (picture) => picture.event_id, card, (line, picture) => {
    const image = line.querySelector("img");
    const type = TYPES[picture.type] ?? plain(picture.type);
    line.dataset.label = picture.type;
    line.querySelector("a").href = picture.url;
    image.alt = `${type}, ${picture.camera}`;
    write(line.querySelector("strong"), picture.ongoing ? `${type}, in view now` : type);
    const [camera, at] = line.querySelectorAll("p");
    write(camera, picture.camera);
    const started = clock(picture.timezone).format(new Date(picture.started_at));
    write(at, picture.corrected ? `${started}, then corrected` : started);
    updates.push([image, picture]);
  });
  for (const [image, picture] of updates) load(image, picture);
}

function showTrouble(lines) {
  $("trouble").hidden = lines.length === 0;
  keep($("trouble"), lines, (line) => line, () => made("li"), (element, line) => write(element, line));
}

function showConnection(state, text) {
  $("connection").dataset.state = state;
  write($("connection"), text);
}

const moment = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
let last = null;

async function round() {
  try {
    const answer = await fetch("/page/state", { signal: AbortSignal.timeout(LIMIT_MS) });
    const body = await answer.json();
    if (!answer.ok) {
      showConnection("lost", "In trouble");
      showTrouble([body.detail ?? answer.statusText]);
      return;
    }
    showToday(body);
    showCameras(body);
    showPictures(body);
    showTrouble(body.trouble);
    last = new Date();
    showConnection("live", `Up to date, ${moment.format(last)}`);
  } catch {
    showConnection("lost", last ? `No connection since ${moment.format(last)}` : "No connection");
  }
}

async function run() {
  for (;;) {
    if (!document.hidden) await round();
    await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
  }
}

run();
