/** Preact and htm, put together once, and the two hooks the app adds to Preact's own. */

import { h, render } from "./vendor/preact.mjs";
import { useCallback, useEffect, useLayoutEffect, useMemo, useReducer, useRef, useState } from "./vendor/hooks.mjs";
import htm from "./vendor/htm.mjs";

export const html = htm.bind(h);
export { render, useCallback, useEffect, useLayoutEffect, useMemo, useRef, useState };

/** Render again whenever something tells one of these events. @param {EventTarget|null|undefined} target @param {...string} events */
export function useEvents(target, ...events) {
  const [, again] = useReducer((/** @type {number} */ n) => n + 1, 0);
  useEffect(() => {
    for (const name of events) target?.addEventListener(name, again);
    return () => {
      for (const name of events) target?.removeEventListener(name, again);
    };
  }, [target]);
}

/**
 * Something fetched: its value, the error it ended in, and how to fetch it anew. What was there stays while it is.
 * @template T @param {() => Promise<T>} fetching @param {any[]} on
 */
export function useFetched(fetching, on) {
  const [state, setState] = useState(/** @type {{value: T|null, error: Error|null, loading: boolean}} */ ({ value: null, error: null, loading: true }));
  const turn = useRef(0);
  const again = useCallback(() => {
    const mine = ++turn.current;
    setState((was) => ({ ...was, loading: true }));
    return fetching().then(
      (value) => mine === turn.current && setState({ value, error: null, loading: false }),
      (error) => mine === turn.current && setState((was) => ({ ...was, error, loading: false })),
    );
  }, on);
  useEffect(() => void again(), on);
  return { ...state, again };
}
