// jayson over a WebSocket, with ids that are UUIDs.

import assert from "node:assert/strict";
import jayson from "jayson/promise/index.js";
import WebSocket from "ws";

const ws = new WebSocket(process.argv[2]);
await new Promise((open, fail) => ws.on("open", open).on("error", fail));
const client = jayson.Client.websocket({ ws });

const sums = await Promise.all([client.request("calc_add", [1, 2]), client.request("calc_add", { b: 4, a: 3 })]);
assert.deepEqual(sums.map((answer) => answer.result), [3, 7]);
const failed = await client.request("calc_fail", [77, "why"]);
assert.deepEqual(failed.error, { code: 77, message: "failed as asked", data: { detail: "why" } });

const batch = Array.from({ length: 1001 }, (_, i) => client.request("calc_add", [i, 1], undefined, false));
const answers = await client.request(batch.slice(0, 1000));
assert.deepEqual(answers.map((answer) => answer.result).sort((a, b) => a - b), batch.slice(0, 1000).map((_, i) => i + 1));
const refused = await client.request(batch);
assert.deepEqual(refused.map((answer) => answer.error.code), batch.map(() => -32005));
ws.close();
