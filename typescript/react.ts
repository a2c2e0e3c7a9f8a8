// Hooks for React, which know connections and streams by their form only.

import { useEffect, useState, useSyncExternalStore, type DependencyList } from "react";

/** What useConnection needs of a Connection. */
export interface Watched<S> {
  readonly state: S;
  subscribe(listener: () => void): () => void;
}

/** Returns the state of a connection, and renders again when it changes. */
export function useConnection<S>(connection: Watched<S>): S {
  const state = (): S => connection.state;
  return useSyncExternalStore(connection.subscribe, state, state);
}

/** How the items of a stream become what is rendered. */
export interface StreamOptions<T, S> {
  /** What there is before the first item. */
  initial: S;
  /** Adds the items that have come since the last time. */
  reduce(value: S, items: readonly T[]): S;
}

/** What useStream returns. */
export interface StreamState<S> {
  readonly value: S;
  readonly phase: "open" | "ended" | "failed";
  /** Why the stream has failed. */
  readonly error?: unknown;
}

/** At most this many items wait for a frame, which hidden pages do not have. */
const most = 1000;

/**
 * Reads a stream while a component is mounted, and again when deps change. open is called in
 * an effect, and gets a signal for the call's options, which ends it. Items that come within
 * a frame are rendered together. Without options the value is the last item.
 */
export function useStream<T>(open: (signal: AbortSignal) => AsyncIterable<T> | null, deps: DependencyList): StreamState<T | undefined>;
export function useStream<T, S>(open: (signal: AbortSignal) => AsyncIterable<T> | null, deps: DependencyList, options: StreamOptions<T, S>): StreamState<S>;
export function useStream<T, S>(open: (signal: AbortSignal) => AsyncIterable<T> | null, deps: DependencyList, options: StreamOptions<T, S> = last as any): StreamState<S> {
  const first: StreamState<S> = { value: options.initial, phase: "open" };
  const [state, set] = useState(first);
  useEffect(() => {
    const controller = new AbortController();
    set(first);
    read(open, controller.signal, options, set);
    return () => controller.abort();
  }, deps);
  return state;
}

const last: StreamOptions<unknown, unknown> = { initial: undefined, reduce: (_, items) => items.at(-1) };

type Set<S> = (change: (state: StreamState<S>) => StreamState<S>) => void;

async function read<T, S>(open: (signal: AbortSignal) => AsyncIterable<T> | null, signal: AbortSignal, { reduce }: StreamOptions<T, S>, set: Set<S>): Promise<void> {
  let items: T[] = [];
  const render = (end: Partial<StreamState<S>> = {}): void => {
    const added = items;
    items = [];
    if (!signal.aborted) set((state) => ({ ...state, ...end, value: added.length ? reduce(state.value, added) : state.value }));
  };
  try {
    for await (const item of open(signal) ?? []) {
      if (items.push(item) === 1) (globalThis.requestAnimationFrame ?? setTimeout)(() => items.length && render());
      if (items.length >= most) render();
    }
    render({ phase: "ended" });
  } catch (error) {
    render({ phase: "failed", error });
  }
}
