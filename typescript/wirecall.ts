// The runtime of generated TypeScript: a wirecall client over a WebSocket, in one file
// without dependencies. connect returns a Connection, which generated clients call through.
//
// A Connection makes sockets and sessions; a Session holds the protocol state shared with
// the server and outlives its socket; a Call, a Receiver and a Sender are what is in flight.
// Whatever a server sends that breaks the protocol throws within Session.receive, which
// ends the session with code 4500.

import type { Convert } from "./wirecall_values.ts";

/** The metadata of a call or an answer. */
export type Meta = { readonly [name: string]: string };

/** What may be said about a call. */
export interface CallOptions {
  /** Cancels the call and its streams. The call rejects with the signal's reason. */
  signal?: AbortSignal;
  /** The milliseconds that the call and its streams may take. The server is told. */
  timeout?: number;
  /** Sent with the call. */
  meta?: Meta;
  /** Is given the metadata of the answer, if it has any. */
  onMeta?: (meta: Meta) => void;
}

/** What an implementation that is served gets as its last parameter. */
export interface ServeOptions extends CallOptions {
  /** Aborted when the caller leaves, or when the session ends. */
  signal: AbortSignal;
}

/**
 * A Stream is read once, by for await. Leaving the loop cancels it. The call has begun
 * before the first read.
 */
export interface Stream<T> extends AsyncIterable<T> {
  /** Resolves when the server has accepted the call, and rejects if it has not. */
  readonly ready: Promise<void>;
  /** Ends the stream without reading it. */
  cancel(): void;
}

/** A Value is a parameter or result: its name on the wire, or an object where there is more to say. */
export type Value = string | { name: string; alias?: readonly string[]; stream?: true; convert?: Convert };

/** An ErrorType is an error that a method declares. */
export interface ErrorType {
  name: string;
  code: number;
  convert?: Convert;
}

/** A Method describes a method on the wire. */
export interface Method {
  name: string;
  params?: readonly Value[];
  results?: readonly Value[];
  notify?: true;
  idempotent?: true;
  /** Parses JSON in which integers may be beyond 2^53. */
  exact?: (text: string) => any;
  cursor?: { param: string; path: readonly string[] };
  errors?: readonly ErrorType[];
}

/** A Service describes the methods of T, by their names in TypeScript. */
export interface Service<T> {
  name: string;
  methods: { [key in keyof T]: Method };
}

/** The state of a Connection. */
export interface State {
  /**
   * detached: the socket is lost, the session goes on. refused: the server does not accept
   * the credentials, and only reconnect() tries again. closed: for good.
   */
  readonly phase: "connecting" | "connected" | "detached" | "refused" | "closed";
  /** How many sessions there have been. A new one means that others' calls may be lost. */
  readonly session: number;
  /** Why it is not connected. */
  readonly cause?: unknown;
  /** When the next attempt is made, as Date.now() has it. */
  readonly retry?: number;
}

/** What connect may be told. Zeros, and what is left out, are the defaults. */
export interface ConnectOptions {
  /** Returns the credentials. It is asked before each handshake, and when they expire. */
  auth?: () => string | Promise<string>;
  /** The bytes of sent messages kept to outlive a lost socket: 1 MiB. 0 keeps no session. */
  replay?: number;
  /** false: the first lost socket closes the connection. */
  reconnect?: boolean;
  /** The milliseconds that an attempt to connect may take: 20,000. */
  timeout?: number;
  /** The milliseconds of silence after which the server is asked for a sign of life: 20,000. After three times as long the socket is left. */
  ping?: number;
  /** What the server may have in flight: see Limits. */
  limits?: Partial<Limits>;
  /** The class of sockets, where it is not globalThis.WebSocket. */
  WebSocket?: typeof WebSocket;
}

/** Limits bound what a peer may send. */
export interface Limits {
  calls: number;
  streams: number;
  /** Bytes of a message. */
  message: number;
  /** Notifications that wait to be handled, and bytes of them. */
  notes: number;
  noteBytes: number;
}

const defaults: Limits = { calls: 256, streams: 256, message: 1 << 20, notes: 4096, noteBytes: 1 << 20 };

// The windows of streams begin with this much, and grow up to 16 times.
const windowItems = 64, windowBytes = 65536;

const none = -32000, badMessage = -32603, badParams = -32602, unknownMethod = -32601, limitReached = -32005, flowControl = -32007, sessionLost = -32008, comeAgain = -32011;
const unavailable = -32013, unauthenticated = -32014, denied = -32015, tooLarge = -32016, canceled = -32800;

/** An error as it is on the wire. @internal */
export interface WireError {
  code: number;
  message: string;
  data?: any;
  type?: string;
  ran?: string;
  retry?: number;
}

/** An RpcError is an answer of the server's, or says why there is none. */
export class RpcError<T = unknown> extends Error {
  readonly code: number;
  /** The name of the declared error that it is, if it is one. */
  readonly type: string | undefined;
  readonly data: T;
  /** Whether the call has certainly not run. */
  readonly notRun: boolean;
  /** After how many milliseconds the server wants the call to be made again. */
  readonly retry: number | undefined;

  constructor(code: number, message: string, more: { type?: string | undefined; data?: T; ran?: string | undefined; retry?: number | undefined } = {}) {
    super(message);
    this.name = "RpcError";
    this.code = code;
    this.type = more.type;
    this.data = more.data as T;
    this.notRun = more.ran === "no";
    this.retry = more.retry;
  }
}

/** The error of a call that has not run. */
const notRun = (code: number, message: string): RpcError => new RpcError(code, message, { ran: "no" });

/** The declared error that a wire error is, by its name, or without one by a code that only one has. */
function declared(method: Method | undefined, code: number, type: unknown): ErrorType | undefined {
  const found = (method?.errors ?? []).filter((e) => (typeof type === "string" ? e.name === type : e.code === code));
  return found.length === 1 ? found[0] : undefined;
}

/** What the program gets for an error of the peer's. @internal */
export function received(e: WireError, method?: Method): RpcError {
  must(Number.isSafeInteger(e.code) && typeof e.message === "string");
  const is = declared(method, e.code, e.type);
  let data = e.data;
  try {
    data = is?.convert ? is.convert(data, false) : data;
  } catch {
    data = undefined;
  }
  const retry = typeof e.retry === "number" ? Math.min(e.retry, 3600000) : undefined;
  return new RpcError(e.code, e.message, { type: is?.name ?? (typeof e.type === "string" ? e.type : undefined), data, ran: e.ran, retry });
}

/** The codes of what the signals of a platform are aborted with. */
const reasons: Record<string, number> = { AbortError: canceled, TimeoutError: -32012 };

/** What the peer gets for an error of the program's. */
function sent(error: any, method: Method): WireError {
  if (!(error instanceof RpcError)) return { code: reasons[error?.name] ?? none, message: String(error?.message ?? error) };
  const { code, message, type, data, retry } = error as RpcError<any>;
  const convert = declared(method, code, type)?.convert;
  return { code, message, ...(type && { type }), ...(data !== undefined && { data: convert ? convert(data, true) : data }), ...(retry && { retry }) };
}

type Timer = ReturnType<typeof setTimeout>;

const encoder = new TextEncoder();

/** How many bytes a text has on the wire. */
const size = (text: string): number => encoder.encode(text).length;

const nameOf = (v: Value): string => (typeof v === "string" ? v : v.name);

/** Converts a parameter, result or item. */
function convert(v: Value, value: unknown, send: boolean): unknown {
  if (typeof v === "string" || !v.convert) return value;
  try {
    return v.convert(value, send);
  } catch (error: any) {
    error.under?.(v.name); // a ValueError says where it is
    throw error;
  }
}

/** A request, notification or control message. Members that are undefined are left out. @internal */
export const message = (members: object): string => JSON.stringify({ jsonrpc: "2.0", ...members });
const control = (method: string, params?: object): string => message({ method, params });

/** A Credit is what a producer may still send. */
class Credit {
  sent = 0;
  #limit: number;
  #bytes: number;
  #taken = 0;
  #outstanding = 0;
  #sizes: number[] = [];

  constructor(items: number = windowItems, bytes: number = windowBytes) {
    this.#limit = Math.min(items, 16384);
    this.#bytes = bytes;
  }

  /** Whether an item of so many bytes may be sent. Up to half of the bytes, any may. */
  allows(n: number): boolean {
    return this.sent < this.#limit && (this.#outstanding + n <= this.#bytes || this.#outstanding * 2 < this.#bytes);
  }

  spend(n: number): void {
    this.sent++;
    this.#outstanding += n;
    this.#sizes.push(n);
  }

  /** Grants are absolute: an older one has no effect. */
  grant(taken: number, items: number, bytes: number): void {
    must(taken <= this.sent, "credit for what was never sent");
    this.#limit = Math.max(this.#limit, taken + Math.min(items, 16384));
    if (taken < this.#taken) return;
    const freed = this.#sizes.splice(0, taken - this.#taken).reduce((a, b) => a + b, 0);
    this.#taken = taken;
    this.#outstanding -= freed;
    this.#bytes = Math.max(bytes, this.#bytes - freed);
  }
}

/** A Window is what a consumer has granted, and what has come. */
class Window {
  #items: number;
  #bytes: number;
  #most: number;
  #received = 0;
  #receivedBytes = 0;
  #taken = 0;
  #takenBytes = 0;
  #grant: { limit: number; from: number; at: number; room: number };
  #before: number; // the limit of the grant before that
  #starved = false;

  constructor(items: number, bytes: number, limit: number = windowItems, room: number = windowBytes) {
    this.#items = items;
    this.#bytes = bytes;
    this.#most = 16 * items;
    this.#grant = { limit, from: 0, at: 0, room };
    this.#before = limit;
  }

  /** Counts items that have come in a message, and returns whether they were granted. Their bytes are those of all of them, so one message may be over. */
  receive(items: number, bytes: number): boolean {
    const { limit, at, room } = this.#grant;
    const before = this.#receivedBytes - at;
    this.#received += items;
    this.#receivedBytes += bytes;
    return this.#received <= limit && (before + bytes <= room || before * 2 < room);
  }

  /** Counts an item that the program has taken, and returns whether a grant is due: when half is used up. */
  take(bytes: number): boolean {
    const { limit, from, at, room } = this.#grant;
    this.#taken++;
    this.#takenBytes += bytes;
    return (this.#taken - from) * 2 >= Math.min(this.#items, limit - from) || (this.#takenBytes - at) * 2 >= Math.min(this.#bytes, room);
  }

  /** The reader waits: if all has come that was granted a round trip ago, the window is too small. */
  starve(): void {
    this.#starved ||= this.#received > 0 && this.#received >= this.#before;
  }

  /** Makes a grant, and returns it as it is sent. */
  grant(): [taken: number, items: number, bytes: number] {
    if (this.#starved && this.#items < this.#most) {
      this.#items *= 2;
      this.#bytes *= 2;
    }
    this.#starved = false;
    const { limit, at, room } = this.#grant;
    this.#before = limit;
    this.#grant = { limit: Math.max(limit, this.#taken + this.#items), from: this.#taken, at: this.#takenBytes, room: Math.max(this.#bytes, at + room - this.#takenBytes) };
    return [this.#taken, this.#items, this.#grant.room];
  }
}

/** What a Receiver belongs to: the call that brought it, or the one that it is a parameter of. */
interface Owner {
  readonly method: Method;
  /** A stream of it has ended. */
  release(): void;
  /** The reader leaves a stream that has not been opened yet. */
  leave(): void;
  readonly signal?: AbortSignal | undefined;
  /** Calls again, with another value of its cursor. Resolves when the stream is open again. */
  again?(cursor: unknown): Promise<unknown>;
}

/** A Receiver is the consumer's end of a stream. */
class Receiver<T = unknown> implements Stream<T> {
  ready: Promise<void> = Promise.resolve();
  #owner: Owner;
  readonly #value: Value;
  #session: Session | undefined;
  #handle = 0;
  #window = new Window(windowItems, windowBytes);
  #queue: [item: unknown, bytes: number][] = [];
  #end: { error?: unknown } | undefined;
  #used = false;
  #wake = (): void => {};
  #cursor: unknown;
  #waits = 0; // without an item in between

  constructor(owner: Owner, value: Value) {
    this.#owner = owner;
    this.#value = value;
  }

  /** Attaches it to a stream of a session. */
  open(session: Session, handle: number, owner: Owner): void {
    this.#owner = owner;
    const { windowItems, windowBytes } = session.windows;
    this.#session = session;
    this.#handle = handle;
    this.#window = new Window(windowItems, windowBytes);
    this.#end = undefined;
    session.receiving.set(handle, this);
  }

  get exact(): Method["exact"] {
    return this.#owner.method.exact;
  }

  /** Takes what $/items brings. */
  receive(items: unknown[], bytes: number): void {
    const allowed = this.#window.receive(items.length, bytes);
    if (this.#end) return;
    if (!allowed) {
      const error = { code: flowControl, message: "more stream items than the credit allowed" };
      this.#session!.post(control("$/cancel", [this.#handle, error]));
      return this.end(new RpcError(error.code, error.message));
    }
    // The bytes of all are counted with the first, so that none is ever counted too late.
    items.forEach((item, i) => this.#queue.push([item, i ? 0 : bytes]));
    this.#wake();
  }

  /** Takes $/end, or the end of the session. */
  ended(error?: WireError): void {
    this.#session!.receiving.delete(this.#handle);
    this.end(error && received(error, this.#owner.method));
  }

  /** Ends it, behind the items that have come. */
  end(error?: unknown): void {
    if (this.#end) return;
    this.#end = { error };
    this.#wake();
    this.#owner.release();
  }

  /** Ends it at once, for a reason that the reader gets, and has the producer stop. */
  stop(error?: unknown): void {
    this.#queue = [];
    const session = this.#session;
    if (!this.#end && session?.receiving.get(this.#handle) === this) session.post(control("$/cancel", [this.#handle]));
    if (this.#end) this.#end = { error };
    this.end(error);
    this.#wake();
  }

  cancel(): void {
    this.stop();
    if (!this.#session) this.#owner.leave();
  }

  /** Has a stream with a cursor go on in the next session. */
  move(): void {
    if (this.#owner.method.cursor) this.stop(new RpcError(sessionLost, "the server shuts down"));
  }

  [Symbol.asyncIterator](): AsyncIterator<T, undefined> {
    if (this.#used) throw new Error("a stream can be read only once");
    this.#used = true;
    const items = this.#read();
    return {
      next: () => items.next(),
      return: () => {
        this.cancel();
        return items.return(undefined);
      },
    };
  }

  async *#read(): AsyncGenerator<T, undefined> {
    for (;;) {
      while (!this.#queue.length && !this.#end) await this.#more();
      const next = this.#queue.shift();
      if (next) yield this.#take(...next);
      else if (this.#end!.error === undefined) return;
      else await this.#continue(this.#end!.error);
    }
  }

  #more(ms?: number): Promise<void> {
    this.#window.starve();
    return new Promise((wake) => {
      this.#wake = wake;
      if (ms === undefined) return;
      setTimeout(wake, ms);
      this.#owner.signal?.addEventListener("abort", () => wake(), { once: true });
    });
  }

  #take(item: unknown, bytes: number): T {
    if (this.#window.take(bytes) && !this.#end) this.#session!.post(control("$/credit", [this.#handle, ...this.#window.grant()]));
    try {
      const value = convert(this.#value, item, false);
      this.#waits = 0;
      this.#follow(value);
      return value as T;
    } catch (error) {
      this.stop();
      throw error;
    }
  }

  /** Notes the value of the cursor in an item, if there is one. */
  #follow(value: any): void {
    const path = this.#owner.method.cursor?.path;
    for (const name of path ?? []) value = value != null && Object.hasOwn(value, name) ? value[name] : undefined;
    if (path) this.#cursor = value ?? this.#cursor;
  }

  /** Calls again behind the last item, or throws what the stream has ended with. */
  async #continue(error: any): Promise<void> {
    const code = error instanceof RpcError && this.#owner.method.cursor && this.#session && this.#owner.again ? error.code : 0;
    if (code !== comeAgain && code !== sessionLost && code !== unavailable) throw error;
    const ended = this.#end;
    const wait = code === comeAgain ? Math.max(error.retry ?? 0, this.#waits && 100) : this.#waits && 50;
    const ms = Math.min(30000, wait * 2 ** this.#waits++) * (1 + Math.random() / 2);
    if (ms) await this.#more(ms);
    if (this.#end !== ended) return; // the reader has left
    try {
      await this.#owner.again!(this.#cursor);
    } catch (error) {
      this.#end = { error };
    }
  }
}

/** A Sender is the producer's end of a stream. */
class Sender {
  readonly handle: number;
  readonly credit: Credit = new Credit();
  readonly #session: Session;
  readonly #value: Value;
  readonly #method: Method;
  readonly #source: any;
  readonly #release: () => void;
  #iterator: AsyncIterator<unknown> | Iterator<unknown> | undefined;
  #batch: string[] = [];
  #length = 0; // of the batch
  #ended = false;
  wake = (): void => {};

  constructor(session: Session, value: Value, method: Method, source: unknown, release: () => void) {
    this.handle = ++session.handles;
    this.#session = session;
    this.#value = value;
    this.#method = method;
    this.#source = source;
    this.#release = release;
    session.sending.set(this.handle, this);
  }

  /** Sends what the source yields. */
  async run(): Promise<void> {
    try {
      const iterator: AsyncIterator<unknown> | Iterator<unknown> = (this.#source[Symbol.asyncIterator] ?? this.#source[Symbol.iterator]).call(this.#source);
      this.#iterator = iterator;
      while (!this.#ended) {
        let step = iterator.next();
        if (step instanceof Promise) step = await step; // what is ready at the same time is sent together
        if (step.done) break;
        const item = JSON.stringify(convert(this.#value, step.value, true)) ?? "null";
        const bytes = size(item);
        if (bytes > this.#session.peer.message - 200) throw new RpcError(tooLarge, `a stream item of ${bytes} bytes is over the peer's limit`);
        while (!this.#ended && !(this.credit.allows(bytes) && !this.#session.congested)) await new Promise<void>((wake) => (this.wake = wake));
        if (!this.#ended) this.#add(item, bytes);
      }
      this.end();
    } catch (error) {
      this.stop(sent(error, this.#method));
    }
  }

  #add(item: string, bytes: number): void {
    this.credit.spend(bytes);
    if (!this.#batch.length || this.#length > packed) {
      const batch: string[] = (this.#batch = []);
      this.#length = 0;
      this.#session.post(() => {
        if (this.#batch === batch) this.#batch = [];
        return `{"jsonrpc":"2.0","method":"$/items","params":[${this.handle},[${batch}]]}`;
      });
    }
    this.#batch.push(item);
    this.#length += item.length;
  }

  /** Sends the end of the stream, once. */
  end(error?: WireError): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#session.sending.delete(this.handle);
    this.#session.post(control("$/end", error ? [this.handle, error] : [this.handle]));
    this.#release();
    this.wake();
  }

  /** Ends the stream and leaves the source. */
  stop(error?: WireError): void {
    this.end(error);
    (async () => this.#iterator?.return?.())().catch(() => {});
  }
}

/** Whether a value is a stream. */
const streams = (v: Value): boolean => typeof v === "object" && !!v.stream;

/** The value that is each of several, by name. What is called __proto__ is a member as any other. */
const byName = (values: readonly Value[], value: (v: Value, i: number) => unknown): object => Object.fromEntries(values.map((v, i) => [nameOf(v), value(v, i)]));

/** The member of an object that a value is, by its name or one of its aliases. */
function member(object: any, v: Value): unknown {
  const [name, more] = [nameOf(v), ...((v as any).alias ?? [])].filter((name) => Object.hasOwn(object, name));
  if (more) throw new Error(`${more} is another name of ${name}`);
  return name && object[name];
}

/** The parameters of a request. stream returns what stands for a stream. @internal */
export function encode({ params }: Method, args: readonly unknown[], stream: (v: Value, source: unknown) => unknown): object | undefined {
  return params?.length ? byName(params, (v, i) => (streams(v) ? stream(v, args[i]) : convert(v, args[i], true))) : undefined;
}

/** What a method returns for a result. stream returns the stream of a handle. @internal */
export function decode({ name, results = [] }: Method, result: any, stream: (v: Value, handle: unknown) => unknown): unknown {
  const value = (v: Value, value: unknown): unknown => (streams(v) ? stream(v, value) : convert(v, value, false));
  try {
    if (results.length > 1) return byName(results, (v) => value(v, member(result, v)));
    return results[0] && value(results[0], result);
  } catch (error: any) {
    throw error instanceof RpcError ? error : new RpcError(badMessage, `${name}: the result cannot be decoded: ${error.message}`);
  }
}

/** The options of a call, with its timeout in the signal. @internal */
export interface Scope extends CallOptions {
  deadline: number;
}

/** @internal */
export function scope(options: CallOptions = {}): Scope {
  const { signal, timeout } = options;
  if (timeout === undefined) return { ...options, deadline: Infinity };
  const late = AbortSignal.timeout(timeout);
  return { ...options, signal: signal ? AbortSignal.any([signal, late]) : late, deadline: Date.now() + timeout };
}

/** A Call is a call or notification of ours, with its streams. */
class Call implements Owner {
  readonly promise: Promise<unknown>;
  /** The stream that the method returns, where that is its one result. */
  readonly stream: Receiver | undefined;
  readonly method: Method;
  readonly #connection: Connection;
  readonly #args: readonly unknown[];
  readonly #scope: Scope;
  readonly #abort = (): void => this.leave(this.signal!.reason);
  #resolve!: (value: unknown) => void;
  #reject!: (error: unknown) => void;
  #session: Session | undefined;
  #id = 0;
  #written = false;
  #settled = false;
  #open = 1; // itself, and its streams
  #senders: Sender[] = [];
  #receivers: Receiver[] = [];

  constructor(connection: Connection, method: Method, args: readonly unknown[], scope: Scope, stream?: Receiver) {
    this.#connection = connection;
    this.method = method;
    this.#args = args;
    this.#scope = scope;
    this.promise = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    const [result, more] = method.results ?? [];
    if (result && streams(result) && !more) {
      this.promise.catch(() => {}); // who reads the stream gets the error there
      this.stream = stream ?? new Receiver(this, result);
      if (!stream) this.stream.ready = this.promise.then(() => {});
      this.stream.ready.catch(() => {});
    }
    if (this.signal?.aborted) return void this.fail(this.signal.reason) as never;
    this.signal?.addEventListener("abort", this.#abort);
    connection.begin(this);
  }

  get signal(): AbortSignal | undefined {
    return this.#scope.signal;
  }

  /** Sends it, and returns false if it is a notification that must wait for credit. */
  start(session: Session): boolean {
    const { method } = this;
    this.#session = session;
    this.#senders = [];
    if (!method.notify) this.#id = ++session.ids;
    try {
      const text = this.#request(session);
      const bytes = size(text);
      const { calls, peer, notes } = session;
      if (this.#senders.length && session.sending.size > peer.streams) throw notRun(limitReached, "too many streams at once");
      if (bytes > peer.message) throw notRun(tooLarge, `${method.name}: a request of ${bytes} bytes is over the peer's limit of ${peer.message}`);
      if (!method.notify) calls.set(this.#id, this);
      else if (!notes.allows(bytes)) return false;
      else notes.spend(bytes);
      session.post(text, () => {
        this.#written = true;
        for (const sender of this.#senders) sender.run();
      });
      if (method.notify) this.#settle(() => this.#resolve(undefined));
    } catch (error) {
      for (const sender of this.#senders) session.sending.delete(sender.handle);
      this.fail(error);
    }
    return true;
  }

  #request(session: Session): string {
    const { method } = this;
    const { meta, deadline } = this.#scope;
    const left = Math.max(1, Math.ceil(deadline - Date.now()));
    const params = encode(method, this.#args, (v, source) => this.#produce(session, v, source));
    const handles = this.#senders.map((s) => s.handle);
    return message({ id: this.#id || undefined, method: method.name, timeout: left < 2 ** 31 ? left : undefined, meta, streams: handles.length ? handles : undefined, params });
  }

  #produce(session: Session, v: Value, source: unknown): number | null {
    if (source === null || source === undefined) return null;
    const sender = new Sender(session, v, this.method, source, () => this.release());
    this.#senders.push(sender);
    this.#open++;
    return sender.handle;
  }

  /** Takes the answer. line is its text. */
  answered(m: any, line: string): void {
    const session = this.#session!;
    const handles = session.claim(m.streams);
    const error = "error" in m && received(m.error, this.method);
    session.calls.delete(this.#id);
    const { meta } = m, { onMeta } = this.#scope;
    if (meta && onMeta && !this.#settled) queueMicrotask(() => onMeta(meta));
    this.#settle(() => {
      if (error) return this.#refused(session, error);
      if (!session.mayReceive(handles)) throw new RpcError(limitReached, "the answer has too many streams");
      const { result } = this.method.exact?.(line) ?? m;
      this.#resolve(decode(this.method, result, (v, handle) => this.#receive(session, v, handle, handles)));
    });
    for (const handle of handles) session.refuse(handle);
  }

  #refused(session: Session, error: RpcError): void {
    if (!session.draining || !error.notRun || this.#senders.length) throw error;
    this.#again();
  }

  #receive(session: Session, v: Value, handle: any, handles: Set<number>): Receiver {
    const receiver = this.stream ?? new Receiver(this, v);
    if (handle === null || handle === undefined) return receiver.end(), receiver;
    if (!handles.delete(handle)) throw new Error("not a stream that the message lists");
    this.#open++;
    this.#receivers.push(receiver);
    receiver.open(session, handle, this);
    return receiver;
  }

  /** Ends the call itself, by what settles its promise or throws why it fails. */
  #settle(how: () => void): void {
    if (this.#settled) return;
    this.#settled = true;
    try {
      how();
    } catch (error) {
      this.#reject(error);
      this.stream?.end(error);
      for (const receiver of this.#receivers) receiver.stop(error);
    }
    this.release();
  }

  fail(error: unknown): void {
    this.#settle(() => {
      throw error;
    });
  }

  /** Makes a call again that has not run, or may run twice. */
  #again(): void {
    this.#settled = this.#written = false;
    this.#open++;
    this.#connection.begin(this);
  }

  /** The session has ended before the answer. */
  lost(code: number, text: string): void {
    if (this.#settled) return;
    const ran = this.#written && this.#id <= this.#session!.last ? "maybe" : "no";
    const repeats = !this.#written || (!this.#senders.length && (ran === "no" || this.method.idempotent));
    if (!repeats || !this.#connection.continues) return this.fail(new RpcError(code, text, { ran }));
    this.#settle(() => this.#again());
  }

  /** Leaves the call and its streams. */
  leave(reason?: unknown): void {
    if (!this.#settled && !this.#connection.forget(this)) this.#session!.post(control("$/cancelRequest", { id: this.#id }));
    this.fail(reason);
    for (const receiver of this.#receivers) receiver.stop(reason);
    for (const sender of this.#senders) sender.stop({ code: canceled, message: "context canceled" });
  }

  release(): void {
    if (!--this.#open) this.signal?.removeEventListener("abort", this.#abort);
  }

  again(cursor: unknown): Promise<unknown> {
    const { params = [], cursor: by } = this.method;
    const args = this.#args.map((arg, i) => (cursor !== undefined && params[i] && nameOf(params[i]) === by!.param ? cursor : arg));
    return new Call(this.#connection, this.method, args, this.#scope, this.stream).promise;
  }
}

/** What serves a method. */
interface Target {
  method: Method;
  service: object;
  run: (...args: unknown[]) => unknown;
}

const nobody: Owner = { method: { name: "" }, release() {}, leave() {} };

/** A Served is a call or notification of the peer's. */
class Served implements Owner {
  readonly method: Method;
  readonly #session: Session;
  readonly #target: Target;
  readonly #m: any;
  readonly #controller = new AbortController();
  #args: unknown[] | undefined;
  #refusal: WireError | undefined;
  #open = 1;
  #left = false;
  #senders: Sender[] = [];
  #receivers: Receiver[] = [];

  constructor(session: Session, target: Target, m: any, handles: Set<number>) {
    this.#session = session;
    this.#target = target;
    this.method = target.method;
    this.#m = m;
    try {
      this.#args = (this.method.params ?? []).map((v, i) => this.#argument(v, i, handles));
    } catch (error: any) {
      this.#refusal = { code: badParams, message: "invalid params: " + error.message, ran: "no" };
    }
  }

  #argument(v: Value, i: number, handles: Set<number>): unknown {
    const params = this.#m.params ?? {};
    const value: any = Array.isArray(params) ? params[i] : member(params, v);
    if (!streams(v)) return convert(v, value, false);
    const receiver = new Receiver(nobody, v);
    if (value === null || value === undefined) return receiver.end(), receiver;
    if (!handles.delete(value)) throw new Error("not a stream that the message lists");
    this.#receivers.push(receiver);
    receiver.open(this.#session, value, { ...nobody, method: this.method });
    return receiver;
  }

  /** Runs the implementation, and answers. */
  async run(): Promise<void> {
    let answer: { error?: WireError };
    try {
      if (this.#left || this.#refusal) throw 0;
      const { meta } = this.#m, { signal } = this.#controller;
      const value = await this.#target.run(...this.#args!, { signal, ...(meta && { meta }) });
      answer = this.#result(value);
    } catch (error) {
      answer = { error: this.#refusal ?? sent(error, this.method) };
    }
    this.#answer(this.#left ? { error: { code: canceled, message: "canceled" } } : answer);
  }

  #result(value: any): object {
    const results = this.method.results ?? [];
    const send = (v: Value, value: unknown): unknown => (streams(v) ? this.#produce(v, value) : convert(v, value, true));
    const result = results.length > 1 ? byName(results, (v) => send(v, value[nameOf(v)])) : results[0] && send(results[0], value);
    return { streams: this.#senders.length ? this.#senders.map((s) => s.handle) : undefined, result: result ?? null };
  }

  #produce(v: Value, source: unknown): number | null {
    if (source === null || source === undefined) return null;
    const sender = new Sender(this.#session, v, this.method, source, () => this.release());
    this.#senders.push(sender);
    this.#open++;
    return sender.handle;
  }

  #answer(answer: { error?: WireError }): void {
    const { id } = this.#m, session = this.#session;
    let text = message({ id, ...answer });
    if (size(text) > session.peer.message) {
      answer = { error: { code: tooLarge, message: "the result is over the peer's limit for a message" } };
      text = message({ id, ...answer });
    }
    session.serving.delete(id);
    if (id !== undefined) session.post(text, answer.error ? undefined : () => this.#senders.forEach((s) => s.run()));
    if (answer.error) for (const s of this.#senders) session.sending.delete(s.handle), this.#open--;
    this.release();
  }

  /** The caller has left, or the session has ended. */
  leave(): void {
    this.#left = true;
    this.#controller.abort();
  }

  release(): void {
    if (--this.#open) return;
    this.#controller.abort();
    for (const receiver of this.#receivers) receiver.stop();
  }
}

/** A Violation is a breach of the protocol, which ends the session. */
class Violation extends Error {
  readonly close: number;

  constructor(message: string, close = 4500) {
    super(message);
    this.close = close;
  }
}

const malformed = "a message is malformed", miscounted = "the peers have counted differently";

/** Wants something of the peer. */
function must(ok: unknown, text: string = malformed, close?: number): asserts ok {
  if (!ok) throw new Violation(text, close);
}

/** What the peer says of itself in hello. */
interface Hello extends Limits {
  v: number;
  replay?: number;
  session?: string;
  window?: number;
}

/** Frames hold this many characters of messages, which are 32 KiB at most. */
const packed = 10000;

/** Whether a value is a number of the protocol. */
const natural = (n: unknown): n is number => Number.isSafeInteger(n) && (n as number) >= 0;

/** A Session holds the protocol state shared with the server. It uses a socket at a time. */
class Session {
  readonly calls: Map<number, { answered(m: any, line: string): void; lost(code: number, text: string): void }> = new Map();
  readonly receiving: Map<number, Receiver> = new Map();
  readonly sending: Map<number, Sender> = new Map();
  readonly serving: Map<number, Served> = new Map();
  readonly peer: Hello;
  readonly notes: Credit;
  readonly windows: { windowItems: number; windowBytes: number };
  readonly resumable: boolean;
  since = 0; // the socket was attached
  ids = 1;
  handles = 0;
  /** The highest id that a server which shuts down serves. */
  last: number = Infinity;
  draining = false;
  over = false;
  /** Whether anything of use has come. */
  carried = false;
  breached = false;
  token: string;
  attempt = 0;
  received = 0;
  quiet = 0; // pings without a sign of life
  readonly #connection: Connection;
  readonly #limits: Limits;
  readonly #replay: number;
  #socket: WebSocket | undefined;
  #queue: { text: string | (() => string); written: (() => void) | undefined }[] = [];
  #scheduled = false;
  #sent = 0;
  #kept: string[] = [];
  #keptBytes = 0;
  #pinged = false;
  #unacknowledged = 0;
  #ackTimer: Timer | undefined;
  #owes = false; // an ack, for want of a socket
  #window: Timer | undefined;
  #lostAt = 0;
  #noteWindow: Window;
  #notes: Promise<void> = Promise.resolve();
  #busy: Map<object, Promise<void>> = new Map();

  constructor(connection: Connection, limits: Limits & { windowItems: number; windowBytes: number }, replay: number, hello: Hello) {
    this.#connection = connection;
    this.#limits = this.windows = limits;
    this.peer = { ...hello, notes: hello.notes ?? 64, noteBytes: hello.noteBytes ?? 65536 };
    this.notes = new Credit(this.peer.notes, this.peer.noteBytes);
    this.#noteWindow = new Window(limits.notes, limits.noteBytes, limits.notes, limits.noteBytes);
    this.#replay = replay;
    this.token = hello.session ?? "";
    this.resumable = !!(replay && hello.session && hello.replay && hello.window);
  }

  get detached(): boolean {
    return !this.over && !this.#socket;
  }

  /** Whether producers must wait: for the socket, or for the peer to acknowledge. */
  get congested(): boolean {
    return !this.#socket || this.#socket.bufferedAmount > 65536 || (this.resumable && this.#keptBytes * 2 > this.#replay);
  }

  /** The number of the last frame that is no longer kept. */
  get dropped(): number {
    return this.#sent - this.#kept.length;
  }

  /** Goes on over a socket. The peer has received so many frames. */
  attach(socket: Socket, received: number): void {
    this.#acknowledged(received);
    must(received >= this.dropped, "frames are missing", 4501);
    clearTimeout(this.#window);
    this.#socket = socket;
    this.quiet = 1;
    this.since = Date.now();
    socket.onmessage = (event) => this.#receive(event.data);
    socket.onclose = (event) => this.#closed(event.code, event.reason);
    for (const frame of this.#kept) socket.send(frame);
    if (this.#owes) this.#ack();
    this.#flush();
    for (const frame of socket.early ?? []) this.#receive(frame);
    if (socket.readyState > 1 && socket === this.#socket) this.#closed(1006, "");
  }

  /** Puts a message behind those that wait to be sent. written is called when it is. */
  post(text: string | (() => string), written?: () => void): void {
    if (this.over) return;
    this.#queue.push({ text, written });
    if (this.#scheduled) return;
    this.#scheduled = true;
    queueMicrotask(() => {
      this.#scheduled = false;
      this.#flush();
    });
  }

  /** Packs what waits into frames. */
  #flush(): void {
    if (!this.#socket) return;
    const queue = this.#queue;
    this.#queue = [];
    let frame = "";
    for (const { text } of queue) {
      const line = typeof text === "string" ? text : text();
      if (frame && frame.length + line.length > packed) this.#write(frame), (frame = "");
      frame += (frame && "\n") + line;
    }
    if (frame) this.#write(frame);
    for (const { written } of queue) written?.();
  }

  #write(frame: string): void {
    this.#sent++;
    if (this.resumable) this.#keep(frame);
    this.#socket?.send(frame);
  }

  #keep(frame: string): void {
    this.#kept.push(frame);
    this.#keptBytes += frame.length;
    while (this.#keptBytes > this.#replay) this.#keptBytes -= this.#kept.shift()!.length;
    if (this.#keptBytes * 2 > this.#replay && !this.#pinged) this.#pinged = true, this.ping();
  }

  ping(): void {
    this.post(control("$/ping", [Date.now()]));
  }

  #acknowledged(received: number): void {
    must(natural(received) && received <= this.#sent, miscounted, 4501);
    while (this.dropped < received) {
      this.#keptBytes -= this.#kept.shift()!.length;
      this.#pinged = false;
    }
  }

  #ack(): void {
    this.#owes = !this.#socket;
    if (!this.#owes) this.#write(control("$/ack", [this.received, this.#sent + 1]));
  }

  /** Takes a frame. Whatever throws here has broken the protocol. */
  #receive(frame: unknown): void {
    if (this.over) return;
    this.received++;
    this.quiet = 0;
    try {
      must(typeof frame === "string");
      let eliciting = false;
      frame.split("\n").forEach((line, i) => {
        eliciting = this.#message(line, i) || eliciting;
      });
      if (this.resumable && !this.over) this.#owe(frame.length, eliciting);
    } catch (error) {
      this.breached = true;
      const known = error instanceof Violation;
      return this.fail(known ? error.close : 4500, known ? error.message : malformed);
    }
    for (const sender of this.sending.values()) sender.wake();
  }

  /** Acknowledges a frame at once if much has come, or within a second. */
  #owe(bytes: number, eliciting: boolean): void {
    this.#unacknowledged += bytes;
    if (this.#unacknowledged >= Math.min(65536, Math.max(1024, this.peer.replay! / 4))) {
      this.#unacknowledged = 0;
      this.#ack();
    } else if (eliciting) {
      this.#ackTimer ??= setTimeout(() => {
        this.#ackTimer = undefined;
        this.#ack();
      }, 1000);
    }
  }

  /** Takes the i-th message of a frame, and returns whether it elicits an ack. */
  #message(line: string, i: number): boolean {
    const { message } = this.#limits;
    must(line.length * 3 <= message || size(line) <= message, "a message is over the limit");
    const m = JSON.parse(line);
    must(m.jsonrpc === "2.0");
    const { method, id, params } = m;
    if (method === undefined) return this.#answer(m, line);
    if (id === undefined && method.startsWith("$/")) return this.#control(method, params ?? [], line, i);
    this.carried = true;
    this.#request(m, line);
    return true;
  }

  #answer(m: any, line: string): true {
    const call = this.calls.get(m.id);
    must(call, "an answer to a call that is not open");
    must("result" in m !== "error" in m);
    this.carried = true;
    call.answered(m, line);
    this.#connection.pump();
    return true;
  }

  #control(method: string, p: any, line: string, i: number): boolean {
    const handle = p[0];
    if (method === "$/ping") {
      if (this.#ackTimer) this.#ack();
      this.post(control("$/pong", p.slice(0, 1)));
    } else if (method === "$/ack" && this.resumable) {
      must(!i);
      must(p[1] === this.received, miscounted, 4501);
      this.#acknowledged(handle);
    } else if (method === "$/items") {
      this.#items(handle, p, line);
    } else if (method === "$/end") {
      const end = p[1];
      must(p.length < 2 || (typeof end === "object" && end));
      this.#stream(handle).ended(end);
    } else if (method === "$/credit") {
      must(p.length > 3 && p.slice(0, 4).every(natural));
      (handle ? this.sending.get(handle)?.credit : this.notes)?.grant(p[1], p[2], p[3]);
      if (!handle) this.#connection.pump();
    } else if (method === "$/cancel") {
      this.sending.get(handle)?.stop();
    } else if (method === "$/cancelRequest") {
      this.serving.get(p.id)?.leave();
    } else if (method === "$/goaway") {
      this.#goaway(handle, p[1]);
    } else if (method === "$/auth") {
      this.#connection.renew(this, handle);
    }
    return !["$/ping", "$/pong", "$/ack"].includes(method);
  }

  #stream(handle: number): Receiver {
    const stream = this.receiving.get(handle);
    must(stream, "a stream that is not open");
    return stream;
  }

  #items(handle: number, p: any, line: string): void {
    const stream = this.#stream(handle);
    this.carried = true;
    const items = stream.exact?.(line).params[1] ?? p[1];
    must(Array.isArray(items));
    stream.receive(items, size(line) - control("$/items", [handle, []]).length - Math.max(0, items.length - 1));
  }

  #goaway(ms: number | undefined, last: number | undefined): void {
    this.last = Math.min(this.last, last ?? Infinity);
    if (this.draining) return;
    this.draining = true;
    this.post(control("$/moved"));
    this.#connection.goaway(this, ms);
  }

  /** The handles of the streams that a message lists. */
  claim(handles: unknown): Set<number> {
    const list = (handles ?? []) as number[], set = new Set(list);
    must(set.size === list.length && set.size <= 16 && list.every((h) => natural(h) && h && !this.receiving.has(h)), "a stream is open already");
    return set;
  }

  mayReceive(handles: Set<number>): boolean {
    return !handles.size || this.receiving.size + handles.size <= this.#limits.streams;
  }

  /** Cancels a stream that nobody reads. Its items are dropped until its end. */
  refuse(handle: number): void {
    const stream = new Receiver(nobody, "");
    stream.open(this, handle, nobody);
    stream.stop();
  }

  #request(m: any, line: string): void {
    const { id, method, streams } = m;
    const note = id === undefined;
    must(note || (natural(id) && !this.serving.has(id)));
    const bytes = note ? size(line) : 0;
    must(!note || this.#noteWindow.receive(1, bytes), "more notifications than the credit allowed");
    const handles = this.claim(streams);
    const target = this.#connection.services.get(method);
    const refusal = this.#refusal(target, handles);
    const served = refusal || !target ? undefined : new Served(this, target, target.method.exact?.(line) ?? m, handles);
    for (const handle of handles) this.refuse(handle);
    if (note) this.#note(target, served, bytes);
    else if (refusal) this.post(message({ id, error: { ...refusal, ran: "no" } }));
    else if (served) this.#serve(id, target!, served);
  }

  #refusal(target: Target | undefined, handles: Set<number>): WireError | undefined {
    if (!target) return { code: unknownMethod, message: "method not found" };
    const what = this.serving.size >= this.#limits.calls ? "calls" : !this.mayReceive(handles) ? "streams" : "";
    return what ? { code: limitReached, message: `too many ${what} at once` } : undefined;
  }

  /** Serves a call behind the notifications of its service, or after ten seconds. */
  async #serve(id: number, target: Target, served: Served): Promise<void> {
    this.serving.set(id, served);
    const busy = this.#busy.get(target.service);
    if (busy) await Promise.race([busy, new Promise((resolve) => setTimeout(resolve, 10000))]);
    served.run();
  }

  /** Handles notifications one after another, and grants more when half of the credit is used up. */
  #note(target: Target | undefined, served: Served | undefined, bytes: number): void {
    const handled = (this.#notes = this.#notes.then(async () => {
      await served?.run();
      if (this.#noteWindow.take(bytes)) this.post(control("$/credit", [0, ...this.#noteWindow.grant()]));
      if (target && this.#busy.get(target.service) === handled) this.#busy.delete(target.service);
    }));
    if (target) this.#busy.set(target.service, handled);
  }

  /** The socket has closed. */
  #closed(code: number, reason: string): void {
    const cut = [1001, 1005, 1006, 4000, 4003].includes(code) || (code > 1010 && code < 1016);
    const final = !cut && (code < 1011 || code >= 4500) && code < 5000;
    const text = `connection lost: ${reason || "closed"} (${code})`;
    if (cut && this.resumable && !this.draining) return this.detach(text);
    this.end(cut && this.resumable ? sessionLost : unavailable, text, final);
  }

  /** Goes on without a socket, until there is another or the window has passed. */
  detach(text: string): void {
    this.#leave();
    this.#window = setTimeout(() => this.expire(), this.peer.window);
    this.#lostAt = Date.now();
    this.#connection.detached(this, new RpcError(unavailable, text));
  }

  /** Ends a session whose window has passed. Timers sleep in pages, so that it is asked before a resume as well. */
  expire(): void {
    if (Date.now() - this.#lostAt >= this.peer.window!) this.end(sessionLost, "session lost: no new connection in time");
  }

  /** Lets the socket go, without what it still says. */
  #leave(code?: number, reason?: string): void {
    const socket = this.#socket;
    this.#socket = undefined;
    if (socket) leave(socket, code, reason);
  }

  /** Ends the session, and tells the peer why. */
  fail(close: number, text: string): void {
    this.#leave(close, text.slice(0, 99));
    this.end(this.resumable && close > 4001 ? sessionLost : unavailable, "connection lost: " + text);
  }

  /** Has the streams with a cursor go on in the next session. */
  move(): void {
    for (const receiver of this.receiving.values()) receiver.move();
  }

  /** Cuts the socket, as a network does. */
  cut(text: string): void {
    if (!this.#socket) return;
    this.#leave(4000);
    this.#closed(1006, text);
  }

  /** Ends the session and all that is in flight. */
  end(code: number, text: string, final = false): void {
    if (this.over) return;
    this.over = true;
    this.#leave();
    clearTimeout(this.#window);
    clearTimeout(this.#ackTimer);
    this.#connection.ended(this, new RpcError(code, text), final);
    for (const served of this.serving.values()) served.leave();
    for (const sender of this.sending.values()) sender.stop();
    for (const call of this.calls.values()) call.lost(code, text);
    for (const receiver of this.receiving.values()) receiver.end(new RpcError(code, text));
  }
}

/** Lets a socket go. */
function leave(socket: WebSocket, code = 4000, reason?: string): void {
  socket.onopen = socket.onmessage = socket.onclose = socket.onerror = null;
  try {
    socket.close(code, reason);
  } catch {
    socket.close();
  }
}

/** The longest time between attempts to connect. */
const longest = 30000;

/** A Socket holds what has come behind the answer to a handshake, before a session has it. */
interface Socket extends WebSocket {
  early?: string[];
}

/** Asks for something that is alone in its frame, as its answer is. */
function ask(socket: Socket, method: string, params: object): Promise<any> {
  return new Promise((resolve, reject) => {
    socket.onmessage = (event) => {
      const early: string[] = (socket.early = []);
      socket.onmessage = (event) => early.push(event.data);
      try {
        const m = JSON.parse(event.data);
        if (m.error) reject(received(m.error));
        else if (m.id === 1 && m.result) resolve(m.result);
        else reject(new Error("the server does not speak wirecall"));
      } catch (error) {
        reject(error);
      }
    };
    socket.onclose = (event) => reject(new RpcError(unavailable, `the server has closed: ${event.reason} (${event.code})`));
    socket.send(message({ id: 1, method, params }));
  });
}

/** Whether an error says that the credentials are not accepted. */
const refused = (error: unknown): boolean => error instanceof RpcError && (error.code === unauthenticated || error.code === denied);

/** A Connection is a client of one server. It connects again whenever its socket is lost. */
export class Connection implements Caller {
  readonly services: Map<string, Target> = new Map();
  readonly #url: string | URL;
  readonly #options: ConnectOptions;
  readonly #limits: Limits & { windowItems: number; windowBytes: number };
  readonly #replay: number;
  readonly #page = new AbortController();
  readonly #listeners: Set<() => void> = new Set();
  #state: State = { phase: "connecting", session: 0 };
  #session: Session | undefined;
  #older: Session[] = [];
  #pending: Call[] = [];
  #socket: Socket | undefined; // of the attempt
  #attempt = 0;
  #timer: Timer | undefined;
  #watch: Timer | undefined;
  #leaving = false; // the timer is that before a server which shuts down is left
  #failed = 0;
  #brief = 0;
  #least = 0;
  #forced = 0;
  #renewing = false;

  constructor(url: string | URL, options: ConnectOptions) {
    this.#url = url;
    this.#options = options;
    this.#limits = { ...defaults, windowItems, windowBytes, ...options.limits };
    this.#replay = options.replay ?? 1 << 20;
    this.#listen();
    this.#watch = setInterval(() => this.#look(), options.ping ?? 20000);
    this.#try();
  }

  /** What the connection is now: another object after each change. */
  get state(): State {
    return this.#state;
  }

  /** Has a function called after each change of the state. Returns what undoes that. */
  subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  /** The state now, and after each change. Who reads slowly gets the latest. */
  async *states(): AsyncGenerator<State, void> {
    for (let last: State | undefined; last?.phase !== "closed"; ) {
      if (last === this.#state) {
        await new Promise<void>((resolve) => {
          const undo = this.subscribe(() => (undo(), resolve()));
        });
      }
      yield (last = this.#state);
    }
  }

  /** Serves an implementation to the server. */
  serve<T extends object>(service: Service<T>, implementation: T): void {
    for (const [key, method] of Object.entries<Method>(service.methods)) {
      this.services.set(method.name, { method, service, run: (...args) => (implementation as any)[key](...args) });
    }
  }

  /** Tries to connect now, once a second at most: the network is back, or there are other credentials. */
  reconnect(): void {
    const { phase } = this.#state;
    if (phase === "connected" || phase === "closed" || Date.now() - this.#forced < 1000) return;
    this.#forced = Date.now();
    this.#failed = this.#brief = this.#least = 0;
    if (phase === "refused") this.#set("connecting");
    this.#abandon();
    this.#try();
  }

  /** Closes the connection. Calls and streams in flight fail. */
  close(): void {
    this.#close("the connection is closed");
  }

  /** Calls a method. Generated clients do. */
  call(method: Method, args: readonly unknown[], options?: CallOptions): unknown {
    const call = new Call(this, method, args, scope(options));
    return call.stream ?? call.promise;
  }

  /** Whether there will be another session after this one. */
  get continues(): boolean {
    return this.#options.reconnect !== false && !this.#stopped;
  }

  get #stopped(): boolean {
    return this.#state.phase === "closed" || this.#state.phase === "refused";
  }

  /** Takes a call to be sent. */
  begin(call: Call): void {
    this.#pending.push(call);
    if (this.#leaving) this.#hurry();
    this.pump();
  }

  /** Forgets a call that has not been sent, and returns whether it was one. */
  forget(call: Call): boolean {
    const i = this.#pending.indexOf(call);
    return i >= 0 && this.#pending.splice(i, 1).length > 0;
  }

  /** Sends calls as far as the server takes them. */
  pump(): void {
    const { phase, cause } = this.#state;
    const session = this.#session;
    if (this.#stopped || (session?.draining && !this.continues)) {
      const code = cause instanceof RpcError ? cause.code : unavailable;
      for (const call of this.#pending.splice(0)) call.fail(notRun(phase === "refused" ? code : unavailable, cause instanceof Error ? cause.message : "the server shuts down"));
    }
    while (session && !session.over && !session.draining && this.#pending.length && session.calls.size < session.peer.calls) {
      const call = this.#pending.shift()!;
      if (call.start(session)) continue;
      this.#pending.unshift(call);
      return;
    }
  }

  detached(session: Session, cause: RpcError): void {
    if (session !== this.#session || this.#stopped) return;
    this.#set("detached", cause);
    this.#redial(session);
  }

  ended(session: Session, cause: RpcError, final: boolean): void {
    this.#older = this.#older.filter((s) => s !== session);
    if (session !== this.#session || this.#stopped) return;
    if (final || this.#options.reconnect === false) return this.#close(cause.message, cause);
    this.#set("connecting", cause);
    this.#redial(session);
  }

  /** The server shuts down: leaves it within half of the time that it gives. */
  goaway(session: Session, ms: number = Infinity): void {
    if (this.#options.reconnect === false) return this.pump();
    if (session !== this.#session || this.#timer) return;
    this.#judge(session);
    this.#leaving = true;
    this.#wait(Math.random() * Math.min(10000, ms / 2) + this.#delay());
    if (this.#pending.length) this.#hurry();
  }

  /** Leaves a server that shuts down within a second, because a call waits. */
  #hurry(): void {
    this.#leaving = false;
    this.#wait(Math.min(this.#state.retry! - Date.now(), Math.random() * 1000));
  }

  /** Sends other credentials, when the server says that those before expire. */
  async renew(session: Session, ms: number, again = true): Promise<void> {
    if (!this.#options.auth || this.#renewing) return;
    this.#renewing = true;
    const { attempt } = session;
    let code = 0;
    try {
      const auth = await this.#options.auth();
      const id = ++session.ids;
      await new Promise<void>((resolve, reject) => {
        session.calls.set(id, {
          answered(m) {
            session.calls.delete(id);
            m.error ? reject(received(m.error)) : resolve();
          },
          lost: () => resolve(),
        });
        session.post(message({ id, method: "rpc.auth", timeout: ms, params: { auth } }));
      });
    } catch (error) {
      code = error instanceof RpcError ? error.code : 0;
    }
    this.#renewing = false;
    const resumed = attempt !== session.attempt && !session.over; // with credentials that these may have replaced
    if (resumed || (code === unauthenticated && again)) return this.renew(session, ms, resumed && again);
  }

  #set(phase: State["phase"], cause?: unknown, retry?: number): void {
    if (this.#state.phase === "closed") return;
    const { session } = this.#state;
    this.#state = Object.freeze({ phase, session, ...(cause !== undefined && { cause }), ...(retry && { retry }) });
    for (const listener of [...this.#listeners]) {
      try {
        listener();
      } catch (error) {
        setTimeout(() => {
          throw error; // as of a listener of any event
        });
      }
    }
  }

  #close(text: string, cause: unknown = new RpcError(unavailable, text)): void {
    if (this.#state.phase === "closed") return;
    this.#set("closed", cause);
    this.#abandon();
    clearInterval(this.#watch);
    this.#page.abort();
    for (const session of [...this.#older, this.#session]) session?.fail(1000, text);
    this.pump();
  }

  /** Ends the attempt that is made or waited for. */
  #abandon(): void {
    this.#attempt++;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#socket) leave(this.#socket);
    this.#socket = undefined;
  }

  /** Begins to connect again after a session's socket is lost. */
  #redial(session: Session): void {
    if (this.#timer || this.#socket) return;
    this.#judge(session);
    this.#leaving = false;
    this.#wait(this.#delay());
  }

  #wait(ms: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#try(), ms);
    this.#set(this.#state.phase, this.#state.cause, Date.now() + ms);
  }

  /** Starts the delays anew after a connection that was of use. */
  #judge(session: Session): void {
    const lasted = Date.now() - session.since;
    if (session.breached && lasted < longest) return;
    if (session.carried || lasted >= 5000) this.#failed = 0;
    this.#brief = session.carried && lasted < 1000 ? this.#brief + 1 : 0;
  }

  /** Counts an attempt, and returns how long to wait before it. */
  #delay(): number {
    const n = this.#failed++;
    const most = Math.min(longest, 100 * 2 ** n);
    const ms = Math.max(n ? most / 2 + (Math.random() * most) / 2 : Math.random() * 100, this.#brief > 1 ? Math.min(1000, 100 * 2 ** (this.#brief - 1)) : 0, this.#least);
    this.#least = 0;
    return ms;
  }

  /** Makes an attempt to connect. */
  async #try(): Promise<void> {
    const attempt = ++this.#attempt;
    this.#timer = undefined;
    this.#leaving = false;
    const late = setTimeout(() => this.#fail(attempt, new Error("the server does not answer")), this.#options.timeout ?? 20000);
    try {
      const auth = await this.#options.auth?.();
      if (attempt === this.#attempt) await this.#connect(attempt, auth);
    } catch (error) {
      this.#fail(attempt, error);
    }
    clearTimeout(late);
  }

  async #connect(attempt: number, auth: string | undefined): Promise<void> {
    const socket = (this.#socket = new (this.#options.WebSocket ?? WebSocket)(this.#url, ["wirecall.v1.json"]));
    await new Promise<unknown>((resolve, reject) => {
      socket.onopen = resolve;
      socket.onclose = (event) => reject(new Error(`no connection (${event.code})`));
    });
    const handshake = async (request: (auth: string | undefined) => Promise<any>): Promise<any> => {
      try {
        return await request(auth);
      } catch (error) {
        if (!this.#options.auth || (error as RpcError).code !== unauthenticated) throw error;
        return request((auth = await this.#options.auth()));
      }
    };
    const old = this.#session;
    old?.detached && old.expire();
    if (old?.detached && (await this.#resume(socket, old, handshake))) return;
    const { windowItems: _, windowBytes: __, ...limits } = this.#limits;
    const hello = await handshake((auth) => ask(socket, "rpc.hello", { v: 1, ...limits, replay: this.#replay || undefined, auth }));
    if (hello.v !== 1 || !(hello.message >= 65536)) throw new Error("the server speaks another version of wirecall");
    if (attempt === this.#attempt) this.#adopt(socket, hello);
  }

  /** Goes on with a session, and returns false if the server no longer has it. */
  async #resume(socket: Socket, session: Session, handshake: (request: (auth: string | undefined) => Promise<any>) => Promise<any>): Promise<boolean> {
    try {
      const answer = await handshake((auth) =>
        ask(socket, "rpc.resume", { session: session.token, attempt: ++session.attempt, received: session.received, dropped: session.dropped || undefined, auth }),
      );
      if (socket !== this.#socket) return true;
      session.token = answer.session ?? session.token;
      session.attach(socket, answer.received);
      this.#socket = undefined;
      this.#set("connected");
      this.pump();
      return true;
    } catch (error) {
      const text = (error as Error).message;
      if (error instanceof Violation) session.end(sessionLost, text);
      if (!(error instanceof RpcError) || (error.code !== sessionLost && error.code !== unknownMethod)) throw error;
      session.end(sessionLost, text);
      return false;
    }
  }

  /** Begins a session. What runs in the one before may finish there. */
  #adopt(socket: Socket, hello: Hello): void {
    const old = this.#session;
    this.#socket = undefined;
    const session = (this.#session = new Session(this, this.#limits, this.#replay, hello));
    this.#state = { ...this.#state, session: this.#state.session + 1 };
    this.#set("connected");
    session.attach(socket, 0);
    this.pump();
    if (!old || old.over) return;
    this.#older.push(old);
    old.move();
    if (this.#older.length > 4) this.#older[0]!.fail(4001, "too many servers shut down at once");
  }

  /** An attempt has failed. */
  #fail(attempt: number, error: unknown): void {
    if (attempt !== this.#attempt) return;
    this.#abandon();
    const session = this.#session, retry = error instanceof RpcError ? (error.retry ?? 0) : 0;
    if (this.#options.reconnect === false) return this.#close((error as Error).message, error);
    if (refused(error)) {
      this.#set("refused", error);
      session?.end(sessionLost, (error as Error).message);
      return this.pump();
    }
    if (!session?.draining || session.over) this.#set(this.#state.phase, error);
    else session.move(); // there may be no other server until this one is idle
    this.#least = retry * (1 + Math.random());
    this.#wait(this.#delay());
  }

  /** Asks a silent server for a sign of life, and leaves it when there is none. */
  #look(): void {
    const session = this.#session;
    if (!session || session.over || session.detached) return;
    if (session.quiet === 3) return session.cut("the server is silent");
    if (session.quiet++) session.ping();
  }

  /** Wants a sign of life within a time, because something has happened to the network or the page. */
  #check(ms: number): void {
    const session = this.#session;
    if (this.#state.phase !== "connected" || !session) return this.reconnect();
    const { received } = session;
    session.ping();
    setTimeout(() => this.#session === session && session.received === received && session.cut("the server is silent"), ms);
  }

  /** Lets the sockets go, with which a page is not kept for the way back. */
  #hide(): void {
    this.#abandon();
    for (const session of [...this.#older, this.#session]) session?.cut("the page is hidden");
  }

  /** Follows the life of a page. */
  #listen(): void {
    const on = (type: string, listener: (event: any) => void): void => globalThis.addEventListener?.(type, listener, { signal: this.#page.signal });
    on("online", () => this.#check(5000));
    on("offline", () => this.#state.phase === "connected" && this.#check(2000));
    on("pageshow", (event) => event.persisted && this.#check(5000));
    on("pagehide", (event) => (event.persisted ? this.#hide() : this.close()));
    globalThis.document?.addEventListener("visibilitychange", () => document.visibilityState === "visible" && this.#check(5000), { signal: this.#page.signal });
  }
}

/** A Caller is what generated clients call through: a Connection, or what post returns. */
export interface Caller {
  call(method: Method, args: readonly unknown[], options?: CallOptions): unknown;
}

/** Connects to a server, which has a URL that begins with ws: or wss:. */
export function connect(url: string | URL, options: ConnectOptions = {}): Connection {
  return new Connection(url, options);
}

/** Returns a client of a service. Generated code calls it. */
export function client<T>(caller: Caller, service: Service<T>): T {
  const method = (m: Method) => (...args: any[]): unknown => {
    const n = m.params?.length ?? 0;
    return caller.call(m, args.slice(0, n), args[n]);
  };
  return Object.fromEntries(Object.entries<Method>(service.methods).map(([key, m]) => [key, method(m)])) as T;
}
