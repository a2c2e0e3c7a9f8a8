// json-rpc-2.0 leaves the transport to its user.

import assert from "node:assert/strict";
import { JSONRPCClient } from "json-rpc-2.0";
import WebSocket from "ws";

const ws = new WebSocket(process.argv[2]);
await new Promise((open, fail) => ws.on("open", open).on("error", fail));
const client = new JSONRPCClient((request) => ws.send(JSON.stringify(request)));
ws.on("message", (data) => client.receive(JSON.parse(data)));

assert.deepEqual(await Promise.all([client.request("calc_add", [1, 2]), client.request("calc_add", { b: 4, a: 3 })]), [3, 7]);
await assert.rejects(client.request("calc_fail", [77, "why"]), { code: 77, message: "failed as asked", data: { detail: "why" } });
client.notify("calc_note", ["noted"]);
assert.equal(await client.request("calc_add", [5, 6]), 11);
ws.close();
