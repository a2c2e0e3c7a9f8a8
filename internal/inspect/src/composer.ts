// The form of a call: what a method is, its parameters, as fields or as JSON, and the call's
// options.

import type { Meta } from "../../../typescript/wirecall.ts";
import type { Request } from "./call.ts";
import type { Description, Method } from "./description.ts";
import { element, h, newId } from "./dom.ts";
import { FieldError, Forms, type Field } from "./form.ts";
import { isObject, parse, pretty } from "./json.ts";
import { Upload } from "./upload.ts";

/** A Composer is the form of a call of one method. */
export class Composer {
  readonly method: Method;
  readonly #fields: [string, Field][];
  readonly #uploads: Upload[];
  readonly #form = h("div", { className: "members" });
  readonly #json = h("textarea", { id: newId(), rows: 6, spellcheck: false, placeholder: "an object by name, or an array by position" });
  readonly #jsonBox = h("div", { className: "field" }, h("label", { htmlFor: this.#json.id }, "Parameters, as JSON"), this.#json);
  readonly #raw = h("input", { type: "checkbox", change: () => this.#switch() });
  readonly #meta = h("input", { id: newId(), placeholder: "tenant=a, trace=b", autocomplete: "off", spellcheck: false });
  readonly #timeout = h("input", { id: newId(), inputMode: "numeric", placeholder: "none" });
  readonly #problem = h("p", { className: "error", role: "alert" });

  constructor(method: Method, description: Description, send: (request: Request) => void) {
    this.method = method;
    const forms = new Forms(description);
    this.#fields = method.params.filter((p) => !p.items).map((p) => [p.name, forms.field(p.name, p.schema, p.required, p.description)]);
    this.#uploads = method.params.filter((p) => p.items).map((p) => new Upload(p, description));
    this.#form.append(...this.#fields.map(([, f]) => f.element));
    element("method").replaceChildren(...about(method, description), this.#element(send));
    if (!method.described) this.#raw.checked = true;
    this.#switch(false);
  }

  #element(send: (request: Request) => void): HTMLElement {
    const submit = (event: SubmitEvent): void => {
      event.preventDefault();
      this.#problem.textContent = "";
      try {
        send(this.#request());
      } catch (error) {
        this.#problem.textContent = (error as Error).message;
        if (error instanceof FieldError) error.field.focus();
      }
    };
    const options = h("details", {}, h("summary", {}, "Options"), h("label", { htmlFor: this.#meta.id }, "Metadata"), this.#meta, h("label", { htmlFor: this.#timeout.id }, "Timeout in ms"), this.#timeout);
    const raw = this.#fields.length > 0 && h("label", { className: "switch" }, this.#raw, " as JSON");
    return h("form", { id: "call", submit, noValidate: true }, raw, this.#form, this.#jsonBox, ...this.#uploads.map((u) => u.element), options, this.#problem, h("button", { className: "primary" }, this.method.notify ? "Notify" : "Call"));
  }

  /** Shows the fields or the JSON, with what has been entered in the other. */
  #switch(convert = true): void {
    const raw = this.#raw.checked;
    try {
      if (convert && raw) this.#json.value = pretty(this.#named());
      else if (convert && this.#json.value.trim()) this.#setFields(parse(this.#json.value));
      this.#problem.textContent = "";
    } catch (error) {
      this.#problem.textContent = (error as Error).message; // what was entered stays where it was
    }
    this.#form.hidden = raw;
    this.#jsonBox.hidden = !raw;
  }

  #named(): Record<string, unknown> {
    return Object.fromEntries(this.#fields.map(([name, f]) => [name, f.value()]).filter(([, v]) => v !== undefined));
  }

  #setFields(params: unknown): void {
    if (Array.isArray(params)) this.#fields.forEach(([, f], i) => f.set(params[i]));
    else if (isObject(params)) for (const [name, f] of this.#fields) f.set(Object.hasOwn(params, name) ? params[name] : undefined);
  }

  /** The parameters as JSON; "" for none. */
  get text(): string {
    const params = this.#params();
    return params === undefined ? "" : pretty(params);
  }

  set text(text: string) {
    this.#json.value = text;
    if (text && !this.#raw.checked) this.#setFields(parse(text));
  }

  #params(): unknown {
    if (!this.#raw.checked) return this.#fields.length ? this.#named() : undefined;
    if (!this.#json.value.trim()) return undefined;
    const params = parse(this.#json.value);
    if (!isObject(params) && !Array.isArray(params)) throw new Error("the parameters are no object and no array");
    if (Array.isArray(params) && this.#uploads.length) return Object.fromEntries(this.#fields.map(([name], i) => [name, params[i]]));
    return params;
  }

  #request(): Request {
    const timeout = Number(this.#timeout.value || 0);
    if (!Number.isInteger(timeout) || timeout < 0) throw new FieldError(this.#timeout, "the timeout is no number of milliseconds");
    const params = this.#params(), meta = readMeta(this.#meta.value);
    return { method: this.method, params, uploads: this.#uploads.map((u) => u.begin()), ...(meta && { meta }), ...(timeout && { timeout }) };
  }
}

/** Reads name=value, …. */
function readMeta(text: string): Meta | undefined {
  if (!text.trim()) return undefined;
  return Object.fromEntries(text.split(",").map((pair) => {
    const at = pair.indexOf("=");
    if (at < 1) throw new Error(`the metadata ${pair.trim()}: want name=value`);
    return [pair.slice(0, at).trim(), pair.slice(at + 1).trim()];
  }));
}

/** What there is to say of a method. */
function about(m: Method, description: Description): HTMLElement[] {
  const notes = [
    m.deprecated && "It is deprecated.",
    m.notify && "It is a notification: it has no answer.",
    m.idempotent && "It is idempotent: it may be called again if an answer is lost.",
    m.cursor && `Its stream goes on after a lost connection: ${m.cursor.param} is the ${m.cursor.path.join(".")} of the last item.`,
    m.errors.length > 0 && `It declares ${m.errors.map((e) => `${e.name} (${e.code})`).join(", ")}.`,
  ].filter((note) => note !== false && note !== undefined);
  return [h("h2", {}, m.name), h("p", { className: "signature" }, h("code", {}, description.signature(m))), h("p", { className: "doc" }, m.description), ...notes.map((note) => h("p", { className: "note" }, note as string))];
}
