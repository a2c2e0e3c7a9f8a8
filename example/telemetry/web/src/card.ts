import { isBadInterval, isOfflineDevice, type Duration, type Fleet, type Status } from "./api/telemetry.ts";
import { Chart } from "./chart.ts";

const millisecond = 1e6; // a Duration is in nanoseconds

function text(interval: Duration): string {
  const ms = interval / millisecond;
  return ms < 1000 ? `${ms} ms` : `${ms / 1000} s`;
}

/** A Card shows a device. */
export class Card {
  readonly #element: HTMLElement;
  readonly #chart: Chart;
  #status: Status;

  constructor(list: HTMLElement, template: HTMLTemplateElement, status: Status, fleet: Fleet) {
    this.#status = status;
    this.#element = (template.content.cloneNode(true) as DocumentFragment).firstElementChild as HTMLElement;
    list.append(this.#element);
    const name = this.#part("h2");
    name.textContent = status.device;
    this.#element.setAttribute("aria-label", status.device);
    const chart = this.#part(".chart");
    chart.setAttribute("aria-label", `What ${status.device} has measured in the last seconds`);
    this.#chart = new Chart(chart);
    const form = this.#part<HTMLFormElement>("form");
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#set(fleet, Number(form.querySelector("input")!.value));
    });
  }

  /** Takes what is new, to be drawn later. */
  update(status: Status): void {
    this.#status = status;
    if (status.readings) this.#chart.add(Date.parse(status.last.time) / 1000, status.last.value);
  }

  draw(): void {
    const { online, interval, readings, last } = this.#status;
    this.#chart.draw();
    const state = this.#part(".state");
    state.dataset["phase"] = online ? "connected" : "closed";
    this.#write(state, online ? "Online" : "Offline");
    this.#write(this.#part(".last"), readings ? last.value.toFixed(2) : "–");
    this.#write(this.#part(".readings"), readings.toLocaleString());
    this.#write(this.#part(".interval"), text(interval));
  }

  /** Makes the device measure at another interval. */
  async #set(fleet: Fleet, ms: number): Promise<void> {
    const said = this.#part(".said"), error = this.#part(".error");
    said.textContent = error.textContent = "";
    try {
      const was = await fleet.setInterval(this.#status.device, Math.round(ms * millisecond), { timeout: 10_000 });
      said.textContent = `Set to ${text(ms * millisecond)}, was ${text(was)}.`;
    } catch (thrown) {
      error.textContent = isBadInterval(thrown)
        ? `The device takes ${text(thrown.data.min)} to ${text(thrown.data.max)}.`
        : isOfflineDevice(thrown)
          ? "The device is offline."
          : (thrown as Error).message;
    }
  }

  #part<T extends HTMLElement = HTMLElement>(selector: string): T {
    return this.#element.querySelector(selector) as T;
  }

  #write(element: HTMLElement, text: string): void {
    if (element.textContent !== text) element.textContent = text;
  }
}
