// Calls over POST, for programs that have no connection: server-side rendering, cron, tests.

import { decode, encode, message, received, RpcError, scope, type Caller, type CallOptions, type Method } from "./wirecall.ts";

/** What post may be told. */
export interface PostOptions {
  /** Returns the credentials, which are sent as a bearer token. */
  auth?: () => string | Promise<string>;
  /** Further headers. */
  headers?: Record<string, string>;
  /** What makes requests, where it is not globalThis.fetch. */
  fetch?: typeof fetch;
}

/** Returns what a generated client calls through: each call is a request of its own. Streams and metadata need a connection. */
export function post(url: string | URL, options: PostOptions = {}): Caller {
  return {
    call(method, args, call) {
      const { name, params = [], results = [] } = method;
      for (const v of [...params, ...results]) {
        if (typeof v === "object" && v.stream) throw new RpcError(-32009, `${name} has streams, which need a connection`, { ran: "no" });
      }
      return request(url, options, method, args, call);
    },
  };
}

const none = (): null => null; // no stream gets here

async function request(url: string | URL, { auth, headers, fetch = globalThis.fetch }: PostOptions, method: Method, args: readonly unknown[], options?: CallOptions): Promise<unknown> {
  const body = message({ id: method.notify ? undefined : 1, method: method.name, params: encode(method, args, none) });
  const { signal } = scope(options);
  const token = await auth?.();
  const response = await fetch(url, {
    method: "POST",
    headers: { "Content-Type": "application/json", ...(token !== undefined && { Authorization: "Bearer " + token }), ...headers },
    body,
    ...(signal && { signal }),
  });
  const text = await response.text();
  if (method.notify && response.ok) return;
  return answer(method, response.status, text);
}

function answer(method: Method, status: number, text: string): unknown {
  let m: any;
  try {
    m = (method.exact ?? JSON.parse)(text);
  } catch {
    m = null;
  }
  if (m?.jsonrpc !== "2.0") throw new RpcError(status === 401 ? -32014 : -32013, `the server answers with status ${status}`);
  if (m.error) throw received(m.error, method);
  return decode(method, m.result, none);
}
