// Virtual time: timers and the date as a test advances them.

const turn = globalThis.setImmediate;
const start = Date.UTC(2000, 0, 1);
let now = start, last = 0; // the number of the last timer
const timers = new Map(); // by number: when, and what to do

/** Replaces the timers and the date of the process. */
export function virtualTime() {
  const after = (f, ms = 0, every) => {
    timers.set(++last, { at: now + Math.max(0, ms), f, every });
    return last;
  };
  globalThis.setTimeout = (f, ms) => after(f, ms);
  globalThis.setInterval = (f, ms) => after(f, ms, ms);
  globalThis.clearTimeout = globalThis.clearInterval = (n) => timers.delete(n);
  Date.now = () => Math.floor(now);
  AbortSignal.timeout = (ms) => {
    const controller = new AbortController();
    after(() => controller.abort(new DOMException("the time is over", "TimeoutError")), ms);
    return controller.signal;
  };
}

/** Begins again at the start of the year 2000, without timers. */
export function reset() {
  now = start;
  timers.clear();
}

/** Waits until nothing happens any more. */
export async function settle() {
  for (let i = 0; i < 3; i++) await new Promise((resolve) => turn(resolve));
}

const first = () => [...timers].sort(([a, x], [b, y]) => x.at - y.at || a - b)[0];

/** The milliseconds until the next timer. */
export const nextTimer = () => (first()?.[1].at ?? Infinity) - now;

/** Lets time pass. */
export async function advance(ms) {
  const end = now + ms;
  for (await settle(); ; await settle()) {
    const [n, timer] = first() ?? [];
    if (!timer || timer.at > end) break;
    now = timer.at;
    if (timer.every) timer.at += timer.every;
    else timers.delete(n);
    timer.f();
  }
  now = end;
}
