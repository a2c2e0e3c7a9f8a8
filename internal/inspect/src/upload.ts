// Streams that the page sends: lines of JSON that are typed or stand in a file, the bytes of
// a file, or items that are entered while the call runs.

import type { Description, Param } from "./description.ts";
import { count, h, newId } from "./dom.ts";
import { base64 } from "./form.ts";
import { parse } from "./json.ts";

/** The bytes of a file that one item carries. */
const piece = 48 << 10;

/** An Upload is the input of a stream. */
export class Upload {
  readonly element: HTMLElement;
  readonly param: Param;
  readonly #bytes: boolean;
  readonly #lines: HTMLTextAreaElement;
  readonly #file = h("input", { type: "file" });
  readonly #live = h("input", { type: "checkbox" });

  constructor(param: Param, description: Description) {
    this.param = param;
    this.#bytes = description.typeName(param.items ?? {}) === "bytes";
    this.#lines = h("textarea", { rows: 4, spellcheck: false, id: newId(), placeholder: "an item of JSON on each line" });
    this.#file.setAttribute("aria-label", `a file for ${param.name}`);
    this.element = h("fieldset", { className: "upload" },
      h("legend", {}, h("b", {}, param.name), " ", h("span", { className: "type" }, `stream of ${description.typeName(param.items ?? {})}`)),
      h("label", { htmlFor: this.#lines.id }, "Items"), this.#lines,
      h("label", {}, this.#bytes ? "or a file, in pieces of 48 KiB " : "or a file of lines ", this.#file),
      h("label", {}, this.#live, " then enter more while the call runs"));
  }

  /** What is typed, and sets it. */
  get text(): string {
    return this.#lines.value;
  }

  set text(text: string) {
    this.#lines.value = text;
  }

  /** Begins to send: the items, and the control with which more are entered, if they are. */
  begin(): Sending {
    const lines = this.#lines.value, file = this.#file.files?.[0];
    return new Sending(this.param.name, file && this.#bytes ? pieces(file) : linesOf(file ? file.stream() : new Blob([lines]).stream()), this.#live.checked);
  }
}

/** A Sending is a stream that is sent. */
export class Sending implements AsyncIterable<unknown> {
  readonly element: HTMLElement;
  readonly name: string;
  readonly #ready: AsyncIterable<unknown>;
  readonly #live: boolean;
  readonly #queue: unknown[] = [];
  readonly #status = h("output", {}, "waits");
  #ended = false;
  #wake = (): void => {};
  /** How many items have been taken to be sent. */
  items = 0;

  constructor(name: string, ready: AsyncIterable<unknown>, live: boolean) {
    this.name = name;
    this.#ready = ready;
    this.#live = live;
    this.element = h("div", { className: "sending" }, h("b", {}, name), " ", this.#status, live && this.#entry());
  }

  #entry(): HTMLElement {
    const input = h("input", { "aria-label": `the next item of ${this.name}`, placeholder: "JSON", spellcheck: false });
    const send = (event: Event): void => {
      event.preventDefault();
      try {
        this.#queue.push(parse(input.value));
        input.value = "";
        input.setCustomValidity("");
      } catch (error) {
        input.setCustomValidity((error as Error).message);
        input.reportValidity();
      }
      this.#wake();
    };
    const end = (): void => {
      this.#ended = true;
      this.#wake();
    };
    return h("form", { submit: send, input: () => input.setCustomValidity("") }, input, h("button", {}, "Send item"), h("button", { type: "button", click: end }, "End stream"));
  }

  /** Shows what has been sent, and what else there is to say. */
  show(more: string): void {
    this.#status.textContent = [count(this.items, "item"), more].filter(Boolean).join(", ");
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<unknown, void> {
    try {
      for await (const item of this.#ready) {
        this.items++;
        yield item;
      }
      while (this.#live && !(this.#ended && !this.#queue.length)) {
        if (!this.#queue.length) await new Promise<void>((wake) => (this.#wake = wake));
        for (const item of this.#queue.splice(0)) {
          this.items++;
          yield item;
        }
      }
    } finally {
      this.#ended = true;
      this.element.querySelector("form")?.remove();
    }
  }
}

/** The values in lines of JSON. Empty lines are none. */
async function* linesOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<unknown, void> {
  let rest = "", number = 0;
  const item = (line: string): unknown => {
    try {
      return parse(line);
    } catch (error) {
      throw new Error(`line ${number}: ${(error as Error).message}`);
    }
  };
  const reader = stream.pipeThrough(new TextDecoderStream() as ReadableWritablePair<string, Uint8Array>).getReader();
  for (let step = await reader.read(); !step.done; step = await reader.read()) {
    const lines = (rest + step.value).split("\n");
    rest = lines.pop()!;
    for (const line of lines) {
      number++;
      if (line.trim()) yield item(line);
    }
  }
  number++;
  if (rest.trim()) yield item(rest);
}

/** A file in pieces, as base64. */
async function* pieces(file: File): AsyncGenerator<string, void> {
  for (let at = 0; at < file.size; at += piece) yield base64(new Uint8Array(await file.slice(at, at + piece).arrayBuffer()));
}
