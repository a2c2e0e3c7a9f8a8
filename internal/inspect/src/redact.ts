// What is never shown: credentials, and the tokens with which sessions are resumed.

import { isObject, parse } from "./json.ts";

const hidden = "•••";

/** Names of metadata whose values are secrets. */
const secret = /auth|token|cookie|secret|passw|credential|session|api-?_?key/i;

/** Metadata without secrets. */
export function redactMeta(meta: unknown): unknown {
  if (!isObject(meta)) return meta;
  return Object.fromEntries(Object.entries(meta).map(([name, value]) => [name, secret.test(name) ? hidden : value]));
}

/** An object without the values of some members. */
function without(value: unknown, ...names: string[]): unknown {
  if (!isObject(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([name, v]) => [name, names.includes(name) ? hidden : v]));
}

/** Members of a message of the protocol, as far as the page reads them. */
export interface Message {
  id?: unknown;
  method?: string;
  params?: any;
  result?: unknown;
  error?: { code: number; message: string };
  streams?: number[];
  meta?: unknown;
}

/** Parses a message, without its secrets. */
export function redacted(line: string, sent: boolean): Message | undefined {
  let m: unknown;
  try {
    m = parse(line);
  } catch {
    return undefined;
  }
  if (!isObject(m)) return undefined;
  const out: any = { ...m };
  delete out.jsonrpc;
  if (typeof m["method"] === "string" && m["method"].startsWith("rpc.")) out.params = without(m["params"], "auth", "session");
  if (!sent && m["id"] === 1 && "result" in m) out.result = without(m["result"], "session"); // of rpc.hello or rpc.resume, which alone have that id
  if ("meta" in m) out.meta = redactMeta(m["meta"]);
  return out;
}
