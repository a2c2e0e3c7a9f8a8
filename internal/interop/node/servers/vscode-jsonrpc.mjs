import { createMessageConnection, ResponseError } from "vscode-jsonrpc/node.js";
import { WebSocketMessageReader, WebSocketMessageWriter } from "vscode-ws-jsonrpc";
import { socketOf } from "../socket.js";
import { add, failure, note, serve } from "./calc.js";

serve((ws) => {
  const socket = socketOf(ws);
  const conn = createMessageConnection(new WebSocketMessageReader(socket), new WebSocketMessageWriter(socket));
  conn.onRequest("calc_add", (a, b) => add(a, b));
  conn.onRequest("calc_fail", (_, detail) => {
    const { message, code, data } = failure(detail);
    return new ResponseError(code, message, data);
  });
  conn.onNotification("calc_note", (text) => note(text));
  conn.listen();
});
