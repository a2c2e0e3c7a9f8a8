import uPlot from "./uplot/uPlot.esm.js";
import "./uplot/uPlot.min.css";
import { Series, span } from "./series.ts";

const height = 160;

const clock = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });

/** A Chart draws a series, in the colors that the style sheet gives its element. */
export class Chart {
  readonly #series: Series = new Series();
  readonly #plot: uPlot;
  #drawn = 0;

  constructor(element: HTMLElement) {
    const style = getComputedStyle(element);
    const axis: uPlot.Axis = {
      stroke: () => style.outlineColor,
      grid: { stroke: () => style.borderTopColor, width: 1 },
      ticks: { stroke: () => style.borderTopColor, width: 1 },
    };
    this.#plot = new uPlot(
      {
        width: element.clientWidth || 300,
        height,
        legend: { show: false },
        cursor: { show: false },
        scales: { x: { range: () => [this.#series.end - span, this.#series.end] } },
        axes: [{ ...axis, size: 30, values: (_, times) => times.map((time) => clock.format(time * 1000)) }, { ...axis, size: 45 }],
        series: [{}, { stroke: () => style.color, width: 1.5, points: { show: false } }],
      },
      [[], []],
      element,
    );
    new ResizeObserver(() => this.#plot.setSize({ width: element.clientWidth, height })).observe(element);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#plot.redraw(false));
  }

  add(time: number, value: number): void {
    this.#series.add(time, value);
  }

  /** Draws what was added since it was last called. */
  draw(): void {
    const { times, values, end } = this.#series;
    if (end === this.#drawn) return;
    this.#drawn = end;
    this.#plot.setData([times, values]);
  }
}
