// The connections of the server, which are asked for once a second while they are seen.

import { count, element, h } from "./dom.ts";

interface Connection {
  id: number;
  address: string;
  codec: string;
  plain: boolean;
  phase: string;
  resumable: boolean;
  inFlight: string;
  stats: Record<string, number>;
}

const columns: [title: string, text: (c: Connection) => string][] = [
  ["No.", (c) => String(c.id)],
  ["Address", (c) => c.address || "none"],
  ["Speaks", (c) => (c.plain ? "JSON-RPC" : `wirecall, ${c.codec}`)],
  ["Session", (c) => c.phase + (c.resumable ? ", can be resumed" : "")],
  ["In flight", (c) => c.inFlight || "nothing"],
  ["Queued", (c) => bytes(c.stats["QueuedBytes"])],
  ["Buffered", (c) => bytes(c.stats["BufferedBytes"])],
  ["Replay", (c) => bytes(c.stats["ReplayBytes"])],
];

const bytes = (n = 0): string => (n < 1024 ? `${n} B` : `${(n / 1024).toFixed(1)} KiB`);

/** Connections shows the table of connections. */
export class Connections {
  readonly #status = element("connections-status");
  readonly #table = element<HTMLTableElement>("connections-table");
  #timer: ReturnType<typeof setInterval> | undefined;

  constructor() {
    this.#table.createTHead().append(h("tr", {}, ...columns.map(([title]) => h("th", { scope: "col" }, title))));
    this.#table.createTBody();
  }

  set shown(shown: boolean) {
    clearInterval(this.#timer);
    this.#timer = shown ? setInterval(() => this.#ask(), 1000) : undefined;
    if (shown) this.#ask();
  }

  async #ask(): Promise<void> {
    try {
      const answer = await fetch("connections", { cache: "no-store" });
      if (!answer.ok) throw new Error(await answer.text());
      this.#draw(await answer.json());
    } catch (error) {
      this.#status.textContent = `Not known: ${(error as Error).message}`;
    }
  }

  #draw({ total, connections }: { total: number; connections: Connection[] }): void {
    this.#status.textContent = count(total, "session") + (total > connections.length ? `, the oldest ${connections.length} of them here` : "");
    this.#table.tBodies[0]!.replaceChildren(...connections.map((c) => h("tr", {}, ...columns.map(([title, text]) => h("td", { "data-title": title }, text(c))))));
  }
}
