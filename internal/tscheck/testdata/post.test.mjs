// Calls over POST, against a function in place of fetch.
import assert from "node:assert/strict";
import test from "node:test";

const { client, notify, RpcError } = await import(process.env.PACKAGE + "/wirecall.js");
const { post } = await import(process.env.PACKAGE + "/post.js");

const Test = { name: "Test", methods: {
  add: { name: "Test.Add", params: ["a", "b"], results: ["r0"], errors: [{ name: "Test.Gone", code: 7 }] },
  divide: { name: "Test.Divide", params: ["a", "b"], results: ["quotient", "remainder"] },
  note: { name: "Test.Note", params: ["text"], notify },
  count: { name: "Test.Count", results: [{ name: "r0", stream: true }] },
} };

/** A client whose requests are answered with a status and a text. */
function answered(status, text, options = {}) {
  const requests = [];
  const fetch = async (url, request) => (requests.push({ url, ...request }), new Response(status === 204 ? null : text, { status }));
  return { requests, service: client(post("https://server/rpc", { fetch, ...options }), Test) };
}

test("a call", async () => {
  const { requests, service } = answered(200, '{"jsonrpc":"2.0","id":1,"result":3}', { auth: async () => "token", headers: { Tenant: "a" } });
  assert.equal(await service.add(1, 2), 3);
  assert.equal(requests[0].body, '{"jsonrpc":"2.0","id":1,"method":"Test.Add","params":{"a":1,"b":2}}');
  assert.deepEqual(requests[0].headers, { "Content-Type": "application/json", Authorization: "Bearer token", Tenant: "a" });
});

test("several results", async () => {
  const { service } = answered(200, '{"jsonrpc":"2.0","id":1,"result":{"remainder":1,"quotient":3}}');
  assert.deepEqual(await service.divide(7, 2), { quotient: 3, remainder: 1 });
});

test("a notification", async () => {
  const { requests, service } = answered(204);
  assert.equal(await service.note("x"), undefined);
  assert.equal(requests[0].body, '{"jsonrpc":"2.0","method":"Test.Note","params":{"text":"x"}}');
});

test("errors", async () => {
  const error = '{"jsonrpc":"2.0","id":1,"error":{"code":7,"message":"gone"}}';
  await assert.rejects(answered(200, error).service.add(1, 2), { name: "RpcError", code: 7, type: "Test.Gone" });
  await assert.rejects(answered(401, "").service.add(1, 2), { code: -32014 });
  await assert.rejects(answered(502, "<html>").service.add(1, 2), { code: -32013 });
  assert.throws(() => answered(200, "").service.count(), (e) => e instanceof RpcError && e.code === -32009 && e.notRun);
});

test("a signal", async () => {
  const reason = new Error("left");
  const fetch = (_, { signal }) => new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
  const controller = new AbortController();
  const call = client(post("https://server", { fetch }), Test).add(1, 2, { signal: controller.signal });
  setImmediate(() => controller.abort(reason));
  await assert.rejects(call, reason);
});
