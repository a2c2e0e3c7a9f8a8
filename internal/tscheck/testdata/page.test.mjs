// The life of a page, as its events tell it, and what a page serves; in virtual time.
import assert from "node:assert/strict";
import path from "node:path";
import test from "node:test";
import { pathToFileURL } from "node:url";
import { advance, reset, settle, virtualTime } from "./clock.mjs";

virtualTime();
const { client, connect, follow, notify, serve, upload } = await import(pathToFileURL(path.resolve(process.env.RUNTIME)));

/** The window and the document of a page. */
const page = new EventTarget();
globalThis.addEventListener = page.addEventListener.bind(page);
globalThis.document = Object.assign(page, { visibilityState: "visible" });
const happens = async (type, members) => (page.dispatchEvent(Object.assign(new Event(type), members)), settle());

class Socket {
  static all = [];
  readyState = 1;
  bufferedAmount = 0;
  sent = [];
  constructor(url) {
    this.url = String(url);
    Socket.all.push(this);
  }
  send(frame) { this.sent.push(...frame.split("\n").map((line) => JSON.parse(line))); }
  close(code) { this.code ??= code; }
  async say(m) { this.onmessage?.({ data: JSON.stringify({ jsonrpc: "2.0", ...m }) }); await settle(); }
}

const hello = { v: 1, calls: 256, streams: 256, message: 1048576, notes: 4096, noteBytes: 1048576, replay: 1048576, session: "a.b", window: 120000 };

async function greet(answer) {
  await settle();
  const socket = Socket.all.at(-1);
  socket.onopen();
  await settle();
  await socket.say({ id: 1, result: answer });
  return socket;
}

async function open(options = {}) {
  reset();
  Socket.all = [];
  const connection = connect("ws://server", { WebSocket: Socket, ...options });
  return { connection, socket: await greet(hello) };
}

/** What is dialed after a redirect of hello. */
async function dialedAfter(url, at, options = {}) {
  reset();
  Socket.all = [];
  const connection = connect(url, { WebSocket: Socket, redirect: (to) => to.hostname === "n7.other", ...options });
  const first = await greet({ at });
  const next = Socket.all.at(-1);
  const { code } = first;
  connection.close();
  assert.equal(code, 4000);
  return next === first ? undefined : next.url;
}

test("a redirect is followed to the same host, below it, or where the page accepts it", async () => {
  for (const [url, at] of [
    ["wss://a.example/rpc", "wss://a.example:8443/n7"],
    ["wss://a.example/rpc", "wss://n7.a.example/rpc"],
    ["ws://a.example/rpc", "wss://n7.a.example/rpc"],
    ["ws://a.example/rpc", "ws://n7.a.example/rpc"],
    ["ws://127.0.0.1:8080/rpc", "ws://127.0.0.1:8081/rpc"],
    ["wss://a.example/rpc", "wss://n7.other/rpc"],
  ]) assert.equal(await dialedAfter(url, at), at);
  for (const [url, at] of [
    ["wss://a.example/rpc", "ws://a.example/rpc"],
    ["wss://a.example/rpc", "ws://n7.other/rpc"],
    ["wss://a.example/rpc", "https://a.example/rpc"],
    ["wss://a.example/rpc", "javascript:alert(1)"],
    ["wss://a.example/rpc", "/rpc"],
    ["wss://a.example/rpc", "wss://example/rpc"],
    ["wss://a.example/rpc", "wss://nota.example/rpc"],
    ["wss://a.example/rpc", "wss://a.example.evil/rpc"],
    ["wss://a.example/rpc", "wss://a.example@evil/rpc"],
    ["ws://127.0.0.1/rpc", "ws://1.127.0.0.1/rpc"],
    ["wss://a.example/rpc", 7],
    ["wss://a.example/rpc", { href: "wss://a.example/rpc" }],
  ]) assert.equal(await dialedAfter(url, at), url, String(at));
});

test("a server that is redirected to and does not answer is left for the first", async () => {
  reset();
  Socket.all = [];
  const connection = connect("wss://a.example/rpc", { WebSocket: Socket, timeout: 10000 });
  await greet({ at: "wss://n7.a.example/rpc" });
  await advance(5000);
  const third = await greet(hello);
  assert.deepEqual(Socket.all.map((s) => s.url), ["wss://a.example/rpc", "wss://n7.a.example/rpc", "wss://a.example/rpc"]);
  assert.equal(third.sent[0].params.redirect, undefined);
  assert.equal(connection.state.phase, "connected");
  connection.close();
});

test("a page that is left says goodbye", async () => {
  const { connection, socket } = await open();
  await happens("pagehide", { persisted: false });
  assert.equal(socket.code, 1000);
  assert.equal(connection.state.phase, "closed");
});

test("a page that goes to the cache keeps its session, and resumes it at once when it comes back", async () => {
  const { connection, socket } = await open();
  await happens("pagehide", { persisted: true });
  assert.equal(socket.code, 4000);
  assert.equal(connection.state.phase, "detached");
  await happens("pageshow", { persisted: true });
  const next = await greet({ received: 0 });
  assert.equal(next.sent[0].method, "rpc.resume");
  assert.equal(connection.state.phase, "connected");
  connection.close();
});

test("a page that goes to the cache while it connects has no socket there", async () => {
  reset();
  const connection = connect("ws://server", { WebSocket: Socket });
  await settle();
  const socket = Socket.all.at(-1);
  await happens("pagehide", { persisted: true });
  assert.ok(socket.code);
  await happens("pageshow", { persisted: true });
  await greet(hello);
  assert.equal(connection.state.phase, "connected");
  connection.close();
});

test("a network that goes is found out within two seconds, and one that stays is left alone", async () => {
  const { connection, socket } = await open();
  await happens("offline");
  assert.equal(socket.sent.at(-1).method, "$/ping");
  await socket.say({ method: "$/pong", params: [1] });
  await advance(2000);
  assert.equal(connection.state.phase, "connected");
  await happens("offline");
  await advance(2000);
  assert.equal(connection.state.phase, "detached");
  connection.close();
});

test("a network that comes back, and a page that is shown, have it connect at once", async () => {
  const { connection, socket } = await open();
  for (const type of ["online", "visibilitychange"]) {
    await advance(2000);
    await Socket.all.at(-1).say({ method: "$/pong", params: [1] });
    Socket.all.at(-1).onclose({ code: 1006, reason: "" });
    await settle();
    const sockets = Socket.all.length;
    await happens(type);
    assert.equal(Socket.all.length, sockets + 1, type);
    await greet({ received: 0 });
  }
  assert.equal(socket.code, 4000);
  connection.close();
});

test("nothing is followed behind the end", async () => {
  const { connection } = await open();
  connection.close();
  const sockets = Socket.all.length;
  for (const type of ["online", "offline", "visibilitychange"]) await happens(type);
  await advance(600000);
  assert.equal(Socket.all.length, sockets);
});

test("a listener that throws costs nothing", async () => {
  const { connection, socket } = await open();
  const thrown = [];
  globalThis.setTimeout = ((set) => (f, ms) => (ms === undefined ? thrown.push(f) : set(f, ms)))(globalThis.setTimeout);
  connection.subscribe(() => { throw new Error("a listener"); });
  await socket.say({ method: "$/goaway", params: [60000] });
  assert.equal(socket.code, undefined);
  assert.throws(thrown[0], /a listener/);
  connection.close();
});

test("a connection that is closed while it leaves its server does not connect again", async () => {
  const { connection, socket } = await open();
  await socket.say({ method: "$/goaway", params: [60000] });
  connection.close();
  const sockets = Socket.all.length;
  await assert.rejects(client(connection, Served).add(1, 2), { code: -32013 });
  await advance(600000);
  assert.equal(Socket.all.length, sockets);
});

test("a stream with a cursor that is cancelled before it has begun is empty", async () => {
  const { connection } = await open();
  const Followed = { name: "Test", methods: { follow: { name: "Test.Follow", params: ["after"], results: [{ name: "r0", stream: true }], cursor: { param: "after", path: ["n"], follow } } } };
  const stream = client(connection, Followed).follow(0);
  stream.cancel();
  for await (const _ of stream) assert.fail("an item");
  connection.close();
});

test("an item that an upload yields without a socket is sent over the next one at once", async () => {
  const { connection, socket } = await open();
  let more;
  client(connection, Served).sum((async function* () { yield await new Promise((resolve) => (more = resolve)); })()).catch(() => {});
  await settle();
  socket.onclose({ code: 1006, reason: "" });
  more(7);
  await settle();
  connection.reconnect();
  const next = await greet({ received: 1 });
  assert.deepEqual(next.sent.slice(1).map((m) => m.method), ["$/items", "$/end"]);
  connection.close();
});

test("credentials that were under way at a cut are followed by fresh ones", async () => {
  let n = 0;
  const { connection, socket } = await open({ auth: () => "token " + ++n });
  await socket.say({ method: "$/auth", params: [60000] });
  assert.equal(socket.sent.at(-1).params.auth, "token 2");
  socket.onclose({ code: 1006, reason: "" });
  await settle();
  connection.reconnect();
  const next = await greet({ received: 0 });
  assert.deepEqual(next.sent.map((m) => m.params.auth), ["token 3", "token 2"]);
  await next.say({ id: 2, result: {} });
  assert.equal(next.sent.at(-1).params.auth, "token 4");
  await next.say({ id: 3, result: {} });
  assert.equal(n, 4);
  connection.close();
});

const Served = { name: "Test", methods: {
  note: { name: "Test.Note", params: ["text"], notify },
  add: { name: "Test.Add", params: ["a", "b"], results: ["r0"] },
  wait: { name: "Test.Wait" },
  two: { name: "Test.Two", results: ["sum", { name: "items", stream: true }] },
  sum: { name: "Test.Sum", params: [{ name: "nums", stream: upload }], results: ["r0"] },
} };

test("a page serves", async () => {
  const { connection, socket } = await open({ replay: 0 });
  const notes = [];
  let left = false;
  const end = serve(connection, Served, {
    note: async (text) => void notes.push(text),
    add: (a, b, { meta }) => a + b + Number(meta?.more ?? 0),
    wait: (options) => new Promise((_, reject) => options.signal.addEventListener("abort", () => ((left = true), reject(options.signal.reason)))),
    two: () => ({ sum: 1, items: ["a", "b"] }),
    sum: async (nums) => {
      let sum = 0;
      for await (const n of nums) sum += n;
      return sum;
    },
  });
  const answer = async (m) => {
    socket.sent = [];
    await socket.say(m);
    return socket.sent.map(({ jsonrpc, ...m }) => m);
  };
  assert.deepEqual(await answer({ method: "Test.Note", params: ["x"] }), []);
  assert.deepEqual(notes, ["x"]);
  assert.deepEqual(await answer({ id: 1, method: "Test.Add", params: [1, 2] }), [{ id: 1, result: 3 }]);
  assert.deepEqual(await answer({ id: 2, method: "Test.Add", meta: { more: "4" }, params: { a: 1, b: 2 } }), [{ id: 2, result: 7 }]);
  assert.deepEqual(await answer({ id: 3, method: "Test.None" }), [{ id: 3, error: { code: -32601, message: "method not found", ran: "no" } }]);
  assert.deepEqual(await answer({ id: 4, method: "Test.Two" }), [
    { id: 4, streams: [1], result: { sum: 1, items: 1 } },
    { method: "$/items", params: [1, ["a", "b"]] },
    { method: "$/end", params: [1] },
  ]);
  assert.deepEqual(await answer({ id: 5, method: "Test.Sum", streams: [1], params: [1] }), []);
  assert.deepEqual(await answer({ method: "$/items", params: [1, [1, 2, 3]] }), []);
  assert.deepEqual(await answer({ method: "$/end", params: [1] }), [{ id: 5, result: 6 }]);
  assert.deepEqual(await answer({ id: 6, method: "Test.Wait" }), []);
  assert.deepEqual(await answer({ method: "$/cancelRequest", params: { id: 6 } }), [{ id: 6, error: { code: -32800, message: "canceled" } }]);
  assert.ok(left);
  end();
  assert.equal((await answer({ id: 7, method: "Test.Add", params: [1, 2] }))[0].error.code, -32601);
  connection.close();
});

test("parameters and results are accepted by their aliases", async () => {
  const { connection, socket } = await open({ replay: 0 });
  const Aliased = { name: "Test", methods: {
    say: { name: "Test.Say", params: [{ name: "writer", alias: ["author", "poster"] }, "text"], results: ["r0"] },
    count: { name: "Test.Count", results: [{ name: "count", alias: ["number"] }, "rest"] },
  } };
  serve(connection, Aliased, { say: (writer, text) => `${writer}: ${text}` });
  const answer = async (params) => {
    socket.sent = [];
    await socket.say({ id: 1, method: "Test.Say", params });
    return socket.sent[0].result ?? socket.sent[0].error.message;
  };
  assert.equal(await answer({ writer: "Ann", text: "x" }), "Ann: x");
  assert.equal(await answer({ author: "Ann", text: "x" }), "Ann: x");
  assert.equal(await answer({ text: "x", poster: "Ann" }), "Ann: x");
  assert.equal(await answer(["Ann", "x"]), "Ann: x");
  assert.equal(await answer({ author: "Ann", writer: "Bob" }), "invalid params: author is another name of writer");
  const called = async (result) => {
    const promise = client(connection, Aliased).count().catch((error) => error.message);
    await settle();
    await socket.say({ id: socket.sent.at(-1).id, result });
    return promise;
  };
  assert.deepEqual(await called({ count: 1, rest: 2 }), { count: 1, rest: 2 });
  assert.deepEqual(await called({ number: 1, rest: 2 }), { count: 1, rest: 2 });
  assert.equal(await called({ number: 1, count: 2 }), "Test.Count: the result cannot be decoded: number is another name of count");
  connection.close();
});
