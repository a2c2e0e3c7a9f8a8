// What a server says of itself by rpc.discover: an OpenRPC document, of which nothing is
// taken for granted.

import { isObject } from "./json.ts";

/** A JSON schema, as far as forms need it. */
export interface Schema {
  $ref?: string;
  type?: string | string[];
  format?: string;
  description?: string;
  contentEncoding?: string;
  properties?: Record<string, Schema>;
  required?: string[];
  items?: Schema;
  enum?: unknown[];
  allOf?: Schema[];
  anyOf?: Schema[];
  oneOf?: Schema[];
  "x-enum"?: { name: string; value: unknown; description?: string }[];
}

/** A parameter. */
export interface Param {
  name: string;
  description: string;
  required: boolean;
  schema: Schema;
  /** The schema of the items, if it is a stream. */
  items: Schema | undefined;
}

/** A result, by its name; "" if it is the only one. */
export interface Result {
  name: string;
  schema: Schema;
  items: Schema | undefined;
}

/** An error that a method declares. */
export interface Declared {
  name: string;
  code: number;
}

/** A Method as the server describes it. */
export interface Method {
  name: string;
  service: string;
  description: string;
  deprecated: boolean;
  notify: boolean;
  idempotent: boolean;
  cursor: { param: string; path: string[] } | undefined;
  params: Param[];
  results: Result[];
  errors: Declared[];
  /** Whether there is a description of more than its name. */
  described: boolean;
}

const text = (value: unknown): string => (typeof value === "string" ? value : "");
const list = (value: unknown): unknown[] => (Array.isArray(value) ? value : []);
const object = (value: unknown): Record<string, unknown> => (isObject(value) ? value : {});
const schemaOf = (value: unknown): Schema => object(value) as Schema;
const own = (o: Record<string, unknown>, name: string): unknown => (Object.hasOwn(o, name) ? o[name] : undefined);

/** A Description is what a server has said of itself. */
export class Description {
  readonly methods: Method[];
  /** Comments of services, by their names. */
  readonly services: Map<string, string> = new Map();
  readonly #schemas: Record<string, unknown>;

  constructor(document: unknown) {
    const components = object(object(document)["components"]);
    this.#schemas = object(components["schemas"]);
    for (const tag of Object.values(object(components["tags"]))) this.services.set(text(object(tag)["name"]), text(object(tag)["description"]));
    this.methods = list(object(document)["methods"])
      .map(object)
      .filter((m) => text(m["name"]))
      .map(readMethod);
  }

  /** A schema behind its references. name is that of the last, or "". null is whether null is allowed. */
  resolve(schema: Schema): { schema: Schema; name: string; nullable: boolean } {
    let name = "", nullable = false;
    for (let steps = 0; steps < 100; steps++) {
      const alternatives = list(schema.anyOf).map(schemaOf);
      const others = alternatives.filter((s) => s.type !== "null");
      if (typeof schema.$ref === "string") {
        name = schema.$ref.slice(schema.$ref.lastIndexOf("/") + 1);
        schema = schemaOf(own(this.#schemas, name));
      } else if (list(schema.allOf).length === 1) {
        schema = schemaOf(schema.allOf![0]);
      } else if (others.length === 1 && alternatives.length === 2) {
        schema = others[0]!;
        nullable = true;
      } else {
        return { schema, name, nullable: nullable || list(schema.type).includes("null") };
      }
    }
    return { schema: {}, name, nullable }; // references in a circle
  }

  /** What a schema is, in a word or two. */
  typeName(schema: Schema, depth = 0): string {
    const { schema: is, name } = this.resolve(schema);
    if (name) return name;
    const kind = kindOf(is);
    if (kind === "array" && isObject(is.items) && depth < 4) return "[]" + this.typeName(is.items, depth + 1);
    return kind === "string" && is.contentEncoding === "base64" ? "bytes" : kind;
  }

  /** A method in a line, as a Go programmer would write it. */
  signature(m: Method): string {
    const of = (v: { schema: Schema; items: Schema | undefined }): string => (v.items ? "stream of " + this.typeName(v.items) : this.typeName(v.schema));
    const params = m.params.map((p) => `${p.name}${p.required ? "" : "?"} ${of(p)}`).join(", ");
    const results = m.results.map((r) => `${r.name} ${of(r)}`.trim());
    return `${m.name}(${params}) ${m.results.length > 1 ? `(${results.join(", ")})` : results[0] === "null" ? "" : (results[0] ?? "")}`.trim();
  }
}

/** The one type beside null that a schema allows, or "any". */
export function kindOf(schema: Schema): string {
  const types = (typeof schema.type === "string" ? [schema.type] : list(schema.type)).filter((t) => t !== "null");
  return types.length === 1 ? text(types[0]) || "any" : list(schema.type).includes("null") && !types.length ? "null" : "any";
}

function readMethod(m: Record<string, unknown>): Method {
  const name = text(m["name"]);
  const more = object(m["x-wirecall"]);
  const streams = object(more["streams"]);
  const notify = more["notify"] === true;
  return {
    name,
    service: text(more["service"]) || name.slice(0, Math.max(0, name.search(/[._/][^._/]*$/))),
    description: text(m["description"]) || text(m["summary"]),
    deprecated: m["deprecated"] === true,
    notify,
    idempotent: more["idempotent"] === true,
    cursor: readCursor(more["cursor"]),
    params: list(m["params"]).map(object).filter((p) => text(p["name"])).map((p) => readParam(p, object(streams["params"]))),
    results: notify ? [] : readResults(schemaOf(object(m["result"])["schema"]), list(more["results"]).map(text), object(streams["results"])),
    errors: list(more["errors"]).map(object).map((e) => ({ name: text(e["name"]), code: Number(e["code"]) })),
    described: true,
  };
}

function readCursor(cursor: unknown): Method["cursor"] {
  const { param, path } = object(cursor);
  return text(param) ? { param: text(param), path: list(path).map(text) } : undefined;
}

function readParam(p: Record<string, unknown>, streams: Record<string, unknown>): Param {
  const name = text(p["name"]), items = own(streams, name);
  return { name, description: text(p["description"]), required: p["required"] === true, schema: schemaOf(p["schema"]), items: items === undefined ? undefined : schemaOf(items) };
}

function readResults(schema: Schema, names: string[], streams: Record<string, unknown>): Result[] {
  const items = Object.values(streams);
  if (!names.length) return [{ name: "", schema, items: items.length ? schemaOf(items[0]) : undefined }];
  return names.map((name) => {
    const item = own(streams, name);
    return { name, schema: schemaOf(own(object(schema.properties), name)), items: item === undefined ? undefined : schemaOf(item) };
  });
}

/** A method of which only the name is known. */
export function undescribed(name: string, stream: boolean): Method {
  return {
    name, service: "", description: "", deprecated: false, notify: false, idempotent: false, cursor: undefined,
    params: [], results: [{ name: "", schema: {}, items: stream ? {} : undefined }], errors: [], described: false,
  };
}
