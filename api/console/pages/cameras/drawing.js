// Regions while they are drawn: plain values, and what becomes of them; nothing here knows of the page.

export const LEAST = 3;
export const MOST_POINTS = 64;
export const MOST_REGIONS = 32;
const NEAR = 0.012; // Of the picture's width or height: the same place, for a hand.

const clamp = (share) => Math.min(1, Math.max(0, Math.round(share * 10000) / 10000));
export const at = (x, y) => [clamp(x), clamp(y)];
export const near = ([x, y], [a, b]) => Math.abs(x - a) < NEAR && Math.abs(y - b) < NEAR;

// regions: [{ mode, points }]; open: the one that is being drawn, or null; chosen: [region, point or null] or null; past: what to go back to.
export const started = (regions) => ({ regions, open: null, chosen: null, past: [] });

const step = (state, next) => ({ ...state, ...next, past: [...state.past.slice(-99), { regions: state.regions, open: state.open, chosen: state.chosen }] });
const replaced = (regions, place, region) => regions.map((one, n) => (n === place ? region : one));

export const ACTS = {
  start: (state, mode) => (state.regions.length >= MOST_REGIONS ? state : step(state, { open: { mode, points: [] }, chosen: null })),
  add: (state, point) => {
    const { open } = state;
    if (!open || open.points.length >= MOST_POINTS) return state;
    // On its first point it is closed; a second click at the same place, as of a double click, adds nothing.
    if (open.points.length >= LEAST && near(point, open.points[0])) return ACTS.close(state);
    if (open.points.length > 0 && near(point, open.points.at(-1))) return state;
    return step(state, { open: { ...open, points: [...open.points, point] } });
  },
  close: (state) => (!state.open || state.open.points.length < LEAST
    ? state
    : step(state, { regions: [...state.regions, state.open], open: null, chosen: [state.regions.length, null] })),
  cancel: (state) => (state.open ? step(state, { open: null }) : { ...state, chosen: null }),
  choose: (state, chosen) => ({ ...state, chosen }),
  // Of a drag only where it began is gone back to.
  grab: (state, [region, place]) => step(state, { chosen: [region, place] }),
  move: (state, [region, place], point) => ({
    ...state,
    regions: replaced(state.regions, region, { ...state.regions[region], points: replaced(state.regions[region].points, place, point) }),
  }),
  place: (state, [region, place], point) => ACTS.move(step(state, { chosen: [region, place] }), [region, place], point),
  mode: (state, region, mode) => step(state, { regions: replaced(state.regions, region, { ...state.regions[region], mode }) }),
  insert: (state, region) => {
    const { points } = state.regions[region];
    if (points.length >= MOST_POINTS) return state;
    const [[x, y], [a, b]] = [points.at(-1), points[0]];
    return step(state, { regions: replaced(state.regions, region, { ...state.regions[region], points: [...points, at((x + a) / 2, (y + b) / 2)] }), chosen: [region, points.length] });
  },
  // A point of the chosen region, or all of it where that leaves too few.
  remove: (state, chosen = state.chosen) => {
    if (!chosen) return state;
    const [region, place] = chosen;
    const { points } = state.regions[region];
    if (place === null || points.length <= LEAST) return step(state, { regions: state.regions.filter((_, n) => n !== region), chosen: null });
    return step(state, { regions: replaced(state.regions, region, { ...state.regions[region], points: points.filter((_, n) => n !== place) }), chosen: [region, null] });
  },
  undo: (state) => (state.past.length ? { ...state, ...state.past.at(-1), past: state.past.slice(0, -1) } : state),
  reset: (state, regions) => started(regions),
};

export const act = (state, [name, ...given]) => ACTS[name](state, ...given);
