// polkadot.js: the caller says what the notifications of a subscription are called.

import assert from "node:assert/strict";
import { WsProvider } from "@polkadot/rpc-provider";

const provider = new WsProvider(process.argv[2], false);
await provider.connect();
await provider.isReady;

const sums = await Promise.all([provider.send("calc_add", [1, 2]), provider.send("calc_add", [3, 4])]);
assert.deepEqual(sums, [3, 7]);
await assert.rejects(provider.send("calc_fail", [77, "why"]), { code: 77, message: /failed as asked/ });

// Ethereum's names, and those of a node of Polkadot's.
const chains = [
  { notification: "eth_subscription", subscribe: "eth_subscribe", params: ["newHeads"], failing: ["eth_subscription", "eth_subscribe", ["failing"]], unsubscribe: "eth_unsubscribe" },
  { notification: "chain_newHead", subscribe: "chain_subscribeNewHead", params: [], failing: ["chain_finalizedHead", "chain_subscribeFinalizedHeads", []], unsubscribe: "chain_unsubscribeNewHead" },
];
for (const chain of chains) {
  const items = [];
  let enough;
  const full = new Promise((resolve) => (enough = resolve));
  const id = await provider.subscribe(chain.notification, chain.subscribe, chain.params, (err, header) => items.push(err ?? header.number) === 3 && enough());
  await full;
  assert.equal(await provider.unsubscribe(chain.notification, chain.unsubscribe, id), true);
  assert.deepEqual(items.slice(1, 3).map(Number), [Number(items[0]) + 1, Number(items[0]) + 2]);

  // One that is lost ends with an error.
  assert.ok(await new Promise((lost) => provider.subscribe(...chain.failing, (err) => err && lost(err))));
  assert.equal(await provider.send("calc_add", [5, 6]), 11);
}
await provider.disconnect();
