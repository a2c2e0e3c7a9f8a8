// web3.js: it takes whatever has "jsonrpc", a method and params for a subscription's.

import assert from "node:assert/strict";
import { WebSocketProvider } from "web3-providers-ws";

const provider = new WebSocketProvider(process.argv[2], {}, { autoReconnect: false });
const ask = (method, params) => provider.request({ jsonrpc: "2.0", id: `${method} ${JSON.stringify(params)}`, method, params });
const call = async (method, params) => (await ask(method, params)).result;

assert.deepEqual(await Promise.all([call("calc_add", [1, 2]), call("calc_add", { b: 4, a: 3 })]), [3, 7]);
const { error } = await ask("calc_fail", [77, "why"]);
assert.deepEqual(error, { code: 77, message: "failed as asked", data: { detail: "why" } });

const items = [];
const enough = new Promise((enough) => {
  provider.on("message", (m) => m.method === "eth_subscription" && items.push(m.params.result) === 3 && enough());
});
const subscription = await call("eth_subscribe", ["newHeads"]);
await enough;
assert.equal(await call("eth_unsubscribe", [subscription]), true);
assert.ok(items.every((header) => header.number));

// The end of one that is lost is not shown to it, and calls go on.
const lost = new Promise((lost) => {
  provider._socketConnection.addEventListener("message", (m) => m.data.includes("end_subscription") && lost());
});
await call("eth_subscribe", ["failing"]);
await lost;
assert.equal(await call("calc_add", [5, 6]), 11);
assert.ok(items.every((header) => header.number));
provider.disconnect();
