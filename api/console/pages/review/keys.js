// Single keys, where nobody writes; whoever is disturbed by them turns them off.

import { shared, useEffect, useRef } from "../../ui.js";

export const REASONS = ["wrong_label", "not_a_person", "duplicate", "exempt"];
export const TYPES = ["without_mask", "incorrect_mask"];
const KEPT = "maskwatch.keys";

export const labelsBut = (type) => ["with_mask", "incorrect_mask", "without_mask", "unknown"].filter((one) => one !== type);

export const keysOn = shared(read());

function read() {
  try {
    return localStorage.getItem(KEPT) !== "off";
  } catch {
    return true; // The browser keeps nothing.
  }
}

export function turnKeys(on) {
  keysOn.set(on);
  try {
    localStorage.setItem(KEPT, on ? "on" : "off");
  } catch {
    // As long as the page is open, then.
  }
}

// What a key means at the desk, as [act, value], or nothing.
export function keyOf(key, step, event) {
  if (step && key === "Escape") return ["back"];
  if (step === "reason" && REASONS[key - 1]) return ["reason", REASONS[key - 1]];
  if (step === "label" && labelsBut(event.machine_type)[key - 1]) return ["label", labelsBut(event.machine_type)[key - 1]];
  if (!step && TYPES[key - 1]) return ["type", TYPES[key - 1]];
  const act = { j: "next", k: "previous", c: "confirm", d: "dismiss", u: "undo", n: "note", f: "faces", "?": "help" }[key];
  return act && [act];
}

// `meaning(key)` gives [act, value]; `acts` has them.
export function useKeys(meaning, acts, on = true) {
  const latest = useRef(null);
  latest.current = { meaning, acts, on };
  useEffect(() => {
    const pressed = (event) => {
      const { target, key } = event;
      if (!latest.current.on || event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
      if (event.repeat && !["j", "k"].includes(key)) return; // A key that is held judges one event, not all.
      if (target.matches?.("input:not([type=checkbox]), textarea, select, [contenteditable]") || document.querySelector("dialog[open]")) return;
      if (!keysOn.get() && key !== "Escape") return;
      const [act, value] = latest.current.meaning(key) ?? [];
      if (!act) return;
      event.preventDefault();
      latest.current.acts[act]?.(value);
    };
    document.addEventListener("keydown", pressed);
    return () => document.removeEventListener("keydown", pressed);
  }, []);
}
