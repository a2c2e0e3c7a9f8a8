// Forms made from schemas. A Field is an input for a value; one that is left out has the
// value undefined.

import type { Description, Schema } from "./description.ts";
import { kindOf } from "./description.ts";
import { h, newId } from "./dom.ts";
import { compact, isObject, parse, pretty } from "./json.ts";

/** A Field is the input of one value. */
export interface Field {
  readonly element: HTMLElement;
  /** The value, or undefined if there is none. Throws a FieldError. */
  value(): unknown;
  set(value: unknown): void;
}

/** A FieldError says what is wrong with what was entered. */
export class FieldError extends Error {
  readonly field: HTMLElement;

  constructor(field: HTMLElement, message: string) {
    super(message);
    this.field = field;
  }
}

/** How deep forms go. What is deeper is entered as JSON. */
const deepest = 8;

/** Makes forms by the schemas of a description. */
export class Forms {
  readonly #description: Description;

  constructor(description: Description) {
    this.#description = description;
  }

  /** The field of a value with a name. */
  field(name: string, schema: Schema, required: boolean, note = "", depth = 0): Field {
    const { schema: is, nullable } = this.#description.resolve(schema);
    const type = this.#description.typeName(schema);
    const about = note || (typeof is.description === "string" ? is.description : "");
    const label = { name, type, about, required };
    const kind = kindOf(is);
    if (depth >= deepest) return jsonField(label);
    if (kind === "object" && isObject(is.properties) && Object.keys(is.properties).length) return this.#object(label, is, nullable, depth);
    if (kind === "array" && isObject(is.items)) return this.#array(label, is.items, depth);
    if (kind === "boolean") return choice(label, [["true", true], ["false", false]]);
    if (Array.isArray(is.enum)) return choice(label, is.enum.map((v) => [typeof v === "string" ? v : compact(v), v]));
    if (kind === "integer" || kind === "number") return numberField(label, kind, is);
    if (kind === "string") return is.contentEncoding === "base64" ? bytesField(label) : textField(label, is);
    return jsonField(label);
  }

  /** An object: its members, behind a button if it may be left out or may hold itself. */
  #object(label: Label, schema: Schema, nullable: boolean, depth: number): Field {
    let fields: [string, Field][] | undefined;
    const body = h("div", { className: "members" });
    const fill = (): [string, Field][] => {
      if (fields) return fields;
      fields = Object.entries(schema.properties!)
        .filter(([, s]) => isObject(s))
        .map(([name, s]) => [name, this.field(name, s, (schema.required ?? []).includes(name), "", depth + 1)]);
      body.append(...fields.map(([, f]) => f.element));
      return fields;
    };
    const drop = (): void => {
      fields = undefined;
      body.replaceChildren();
    };
    const optional = !label.required || nullable;
    const toggle = h("input", { type: "checkbox", "aria-label": `set ${label.name}`, change: () => (toggle.checked ? fill() : drop()) });
    if (!optional) fill();
    const element = h("fieldset", {}, h("legend", {}, optional && toggle, optional && " ", ...caption(label)), body);
    return {
      element,
      value() {
        if (!fields) return label.required ? null : undefined;
        return Object.fromEntries(fields.map(([name, f]) => [name, f.value()]).filter(([, v]) => v !== undefined));
      },
      set(value) {
        if (!isObject(value)) return optional ? ((toggle.checked = false), drop()) : undefined;
        toggle.checked = true;
        for (const [name, f] of fill()) f.set(Object.hasOwn(value, name) ? value[name] : undefined);
      },
    };
  }

  /** A list, whose elements are added and removed. */
  #array(label: Label, items: Schema, depth: number): Field {
    const rows: { field: Field; row: HTMLElement }[] = [];
    let there = label.required;
    const body = h("div", { className: "members" });
    const add = (): Field => {
      there = true;
      const field = this.field(String(rows.length), items, true, "", depth + 1);
      const row = h("div", { className: "element" }, field.element, h("button", { type: "button", "aria-label": `remove ${label.name}[${rows.length}]`, click: () => remove(entry) }, "Remove"));
      const entry = { field, row };
      rows.push(entry);
      body.append(row);
      return field;
    };
    const remove = (entry: (typeof rows)[number]): void => {
      rows.splice(rows.indexOf(entry), 1);
      entry.row.remove();
    };
    const element = h("fieldset", {}, h("legend", {}, ...caption(label)), body, h("button", { type: "button", click: () => add() }, `Add to ${label.name}`));
    return {
      element,
      value: () => (there || rows.length ? rows.map(({ field }) => field.value()) : undefined),
      set(value) {
        for (const entry of [...rows]) remove(entry);
        there = Array.isArray(value);
        if (Array.isArray(value)) for (const v of value) add().set(v);
      },
    };
  }
}

interface Label {
  name: string;
  type: string;
  about: string;
  required: boolean;
}

function caption({ name, type, required }: Label): (Node | string)[] {
  return [h("b", {}, name), " ", h("span", { className: "type" }, type + (required ? "" : ", optional"))];
}

/** A field of one input, with its label and what there is to say. */
function labelled(label: Label, input: HTMLElement, ...more: HTMLElement[]): HTMLElement {
  input.id = newId();
  const about = label.about && h("p", { className: "about", id: newId() }, label.about);
  if (about) input.setAttribute("aria-describedby", about.id);
  return h("div", { className: "field" }, h("label", { htmlFor: input.id }, ...caption(label)), about || undefined, input, ...more);
}

/** Reads an input, whose text is "" if there is no value. */
function entry(label: Label, input: HTMLInputElement | HTMLTextAreaElement, element: HTMLElement, read: (text: string) => unknown, write: (value: unknown) => string, empty?: unknown): Field {
  return {
    element,
    value() {
      input.removeAttribute("aria-invalid");
      if (input.value === "") {
        if (!label.required) return undefined;
        if (empty !== undefined) return empty;
      }
      try {
        return read(input.value);
      } catch (error) {
        input.setAttribute("aria-invalid", "true");
        throw new FieldError(input, `${label.name}: ${(error as Error).message}`);
      }
    },
    set(value) {
      input.value = value === undefined || value === null ? "" : write(value);
    },
  };
}

function textField(label: Label, schema: Schema): Field {
  const input = h("input", { autocomplete: "off", spellcheck: false, placeholder: schema.format === "date-time" ? "2006-01-02T15:04:05Z" : "" });
  return entry(label, input, labelled(label, input, ...suggestions(input, schema)), (text) => text, String, "");
}

/** The values that a type names, which are no others' exclusion. */
function suggestions(input: HTMLInputElement, schema: Schema): HTMLElement[] {
  const known = schema["x-enum"];
  if (!Array.isArray(known)) return [];
  const options = h("datalist", { id: newId() }, ...known.filter(isObject).map((c) => h("option", { value: String(c["value"]), label: String(c["name"]) })));
  input.setAttribute("list", options.id);
  return [options];
}

function numberField(label: Label, kind: string, schema: Schema): Field {
  const input = h("input", { inputMode: kind === "integer" ? "numeric" : "decimal", autocomplete: "off" });
  const read = (text: string): unknown => {
    if (!(kind === "integer" ? /^-?\d+$/ : /^-?\d+(\.\d+)?([eE][+-]?\d+)?$/).test(text.trim())) throw new Error(text ? `${text} is no ${kind}` : `want ${kind === "integer" ? "an integer" : "a number"}`);
    return parse(String(text.trim().replace(/^(-?)0+(?=\d)/, "$1")));
  };
  return entry(label, input, labelled(label, input, ...suggestions(input, schema)), read, String);
}

function choice(label: Label, values: [string, unknown][]): Field {
  const select = h("select", {}, !label.required && h("option", { value: "" }, "not set"), ...values.map(([text], i) => h("option", { value: String(i) }, text)));
  return {
    element: labelled(label, select),
    value: () => (select.value === "" ? undefined : values[Number(select.value)]![1]),
    set(value) {
      const i = values.findIndex(([, v]) => compact(v) === compact(value));
      select.value = i < 0 ? (label.required ? "0" : "") : String(i);
    },
  };
}

/** Bytes: base64 that is typed, or a file. */
function bytesField(label: Label): Field {
  const input = h("textarea", { rows: 2, spellcheck: false, placeholder: "base64" });
  const file = h("input", { type: "file", "aria-label": `a file for ${label.name}`, change: async () => {
    const chosen = file.files?.[0];
    if (!chosen) return;
    input.value = base64(new Uint8Array(await chosen.arrayBuffer()));
    input.dispatchEvent(new Event("input"));
  } });
  const read = (text: string): unknown => {
    try {
      atob(text);
    } catch {
      throw new Error("that is not base64");
    }
    return text;
  };
  return entry(label, input, labelled(label, input, file), read, String, "");
}

/** Bytes as base64. */
export function base64(bytes: Uint8Array): string {
  let binary = "";
  for (let i = 0; i < bytes.length; i += 8192) binary += String.fromCharCode(...bytes.subarray(i, i + 8192));
  return btoa(binary);
}

/** Any value, as JSON. */
function jsonField(label: Label): Field {
  const input = h("textarea", { rows: 3, spellcheck: false, placeholder: "JSON" });
  return entry(label, input, labelled(label, input), parse, pretty);
}
