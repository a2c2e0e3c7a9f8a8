// The calls that this tab has made. They are kept in the tab and nowhere else.

import { element, h, ms } from "./dom.ts";
import { brief } from "./json.ts";

/** An Entry is a call that was made. */
export interface Entry {
  method: string;
  /** The parameters as JSON; "" for none. */
  params: string;
  at: number;
  ok: boolean;
  ms: number;
}

const kept = 100;

/** Parameters with more characters are not kept. */
const longest = 20000;

/** History is the list of calls. */
export class History {
  readonly #list = element("history-list");
  readonly #key: string;
  readonly #again: (entry: Entry) => void;
  #entries: Entry[];

  /** again is called with a call that is to be entered again. */
  constructor(target: string, again: (entry: Entry) => void) {
    this.#key = "wirecall.inspector " + target;
    this.#again = again;
    this.#entries = read(this.#key);
    element("history-clear").addEventListener("click", () => this.#keep([]));
    this.#draw();
  }

  add(entry: Entry): void {
    this.#keep([{ ...entry, params: entry.params.length > longest ? "" : entry.params }, ...this.#entries].slice(0, kept));
  }

  #keep(entries: Entry[]): void {
    this.#entries = entries;
    try {
      sessionStorage.setItem(this.#key, JSON.stringify(entries));
    } catch {
      // The tab's storage is full, or is not allowed: the list lasts as long as the page.
    }
    this.#draw();
  }

  #draw(): void {
    this.#list.replaceChildren(...this.#entries.map((e) =>
      h("li", {}, h("button", { type: "button", click: () => this.#again(e) }, e.method), " ",
        h("time", {}, new Date(e.at).toLocaleTimeString()), ` ${e.ok ? "answered" : "failed"} after ${ms(e.ms)} `, h("code", {}, brief(e.params, 120)))));
  }
}

function read(key: string): Entry[] {
  try {
    const entries: unknown = JSON.parse(sessionStorage.getItem(key) ?? "[]");
    return Array.isArray(entries) ? entries : [];
  } catch {
    return [];
  }
}
