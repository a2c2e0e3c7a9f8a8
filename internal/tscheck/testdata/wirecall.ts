// What generated code needs of the runtime, and no more: see typescript/README.md.
import type { Convert } from "./wirecall_values.ts";

export interface Connection {
  readonly url: string;
}

export interface CallOptions {
  signal?: AbortSignal;
}

export interface Stream<T> extends AsyncIterable<T> {
  readonly ready: Promise<void>;
}

export class RpcError<T = unknown> extends Error {
  readonly code: number;
  readonly type: string | undefined;
  readonly data: T;

  constructor(code: number, message: string, type: string | undefined, data: T) {
    super(message);
    this.code = code;
    this.type = type;
    this.data = data;
  }
}

export type Value = string | { name: string; stream?: true; convert?: Convert };

export interface ErrorType {
  name: string;
  code: number;
  convert?: Convert;
}

export interface Method {
  name: string;
  params?: readonly Value[];
  results?: readonly Value[];
  notify?: true;
  idempotent?: true;
  exact?: true;
  cursor?: { param: string; path: readonly string[] };
  errors?: readonly ErrorType[];
}

export interface Service<T> {
  name: string;
  methods: { [key in keyof T]: Method };
}

export function client<T>(connection: Connection, service: Service<T>): T {
  throw new Error(`nothing calls ${service.name} at ${connection.url}`);
}
