// viem: it ignores what it does not know, except for a message with the id of a
// call, which ends that call whatever it is.

import assert from "node:assert/strict";
import { createPublicClient, webSocket } from "viem";
import { mainnet } from "viem/chains";

const transport = webSocket(process.argv[2], { keepAlive: false, reconnect: false, retryCount: 0 });
const client = createPublicClient({ chain: mainnet, transport });

const add = (...params) => client.request({ method: "calc_add", params });
assert.deepEqual(await Promise.all([add(1, 2), add(3, 4)]), [3, 7]);
assert.equal(await client.getBlockNumber(), 16n);
await assert.rejects(client.request({ method: "calc_fail", params: [77, "why"] }), (err) => {
  const answer = err.walk((e) => e.code === 77);
  assert.deepEqual([answer.details, answer.data], ["failed as asked", { detail: "why" }]);
  return true;
});

const blocks = [];
await new Promise((enough, fail) => {
  const stop = client.watchBlockNumber({
    poll: false,
    onError: fail,
    onBlockNumber: (n) => blocks.push(n) === 3 && (stop(), enough()),
  });
});
assert.deepEqual(blocks.slice(1), [blocks[0] + 1n, blocks[0] + 2n]);

assert.equal(await add(5, 6), 11);

// A subscription that is lost is an error of it, and calls go on.
const subscribe = client.transport.subscribe;
client.transport.subscribe = (args) => subscribe({ ...args, params: ["failing"] });
const lost = await new Promise((resolve) => {
  client.watchBlockNumber({ poll: false, onError: resolve, onBlockNumber: () => {} });
});
assert.match(lost.message, /feed lost/);
assert.equal(await add(7, 8), 15);
(await client.transport.getRpcClient()).close();
