import type { Frame, State } from "./api/arena.ts";

/** Returns the state that a frame makes of the one before. */
export function apply(before: State, { state, delta }: Frame): State {
  if (!delta) return state ?? before;
  return {
    tick: delta.tick,
    players: change(before.players, delta.entered, delta.left, delta.moved),
    gems: change(before.gems, delta.placed, delta.taken),
  };
}

type Items<T> = T[] | null | undefined;

function change<T extends { id: number }>(list: Items<T>, added: Items<T>, removed: Items<number>, moved?: Items<Partial<T> & { id: number }>): T[] {
  const moves = new Map(moved?.map((move) => [move.id, move]));
  const stayed = (list ?? []).filter(({ id }) => !removed?.includes(id));
  return [...stayed.map((item) => ({ ...item, ...moves.get(item.id) })), ...(added ?? [])].sort((a, b) => a.id - b.id);
}

const tick = 1000 / 30; // milliseconds, as all times here
const delay = 100;
const kept = 90; // states
const drift = 0.5; // a tick, at most

/**
 * A Timeline shows the states a little later than they come, so that there is usually one
 * before and one after the moment that is shown. Between these players move evenly.
 */
export class Timeline {
  #states: State[] = [];
  #start = Infinity; // when tick 0 would have come here, if it had come as fast as the fastest

  /** Adds a state that came at a time. One that is too late to be shown sets the clock back. */
  add(state: State, now: number): void {
    const start = now - state.tick * tick;
    this.#start = start > this.#start + delay ? start : Math.min(this.#start + drift, start);
    this.#states.push(state);
    if (this.#states.length > kept) this.#states.shift();
  }

  /** Returns what is to be shown at a time. */
  at(now: number): State | undefined {
    const time = (now - delay - this.#start) / tick;
    const i = Math.max(0, this.#states.findLastIndex((state) => state.tick <= time));
    const before = this.#states[i], after = this.#states[i + 1];
    if (!before || !after) return before;
    const share = Math.min(1, Math.max(0, (time - before.tick) / (after.tick - before.tick)));
    const later = new Map(after.players?.map((player) => [player.id, player]));
    const players = before.players?.map((player) => {
      const { x, y } = later.get(player.id) ?? player;
      return { ...player, x: player.x + (x - player.x) * share, y: player.y + (y - player.y) * share };
    });
    return { ...before, players: players ?? null };
  }
}
