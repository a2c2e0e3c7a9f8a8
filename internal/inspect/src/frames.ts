// The messages of all frames, both ways, with what they are and when.

import { element, h, ms, throttled } from "./dom.ts";
import { brief, compact, pretty } from "./json.ts";
import type { Message } from "./redact.ts";
import type { Event } from "./tap.ts";

/** How many messages are kept to be shown, and how many bytes of them. */
const kept = 2000, keptBytes = 16 << 20;

/** How many of them are drawn. */
const drawn = 500;

/** A Row is a message, and what is known of it. */
interface Row {
  event: Event;
  what: string;
  took: string; // from a request to its answer
  element?: HTMLElement; // once it has been drawn
}

/** Frames is the list of messages. */
export class Frames {
  readonly #list = element("frame-list");
  readonly #filter = element<HTMLInputElement>("frame-filter");
  readonly #control = element<HTMLInputElement>("frame-control");
  readonly #pause = element("frame-pause");
  readonly #status = element("frame-status");
  readonly #draw = throttled(() => this.#drawNow());
  readonly #requests: Map<string, { at: number; method: string }> = new Map();
  #rows: Row[] = [];
  #bytes = 0; // of their messages
  #paused = false;
  #missed = 0;
  #shown = false;

  constructor() {
    this.#filter.addEventListener("input", this.#draw);
    this.#control.addEventListener("change", this.#draw);
    this.#pause.addEventListener("click", () => {
      this.#paused = !this.#paused;
      this.#missed = 0;
      this.#pause.setAttribute("aria-pressed", String(this.#paused));
      this.#draw();
    });
    element("frame-clear").addEventListener("click", () => {
      this.#rows = [];
      this.#bytes = 0;
      this.#draw();
    });
  }

  /** Takes an event. While the list is paused it is counted only. */
  see(event: Event): void {
    const row = this.#describe(event);
    if (this.#paused) {
      this.#missed++;
    } else {
      this.#rows.push(row);
      this.#bytes += event.bytes;
      if (this.#rows.length > 2 * kept || this.#bytes > 2 * keptBytes) this.#trim();
    }
    if (this.#shown) this.#draw();
  }

  /** Whether the list can be seen. */
  set shown(shown: boolean) {
    this.#shown = shown;
    if (shown) this.#draw();
  }

  /** Drops the oldest messages. */
  #trim(): void {
    let first = this.#rows.length, bytes = 0;
    while (first > 0 && this.#rows.length - first < kept && bytes + this.#rows[first - 1]!.event.bytes <= keptBytes) bytes += this.#rows[--first]!.event.bytes;
    this.#rows.splice(0, first);
    this.#bytes = bytes;
  }

  #describe(event: Event): Row {
    const { message: m, at, sent } = event;
    if (!m) return { event, what: event.text, took: "" };
    const key = (way: boolean): string => `${way} ${String(m.id)}`;
    if (m.method === "rpc.hello") this.#requests.clear();
    if (m.method) {
      if (m.id !== undefined) this.#requests.set(key(sent), { at, method: m.method });
      return { event, what: summary(m), took: "" };
    }
    const request = this.#requests.get(key(!sent));
    this.#requests.delete(key(!sent));
    return { event, what: summary(m, request?.method), took: request ? ms(at - request.at) : "" };
  }

  #drawNow(): void {
    const wanted = this.#filter.value.toLowerCase();
    const rows = this.#rows.filter((row) => (this.#control.checked || !isControl(row.event.message)) && (!wanted || textOf(row).includes(wanted)));
    fill(this.#list, rows.slice(-drawn).reverse().map((row) => (row.element ??= draw(row))));
    this.#status.textContent = `${rows.length} of ${this.#rows.length} messages` + (rows.length > drawn ? `, the last ${drawn} of them here` : "") + (this.#paused ? `, paused, ${this.#missed} since then` : "");
  }
}

const isControl = (m: Message | undefined): boolean => m?.method !== undefined && ["$/ack", "$/ping", "$/pong"].includes(m.method);

const textOf = ({ what, event }: Row): string => (what + " " + (event.message ? compact(event.message) : event.text)).toLowerCase();

/** A message in a few words. */
function summary(m: Message, method = ""): string {
  const p = Array.isArray(m.params) ? m.params : [];
  if (m.method === "$/items") return `stream ${p[0]}: ${Array.isArray(p[1]) ? p[1].length : 0} items`;
  if (m.method === "$/credit") return p[0] ? `stream ${p[0]}: credit for ${p[2]} items after number ${p[1]}` : `credit for ${p[2]} notifications after number ${p[1]}`;
  if (m.method === "$/end") return `stream ${p[0]}: end${p[1] ? " with an error" : ""}`;
  if (m.method === "$/cancel") return `stream ${p[0]}: cancel`;
  if (m.method) return m.id === undefined ? `notification ${m.method}` : `call ${String(m.id)}: ${m.method}`;
  return `${m.error ? `error ${m.error.code}` : "answer"} to ${String(m.id)}${method && ": "}${method}`;
}

/** Makes elements the children of a list. Those that stay are not touched: they may have the focus. */
function fill(list: HTMLElement, elements: HTMLElement[]): void {
  let at = list.firstElementChild;
  for (const element of elements) {
    if (element === at) at = at.nextElementSibling;
    else list.insertBefore(element, at);
  }
  while (at) {
    const next: Element | null = at.nextElementSibling;
    at.remove();
    at = next;
  }
}

/** A row, which opens to the whole message. */
function draw({ event, what, took }: Row): HTMLElement {
  const { at, sent, bytes, message, socket } = event;
  const time = h("time", { title: `socket ${socket}` }, (at / 1000).toFixed(3));
  const way = h("span", { className: sent ? "sent" : "received", role: "img", "aria-label": bytes ? (sent ? "sent" : "received") : "socket" }, bytes ? (sent ? "→" : "←") : "·");
  const line = [time, way, h("span", { className: "what" }, what), h("span", { className: "took" }, took), h("span", { className: "bytes" }, bytes ? `${bytes} B` : "")];
  if (!message) return h("li", { className: "row" }, ...line);
  const details = h("details", { toggle: () => details.open && details.childElementCount < 2 && details.append(h("pre", {}, brief(pretty(message), 50000))) }, h("summary", { className: "row" }, ...line));
  return h("li", {}, details);
}
