// What a hostile server costs a page: its connection, not its memory or its prototypes.
import assert from "node:assert/strict";
import path from "node:path";
import test from "node:test";
import { pathToFileURL } from "node:url";
import { virtualTime } from "./clock.mjs";

virtualTime(); // which does not pass

const { client, connect, RpcError, upload } = await import(pathToFileURL(path.resolve(process.env.RUNTIME)));

const hello = { v: 1, calls: 256, streams: 256, message: 1048576, notes: 4096, noteBytes: 1048576 };
const turn = () => new Promise((resolve) => setImmediate(resolve));

const Test = { name: "Test", methods: {
  say: { name: "Test.Say", params: ["v"], results: ["r0"] },
  count: { name: "Test.Count", results: [{ name: "r0", stream: true }] },
  two: { name: "Test.Two", results: ["__proto__", "constructor"] },
  sum: { name: "Test.Sum", params: [{ name: "nums", stream: upload }], results: ["r0"] },
} };

/** A connection and its server's end of the socket. */
async function open(limits = {}) {
  let socket;
  class Socket {
    static { this.prototype.readyState = 1; }
    bufferedAmount = 0;
    sent = [];
    constructor() { socket = this; setImmediate(() => this.onopen()); }
    send(frame) { this.sent.push(...frame.split("\n").map((line) => JSON.parse(line))); }
    close(code) { this.code = code; }
    async say(m) { this.onmessage?.({ data: typeof m === "string" ? m : JSON.stringify({ jsonrpc: "2.0", ...m }) }); await turn(); }
  }
  const connection = connect("ws://hostile", { WebSocket: Socket, reconnect: false, replay: 0, limits });
  const service = client(connection, Test);
  await turn();
  await turn();
  await socket.say({ id: 1, result: hello });
  assert.equal(connection.state.phase, "connected");
  return { connection, service, socket };
}

/** Has the server send a message, which must cost it the connection. */
async function breach(name, m, before = () => {}) {
  await test(name, async () => {
    const { connection, service, socket } = await open();
    const call = service.say("x").catch((error) => error);
    await turn();
    await before(service, socket);
    await socket.say(m);
    assert.equal(socket.code, 4500);
    assert.equal(connection.state.phase, "closed");
    assert.ok((await call) instanceof RpcError);
  });
}

const watch = async (service, socket) => {
  service.count();
  await turn();
  await socket.say({ id: 3, streams: [1], result: 1 });
};
const uploading = async (service) => {
  service.sum((async function* () { yield* [1, 2]; await new Promise(() => {}); })()).catch(() => {});
  await turn();
};

await breach("not JSON", "{");
await breach("no object", "null");
await breach("an array", "[]");
await breach("not JSON-RPC 2.0", '{"id":2,"result":1}');
await breach("no message", "");
await breach("an answer to nothing", { id: 77, result: 1 });
await breach("an answer to __proto__", { id: "__proto__", result: 1 });
await breach("an answer with neither", { id: 2 });
await breach("an answer with both", { id: 2, result: 1, error: { code: 1, message: "" } });
await breach("an error that is none", { id: 2, error: 7 });
await breach("an error without a code", { id: 2, error: { message: "x" } });
await breach("items of an unknown stream", { method: "$/items", params: [9, [1]] });
await breach("items of __proto__", { method: "$/items", params: ["__proto__", [1]] });
await breach("items that are none", { method: "$/items", params: [1, { length: 1e9 }] }, watch);
await breach("items that are a number", { method: "$/items", params: [1, 1] }, watch);
await breach("the end of an unknown stream", { method: "$/end", params: [9] });
await breach("an end with null", { method: "$/end", params: [1, null] }, watch);
await breach("parameters that are null", { method: "$/end", params: null });
await breach("an answer with an open stream", { id: 2, streams: [1], result: 1 }, watch);
await breach("an answer with a stream twice", { id: 2, streams: [5, 5], result: 5 });
await breach("an answer with many streams", { id: 2, streams: Array.from({ length: 17 }, (_, i) => i + 1), result: 1 });
await breach("streams that are none", { id: 2, streams: "12", result: 1 });
await breach("streams that are an object", { id: 2, streams: { length: 3 }, result: 1 });
await breach("a method that is none", { method: 7 });
await breach("a request twice", { id: {}, method: "Test.Say" });
await breach("credit for what was not sent", { method: "$/credit", params: [1, 9, 64, 65536] }, uploading);
await breach("credit that is negative", { method: "$/credit", params: [1, -1, 64, 65536] }, uploading);
await breach("credit that is no number", { method: "$/credit", params: [1, "1", {}, []] }, uploading);
await breach("credit that is short", { method: "$/credit", params: [1, 0] }, uploading);
await breach("a message over the limit", { id: 2, result: "x".repeat(1 << 20) });
await breach("a message of wide characters over the limit", { id: 2, result: "é".repeat(1 << 19) });

test("a bomb of credit does not have a source read without bounds", async () => {
  const { service, socket } = await open();
  let read = 0;
  service.sum((function* () { for (;;) yield read++; })()).catch(() => {});
  await turn();
  assert.ok(read <= 65, `${read} items`);
  await socket.say({ method: "$/credit", params: [1, 64, Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER] });
  assert.ok(read <= 64 + 16384 + 1, `${read} items`);
});

test("a stream that nobody reads is bounded", async () => {
  const { service, socket } = await open();
  const stream = service.count();
  await turn();
  await socket.say({ id: 2, streams: [1], result: 1 });
  for (let i = 0; i < 1000; i++) await socket.say({ method: "$/items", params: [1, ["x".repeat(1000)]] });
  assert.deepEqual(socket.sent.filter((m) => m.method === "$/cancel").map((m) => m.params[1].code), [-32007]);
  let n = 0;
  await assert.rejects(async () => { for await (const _ of stream) n++; }, { code: -32007 });
  assert.equal(n, 64);
});

test("notifications that nobody asked for end the connection", async () => {
  const { socket } = await open({ notes: 64 });
  for (let i = 0; i < 200 && !socket.code; i++) socket.onmessage?.({ data: '{"jsonrpc":"2.0","method":"x"}' });
  assert.equal(socket.code, 4500);
});

test("deep values and __proto__ are values like others", async () => {
  const { service, socket } = await open();
  const deep = service.say(1), proto = service.say(2), two = service.two();
  await turn();
  await socket.say(`{"jsonrpc":"2.0","id":2,"result":${"[".repeat(200_000)}${"]".repeat(200_000)}}`);
  await deep.then((value) => assert.ok(Array.isArray(value)), (error) => assert.ok(error instanceof RpcError));
  await socket.say('{"jsonrpc":"2.0","id":3,"meta":{"__proto__":"x"},"result":{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}}}}');
  assert.ok(Object.hasOwn(await proto, "__proto__"));
  await socket.say('{"jsonrpc":"2.0","id":4,"result":{"__proto__":{"polluted":1},"constructor":2}}');
  const result = await two;
  assert.ok(Object.hasOwn(result, "__proto__") && result.constructor === 2);
  assert.equal({}.polluted, undefined);
});
