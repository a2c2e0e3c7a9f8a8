// ethers: whatever it does not know is an 'error' event, and a subscription is
// eth_subscription and nothing else.

import assert from "node:assert/strict";
import { Network, WebSocketProvider } from "ethers";

const network = Network.from(1);
const provider = new WebSocketProvider(process.argv[2], network, { staticNetwork: network });
provider.on("error", (err) => assert.fail(`an error event: ${JSON.stringify(err)}`));

const sums = await Promise.all([provider.send("calc_add", [1, 2]), provider.send("calc_add", { b: 4, a: 3 })]);
assert.deepEqual(sums, [3, 7]);
assert.equal(await provider.getBlockNumber(), 16);
await assert.rejects(provider.send("calc_fail", [77, "why"]), (err) => {
  assert.deepEqual(err.error, { code: 77, message: "failed as asked", data: { detail: "why" } });
  return true;
});

const blocks = [];
await new Promise((enough) => {
  provider.on("block", (n) => blocks.push(n) === 3 && enough());
});
await provider.off("block");
assert.deepEqual(blocks.slice(1), [blocks[0] + 1, blocks[0] + 2]);

assert.equal(await provider.send("calc_add", [5, 6]), 11);
await provider.destroy();

// A subscription that is lost is an 'error' event, and nothing else.
const losing = new WebSocketProvider(process.argv[2], network, { staticNetwork: network });
const send = losing.send.bind(losing);
losing.send = (method, params) => send(method, method === "eth_subscribe" ? ["failing"] : params);
const lost = new Promise((resolve) => losing.on("error", resolve));
await new Promise((resolve) => losing.on("block", (n) => n === 2 && resolve()));
assert.match(JSON.stringify(await lost), /feed lost/);
assert.equal(await losing.send("calc_add", [7, 8]), 15);
await losing.destroy();
