// Days of a calendar in a time zone, as the API's instants.

const parts = new Map();

function partsOf(zone) {
  if (!parts.has(zone)) {
    const form = { year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" };
    let made;
    try {
      made = new Intl.DateTimeFormat("en-GB", { ...form, timeZone: zone });
    } catch {
      made = new Intl.DateTimeFormat("en-GB", { ...form, timeZone: "UTC" });
    }
    parts.set(zone, made);
  }
  return parts.get(zone);
}

// What the clock on the wall shows there then, in ms as if it were UTC.
function wall(ms, zone) {
  const told = Object.fromEntries(partsOf(zone).formatToParts(new Date(ms)).map(({ type, value }) => [type, Number(value)]));
  return Date.UTC(told.year, told.month - 1, told.day, told.hour, told.minute, told.second);
}

// The date there at a time: 2026-11-21.
export const dateIn = (at, zone) => new Date(wall(new Date(at).getTime(), zone || undefined)).toISOString().slice(0, 10);

// The date so many days later (or before).
export function nextDay(date, days = 1) {
  const at = new Date(`${date}T00:00:00Z`);
  return Number.isNaN(at.getTime()) ? "" : new Date(at.getTime() + days * 86400000).toISOString().slice(0, 10);
}

// When a date begins there, as an instant; "" of what is no date. Where midnight is skipped, the day's first moment.
export const midnight = (date, zone) => instant(`${date}T00:00:00`, zone);

// When the clock on the wall shows 2026-11-21T14:03:22 there, as an instant; "" of what is no time.
export function instant(shown, zone) {
  const meant = new Date(`${shown}Z`).getTime();
  if (Number.isNaN(meant)) return "";
  let at = meant;
  for (let n = 0; n < 3; n += 1) at += meant - wall(at, zone || undefined);
  return new Date(Math.max(at, 0)).toISOString();
}

// The year and number of the week (ISO 8601) of a date: 2026-W47.
export function weekOf(date) {
  const day = new Date(`${date}T00:00:00Z`);
  day.setUTCDate(day.getUTCDate() + 4 - (day.getUTCDay() || 7)); // Its Thursday says which year the week is of.
  const first = Date.UTC(day.getUTCFullYear(), 0, 1);
  return `${day.getUTCFullYear()}-W${String(Math.ceil(((day - first) / 86400000 + 1) / 7)).padStart(2, "0")}`;
}
