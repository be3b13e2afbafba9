// The events of a review: a list that stays as it is while somebody works on it, and what they say of each, sent behind them.

import { get } from "../../api.js";
import { toast } from "../../components/toast.js";
import { follow } from "../../live.js";
import { T } from "../../texts.js";
import { useCallback, useEffect, useMemo, useRef, useState } from "../../ui.js";
import { Sayings } from "./sayings.js";

const PAGE = 100;
const MOST = 1000;
const PAUSE_MS = 1000;

// `question`: filters for GET /events; `first`: the event that the address names, which comes first where it is not in the
// list. Gives { items, asked, more, news, takeNews, judge, judgeAll, undo, canUndo, troubles, drop, again }.
export function useQueue(question, first) {
  const [items, setItems] = useState([]);
  const [cursor, setCursor] = useState(null);
  const [asked, setAsked] = useState({ data: undefined, error: null });
  const [fresh, setFresh] = useState([]);
  const [troubles, setTroubles] = useState([]);
  const now = useRef({ items: [], more: false });
  now.current.items = items;
  now.current.more = Boolean(cursor);
  const key = JSON.stringify(question);

  // Told of each change of an event, whoever made it.
  const put = useCallback((event) => {
    const exchanged = (list) => list.map((one) => (one.id === event.id ? event : one));
    now.current.items = exchanged(now.current.items); // Known before it is drawn.
    setItems(exchanged);
  }, []);
  const sayings = useMemo(() => new Sayings(
    put,
    (trouble) => setTroubles((list) => [...list.filter((one) => one.id !== trouble.id), trouble]),
    (id) => now.current.items.find((one) => one.id === id),
  ), []);

  const load = useCallback(async (signal) => {
    setAsked((state) => ({ ...state, error: null }));
    try {
      const page = await get("/events", { ...question, limit: PAGE }, { signal });
      const named = first && !page.items.some((one) => one.id === first) ? await one(first, signal) : null;
      setItems(named ? [named, ...page.items] : page.items);
      setCursor(page.next_cursor);
      setAsked({ data: true, error: null });
    } catch (error) {
      if (!signal?.aborted) setAsked({ data: undefined, error });
    }
  }, [key]);

  useEffect(() => {
    const mine = new AbortController();
    load(mine.signal);
    return () => mine.abort();
  }, [key]);

  const longer = useCallback(async () => {
    if (!cursor) return;
    try {
      const page = await get("/events", { ...question, limit: PAGE, cursor });
      setItems((list) => [...list, ...page.items.filter((one) => !list.some((had) => had.id === one.id))]);
      setCursor(page.next_cursor);
    } catch {
      // It is asked for again when the end comes nearer.
    }
  }, [key, cursor]);

  // So that "37 of 112" can be said, as far as that is worth it.
  useEffect(() => {
    if (cursor && items.length < MOST) longer();
  }, [cursor]);

  useEffect(() => news(question, put, now, setFresh), [key]);
  // The list may have come after what was looked at to compare it with.
  const unseen = useMemo(() => {
    const here = new Set(items.map((one) => one.id));
    return fresh.filter((one) => !here.has(one.id));
  }, [items, fresh]);
  useEffect(() => {
    const leaving = (event) => { if (sayings.busy()) event.preventDefault(); };
    addEventListener("beforeunload", leaving);
    return () => removeEventListener("beforeunload", leaving);
  }, []);

  return {
    items,
    asked: { ...asked, again: () => load() },
    more: Boolean(cursor),
    longer,
    news: unseen.length,
    takeNews: () => {
      setItems((list) => [...unseen.filter((one) => !list.some((had) => had.id === one.id)), ...list]);
      setFresh([]);
      return unseen[0]?.id;
    },
    judge: (event, said) => sayings.say(event, said),
    judgeAll: (events, said) => sayings.sayAll(events, said),
    undo: (event) => sayings.undo(event),
    canUndo: () => sayings.canUndo(),
    troubles,
    drop: (id) => setTroubles((list) => list.filter((one) => one.id !== id)),
  };
}

async function one(id, signal) {
  try {
    return await get(`/events/${id}`, {}, { signal });
  } catch (error) {
    if (error.status !== 404) throw error;
    toast(T.review.gone(id), { kind: "bad" });
    return null;
  }
}

// What happens meanwhile: new events are counted, never put into the list; those in it that others judge are read anew.
function news(question, put, now, setFresh) {
  let due = null;
  const look = async () => {
    due = null;
    try {
      const page = await get("/events", { ...question, limit: PAGE });
      // What is older than all that is here, while there is more to come, is not new.
      const { items, more } = now.current;
      const oldest = more ? items.at(-1).started_at : "";
      setFresh(page.items.filter((one) => one.started_at >= oldest && !items.some((had) => had.id === one.id)));
    } catch {
      // The next thing that happens asks again.
    }
  };
  const stop = follow(["event"], (kind, data) => {
    const had = data && now.current.items.find((one) => one.id === data.id);
    if (had && !had.saying) get(`/events/${had.id}`).then((event) => { if (!now.current.items.find((one) => one.id === event.id)?.saying) put(event); }, () => {});
    else if (!had && kind !== "event.reviewed") due ??= setTimeout(look, PAUSE_MS);
  });
  return () => {
    stop();
    clearTimeout(due);
  };
}
