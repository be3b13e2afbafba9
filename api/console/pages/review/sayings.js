// What a person says of events, sent behind them: each event's words go one after another, nothing that was said gets lost.

import { get, post } from "../../api.js";
import { toast } from "../../components/toast.js";
import { T } from "../../texts.js";

const AT_ONCE = 200;

export class Sayings {
  // `put(event)`: it is so now; `trouble({ id, event, said, error })`: it could not be done; `find(id)`: the event as it is shown.
  constructor(put, trouble, find) {
    this.put = put;
    this.trouble = trouble;
    this.find = find;
    this.last = []; // What can be undone: identifiers, in lists, as they were said together.
    this.waits = new Map(); // Of each event what is under way.
  }

  busy() {
    return this.waits.size > 0;
  }

  canUndo() {
    return this.last.length > 0;
  }

  // At once for the eye; the answer comes later. `said`: { verdict, reason, label, note }.
  say(event, said) {
    this.last.push([event.id]);
    this.put(asIf(event, said));
    return this.after(event.id, async () => {
      const before = this.sure(event);
      try {
        this.put(await post(`/events/${event.id}/review`, said, { version: before.review.version }));
      } catch (error) {
        await this.refused(before, said, error);
      }
    });
  }

  // The same of many: gives how many it was done to.
  async sayAll(events, said) {
    let done = [];
    for (let from = 0; from < events.length; from += AT_ONCE) {
      const some = events.slice(from, from + AT_ONCE);
      const versions = Object.fromEntries(some.map((one) => [one.id, one.review.version]));
      const { items } = await post("/events/review", { ...said, ids: some.map((one) => one.id), versions }, { limit: 60000 });
      for (const item of items) {
        if (item.done) this.put(item.event);
        else await this.refused(some.find((one) => one.id === item.id), said, { kind: item.problem.split("/").pop(), message: item.detail });
      }
      done = [...done, ...items.filter((one) => one.done).map((one) => one.id)];
    }
    if (done.length) this.last.push(done);
    return done.length;
  }

  // Take back what was said last, or what is said of `event`. Gives the identifier of (the first of) what was taken back.
  async undo(event = null) {
    const ids = event ? [event.id] : (this.last.pop() ?? []);
    if (event) this.last = this.last.filter((some) => some.length > 1 || some[0] !== event.id);
    for (const id of ids) {
      this.after(id, async () => {
        const before = this.find(id) ?? event;
        if (!before || before.review.verdict === "pending") return;
        try {
          this.put(await post(`/events/${id}/review/undo`, undefined, { version: before.review.version }));
        } catch (error) {
          await this.refused(before, null, error);
        }
      });
    }
    return ids[0];
  }

  // The event before anything that is only on its way.
  sure(event) {
    const found = this.find(event.id) ?? event;
    return found.saying ?? found;
  }

  after(id, act) {
    const next = (this.waits.get(id) ?? Promise.resolve()).then(act);
    this.waits.set(id, next);
    return next.finally(() => { if (this.waits.get(id) === next) this.waits.delete(id); });
  }

  // Somebody else was first, or it can't be done now: the event as it is, and what was to be said, kept.
  async refused(before, said, error) {
    let event = before.saying ?? before;
    try {
      event = await get(`/events/${before.id}`);
    } catch {
      // As it was known last.
    }
    this.put(event);
    this.last = this.last.filter((some) => some.length > 1 || some[0] !== before.id);
    if (said) this.trouble({ id: before.id, event, said, error });
    else toast(error.message, { kind: "bad", stay: 12000 });
  }
}

// The event as it will be, with the one that is sure in `saying`.
function asIf(event, said) {
  const type = said.verdict === "confirmed" && said.label ? said.label : event.type;
  const review = { ...event.review, verdict: said.verdict, reason: said.reason ?? null, label: said.label ?? null, note: said.note ?? null, by: T.review.you, at: new Date().toISOString() };
  return { ...event, type, review, saying: event.saying ?? event };
}
