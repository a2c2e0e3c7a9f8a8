// A stream that comes in: its items while they come, held up by not reading it.

import type { Stream } from "../../../typescript/wirecall.ts";
import { count, h, throttled } from "./dom.ts";
import { brief, compact } from "./json.ts";

/** How many items are kept to be shown, and how many characters of each. */
const kept = 500, longest = 4000;

/** A StreamView shows a stream. */
export class StreamView {
  readonly element: HTMLElement;
  /** Resolves when the stream has ended. */
  readonly done: Promise<void>;
  readonly #stream: Stream<unknown>;
  readonly #credit: () => string;
  readonly #list = h("ol", { className: "items", tabIndex: 0, "aria-label": "Items" });
  readonly #status = h("output", { className: "status" });
  readonly #filter = h("input", { type: "search", placeholder: "Filter items", "aria-label": "Filter items", input: () => this.#filtered() });
  readonly #pause = h("button", { type: "button", click: () => this.#toggle() }, "Pause");
  readonly #cancel = h("button", { type: "button", click: () => this.#leave() }, "Cancel stream");
  readonly #timer: ReturnType<typeof setInterval>;
  readonly #draw = throttled(() => this.#drawNow());
  #items: string[] = [];
  #first = 0; // the number of the first item that is kept
  #drawn = 0; // the number of the first item that is not drawn
  #paused = false;
  #wake = (): void => {};
  #end = "";

  constructor(name: string, stream: Stream<unknown>, credit: () => string) {
    this.#stream = stream;
    this.#credit = credit;
    this.element = h("section", { className: "stream", "aria-label": `Stream ${name}` }, h("div", { className: "bar" }, h("b", {}, name || "stream"), this.#status, this.#pause, this.#cancel, this.#filter), this.#list);
    this.#timer = setInterval(this.#draw, 250); // the credit
    this.done = this.#read();
    this.#draw();
  }

  async #read(): Promise<void> {
    try {
      for await (const item of this.#stream) {
        this.#add(brief(compact(item), longest));
        while (this.#paused) await new Promise<void>((wake) => (this.#wake = wake));
      }
      this.#end ||= "ended";
    } catch (error) {
      this.#end ||= `failed: ${(error as Error).message}`;
    }
    this.element.dataset["end"] = this.#end;
    clearInterval(this.#timer);
    this.#pause.remove();
    this.#cancel.remove();
    this.#draw();
  }

  #add(item: string): void {
    this.#items.push(item);
    if (this.#items.length > 2 * kept) this.#first += this.#items.splice(0, kept).length;
    this.#draw();
  }

  #toggle(): void {
    this.#paused = !this.#paused;
    this.#pause.toggleAttribute("data-on", this.#paused);
    this.#pause.textContent = this.#paused ? "Continue" : "Pause";
    this.#wake();
    this.#draw();
  }

  #leave(): void {
    this.#end = "cancelled";
    this.#stream.cancel();
    if (this.#paused) this.#toggle();
  }

  /** Draws all items anew. */
  #filtered(): void {
    this.#list.replaceChildren();
    this.#drawn = 0;
    this.#draw();
  }

  #drawNow(): void {
    const total = this.#first + this.#items.length;
    const follows = this.#list.scrollTop + this.#list.clientHeight >= this.#list.scrollHeight - 4;
    const wanted = this.#filter.value.toLowerCase();
    for (let n = Math.max(this.#drawn, total - kept); n < total; n++) {
      const item = this.#items[n - this.#first]!;
      if (item.toLowerCase().includes(wanted)) this.#list.append(h("li", { value: n + 1 }, item));
    }
    this.#drawn = total;
    while (this.#list.childElementCount > kept) this.#list.firstElementChild!.remove();
    if (follows) this.#list.scrollTop = this.#list.scrollHeight;
    this.#status.textContent = [count(total, "item"), this.#end || (this.#paused ? "paused" : "runs"), this.#end ? "" : this.#credit()].filter(Boolean).join(", ");
  }
}
