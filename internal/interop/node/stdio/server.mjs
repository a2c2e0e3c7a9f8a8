// vscode-jsonrpc over standard input and output, as language servers are run. What the
// test is told comes as notifications, since the output is the connection.

import { createMessageConnection, ProgressType, ResponseError, StreamMessageReader, StreamMessageWriter } from "vscode-jsonrpc/node.js";

const conn = createMessageConnection(new StreamMessageReader(process.stdin), new StreamMessageWriter(process.stdout));
conn.onRequest("calc_add", (a, b) => a + b);
conn.onRequest("calc_fail", (_, detail) => new ResponseError(77, "failed as asked", { detail }));
conn.onNotification("calc_note", (text) => conn.sendNotification("calc_note", text));

// It says that it waits, until it is cancelled.
conn.onRequest("calc_wait", async (token) => {
  const cancelled = new Promise((done) => token.onCancellationRequested(done));
  await conn.sendNotification("calc_note", "waiting");
  await cancelled;
  await conn.sendNotification("calc_note", "cancelled");
  return new ResponseError(-32800, "cancelled");
});

// It asks its client while the client waits, and reports progress.
conn.onRequest("calc_ask", async (token) => {
  const progress = new ProgressType();
  for (const done of [1, 2]) await conn.sendProgress(progress, token, { done });
  return await conn.sendRequest("calc_add", 20, 22);
});
conn.onClose(() => process.exit(0));
conn.listen();
