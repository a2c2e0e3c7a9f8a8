// A call that the page makes, and the card that shows how it goes.

import { follow, notify, RpcError, upload, type CallOptions, type Connection, type Meta, type Method as WireMethod, type Stream } from "../../../typescript/wirecall.ts";
import { any } from "../../../typescript/wirecall_values.ts";
import { credit, type Ledger } from "./credit.ts";
import type { Method } from "./description.ts";
import { h, ms } from "./dom.ts";
import { brief, isObject, parse, pretty } from "./json.ts";
import { redactMeta, type Message } from "./redact.ts";
import { StreamView } from "./stream.ts";
import type { Sending } from "./upload.ts";

/** What a call is made with. */
export interface Request {
  method: Method;
  /** The parameters but for streams: an object by name, an array by position, or undefined. */
  params: unknown;
  uploads: Sending[];
  meta?: Meta;
  timeout?: number;
}

/** A Card is a call. */
export class Card {
  readonly element: HTMLElement;
  /** Resolves when the call and its streams have ended, with whether it has succeeded and the milliseconds until its answer. */
  readonly done: Promise<{ ok: boolean; ms: number }>;
  readonly #request: Request;
  readonly #ledger: Ledger;
  readonly #controller = new AbortController();
  readonly #began = performance.now();
  readonly #status = h("output", { className: "status" }, "waits for the answer");
  readonly #body = h("div");
  readonly #cancel = h("button", { type: "button", click: () => this.#controller.abort() }, "Cancel call");
  #handles: Record<string, number> = {}; // of the streams among the results
  #answered = 0;

  constructor(connection: Connection, request: Request, ledger: Ledger) {
    this.#request = request;
    this.#ledger = ledger;
    const { method, params, uploads } = request;
    this.element = h("article", { className: "card", "aria-label": `Call of ${method.name}` },
      h("div", { className: "bar" }, h("h3", {}, method.name), this.#status, this.#cancel),
      params !== undefined && h("details", {}, h("summary", {}, "Parameters"), h("pre", {}, brief(pretty(params), 20000))),
      ...uploads.map((u) => u.element), this.#body);
    this.element.dataset["state"] = "running";
    this.#follow(uploads);
    this.done = this.#run(connection);
  }

  async #run(connection: Connection): Promise<{ ok: boolean; ms: number }> {
    const { meta, timeout } = this.#request;
    const options: CallOptions = { signal: this.#controller.signal, onMeta: (meta) => this.#meta(meta), ...(meta && { meta }), ...(timeout && { timeout }) };
    let ok = true;
    try {
      const { wire, args } = this.#wire();
      const result: any = connection.call(wire, args, options);
      if (isStream(result)) await result.ready;
      await this.#show(isStream(result) ? result : await result);
    } catch (error) {
      ok = false;
      this.#failed(error);
    }
    this.#cancel.remove();
    this.element.dataset["state"] = ok ? "done" : "failed";
    return { ok, ms: this.#elapsed() };
  }

  /** The method as the runtime knows it, and its arguments. */
  #wire(): { wire: WireMethod; args: unknown[] } {
    const { method, params, uploads } = this.#request;
    const args = new Map<string, unknown>(isObject(params) ? Object.entries(params) : []);
    // What is no object has no names. JSON.stringify takes a toJSON that is a function.
    if (params !== undefined && !isObject(params)) args.set("toJSON", () => any(params, true));
    const values = [...args.keys()].map((name) => ({ name, ...(name !== "toJSON" && { convert: any }) }));
    const wire: WireMethod = {
      name: method.name,
      params: [...values, ...uploads.map(({ name }) => ({ name, stream: upload, convert: any }))],
      results: method.results.map(({ name, items }) => ({ name: name || "result", convert: any, ...(items && { stream: true as const }) })),
      errors: method.errors,
      exact: (line) => this.#exact(line),
      ...(method.notify && { notify }),
      ...(method.idempotent && { idempotent: true as const }),
      ...(method.cursor && { cursor: { ...method.cursor, follow } }),
    };
    return { wire, args: [...args.values(), ...uploads] };
  }

  /** Parses the answer, and items. */
  #exact(line: string): unknown {
    const m = parse(line) as Message;
    if (m.id === undefined) return m;
    this.#answered ||= performance.now();
    const { result } = m;
    this.#handles = isObject(result) ? (result as Record<string, number>) : { "": result as number };
    return m;
  }

  #elapsed(): number {
    return (this.#answered || performance.now()) - this.#began;
  }

  async #show(result: unknown): Promise<void> {
    const { method } = this.#request;
    this.#status.textContent = method.notify ? "sent" : `answered after ${ms(this.#elapsed())}`;
    const ends: Promise<void>[] = [];
    for (const { name } of method.results) {
      const value: any = name ? (result as any)[name] : result;
      if (isStream(value)) {
        const view = new StreamView(name, value, () => credit(this.#ledger.received.get(this.#handles[name] ?? -1)));
        ends.push(view.done);
        this.#body.append(view.element);
      } else {
        this.#body.append(h("pre", { className: "result" }, (name && `${name}: `) + brief(pretty(value), 200000)));
      }
    }
    await Promise.all(ends);
  }

  #failed(error: unknown): void {
    const cancelled = this.#controller.signal.aborted;
    this.#status.textContent = `${cancelled ? "cancelled" : "failed"} after ${ms(this.#elapsed())}`;
    if (cancelled) return;
    this.#body.append(showError(error));
  }

  #meta(meta: Meta): void {
    this.#body.append(h("details", {}, h("summary", {}, "Metadata of the answer"), h("pre", {}, pretty(redactMeta(meta)))));
  }

  /** Shows how far uploads are. */
  #follow(uploads: Sending[]): void {
    if (!uploads.length) return;
    let params: Record<string, number> = {};
    this.#ledger.awaitUpload(this.#request.method.name, (m) => (params = m.params ?? {}));
    const show = (): void => uploads.forEach((u) => u.show(this.element.dataset["state"] === "running" ? credit(this.#ledger.sent.get(params[u.name] ?? -1)) : ""));
    const timer = setInterval(() => {
      show();
      if (this.element.dataset["state"] !== "running") clearInterval(timer);
    }, 100);
  }
}

const isStream = (value: any): value is Stream<unknown> => typeof value?.[Symbol.asyncIterator] === "function";

/** An error with all that it says. */
export function showError(error: unknown): HTMLElement {
  const e = error as RpcError;
  const parts = [h("p", { className: "error" }, e.message)];
  if (!(error instanceof RpcError)) return h("div", { role: "alert" }, ...parts);
  parts.push(h("p", {}, [e.type, `code ${e.code}`, e.notRun && "it has not run", e.retry !== undefined && `may be tried again after ${ms(e.retry)}`].filter(Boolean).join(", ")));
  return h("div", { role: "alert" }, ...parts, e.data !== undefined && h("pre", {}, brief(pretty(e.data), 20000)));
}
