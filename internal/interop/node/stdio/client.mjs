// A client of vscode-jsonrpc over standard input and output.

import assert from "node:assert/strict";
import { CancellationTokenSource, createMessageConnection, StreamMessageReader, StreamMessageWriter } from "vscode-jsonrpc/node.js";

const conn = createMessageConnection(new StreamMessageReader(process.stdin), new StreamMessageWriter(process.stdout));
conn.listen();

assert.deepEqual(await Promise.all([conn.sendRequest("calc_add", 1, 2), conn.sendRequest("calc_add", { b: 4, a: 3 })]), [3, 7]);
await assert.rejects(conn.sendRequest("calc_fail", 77, "wörter"), { code: 77, message: "failed as asked", data: { detail: "wörter" } });
await conn.sendNotification("calc_note", "noted");

const source = new CancellationTokenSource();
const waiting = conn.sendRequest("calc_wait", source.token);
source.cancel();
await assert.rejects(waiting, { code: -32800 });
assert.equal(await conn.sendRequest("calc_add", 5, 6), 11);
conn.end();
process.exit(0);
