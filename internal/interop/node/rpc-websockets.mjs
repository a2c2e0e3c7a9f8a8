// rpc-websockets: every notification is an event named after its method.

import assert from "node:assert/strict";
import { Client } from "rpc-websockets";

const client = new Client(process.argv[2], { reconnect: false });
await new Promise((open, fail) => client.on("open", open) && client.on("error", fail));

const sums = await Promise.all([client.call("calc_add", [1, 2]), client.call("calc_add", { b: 4, a: 3 })]);
assert.deepEqual(sums, [3, 7]);
await assert.rejects(client.call("calc_fail", [77, "why"]), { code: 77, message: "failed as asked", data: { detail: "why" } });
await client.notify("calc_note", ["noted"]);

const items = [];
const enough = new Promise((enough) => {
  client.on("eth_subscription", (params) => items.push(params) === 3 && enough());
});
const subscription = await client.call("eth_subscribe", ["newHeads"]);
await enough;
assert.equal(await client.call("rpc.unsubscribe", [subscription]), true);
assert.ok(items.every((i) => i.subscription === subscription));
const numbers = items.slice(0, 3).map((i) => Number(i.result.number));
assert.deepEqual(numbers.slice(1), [numbers[0] + 1, numbers[0] + 2]);

// Its own subscriptions are events, which have a name and arguments.
const prices = [];
const alarm = new Promise((alarm) => client.on("alarms", alarm));
const three = new Promise((three) => client.on("prices", (price) => prices.push(price) === 3 && three()));
assert.deepEqual(await client.subscribe("prices"), { prices: "ok" });
assert.deepEqual(await client.subscribe("alarms"), { alarms: "ok" });
await three;
assert.deepEqual(prices, [1, 2, 3]);
assert.deepEqual(await alarm, { where: "attic" });
assert.deepEqual(await client.subscribe("prices"), { prices: "socket has already been subscribed to event" });
assert.deepEqual(await client.unsubscribe("prices"), { prices: "ok" });
assert.deepEqual(await client.unsubscribe("prices"), { prices: "not subscribed" });
await assert.rejects(client.subscribe("missing"), { code: -32601 });

assert.equal(await client.call("calc_add", [5, 6]), 11);
client.close();
