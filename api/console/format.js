// Numbers and times as people read them. Times are shown in the time zone of the building they belong to.

import { T } from "./texts.js";

const LOCALE = "en-GB";
const NONE = "–";
const made = new Map();

function maker(kind, options) {
  const key = `${kind} ${JSON.stringify(options)}`;
  if (!made.has(key)) {
    try {
      made.set(key, new Intl[kind](LOCALE, options));
    } catch {
      // A time zone that this browser does not know.
      made.set(key, new Intl[kind](LOCALE, { ...options, timeZone: "UTC", timeZoneName: "short" }));
    }
  }
  return made.get(key);
}

const shown = (form) => (iso, timezone = "UTC") =>
  iso ? maker("DateTimeFormat", { ...form, timeZone: timezone || "UTC" }).format(new Date(iso)) : NONE;

const CLOCK = { hour: "2-digit", minute: "2-digit" };
const DAY = { weekday: "short", day: "numeric", month: "short" };

export const time = shown({ ...CLOCK, second: "2-digit" }); // 14:03:22
export const clock = shown(CLOCK); // 14:03
export const day = shown(DAY); // Sat 21 Nov
export const date = shown({ day: "numeric", month: "short", year: "numeric" }); // 21 Nov 2026
export const moment = shown({ ...DAY, ...CLOCK }); // Sat 21 Nov, 14:03
export const exact = shown({ ...DAY, year: "numeric", ...CLOCK, second: "2-digit", timeZoneName: "short" });
export const weekday = shown({ weekday: "short" }); // Sat

export const count = (number) => (number === null || number === undefined ? NONE : maker("NumberFormat", {}).format(number));
export const decimal = (number, digits = 1) =>
  number === null || number === undefined
    ? NONE
    : maker("NumberFormat", { minimumFractionDigits: digits, maximumFractionDigits: digits }).format(number);

// A share (0 to 1) as 93.4 %; with a thin space that does not break.
export const percent = (share, digits = 1) =>
  share === null || share === undefined ? NONE : `${decimal(100 * share, digits)}\u202f%`;

// An interval [low, high] of shares: 91 to 95 %.
export const between = (interval, digits = 0) =>
  interval ? T.format.between(decimal(100 * interval[0], digits), `${decimal(100 * interval[1], digits)}\u202f%`) : NONE;

// A change of shares in percentage points, with its sign: +1.2.
export const points = (change) =>
  change === null || change === undefined ? NONE : `${change > 0 ? "+" : change < 0 ? "−" : "±"}${decimal(100 * Math.abs(change))}`;

// How long: 12 s, 3 min, 5 h, 2 days.
export function span(seconds) {
  const long = Math.max(0, seconds);
  if (long < 60) return T.format.seconds(Math.round(long));
  if (long < 3600) return T.format.minutes(Math.round(long / 60));
  if (long < 172800) return T.format.hours(Math.round(long / 3600));
  return T.format.days(Math.round(long / 86400));
}

// How far into footage: 12:30, 1:00:00.
export function played(seconds) {
  if (seconds === null || seconds === undefined) return NONE;
  const whole = Math.max(0, Math.floor(seconds + 0.0005));
  const two = (number) => String(number).padStart(2, "0");
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor(whole / 60) % 60;
  return `${hours ? `${hours}:${two(minutes)}` : minutes}:${two(whole % 60)}`;
}

// How long ago, up to now or to another time.
export const since = (iso, to = Date.now()) => (iso ? span((new Date(to) - new Date(iso)) / 1000) : NONE);

export function bytes(number) {
  if (number === null || number === undefined) return NONE;
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let size = number;
  let unit = 0;
  for (; size >= 1024 && unit < units.length - 1; unit += 1) size /= 1024;
  return `${decimal(size, unit && size < 100 ? 1 : 0)}\u202f${units[unit]}`;
}
