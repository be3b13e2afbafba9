// The time zones that this browser knows.

import { T } from "../../texts.js";

// Some browsers still list these by the names they had.
const RENAMED = {
  "Africa/Asmera": "Africa/Asmara", "America/Buenos_Aires": "America/Argentina/Buenos_Aires", "America/Godthab": "America/Nuuk",
  "America/Indianapolis": "America/Indiana/Indianapolis", "America/Louisville": "America/Kentucky/Louisville", "Asia/Calcutta": "Asia/Kolkata",
  "Asia/Katmandu": "Asia/Kathmandu", "Asia/Rangoon": "Asia/Yangon", "Asia/Saigon": "Asia/Ho_Chi_Minh", "Atlantic/Faeroe": "Atlantic/Faroe",
  "Europe/Kiev": "Europe/Kyiv", "Pacific/Enderbury": "Pacific/Kanton", "Pacific/Ponape": "Pacific/Pohnpei", "Pacific/Truk": "Pacific/Chuuk",
};
const now = (name) => RENAMED[name] ?? name;

export const zoneHere = now(Intl.DateTimeFormat().resolvedOptions().timeZone);

// For a choice: that of this browser first, then all; `also` is one that is in use.
export function zoneOptions(also) {
  const all = Intl.supportedValuesOf("timeZone").map(now).sort();
  return [...new Set([zoneHere, also, "UTC", ...all].filter(Boolean))].map((name) => [name, name === zoneHere ? T.places.here(name) : name.replaceAll("_", " ")]);
}
