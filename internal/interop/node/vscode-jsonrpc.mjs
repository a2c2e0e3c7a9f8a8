// vscode-jsonrpc: what language servers are built with, here over a WebSocket.

import assert from "node:assert/strict";
import { CancellationTokenSource, createMessageConnection } from "vscode-jsonrpc/node.js";
import { WebSocketMessageReader, WebSocketMessageWriter } from "vscode-ws-jsonrpc";
import { openSocket } from "./socket.js";

const { ws, socket } = await openSocket(process.argv[2]);
const conn = createMessageConnection(new WebSocketMessageReader(socket), new WebSocketMessageWriter(socket));
const items = [];
const enough = new Promise((enough) => {
  conn.onNotification("eth_subscription", (params) => items.push(params.result.number) === 3 && enough());
});
conn.listen();

assert.deepEqual(await Promise.all([conn.sendRequest("calc_add", 1, 2), conn.sendRequest("calc_add", { b: 4, a: 3 })]), [3, 7]);
await assert.rejects(conn.sendRequest("calc_fail", 77, "why"), { code: 77, message: "failed as asked", data: { detail: "why" } });
await conn.sendNotification("calc_note", "noted");

const source = new CancellationTokenSource();
const waiting = conn.sendRequest("calc_wait", source.token);
source.cancel();
await assert.rejects(waiting, { code: -32800 });

const subscription = await conn.sendRequest("eth_subscribe", "newHeads");
await enough;
assert.equal(await conn.sendRequest("rpc.unsubscribe", subscription), true);
assert.deepEqual(items.slice(1, 3).map(Number), [Number(items[0]) + 1, Number(items[0]) + 2]);

assert.equal(await conn.sendRequest("calc_add", 5, 6), 11);
conn.dispose();
ws.close();
