/** How many seconds a chart shows. */
export const span = 10;

// How many points may be kept in vain before they are dropped together.
const slack = 4096;

/** A Series keeps the points of the last seconds, in the order of their times. */
export class Series {
  times: number[] = [];
  values: number[] = [];

  add(time: number, value: number): void {
    if (time <= (this.times.at(-1) ?? -Infinity)) return;
    this.times.push(time);
    this.values.push(value);
    if (this.times.length % slack === 0) this.#drop(time - span);
  }

  /** Returns the time of the latest point. */
  get end(): number {
    return this.times.at(-1) ?? 0;
  }

  #drop(before: number): void {
    const n = this.times.findIndex((time) => time >= before);
    this.times = this.times.slice(n);
    this.values = this.values.slice(n);
  }
}
