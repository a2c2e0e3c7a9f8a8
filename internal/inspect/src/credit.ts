// What the frames say of streams: how many items have passed, and how many more may.

import type { Message } from "./redact.ts";
import type { Event } from "./tap.ts";

/** A Flow is what has passed of a stream. */
export interface Flow {
  items: number;
  /** The number of the last item that there is credit for. */
  limit: number;
  /** The bytes that the items which the consumer has not taken may have. */
  room: number;
}

/** A Ledger follows the streams of the session, by direction and handle. */
export class Ledger {
  readonly received: Map<number, Flow> = new Map();
  readonly sent: Map<number, Flow> = new Map();
  #uploads: { method: string; begun: (m: Message) => void }[] = [];

  /** Has a function called with the next request for a method that is sent with streams. */
  awaitUpload(method: string, begun: (m: Message) => void): void {
    this.#uploads.push({ method, begun });
  }

  see({ message: m, sent }: Event): void {
    if (!m) return;
    const [handle, second, third, room] = Array.isArray(m.params) ? m.params : [];
    const flows = sent ? this.sent : this.received;
    if (m.method === "rpc.hello") {
      this.received.clear();
      this.sent.clear();
    } else if (m.method === "$/items" && Array.isArray(second)) {
      this.#flow(flows, handle).items += second.length;
    } else if (m.method === "$/credit") {
      const flow = this.#flow(sent ? this.received : this.sent, handle);
      flow.limit = Math.max(flow.limit, second + third);
      flow.room = room;
    } else if (sent && m.method && m.streams) {
      const i = this.#uploads.findIndex(({ method }) => method === m.method);
      if (i >= 0) this.#uploads.splice(i, 1)[0]!.begun(m);
    }
  }

  #flow(flows: Map<number, Flow>, handle: number): Flow {
    let flow = flows.get(handle);
    if (!flow) flows.set(handle, (flow = { items: 0, limit: 64, room: 65536 }));
    return flow;
  }
}

/** The credit of a stream in words. */
export function credit(flow: Flow | undefined): string {
  return flow ? `credit for ${Math.max(0, flow.limit - flow.items)} more within ${flow.room >> 10} KiB` : "";
}
