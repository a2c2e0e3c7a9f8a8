// The runtime of generated TypeScript: a wirecall client over a WebSocket, in one file
// without dependencies. connect returns a Connection, which generated clients call through.
//
// A Connection makes sockets and sessions; a Session holds the protocol state shared with
// the server and outlives its socket; a Call and a Receiver are what is in flight. Whatever
// a server sends that breaks the protocol throws within a session's receive, which ends the
// session with code 4500.
//
// What not every page needs is reached from upload, notify, follow, serve and states alone,
// which generated code and pages name where they use it: bundlers leave out the rest.

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

/**
 * A Value is a parameter or result: its name on the wire, or an object where there is more
 * to say. The stream of a parameter is upload, and that of a result is true.
 */
export type Value = string | { name: string; alias?: readonly string[]; stream?: true | typeof upload; convert?: Convert };

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
  notify?: typeof notify;
  idempotent?: true;
  /** Parses JSON in which integers may be beyond 2^53. */
  exact?: (text: string) => any;
  cursor?: Cursor;
  errors?: readonly ErrorType[];
}

/** A Cursor is the parameter behind which a stream begins, and the path to its value in an item. */
export interface Cursor {
  param: string;
  path: readonly string[];
  follow: typeof follow;
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
  readonly retry?: number | undefined;
}

/** What connect may be told. What is left out is the default. */
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
  /** Whether to follow a redirect of the server to another host than its own, or one below it. */
  redirect?: (to: URL) => boolean;
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

/** A Caller is what generated clients call through: a Connection, or what post returns. */
export interface Caller {
  call(method: Method, args: readonly unknown[], options?: CallOptions): unknown;
}

/** A Connection is a client of one server. It connects again whenever its socket is lost. */
export interface Connection extends Caller {
  /** What the connection is now: another object after each change. */
  readonly state: State;
  /** Has a function called after each change of the state. Returns what undoes that. */
  subscribe(listener: () => void): () => void;
  /** Tries to connect now, once a second at most: the network is back, or there are other credentials. */
  reconnect(): void;
  /** Closes the connection. Calls and streams in flight fail. */
  close(): void;
}

// Errors

const none = -32000, badMessage = -32603, badParams = -32602, unknownMethod = -32601, limitReached = -32005, flowControl = -32007, sessionLost = -32008, comeAgain = -32011;
const late = -32012, unavailable = -32013, unauthenticated = -32014, denied = -32015, tooLarge = -32016, canceled = -32800;

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
  declare readonly code: number;
  /** The name of the declared error that it is, if it is one. */
  declare readonly type: string | undefined;
  declare readonly data: T;
  /** Whether the call has certainly not run. */
  declare readonly notRun: boolean;
  /** After how many milliseconds the server wants the call to be made again. */
  declare readonly retry: number | undefined;

  constructor(code: number, message: string, { type, data, ran, retry }: { type?: string | undefined; data?: T; ran?: string | undefined; retry?: number | undefined } = {}) {
    super(message);
    Object.assign(this, { name: "RpcError", code, type, data, notRun: ran === "no", retry });
  }
}

/** The code of an error, if it is an answer or stands for one. */
const codeOf = (error: unknown): number => (error instanceof RpcError ? error.code : 0);

/** The text of whatever was thrown. */
const textOf = (error: any): string => String(error?.message ?? error);

/** The error of a call that has not run. */
const notRun = (code: number, message: string): RpcError => new RpcError(code, message, { ran: "no" });

/** The declared error that a wire error is, by its name, or without one by a code that only one has. */
function declared(method: Method | undefined, code: number, type: string | undefined): ErrorType | undefined {
  const [found, more] = (method?.errors ?? []).filter((e) => (type === undefined ? e.code === code : e.name === type));
  return more ? undefined : found;
}

/** What the program gets for an error of the peer's. @internal */
export function received(e: WireError, method?: Method): RpcError {
  must(Number.isSafeInteger(e.code) && typeof e.message === "string");
  const type = typeof e.type === "string" ? e.type : undefined;
  const is = declared(method, e.code, type);
  let data = e.data;
  try {
    if (is?.convert) data = is.convert(data, false);
  } catch {
    data = undefined;
  }
  const retry = typeof e.retry === "number" ? Math.min(e.retry, 3600000) : undefined;
  return new RpcError(e.code, e.message, { type: is?.name ?? type, data, ran: e.ran, retry });
}

/** The codes of what the signals of a platform are aborted with. */
const reasons: Record<string, number> = { AbortError: canceled, TimeoutError: late };

/** What the peer gets for an error of the program's. */
function sent(error: any, method: Method): WireError {
  if (!(error instanceof RpcError)) return { code: reasons[error?.name] ?? none, message: textOf(error) };
  const { code, message, type, data, retry } = error as RpcError<any>;
  const convert = declared(method, code, type)?.convert;
  return { code, message, ...(type && { type }), ...(data !== undefined && { data: convert ? convert(data, true) : data }), ...(retry && { retry }) };
}

const malformed = "malformed message", overdrawn = "credit for nothing", miscounted = "frames are miscounted";

/** Wants something of the peer. What it throws has the code with which the socket is closed. */
function must(ok: unknown, text: string = malformed, close: number = 4500): asserts ok {
  if (!ok) throw Object.assign(new Error(text), { close });
}

type Timer = ReturnType<typeof setTimeout> | undefined;

/** The answer to a call of what is not served. */
const notFound: WireError = { code: unknownMethod, message: "method not found", ran: "no" };

// Messages

/** How many bytes a text has on the wire. It is encoded only if it must be: that takes several times as long as the test. */
const size = (text: string): number => (/[^\0-~]/.test(text) ? new TextEncoder().encode(text) : text).length;

/** Whether a value is a number of the protocol. */
const natural = (n: unknown): n is number => Number.isSafeInteger(n) && (n as number) >= 0;

/** A request, notification or control message. Members that are undefined are left out. @internal */
export const message = (members: object): string => JSON.stringify({ jsonrpc: "2.0", ...members });
const control = (method: string, params?: object): string => message({ method, params });

const nameOf = (v: Value): string => (typeof v === "string" ? v : v.name);

/** Whether a value is a stream. */
const streams = (v: Value): boolean => typeof v === "object" && !!v.stream;

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

/** The member of an object that a value is, by its name or one of its aliases. */
function member(object: any, v: Value): unknown {
  const [name, more] = [nameOf(v), ...((v as any).alias ?? [])].filter((name) => Object.hasOwn(object, name));
  if (more) throw new Error(`${more} is another name of ${name}`);
  return name && object[name];
}

/** The value that is each of several, by name. What is called __proto__ is a member as any other. */
const byName = (values: readonly Value[], value: (v: Value, i: number) => unknown): object => Object.fromEntries(values.map((v, i) => [nameOf(v), value(v, i)]));

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
  } catch (error) {
    throw error instanceof RpcError ? error : new RpcError(badMessage, `${name}: the result cannot be decoded: ${textOf(error)}`);
  }
}

// Streams from the server

// Their windows begin with this much, and grow up to 16 times.
const windowItems = 64, windowBytes = 65536;

/** A Window is what a consumer has granted, and what has come. It counts from the last grant. */
class Window {
  #items: number;
  #bytes: number;
  #most: number;
  #limit: number;
  #room: number;
  #before: number; // the limit of the grant before
  #granted = 0; // items taken before the last grant
  #received = 0;
  #receivedBytes = 0;
  #taken = 0;
  #takenBytes = 0;
  #starved = false;

  constructor(items: number, bytes: number, limit: number = windowItems, room: number = windowBytes) {
    this.#items = items;
    this.#bytes = bytes;
    this.#most = 16 * items;
    this.#limit = this.#before = limit;
    this.#room = room;
  }

  /** Counts items that have come in a message, and returns whether they were granted. Their bytes are those of all of them, so one message may be over. */
  receive(items: number, bytes: number): boolean {
    const before = this.#receivedBytes;
    this.#received += items;
    this.#receivedBytes += bytes;
    return this.#received <= this.#limit && (this.#receivedBytes <= this.#room || before * 2 < this.#room);
  }

  /** The reader waits: if all has come that was granted a round trip ago, the window is too small. */
  starve(): void {
    this.#starved ||= this.#received >= this.#before;
  }

  /** Counts an item that the program has taken, and returns a grant when half is used up, as it is sent. */
  take(bytes: number): [taken: number, items: number, bytes: number] | undefined {
    this.#taken++;
    this.#takenBytes += bytes;
    if (this.#taken * 2 < Math.min(this.#items, this.#limit) && this.#takenBytes * 2 < Math.min(this.#bytes, this.#room)) return;
    if (this.#starved && this.#items < this.#most) {
      this.#items *= 2;
      this.#bytes *= 2;
    }
    this.#starved = false;
    this.#before = this.#limit - this.#taken;
    this.#limit = Math.max(this.#before, this.#items);
    this.#room = Math.max(this.#room - this.#takenBytes, this.#bytes);
    this.#granted += this.#taken;
    this.#received -= this.#taken;
    this.#receivedBytes -= this.#takenBytes;
    this.#taken = this.#takenBytes = 0;
    return [this.#granted, this.#items, this.#room];
  }
}

/** What a Receiver belongs to: the call that brought it, or the one that it is a parameter of. */
interface Owner {
  readonly method: Method;
  /** A stream of it has ended. */
  release(): void;
  /** The reader leaves a stream that has not been opened yet. */
  leave(): void;
}

/** The owner of streams that nobody reads. */
const nobody: Owner = { method: { name: "" }, release() {}, leave() {} };

/** A Receiver is the consumer's end of a stream. */
class Receiver<T = unknown> implements Stream<T> {
  ready: Promise<void> = Promise.resolve();
  #owner: Owner;
  readonly #value: Value;
  #session: Session | undefined;
  #handle = 0;
  #window!: Window;
  #queue: [item: unknown, bytes: number][] = [];
  #end: { error?: unknown } | undefined;
  #wake = (): void => {};
  readonly [Symbol.asyncIterator]: () => AsyncIterator<T, undefined> = once(this.#read(), () => this.cancel());

  constructor(owner: Owner, value: Value) {
    this.#owner = owner;
    this.#value = value;
  }

  /** Attaches it to a stream of a session. */
  open(session: Session, handle: number, owner: Owner): void {
    this.#owner = owner;
    this.#session = session;
    this.#handle = handle;
    const { windowItems, windowBytes } = session.limits;
    this.#window = new Window(windowItems, windowBytes);
    session.receiving.set(handle, this);
  }

  /** Takes what $/items brings. line is the message. */
  receive(items: any, line: string): void {
    items = this.#owner.method.exact?.(line).params[1] ?? items;
    must(Array.isArray(items));
    // The bytes of all are counted with the first, so that none is ever counted too late.
    const bytes = size(line) - control("$/items", [this.#handle, []]).length - Math.max(0, items.length - 1);
    const allowed = this.#window.receive(items.length, bytes);
    if (this.#end) return;
    if (allowed) {
      items.forEach((item, i) => this.#queue.push([item, i ? 0 : bytes]));
      return this.#wake();
    }
    const error = { code: flowControl, message: "more stream items than the credit allowed" };
    this.#session!.post(control("$/cancel", [this.#handle, error]));
    this.end(received(error));
  }

  /** Takes $/end. */
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
    if (this.#end) this.#end = { error };
    else if (this.#session?.receiving.has(this.#handle)) this.#session.post(control("$/cancel", [this.#handle]));
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

  async *#read(): AsyncGenerator<T, undefined> {
    for (;;) {
      while (!this.#queue.length && !this.#end) {
        this.#window?.starve();
        await new Promise<void>((wake) => (this.#wake = wake));
      }
      const next = this.#queue.shift();
      if (next) yield this.#take(...next);
      else if (this.#end!.error === undefined) return;
      else throw this.#end!.error;
    }
  }

  #take(item: unknown, bytes: number): T {
    const grant = this.#window.take(bytes);
    if (grant && !this.#end) this.#session!.post(control("$/credit", [this.#handle, ...grant]));
    try {
      return convert(this.#value, item, false) as T;
    } catch (error) {
      this.stop();
      throw error;
    }
  }
}

/** Returns what iterates once, and can be left while it waits. */
function once<T>(items: AsyncGenerator<T, undefined>, leave: () => void): () => AsyncIterator<T, undefined> {
  let used = false;
  return () => {
    if (used) throw new Error("a stream can be read only once");
    used = true;
    return {
      next: () => items.next(),
      return: () => {
        leave();
        return items.return(undefined);
      },
    };
  };
}

/**
 * Returns the stream of a method with a cursor, which goes on behind its last item when it
 * is lost. begin makes the call. Generated code names it where a method has a cursor.
 */
export function follow({ params = [], cursor }: Method, args: readonly unknown[], begin: (args: readonly unknown[]) => Stream<any>, signal?: AbortSignal): Stream<any> {
  let stream = begin(args);
  let left = false, wake = (): void => {};
  const cancel = (): void => {
    left = true;
    wake();
    stream.cancel();
  };
  async function* read(): AsyncGenerator<any, undefined> {
    for (let opened = false, waits = 0; ; ) {
      try {
        await stream.ready;
        opened = true;
        for await (const item of stream) {
          waits = 0;
          const at = cursor!.path.reduce((value: any, name) => value != null && member(value, name), item) ?? undefined;
          if (at !== undefined) args = args.map((arg, i) => (params[i] && nameOf(params[i]) === cursor!.param ? at : arg));
          yield item;
        }
        return;
      } catch (error: any) {
        if (left) return;
        const code = opened ? codeOf(error) : 0;
        if (code !== comeAgain && code !== sessionLost && code !== unavailable) throw error;
        const wait = code === comeAgain ? Math.max(error.retry ?? 0, waits && 100) : waits && 50;
        const ms = Math.min(30000, wait * 2 ** waits++) * (1 + Math.random() / 2);
        if (ms) await new Promise<void>((resolve) => {
          wake = resolve;
          setTimeout(resolve, ms);
          signal?.addEventListener("abort", () => resolve(), { once: true });
        });
        if (left) return;
        stream = begin(args);
      }
    }
  }
  return { ready: stream.ready, cancel, [Symbol.asyncIterator]: once(read(), cancel) };
}

// Calls

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

/** A Sending is the producer's end of a stream: see Sender. */
interface Sending {
  readonly handle: number;
  run(): void;
  stop(error?: WireError): void;
  grant(taken: number, items: number, bytes: number): void;
  wake(): void;
}

/** The handles of streams, as a message lists them. */
const handles = (streams: readonly Sending[]): number[] | undefined => (streams.length ? streams.map((s) => s.handle) : undefined);

/** A Call is a call or notification of ours, with its streams. */
class Call implements Owner {
  readonly promise: Promise<unknown>;
  /** The stream that the method returns, where that is its one result. */
  readonly stream: Receiver | undefined;
  readonly method: Method;
  readonly #host: Host;
  readonly #args: readonly unknown[];
  readonly #scope: Scope;
  readonly #abort = (): void => this.leave(this.#scope.signal!.reason);
  #resolve!: (value: unknown) => void;
  #reject!: (error: unknown) => void;
  #session!: Session;
  #id = 0;
  #written = false;
  #settled = false;
  #open = 1; // itself, and its streams
  #sending: Sending[] = [];
  #receiving: Receiver[] = [];

  constructor(host: Host, method: Method, args: readonly unknown[], scope: Scope) {
    this.#host = host;
    this.method = method;
    this.#args = args;
    this.#scope = scope;
    this.promise = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    const [result, more] = method.results ?? [];
    if (result && streams(result) && !more) {
      this.stream = new Receiver(this, result);
      this.stream.ready = this.promise.then(() => {});
      this.stream.ready.catch(() => {}); // who reads the stream gets the error there
    }
    const { signal } = scope;
    if (signal?.aborted) return void this.fail(signal.reason) as never;
    signal?.addEventListener("abort", this.#abort);
    host.begin(this);
  }

  /** Sends it, and returns false if it is a notification that must wait for credit. */
  start(session: Session): boolean {
    const { method } = this;
    const { calls, peer } = session;
    this.#session = session;
    this.#sending = [];
    this.#id = method.notify ? 0 : ++session.ids;
    try {
      const text = this.#request(session);
      const bytes = size(text);
      if (bytes > peer.message) throw notRun(tooLarge, `${method.name}: a request of ${bytes} bytes is over the peer's limit of ${peer.message}`);
      if (!method.notify) calls.set(this.#id, this);
      else if (!method.notify(session, bytes)) return false;
      session.post(() => {
        this.#written = true;
        for (const stream of this.#sending) stream.run();
        return text;
      });
      if (method.notify) this.#settle(() => this.#resolve(undefined));
    } catch (error) {
      for (const { handle } of this.#sending) session.sending.delete(handle);
      this.fail(error);
    }
    return true;
  }

  #request(session: Session): string {
    const { method } = this;
    const { meta, deadline } = this.#scope;
    const left = Math.max(1, Math.ceil(deadline - Date.now()));
    const params = encode(method, this.#args, (v: any, source) => v.stream(session, v, method, source, this, this.#sending));
    return message({ id: this.#id || undefined, method: method.name, timeout: left < 2 ** 31 ? left : undefined, meta, streams: handles(this.#sending), params });
  }

  /** Counts a stream of it. */
  hold(): void {
    this.#open++;
  }

  /** Takes the answer. line is its text. */
  answered(m: any, line: string): void {
    const session = this.#session;
    const handles = session.claim(m.streams);
    const error = "error" in m && received(m.error, this.method);
    session.calls.delete(this.#id);
    const { meta } = m, { onMeta } = this.#scope;
    if (meta && onMeta && !this.#settled) queueMicrotask(() => onMeta(meta));
    this.#settle(() => {
      if (error) {
        if (!session.draining || !error.notRun || this.#sending.length) throw error;
        return this.#again();
      }
      if (!session.mayReceive(handles)) throw new RpcError(limitReached, "too many streams");
      const { result } = this.method.exact?.(line) ?? m;
      this.#resolve(decode(this.method, result, (v, handle) => {
        const stream = this.stream ?? new Receiver(this, v);
        if (opened(session, stream, handle, handles, this)) this.hold(), this.#receiving.push(stream);
        return stream;
      }));
    });
    session.refuse(handles);
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
      for (const stream of this.#receiving) stream.stop(error);
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
    this.hold();
    this.#host.begin(this);
  }

  /** The session has ended before the answer. */
  lost(code: number, text: string): void {
    const ran = this.#written && this.#id <= this.#session.last ? "maybe" : "no";
    const repeats = !this.#written || (!this.#sending.length && (ran === "no" || this.method.idempotent));
    this.#settle(() => {
      if (!repeats || !this.#host.continues()) throw new RpcError(code, text, { ran });
      this.#again();
    });
  }

  /** Leaves the call and its streams. */
  leave(reason?: unknown): void {
    if (!this.#settled && !this.#host.forget(this)) this.#session.post(control("$/cancelRequest", { id: this.#id }));
    this.fail(reason);
    for (const stream of this.#receiving) stream.stop(reason);
    for (const stream of this.#sending) stream.stop({ code: canceled, message: "context canceled" });
  }

  release(): void {
    if (!--this.#open) this.#scope.signal?.removeEventListener("abort", this.#abort);
  }
}

/** Has a Receiver be the stream that stands for a value, and returns whether there is one. */
function opened(session: Session, stream: Receiver, handle: any, handles: Set<number>, owner: Owner): boolean {
  if (handle === null || handle === undefined) return stream.end(), false;
  if (!handles.delete(handle)) throw new Error("no such stream");
  stream.open(session, handle, owner);
  return true;
}

// Sessions

/** What the peer says of itself in hello. */
interface Hello extends Limits {
  v: number;
  replay?: number;
  session?: string;
  window?: number;
}

/** What a Session needs of the Connection that it is one of. */
interface Host extends Connection {
  readonly options: ConnectOptions;
  readonly limits: Limits & { windowItems: number; windowBytes: number };
  /** What serves calls of the peer: see serve. */
  server?: Server;
  /** Whether there will be another session after this one. */
  continues(): boolean;
  /** Takes a call to be sent. */
  begin(call: Call): void;
  /** Forgets a call that has not been sent, and returns whether it was one. */
  forget(call: Call): boolean;
  /** Sends calls as far as the server takes them. */
  pump(): void;
  /** The server shuts down. */
  goaway(session: Session, ms?: number): void;
  /** A session is detached or over. */
  lost(session: Session, cause: RpcError, final: boolean): void;
}

/** A Session holds the protocol state shared with the server. It uses a socket at a time. */
interface Session {
  readonly peer: Hello;
  readonly limits: Host["limits"];
  readonly calls: Map<number, { answered(m: any, line: string): void; lost(code: number, text: string): void }>;
  readonly receiving: Map<number, Receiver>;
  readonly sending: Map<number, Sending>;
  readonly serving: Map<number, { leave(): void }>;
  notes?: Credit; // once one has been sent
  ids: number;
  handles: number;
  /** The highest id that a server which shuts down serves. */
  last: number;
  draining: boolean;
  over: boolean;
  since: number; // the socket was attached
  /** Whether anything of use has come. */
  carried: boolean;
  breached: boolean;
  /** Whether producers must wait: for the socket, or for the peer to acknowledge. */
  congested(): boolean;
  /** What resumes it, if it is detached and its window has not passed. */
  resume(): object | undefined;
  /** Goes on over a socket. The peer has received so many frames. */
  attach(socket: WebSocket, received: number, token?: string): void;
  /** Puts a message behind those that wait to be sent. A function returns it when it is. */
  post(message: string | (() => string)): void;
  /** The handles of the streams that a message lists. */
  claim(handles: unknown): Set<number>;
  mayReceive(handles: Set<number>): boolean;
  /** Cancels streams that nobody reads. Their items are dropped until their ends. */
  refuse(handles: Set<number>): void;
  /** Asks a silent server for a sign of life, and leaves it when there is none. */
  look(): void;
  /** Wants a sign of life within a time. */
  check(ms: number): void;
  /** Has the streams with a cursor go on in the next session. */
  move(): void;
  /** Cuts the socket, as a network does. */
  cut(text: string): void;
  /** Ends the session, and tells the peer why. */
  fail(close: number, text: string): void;
  /** Ends the session and all that is in flight. */
  end(code: number, text: string, final?: boolean): void;
}

/** Frames hold this many characters of messages, which are 32 KiB at most. */
const packed = 10000;

const silent = "the server is silent", unanswered = "the server does not answer";

/** Begins the session that the answer to hello describes. attach gives it its socket. */
function newSession(host: Host, hello: Hello): Session {
  const { limits } = host;
  const { auth, replay = 1 << 20 } = host.options;
  const peer = { ...hello, notes: hello.notes ?? 64, noteBytes: hello.noteBytes ?? windowBytes };
  const resumable = !!(replay && hello.session && hello.replay && hello.window);
  const calls: Session["calls"] = new Map(), receiving: Session["receiving"] = new Map(), sending: Session["sending"] = new Map(), serving: Session["serving"] = new Map();
  const queue: (string | (() => string))[] = [];
  const kept: string[] = []; // frames that are not acknowledged
  const notes = new Window(limits.notes, limits.noteBytes, limits.notes, limits.noteBytes);
  let socket: WebSocket | undefined, quiet = 0; // pings without a sign of life
  let token = hello.session, attempts = 0; // to resume
  let lostAt = 0, expiry: Timer; // while there is no socket
  let sent = 0, keptBytes = 0, pinged = false;
  let got = 0, unacknowledged = 0, acking: Timer, owes = false; // an ack, for want of a socket
  let renewing = false;

  const dropped = (): number => sent - kept.length; // the number of the last frame that is no longer kept
  const drop = (): void => void (keptBytes -= kept.shift()!.length);
  const wake = (): void => sending.forEach((stream) => stream.wake());
  const ping = (): void => post(control("$/ping", [Date.now()]));

  function post(message: string | (() => string)): void {
    if (!self.over && queue.push(message) === 1) queueMicrotask(flush);
  }

  /** Packs what waits into frames. */
  function flush(): void {
    if (!socket) return;
    let frame = "";
    for (const message of queue.splice(0)) {
      const line = typeof message === "string" ? message : message();
      if (frame && frame.length + line.length > packed) write(frame), (frame = "");
      frame += (frame && "\n") + line;
    }
    if (frame) write(frame);
  }

  function write(frame: string): void {
    sent++;
    if (resumable) {
      kept.push(frame);
      keptBytes += frame.length;
      while (keptBytes > replay) drop();
      if (keptBytes * 2 > replay && !pinged) (pinged = true), ping();
    }
    socket?.send(frame);
  }

  function acknowledged(n: unknown): void {
    must(natural(n) && n <= sent, miscounted, 4501);
    for (; dropped() < n; pinged = false) drop();
  }

  function ack(): void {
    owes = !socket;
    if (socket) write(control("$/ack", [got, sent + 1]));
  }

  /** Acknowledges a frame at once if much has come, or within a second. */
  function owe(bytes: number, eliciting: boolean): void {
    unacknowledged += bytes;
    if (unacknowledged >= Math.min(65536, Math.max(1024, peer.replay! / 4))) {
      unacknowledged = 0;
      ack();
    } else if (eliciting) {
      acking ??= setTimeout(() => {
        acking = undefined;
        ack();
      }, 1000);
    }
  }

  /** Takes a frame. Whatever throws here has broken the protocol. */
  function receive(frame: any): void {
    if (self.over) return;
    got++;
    quiet = 0;
    try {
      const eliciting = frame.split("\n").map(take).some(Boolean);
      if (resumable && !self.over) owe(frame.length, eliciting);
    } catch (error: any) {
      self.breached = true;
      return fail(error.close ?? 4500, error.close ? error.message : malformed);
    }
    host.pump();
    wake();
  }

  /** Takes the i-th message of a frame, and returns whether it elicits an ack. */
  function take(line: string, i: number): boolean {
    must(size(line) <= limits.message, "message too large");
    const m = JSON.parse(line);
    must(m.jsonrpc === "2.0");
    const { method, id, params } = m;
    if (method === undefined) answer(m, line);
    else if (id !== undefined || !method.startsWith("$/")) request(m, line);
    else {
      controls[method]?.(params ?? [], line, i);
      return !/^..(ack|ping|pong)$/.test(method);
    }
    return (self.carried = true);
  }

  function answer(m: any, line: string): void {
    const call = calls.get(m.id);
    must(call, "no such call");
    must("result" in m !== "error" in m);
    call.answered(m, line);
  }

  /** What control messages do. p is their parameters. */
  const controls: Record<string, (p: any, line: string, i: number) => void> = {
    "$/ping"(p) {
      if (acking) ack();
      post(control("$/pong", p.slice(0, 1)));
    },
    "$/ack"([n, frame], _, i) {
      if (!resumable) return;
      must(!i);
      must(frame === got, miscounted, 4501);
      acknowledged(n);
    },
    "$/items"([handle, items], line) {
      self.carried = true;
      open(handle).receive(items, line);
    },
    "$/end"(p) {
      must(p.length < 2 || (typeof p[1] === "object" && p[1]));
      open(p[0]).ended(p[1]);
    },
    "$/credit"(p) {
      must(p.length > 3 && p.slice(0, 4).every(natural));
      const [handle, taken, items, bytes] = p;
      if (handle || self.notes) return (handle ? sending.get(handle) : self.notes)?.grant(taken, items, bytes);
      must(!taken, overdrawn);
      peer.notes = Math.max(peer.notes, items);
      peer.noteBytes = Math.max(peer.noteBytes, bytes);
    },
    "$/cancel": ([handle]) => sending.get(handle)?.stop(),
    "$/cancelRequest": ({ id }) => serving.get(id)?.leave(),
    "$/goaway"([ms, last = Infinity]) {
      self.last = Math.min(self.last, last);
      if (self.draining) return;
      self.draining = true;
      post(control("$/moved"));
      host.goaway(self, ms);
    },
    "$/auth": ([ms]) => void renew(ms),
  };

  /** The stream of a handle. */
  function open(handle: number): Receiver {
    const stream = receiving.get(handle);
    must(stream, "no such stream");
    return stream;
  }

  function claim(handles: unknown): Set<number> {
    const list = (handles ?? []) as number[], set = new Set(list);
    must(set.size === list.length && set.size <= 16 && list.every((h) => natural(h) && h && !receiving.has(h)), "not a new stream");
    return set;
  }

  function refuse(handles: Set<number>): void {
    for (const handle of handles) {
      const stream = new Receiver(nobody, "");
      stream.open(self, handle, nobody);
      stream.stop();
    }
  }

  function request(m: any, line: string): void {
    const { id, streams } = m;
    const note = id === undefined, bytes = size(line);
    must(note ? notes.receive(1, bytes) : natural(id) && !serving.has(id), note ? "too many notifications" : malformed);
    const handles = claim(streams);
    const handled = (): void => {
      const grant = notes.take(bytes);
      if (grant) post(control("$/credit", [0, ...grant]));
    };
    if (host.server) return host.server.take(self, m, line, handles, handled);
    refuse(handles);
    note ? queueMicrotask(handled) : post(message({ id, error: notFound }));
  }

  /** Where calls are made that belong to this session alone. */
  const here = { begin: (call) => void call.start(self), continues: () => false } as Host;

  /** Sends other credentials, when the server says that those before expire. */
  async function renew(ms: number, again = true): Promise<void> {
    if (!auth || renewing) return;
    renewing = true;
    const attempt = attempts;
    let code = 0;
    try {
      const token = await auth();
      await new Call(here, { name: "rpc.auth", params: ["auth"] }, [token], { deadline: Date.now() + ms }).promise;
    } catch (error) {
      code = codeOf(error);
    }
    renewing = false;
    const resumed = attempt !== attempts && !self.over; // with credentials that these may have replaced
    if (resumed || (code === unauthenticated && again)) return renew(ms, resumed && again);
  }

  /** Goes on without a socket if the session can be resumed, until the window has passed. */
  function closed(code: number, reason: string): void {
    const cut = [1001, 1005, 1006, 4000, 4003].includes(code) || (code > 1010 && code < 1016);
    const final = !cut && (code < 1011 || code >= 4500) && code < 5000;
    const text = `connection lost: ${reason || "closed"} (${code})`;
    if (!cut || !resumable || self.draining) return end(cut && resumable ? sessionLost : unavailable, text, final);
    leave();
    expiry = setTimeout(expire, peer.window);
    lostAt = Date.now();
    host.lost(self, new RpcError(unavailable, text), false);
  }

  /** Ends a session whose window has passed. Timers sleep in pages, so that it is asked before a resume as well. */
  function expire(): void {
    if (lostAt && Date.now() - lostAt >= peer.window!) end(sessionLost, "session lost: out of time");
  }

  /** Lets the socket go, without what it still says. */
  function leave(code?: number, reason?: string): void {
    const left = socket;
    socket = undefined;
    if (left) discard(left, code, reason);
  }

  function fail(close: number, text: string): void {
    leave(close, text.slice(0, 40)); // in any script not more than the 123 bytes of a reason
    end(resumable && close > 4001 ? sessionLost : unavailable, "connection lost: " + text);
  }

  function cut(text: string): void {
    if (!socket) return;
    leave(4000);
    closed(1006, text);
  }

  function end(code: number, text: string, final: boolean = false): void {
    if (self.over) return;
    self.over = true;
    leave();
    clearTimeout(expiry);
    clearTimeout(acking);
    host.lost(self, new RpcError(code, text), final);
    for (const served of serving.values()) served.leave();
    for (const stream of sending.values()) stream.stop();
    for (const call of calls.values()) call.lost(code, text);
    for (const stream of receiving.values()) stream.end(new RpcError(code, text));
  }

  const self: Session = {
    peer, limits, calls, receiving, sending, serving,
    ids: 1,
    handles: 0,
    last: Infinity,
    draining: false,
    over: false,
    since: 0,
    carried: false,
    breached: false,
    post, claim, refuse, cut, fail, end,
    congested: () => !socket || socket.bufferedAmount > 65536 || (resumable && keptBytes * 2 > replay),
    mayReceive: (handles) => !handles.size || receiving.size + handles.size <= limits.streams,
    resume() {
      expire();
      return lostAt && !self.over ? { session: token, attempt: ++attempts, received: got, dropped: dropped() || undefined } : undefined;
    },
    attach(next, n, renewed = token) {
      acknowledged(n);
      must(n >= dropped(), "frames are missing", 4501);
      clearTimeout(expiry);
      token = renewed;
      socket = next;
      lostAt = 0;
      quiet = 1;
      self.since = Date.now();
      next.onmessage = (event) => receive(event.data);
      next.onclose = (event) => closed(event.code, event.reason);
      for (const frame of kept) next.send(frame);
      if (owes) ack();
      queueMicrotask(flush);
      wake();
    },
    look() {
      if (socket && quiet === 3) cut(silent);
      else if (socket && quiet++) ping();
    },
    check(ms) {
      const checked = socket, before = got;
      ping();
      setTimeout(() => socket === checked && got === before && cut(silent), ms);
    },
    move() {
      for (const stream of receiving.values()) stream.move();
    },
  };
  return self;
}

/** Lets a socket go. */
function discard(socket: WebSocket, code = 4000, reason?: string): void {
  socket.onopen = socket.onmessage = socket.onclose = null;
  socket.close(code, reason);
}

// Connections

/** The longest time between attempts to connect. */
const longest = 30000;

const defaults: Host["limits"] = { calls: 256, streams: 256, message: 1 << 20, notes: 4096, noteBytes: 1 << 20, windowItems, windowBytes };

/** Connects to a server, which has a URL that begins with ws: or wss:. */
export function connect(url: string | URL, options: ConnectOptions = {}): Connection {
  const { auth, ping = 20000, reconnect: again = true, replay = 1 << 20, timeout = 20000 } = options;
  const limits = { ...defaults, ...options.limits };
  const listeners = new Set<() => void>();
  const page = new AbortController(); // aborted when the connection is closed
  const pending: Call[] = [];
  let state: State = { phase: "connecting", session: 0 };
  let session: Session | undefined;
  let older: Session[] = []; // in which calls and streams of the past end
  let attempt = 0, socket: WebSocket | undefined, timer: Timer; // of the attempt, or until the next
  let leaving = false; // the timer is that before a server which shuts down is left
  let sessions = 0, failed = 0, brief = 0, least = 0, forced = 0;

  const stopped = (): boolean => state.phase === "closed" || state.phase === "refused";
  const continues = (): boolean => again && !stopped();

  function set(phase: State["phase"], cause?: unknown, retry?: number): void {
    if (state.phase === "closed") return;
    state = { phase, session: sessions, cause, retry };
    for (const listener of [...listeners]) {
      try {
        listener();
      } catch (error) {
        setTimeout(() => {
          throw error; // as of a listener of any event
        });
      }
    }
  }

  function begin(call: Call): void {
    pending.push(call);
    pump();
  }

  function pump(): void {
    const { phase, cause, retry } = state;
    if (leaving && pending.length) wait(Math.min(retry! - Date.now(), Math.random() * 1000)); // within a second, because a call waits
    if (stopped() || (session?.draining && !again)) {
      const code = (phase === "refused" && codeOf(cause)) || unavailable;
      for (const call of pending.splice(0)) call.fail(notRun(code, cause ? textOf(cause) : "the server shuts down"));
    }
    while (session && !session.over && !session.draining && pending.length && session.calls.size < session.peer.calls) {
      const call = pending.shift()!;
      if (!call.start(session)) return void pending.unshift(call);
    }
  }

  function lost(ended: Session, cause: RpcError, final: boolean): void {
    older = older.filter((s) => !s.over);
    if (ended !== session || stopped()) return;
    if (ended.over && (final || !again)) return close(cause);
    set(ended.over ? "connecting" : "detached", cause);
    if (timer) return; // an attempt is under way
    judge(ended);
    wait(delay());
  }

  /** Leaves a server that shuts down within half of the time that it gives. */
  function goaway(left: Session, ms: number = Infinity): void {
    if (!again || left !== session || timer) return;
    judge(left);
    wait(Math.random() * Math.min(10000, ms / 2) + delay());
    leaving = true;
  }

  function close(cause: unknown): void {
    if (state.phase === "closed") return;
    set("closed", cause);
    abandon();
    clearInterval(watch);
    page.abort();
    for (const s of [...older, session]) s?.fail(1000, textOf(cause));
    pump();
  }

  /** Ends the attempt that is made or waited for. */
  function abandon(): void {
    attempt++;
    clearTimeout(timer);
    if (socket) discard(socket);
    timer = socket = undefined;
    leaving = false;
  }

  function wait(ms: number, cause: unknown = state.cause): void {
    clearTimeout(timer);
    leaving = false;
    timer = setTimeout(dial, ms);
    set(state.phase, cause, Date.now() + ms);
  }

  /** Starts the delays anew after a connection that was of use. */
  function judge({ since, carried, breached }: Session): void {
    const lasted = Date.now() - since;
    if (breached && lasted < longest) return;
    if (carried || lasted >= 5000) failed = 0;
    brief = carried && lasted < 1000 ? brief + 1 : 0;
  }

  /** Counts an attempt, and returns how long to wait before it. */
  function delay(): number {
    const n = failed++, most = Math.min(longest, 100 * 2 ** n);
    const ms = Math.max(Math.random() * most * (n ? 0.5 : 1) + (n && most / 2), brief > 1 ? Math.min(1000, 100 * 2 ** (brief - 1)) : 0, least);
    least = 0;
    return ms;
  }

  /** Makes an attempt to connect. */
  async function dial(): Promise<void> {
    abandon();
    const mine = attempt;
    const failing = (error: unknown): void => void (mine === attempt && fail(error));
    timer = setTimeout(() => failing(new Error(unanswered)), timeout);
    try {
      const token = await auth?.();
      if (mine === attempt) greet(token, failing);
    } catch (error) {
      failing(error);
    }
  }

  /** The URL that a redirect leads to, if it is followed: never from TLS to none. */
  function redirected(at: string): URL | undefined {
    try {
      const from = new URL(url), to = new URL(at);
      const below = `.${to.hostname}`.endsWith(`.${from.hostname}`);
      return [from.protocol, "wss:"].includes(to.protocol) && (below || options.redirect?.(to)) ? to : undefined;
    } catch {
      return;
    }
  }

  /**
   * Opens a socket, and resumes the session over it or begins another. After some redirects
   * it is at another server. Where they lead nowhere it asks the first one for the last time.
   */
  function greet(token: string | undefined, failing: (error: unknown) => void, at = url, redirects = 0): void {
    const s = (socket = new (options.WebSocket ?? WebSocket)(at, ["wirecall.v1.json"]));
    const follow = (to?: URL): void => {
      if (s !== socket) return;
      discard(s);
      greet(token, failing, to ?? url, to ? redirects + 1 : Infinity);
    };
    const failed = at === url ? failing : () => follow();
    if (redirects) {
      clearTimeout(timer);
      timer = setTimeout(() => failed(new Error(unanswered)), timeout / 2);
    }
    s.onopen = () => ask(token, !auth);
    s.onclose = ({ code, reason }) => failed(new RpcError(unavailable, `no connection: ${reason} (${code})`));
    /** Asks for what is alone in its frame, as its answer is. asked: there are no other credentials. */
    function ask(token: string | undefined, asked: boolean): void {
      const old = session?.resume();
      s.onmessage = async ({ data }) => {
        try {
          const { id, result, error } = JSON.parse(data);
          const code = error && received(error).code;
          if (code === unauthenticated && !asked) {
            token = await auth!();
            if (s === socket) ask(token, true);
          } else if (old && (code === sessionLost || code === unknownMethod)) {
            session!.end(sessionLost, error.message);
            ask(token, !auth);
          } else if (error) throw received(error);
          else if (redirects < Infinity && result.at) follow(redirects < 3 ? redirected(result.at) : undefined);
          else if (id !== 1 || !(old || (result.v === 1 && result.message >= 65536))) throw new Error("not a wirecall.v1 server");
          else adopt(s, result, !old);
        } catch (error: any) {
          if (old && error.close) session!.end(sessionLost, error.message);
          failed(error);
        }
      };
      s.send(message({ id: 1, method: old ? "rpc.resume" : "rpc.hello", params: { ...(old ?? { v: 1, ...limits, windowItems: undefined, windowBytes: undefined, replay: replay || undefined }), redirect: redirects < Infinity || undefined, auth: token } }));
    }
  }

  /** Goes on with the session over a socket, or begins another. What runs in the one before may finish there. */
  function adopt(s: WebSocket, answer: any, anew: boolean): void {
    const old = session;
    if (anew) (session = newSession(host, answer)), sessions++;
    session!.attach(s, anew ? 0 : answer.received, answer.session);
    clearTimeout(timer);
    timer = socket = undefined;
    set("connected");
    pump();
    if (!anew || !old || old.over) return;
    older.push(old);
    old.move();
    if (older.length > 4) older[0]!.fail(4001, "too many sessions");
  }

  /** An attempt has failed. */
  function fail(error: unknown): void {
    abandon();
    if (!again) return close(error);
    const code = codeOf(error);
    if (code === unauthenticated || code === denied) {
      set("refused", error);
      session?.end(sessionLost, textOf(error));
      return pump();
    }
    const moving = session?.draining && !session.over;
    if (moving) session!.move(); // there may be no other server until this one is idle
    least = ((error instanceof RpcError && error.retry) || 0) * (1 + Math.random());
    wait(delay(), moving ? state.cause : error);
  }

  function reconnect(): void {
    if (state.phase === "connected" || state.phase === "closed" || Date.now() - forced < 1000) return;
    forced = Date.now();
    failed = brief = least = 0;
    if (stopped()) set("connecting");
    dial();
  }

  /** Something has happened to the network or the page. */
  const check = (ms: number): void => (state.phase === "connected" ? session!.check(ms) : reconnect());

  /** Follows the life of a page, which is not kept for the way back with a socket. */
  const events: Record<string, (event: any) => void> = {
    online: () => check(5000),
    offline: () => state.phase === "connected" && check(2000),
    visibilitychange: () => document.visibilityState === "visible" && check(5000),
    pageshow: ({ persisted }) => persisted && check(5000),
    pagehide({ persisted }) {
      if (!persisted) return host.close();
      abandon();
      for (const s of [...older, session]) s?.cut("the page is hidden");
    },
  };

  const host: Host = {
    options, limits, reconnect, begin, pump, lost, goaway, continues,
    get state() {
      return state;
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    close: () => close(new RpcError(unavailable, "the connection is closed")),
    call(method, args, options) {
      const s = scope(options);
      const begin = (args: readonly unknown[]): any => {
        const { stream, promise } = new Call(host, method, args, s);
        return stream ?? promise;
      };
      return method.cursor ? method.cursor.follow(method, args, begin, s.signal) : begin(args);
    },
    forget(call) {
      const i = pending.indexOf(call);
      return i >= 0 && pending.splice(i, 1).length > 0;
    },
  };
  for (const type in events) globalThis.addEventListener?.(type, events[type]!, page);
  const watch = setInterval(() => session?.look(), ping);
  dial();
  return host;
}

/** Returns a client of a service. Generated code calls it. */
export function client<T>(caller: Caller, service: Service<T>): T {
  const method = (m: Method) => (...args: any[]): unknown => {
    const n = m.params?.length ?? 0;
    return caller.call(m, args.slice(0, n), args[n]);
  };
  return Object.fromEntries(Object.entries<Method>(service.methods).map(([key, m]) => [key, method(m)])) as T;
}

/** The state of a connection now, and after each change. Who reads slowly gets the latest. */
export async function* states(connection: Connection): AsyncGenerator<State, void> {
  for (let last: State | undefined; last?.phase !== "closed"; ) {
    if (last === connection.state) {
      await new Promise<void>((resolve) => {
        const undo = connection.subscribe(() => (undo(), resolve()));
      });
    }
    yield (last = connection.state);
  }
}

// Streams to the server, and notifications

/** A Credit is what a producer may still send. */
class Credit {
  #sent = 0;
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
    return this.#sent < this.#limit && (this.#outstanding + n <= this.#bytes || this.#outstanding * 2 < this.#bytes);
  }

  spend(n: number): void {
    this.#sent++;
    this.#outstanding += n;
    this.#sizes.push(n);
  }

  /** Grants are absolute: an older one has no effect. */
  grant(taken: number, items: number, bytes: number): void {
    must(taken <= this.#sent, overdrawn);
    this.#limit = Math.max(this.#limit, taken + Math.min(items, 16384));
    if (taken < this.#taken) return;
    const freed = this.#sizes.splice(0, taken - this.#taken).reduce((a, b) => a + b, 0);
    this.#taken = taken;
    this.#outstanding -= freed;
    this.#bytes = Math.max(bytes, this.#bytes - freed);
  }
}

/** Takes credit for a notification, and returns whether there was any. Generated code names it where a method is one. */
export function notify(session: Session, bytes: number): boolean {
  const { notes, noteBytes } = session.peer;
  const credit = (session.notes ??= new Credit(notes, noteBytes));
  const allowed = credit.allows(bytes);
  if (allowed) credit.spend(bytes);
  return allowed;
}

/** What a stream is sent for: a call of either side. */
interface SendingOwner {
  /** Counts a stream of it. */
  hold(): void;
  /** A stream of it has ended. */
  release(): void;
}

/** Has a source be sent as a stream, and returns its handle. Generated code names it where a parameter is a stream. */
export function upload(session: Session, v: Value, method: Method, source: unknown, owner: SendingOwner, sending: Sending[]): number | null {
  if (source === null || source === undefined) return null;
  if (session.sending.size >= session.peer.streams) throw notRun(limitReached, "too many streams at once");
  owner.hold();
  const sender = new Sender(session, v, method, source, owner);
  sending.push(sender);
  return sender.handle;
}

/** A Sender is the producer's end of a stream. */
class Sender extends Credit implements Sending {
  readonly handle: number;
  readonly #session: Session;
  readonly #value: Value;
  readonly #method: Method;
  readonly #source: any;
  readonly #owner: SendingOwner;
  #iterator: AsyncIterator<unknown> | Iterator<unknown> | undefined;
  #batch: string[] = [];
  #length = 0; // of the batch
  #ended = false;
  wake = (): void => {};

  constructor(session: Session, value: Value, method: Method, source: unknown, owner: SendingOwner) {
    super();
    this.handle = ++session.handles;
    this.#session = session;
    this.#value = value;
    this.#method = method;
    this.#source = source;
    this.#owner = owner;
    session.sending.set(this.handle, this);
  }

  /** Sends what the source yields. */
  async run(): Promise<void> {
    const session = this.#session, source = this.#source;
    try {
      const iterator: AsyncIterator<unknown> | Iterator<unknown> = (source[Symbol.asyncIterator] ?? source[Symbol.iterator]).call(source);
      this.#iterator = iterator;
      while (!this.#ended) {
        let step = iterator.next();
        if (step instanceof Promise) step = await step; // what is ready at the same time is sent together
        if (step.done) break;
        const item = JSON.stringify(convert(this.#value, step.value, true)) ?? "null";
        const bytes = size(item);
        if (bytes > session.peer.message - 200) throw new RpcError(tooLarge, `a stream item of ${bytes} bytes is over the peer's limit`);
        while (!this.#ended && !(this.allows(bytes) && !session.congested())) await new Promise<void>((wake) => (this.wake = wake));
        if (!this.#ended) this.#add(item, bytes);
      }
      this.#end();
    } catch (error) {
      this.stop(sent(error, this.#method));
    }
  }

  #add(item: string, bytes: number): void {
    this.spend(bytes);
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
  #end(error?: WireError): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#session.sending.delete(this.handle);
    this.#session.post(control("$/end", error ? [this.handle, error] : [this.handle]));
    this.#owner.release();
    this.wake();
  }

  /** Ends the stream and leaves the source. */
  stop(error?: WireError): void {
    this.#end(error);
    (async () => this.#iterator?.return?.())().catch(() => {});
  }
}

// Serving

/** Serves an implementation to the server of a connection. Returns what undoes that. */
export function serve<T extends object>(connection: Connection, service: Service<T>, implementation: T): () => void {
  const { targets } = ((connection as Host).server ??= new Server());
  const methods = Object.entries<Method>(service.methods);
  for (const [key, method] of methods) {
    targets.set(method.name, { method, service, run: (...args) => (implementation as any)[key](...args) });
  }
  return () => methods.forEach(([, { name }]) => targets.delete(name));
}

/** What serves a method. */
interface Target {
  method: Method;
  service: object;
  run: (...args: unknown[]) => unknown;
}

/** The notifications of a session: all that are to be handled, and the last of each service. */
interface Notes {
  all: Promise<void>;
  last: Map<object, Promise<void>>;
}

/** A Server serves calls and notifications of the peer. */
class Server {
  readonly targets: Map<string, Target> = new Map();
  readonly #notes: WeakMap<Session, Notes> = new WeakMap();

  /** Takes a request. handled is called when a notification has been handled. */
  take(session: Session, m: any, line: string, handles: Set<number>, handled: () => void): void {
    const { id, method } = m;
    const target = this.targets.get(method);
    const refusal = target ? tooMany(session, handles) : notFound;
    const served = refusal ? undefined : new Served(session, target!, target!.method.exact?.(line) ?? m, handles);
    session.refuse(handles);
    let notes = this.#notes.get(session);
    if (!notes) this.#notes.set(session, (notes = { all: Promise.resolve(), last: new Map() }));
    if (id === undefined) note(notes, target, served, handled);
    else if (served) call(session, notes, id, target!, served);
    else session.post(message({ id, error: refusal }));
  }
}

function tooMany(session: Session, handles: Set<number>): WireError | undefined {
  const what = session.serving.size >= session.limits.calls ? "calls" : !session.mayReceive(handles) ? "streams" : "";
  return what ? { code: limitReached, message: `too many ${what} at once`, ran: "no" } : undefined;
}

/** Serves a call behind the notifications of its service, or after ten seconds. */
async function call(session: Session, notes: Notes, id: number, { service }: Target, served: Served): Promise<void> {
  session.serving.set(id, served);
  const busy = notes.last.get(service);
  if (busy) await Promise.race([busy, new Promise((resolve) => setTimeout(resolve, 10000))]);
  served.run();
}

/** Handles notifications one after another. */
function note(notes: Notes, target: Target | undefined, served: Served | undefined, handled: () => void): void {
  const done = (notes.all = notes.all.then(async () => {
    await served?.run();
    handled();
    if (target && notes.last.get(target.service) === done) notes.last.delete(target.service);
  }));
  if (target) notes.last.set(target.service, done);
}

/** A Served is a call or notification of the peer's. */
class Served {
  readonly #session: Session;
  readonly #target: Target;
  readonly #m: any;
  readonly #controller = new AbortController();
  #args: unknown[] | undefined;
  #refusal: WireError | undefined;
  #open = 1;
  #left = false;
  #sending: Sending[] = [];
  #receiving: Receiver[] = [];

  constructor(session: Session, target: Target, m: any, handles: Set<number>) {
    this.#session = session;
    this.#target = target;
    this.#m = m;
    try {
      this.#args = (target.method.params ?? []).map((v, i) => this.#argument(v, i, handles));
    } catch (error) {
      this.#refusal = { code: badParams, message: "invalid params: " + textOf(error), ran: "no" };
    }
  }

  #argument(v: Value, i: number, handles: Set<number>): unknown {
    const params = this.#m.params ?? {};
    const value: any = Array.isArray(params) ? params[i] : member(params, v);
    if (!streams(v)) return convert(v, value, false);
    const stream = new Receiver(nobody, v);
    if (opened(this.#session, stream, value, handles, { ...nobody, method: this.#target.method })) this.#receiving.push(stream);
    return stream;
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
      answer = { error: this.#refusal ?? sent(error, this.#target.method) };
    }
    this.#answer(this.#left ? { error: { code: canceled, message: "canceled" } } : answer);
  }

  #result(value: any): object {
    const { method } = this.#target, { results = [] } = method;
    const send = (v: Value, value: unknown): unknown => (streams(v) ? upload(this.#session, v, method, value, this, this.#sending) : convert(v, value, true));
    const result = results.length > 1 ? byName(results, (v) => send(v, value[nameOf(v)])) : results[0] && send(results[0], value);
    return { streams: handles(this.#sending), result: result ?? null };
  }

  #answer(answer: { error?: WireError }): void {
    const { id } = this.#m, session = this.#session;
    let text = message({ id, ...answer });
    if (size(text) > session.peer.message) {
      answer = { error: { code: tooLarge, message: "the result is over the peer's limit for a message" } };
      text = message({ id, ...answer });
    }
    session.serving.delete(id);
    if (answer.error) for (const { handle } of this.#sending.splice(0)) session.sending.delete(handle), this.#open--;
    if (id !== undefined) {
      session.post(() => {
        for (const stream of this.#sending) stream.run();
        return text;
      });
    }
    this.release();
  }

  /** The caller has left, or the session has ended. */
  leave(): void {
    this.#left = true;
    this.#controller.abort();
  }

  hold(): void {
    this.#open++;
  }

  release(): void {
    if (--this.#open) return;
    this.#controller.abort();
    for (const stream of this.#receiving) stream.stop();
  }
}
