// Calls and notifications that the server makes to the page, which are answered by hand.

import { RpcError, serve, type Connection, type ServeOptions } from "../../../typescript/wirecall.ts";
import { any } from "../../../typescript/wirecall_values.ts";
import { h, newId } from "./dom.ts";
import { brief, isObject, parse, pretty } from "./json.ts";
import { redactMeta, type Message } from "./redact.ts";
import type { Event } from "./tap.ts";

/** How many calls are kept to be shown. */
const kept = 200;

/** Incoming answers the calls of a server. */
export class Incoming {
  readonly #list: HTMLElement;
  readonly #badge: HTMLElement;
  readonly #serving = new Map<string, () => void>(); // what ends serving a method
  #connection: Connection;
  #answers = false;
  #waiting = 0;

  constructor(connection: Connection, list: HTMLElement, badge: HTMLElement) {
    this.#connection = connection;
    this.#list = list;
    this.#badge = badge;
  }

  /** Goes on with another connection. */
  connect(connection: Connection): void {
    this.#connection = connection;
    this.#serving.clear();
  }

  /** Whether calls wait to be answered by hand. Otherwise the server is told that there is no such method. */
  set answers(answers: boolean) {
    this.#answers = answers;
    if (answers) return;
    for (const end of this.#serving.values()) end();
    this.#serving.clear();
  }

  /** Sees a message before the client does, and serves its method. */
  see({ message: m, sent }: Event): void {
    if (sent || !m?.method || m.method.startsWith("$/")) return;
    if (this.#answers) this.#serve(m);
    else this.#note(m, "was refused: this page serves nothing");
  }

  /** Serves a method with the parameters of a request. */
  #serve(m: Message): void {
    const name = m.method!;
    const params = isObject(m.params) ? Object.keys(m.params) : Array.isArray(m.params) ? m.params.map((_, i) => String(i)) : [];
    const streams = m.streams ?? [];
    const values = params.map((p) => ({ name: p, convert: any, ...(streams.includes(m.params[p]) && { stream: true as const }) }));
    const call = { name, params: values, results: [{ name: "result", convert: any }] };
    this.#serving.set(name, serve(this.#connection, { name, methods: { call } }, { call: (...args: unknown[]) => this.#arrived(m, args.at(-1) as ServeOptions) }));
  }

  #note(m: Message, text: string): HTMLElement {
    const status = h("output", { className: "status" }, text);
    const card = h("article", { className: "card", "aria-label": `Call from the server: ${m.method}` }, h("div", { className: "bar" }, h("h3", {}, m.method!), status),
      m.params !== undefined && h("pre", {}, brief(pretty(m.params), 20000)),
      m.meta !== undefined && h("details", {}, h("summary", {}, "Metadata"), h("pre", {}, pretty(redactMeta(m.meta)))));
    this.#list.prepend(card);
    while (this.#list.childElementCount > kept) this.#list.lastElementChild!.remove();
    return card;
  }

  /** A call has come. Resolves with what is entered. */
  #arrived(m: Message, { signal }: ServeOptions): unknown {
    if (m.id === undefined) return void this.#note(m, "is a notification");
    const card = this.#note(m, "waits for an answer");
    card.dataset["state"] = "running";
    const status = card.querySelector("output")!;
    this.#count(1);
    let open = true;
    return new Promise((resolve, reject) => {
      const settle = (text: string, how: () => void): void => {
        if (!open) return;
        open = false;
        form.remove();
        card.dataset["state"] = "done";
        status.textContent = text;
        this.#count(-1);
        how();
      };
      const form = answerForm((value) => settle("was answered", () => resolve(value)), (error) => settle("was refused", () => reject(error)));
      signal.addEventListener("abort", () => settle("was cancelled by the server", () => reject(signal.reason)));
      card.append(form);
    });
  }

  #count(n: number): void {
    this.#waiting += n;
    this.#badge.textContent = this.#waiting ? ` (${this.#waiting})` : "";
  }
}

/** The form of an answer: a result, or an error. */
function answerForm(answer: (value: unknown) => void, refuse: (error: RpcError) => void): HTMLFormElement {
  const result = h("textarea", { id: newId(), rows: 2, spellcheck: false, value: "null", input: () => result.setCustomValidity("") });
  const code = h("input", { id: newId(), inputMode: "numeric", value: "-32000", pattern: "-?[0-9]+" });
  const text = h("input", { id: newId(), value: "refused by hand" });
  const send = (event: SubmitEvent): void => {
    event.preventDefault();
    try {
      answer(parse(result.value));
    } catch (error) {
      result.setCustomValidity((error as Error).message);
      result.reportValidity();
    }
  };
  return h("form", { submit: send },
    h("label", { htmlFor: result.id }, "Result, as JSON"), result, h("button", { className: "primary" }, "Answer"),
    h("details", {}, h("summary", {}, "Refuse"),
      h("label", { htmlFor: code.id }, "Code"), code, h("label", { htmlFor: text.id }, "Message"), text,
      h("button", { type: "button", click: () => refuse(new RpcError(Number(code.value), text.value)) }, "Refuse")));
}
