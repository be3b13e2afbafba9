// What a page shows: asked for at once, again when the stream says that something changed, and by the clock.

import { connection, follow } from "./live.js";
import { useCallback, useEffect, useRef, useState } from "./ui.js";

const GAP_MS = 1000;
const ALONE_MS = 5000;

// `const { data, error, loading, again } = useAsked(() => get("/overview"), [], { on: ["event"], every: 30000 })`
//
// `ask(signal)` gives a promise; it is called anew when one of `deps` changes. `on`: kinds of the stream after which to ask
// again (at most once a second). `every`: ms, by the clock; while there is no stream at least every 5 s where `on` is given.
// What was shown stays while it is asked again; `error` stands beside it.
export function useAsked(ask, deps = [], { on = [], every = 0 } = {}) {
  const [state, setState] = useState({ data: undefined, error: null, loading: true });
  const latest = useRef(ask);
  latest.current = ask;
  const running = useRef(null);

  const again = useCallback(async () => {
    running.current?.abort();
    const mine = new AbortController();
    running.current = mine;
    setState((now) => ({ ...now, loading: true }));
    try {
      const data = await latest.current(mine.signal);
      if (!mine.signal.aborted) setState({ data, error: null, loading: false });
    } catch (error) {
      if (!mine.signal.aborted) setState((now) => ({ ...now, error, loading: false }));
    }
  }, []);

  useEffect(() => {
    setState({ data: undefined, error: null, loading: true });
    again();
    return () => running.current?.abort();
  }, deps);

  useEffect(() => {
    let due = null;
    let next = null;
    const soon = () => { due ??= setTimeout(() => { due = null; again(); }, GAP_MS); };
    const stop = on.length ? follow(on, soon) : () => {};
    const turn = () => {
      const pause = on.length && connection.get() !== "live" ? Math.min(every || ALONE_MS, ALONE_MS) : every;
      next = setTimeout(() => {
        if (pause && !document.hidden) again();
        turn();
      }, pause || ALONE_MS);
    };
    turn();
    const seen = () => { if (!document.hidden) soon(); };
    document.addEventListener("visibilitychange", seen);
    return () => {
      stop();
      clearTimeout(due);
      clearTimeout(next);
      document.removeEventListener("visibilitychange", seen);
    };
  }, [on.join(), every]);

  return { ...state, again, put: (data) => setState({ data, error: null, loading: false }) };
}
