// What every module draws with: `html` templates, hooks, and values that several components share.

import { Fragment, createContext, createRef, h, render } from "preact";
import {
  useCallback, useContext, useEffect, useErrorBoundary, useId, useLayoutEffect, useMemo, useReducer, useRef, useState,
} from "preact/hooks";
import htm from "htm";

export const html = htm.bind(h);
export {
  Fragment, createContext, createRef, h, render, useCallback, useContext, useEffect, useErrorBoundary, useId,
  useLayoutEffect, useMemo, useReducer, useRef, useState,
};

// A value that components may follow: `get()`, `set(value)`, `follow(function) -> stop`.
export function shared(value) {
  const followers = new Set();
  return {
    get: () => value,
    set: (next) => {
      if (Object.is(value, next)) return;
      value = next;
      for (const follower of [...followers]) follower(value);
    },
    follow: (follower) => {
      followers.add(follower);
      return () => followers.delete(follower);
    },
  };
}

export function useShared(source) {
  const [value, setValue] = useState(source.get());
  useEffect(() => {
    setValue(source.get()); // It may have changed since it was drawn.
    return source.follow(setValue);
  }, [source]);
  return value;
}

// Class names, without what is false: `classes("tile", large && "large")`.
export const classes = (...names) => names.filter(Boolean).join(" ");
